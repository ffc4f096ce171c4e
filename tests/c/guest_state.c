/* A guest is told of app state, asks for the limits, and says what it left aside. */
#include "guest.h"

/* SyncActionValue 80 { salt 1 }. */
static void app_state_tells_the_salt(void) {
    sp_guest guest = open_guest();
    sp_slice index = text("[\"nct_salt_sync\"]"), nothing = bytes(NULL, 0);
    sp_buf salt = {0}, json = {0};
    EXPECT(SP_STATUS_OK,
           sp_guest_app_state(guest, index, 0, bytes("\x82\x05\x06\x0a\x04salt", 9), &err));
    EXPECT(SP_STATUS_OK, sp_guest_salt_get(guest, &salt, &err));
    CHECK(salt.len == 4 && memcmp(salt.ptr, "salt", 4) == 0);
    sp_buf_free(&salt);
    EXPECT(SP_STATUS_OK, sp_guest_app_state(guest, index, 0, nothing, &err));
    EXPECT(SP_STATUS_OK, sp_guest_status_json(guest, &json, &err));
    CHECK(holds(&json, "{\"online\":true,\"ignored\":1,\"tokens\":{"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_salt_get(guest, &salt, &err));
    CHECK(salt.len == 4);
    sp_buf_free(&salt);
    EXPECT(SP_STATUS_OK, sp_guest_app_state(guest, index, 1, nothing, &err));
    EXPECT(SP_STATUS_OK, sp_guest_salt_get(guest, &salt, &err));
    CHECK(salt.ptr == NULL);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void limits_are_asked_for(void) {
    sp_guest guest = open_guest();
    sp_work *work = NULL;
    size_t before, after;
    EXPECT(SP_STATUS_OK, sp_guest_outgoing(guest, &work, &err));
    before = sp_work_count(work);
    sp_work_free(work);
    EXPECT(SP_STATUS_OK, sp_guest_refresh_limits(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_outgoing(guest, &work, &err));
    after = sp_work_count(work);
    CHECK(after == before + 2 && sp_work_kind_of(work, after - 1) == SP_WORK_KIND_MEX);
    sp_work_free(work);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

/* A counter that the snapshot tells, and a switch that is honoured only if told so. */
static void status_and_strict_props(void) {
    int strict;
    for (strict = 0; strict < 2; strict++) {
        sp_guest guest = {0};
        sp_guest_config config = settings();
        sp_prop off;
        sp_plan *plan;
        sp_buf json = {0};
        config.strict_props = strict;
        EXPECT(SP_STATUS_OK, sp_guest_open(&config, &guest, &err));
        memset(&off, 0, sizeof off);
        off.code = 10518;
        off.value = text("0");
        EXPECT(SP_STATUS_OK, sp_guest_props(guest, &off, 1, &err));
        EXPECT(SP_STATUS_OK, sp_guest_token_received(guest, text(PEER), text("token"), NOW, &err));
        EXPECT(SP_STATUS_OK, sp_guest_token_received(guest, text(PEER), text("old"), NOW - 9, &err));
        plan = plan_of(guest, PEER);
        CHECK(sp_plan_attach(plan) == (strict ? SP_ATTACH_NOTHING : SP_ATTACH_TCTOKEN));
        sp_plan_free(plan);
        EXPECT(SP_STATUS_OK, sp_guest_status_json(guest, &json, &err));
        CHECK(holds(&json, "\"older\":1"));
        sp_buf_free(&json);
        EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    }
}

int main(void) {
    app_state_tells_the_salt();
    limits_are_asked_for();
    status_and_strict_props();
    return 0;
}
