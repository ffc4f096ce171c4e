/* The smallest test kit: a failed check says where and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sendpath.h"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

/* The call returns this status, and an error object of the same status unless it is fine. */
#define EXPECT(wanted, call)                                                        \
    do {                                                                            \
        sp_error *err = NULL;                                                       \
        sp_status got = (call);                                                     \
        if (got != (wanted)) {                                                      \
            sp_slice text = sp_error_message(err);                                  \
            fprintf(stderr, "%s:%d: %s: %d, not %d: %.*s\n", __FILE__, __LINE__,    \
                    #call, (int)got, (int)(wanted), (int)text.len,                  \
                    text.ptr == NULL ? "" : (const char *)text.ptr);                \
            exit(1);                                                                \
        }                                                                           \
        CHECK(sp_error_status(err) == got);                                         \
        CHECK((err == NULL) == (got == SP_STATUS_OK));                              \
        sp_error_free(err);                                                         \
    } while (0)

static inline sp_slice bytes(const void *from, size_t len) {
    sp_slice slice;
    slice.ptr = (const uint8_t *)from;
    slice.len = len;
    return slice;
}

static inline sp_slice text(const char *from) {
    return bytes(from, strlen(from));
}

static inline int same(sp_slice slice, const char *wanted) {
    return slice.len == strlen(wanted) && memcmp(slice.ptr, wanted, slice.len) == 0;
}

static inline sp_engine open_engine(const char *uri) {
    sp_engine engine = {0};
    sp_engine_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store_uri = text(uri);
    EXPECT(SP_STATUS_OK, sp_engine_open(&config, &engine, &err));
    CHECK(engine.handle != 0);
    return engine;
}

static inline sp_account open_account(sp_engine engine, const char *name) {
    sp_account account = {0};
    EXPECT(SP_STATUS_OK, sp_account_open(engine, text(name), NULL, &account, &err));
    CHECK(account.handle != 0);
    return account;
}

#endif
