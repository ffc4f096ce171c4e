/* A guest on a store in memory, whose clock the test sets. */
#ifndef GUEST_H
#define GUEST_H

#include "check.h"

#define NOW 1786074400
#define PEER "100000000000001@lid"

static inline sp_guest_config settings(void) {
    sp_guest_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store_uri = text("memory:");
    config.name = text("a");
    config.own_lid = text("900000000000009@lid");
    config.clock = SP_CLOCK_MANUAL;
    config.unix_ms = (int64_t)NOW * 1000;
    return config;
}

static inline sp_guest open_guest(void) {
    sp_guest guest = {0};
    sp_guest_config config = settings();
    EXPECT(SP_STATUS_OK, sp_guest_open(&config, &guest, &err));
    CHECK(guest.handle != 0);
    return guest;
}

static inline sp_plan *plan_of(sp_guest guest, const char *to) {
    sp_plan *plan = NULL;
    EXPECT(SP_STATUS_OK, sp_guest_plan(guest, text(to), SP_MESSAGE_KIND_CONTENT,
                                       SP_RECIPIENT_ORDINARY, &plan, &err));
    CHECK(plan != NULL);
    return plan;
}

static inline int holds(const sp_buf *json, const char *part) {
    size_t i, len = strlen(part);
    for (i = 0; i + len <= json->len; i++) {
        if (memcmp(json->ptr + i, part, len) == 0) {
            return 1;
        }
    }
    return 0;
}

#endif
