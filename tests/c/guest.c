/* The guest: facts in, plans and work out, and what it says to a host that gets it wrong. */
#include <pthread.h>

#include "guest.h"

#define THREADS 4

static void opening(void) {
    sp_guest guest = {0}, beside = {0};
    sp_guest_config config = settings();
    sp_store store;
    memset(&store, 0, sizeof store);
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_open(NULL, &guest, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_open(&config, NULL, &err));
    config.struct_size = sizeof config - 1;
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_guest_open(&config, &guest, &err));
    config = settings();
    config.store_uri = text("");
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_open(&config, &guest, &err));
    config.beside.handle = 77;
    EXPECT(SP_STATUS_BAD_HANDLE, sp_guest_open(&config, &guest, &err));
    config.store = &store;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_open(&config, &guest, &err));
    config.beside.handle = 0;
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_guest_open(&config, &guest, &err));
    config = settings();
    config.store_uri = text("nonsense://");
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_open(&config, &guest, &err));
    config = settings();
    config.clock = 9;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_open(&config, &guest, &err));
    config = settings();
    config.name = text("a b");
    EXPECT(SP_STATUS_BAD_ACCOUNT_NAME, sp_guest_open(&config, &guest, &err));
    config.name = bytes("\xff", 1);
    EXPECT(SP_STATUS_INVALID_UTF8, sp_guest_open(&config, &guest, &err));
    config = settings();
    config.own_jid = text(PEER);
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_open(&config, &guest, &err));
    config.own_jid = config.own_lid = text("");
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_open(&config, &guest, &err));
    CHECK(guest.handle == 0);

    guest = open_guest();
    config = settings();
    config.store_uri = text("");
    config.beside = guest;
    config.name = text("b");
    config.own_lid = text("900000000000008@lid");
    EXPECT(SP_STATUS_OK, sp_guest_open(&config, &beside, &err));
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_token_received(beside, text(PEER), text("t"), NOW, &err));
    EXPECT(SP_STATUS_BAD_HANDLE, sp_guest_close(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_close(beside, &err));
}

static void a_token_is_planned(void) {
    sp_guest guest = open_guest();
    sp_plan *plan = plan_of(guest, PEER);
    sp_event *event = NULL;
    sp_slice slice = text("kept");
    int64_t t = 7;
    CHECK(sp_plan_attach(plan) == SP_ATTACH_NOTHING && !sp_plan_bytes(plan, &slice));
    CHECK(!sp_plan_token_time(plan, &t) && t == 7 && !sp_plan_ambiguous(plan));
    CHECK(sp_plan_refusal(plan) == NULL);
    CHECK(sp_plan_no_tctoken(plan, &slice) && same(slice, "never_received"));
    CHECK(sp_plan_no_cstoken(plan, &slice) && same(slice, "no_salt"));
    sp_plan_free(plan);

    EXPECT(SP_STATUS_OK, sp_guest_token_received(guest, text(PEER), text("token"), NOW - 9, &err));
    plan = plan_of(guest, PEER);
    CHECK(sp_plan_attach(plan) == SP_ATTACH_TCTOKEN);
    CHECK(sp_plan_bytes(plan, &slice) && same(slice, "token"));
    CHECK(sp_plan_token_time(plan, &t) && t == NOW - 9);
    CHECK(!sp_plan_no_tctoken(plan, &slice) && !sp_plan_no_cstoken(plan, &slice));
    sp_plan_free(plan);

    EXPECT(SP_STATUS_OK, sp_guest_salt_changed(guest, text("salt"), &err));
    plan = plan_of(guest, "100000000000002@lid");
    CHECK(sp_plan_attach(plan) == SP_ATTACH_CSTOKEN && sp_plan_bytes(plan, &slice) && slice.len == 32);
    CHECK(sp_plan_no_tctoken(plan, &slice) && same(slice, "never_received"));
    sp_plan_free(plan);

    EXPECT(SP_STATUS_OK, sp_guest_next_event(guest, 0, &event, &err));
    CHECK(sp_event_kind_of(event) == SP_EVENT_KIND_TOKEN_STORED);
    CHECK(sp_event_text(event, SP_FIELD_PEER, 0, &slice) && same(slice, PEER));
    sp_event_free(event);
    EXPECT(SP_STATUS_TIMEOUT, sp_guest_next_event(guest, 0, &event, &err));
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void a_refusal_is_explained(void) {
    static const char locked[] =
        "{\"data\":{\"xwa2_fetch_account_reachout_timelock\":{\"is_active\":true,"
        "\"time_enforcement_ends\":\"1786160800\"}}}";
    sp_guest guest = open_guest();
    sp_work *work = NULL;
    sp_event *event = NULL;
    sp_plan *plan;
    sp_slice slice;
    size_t i, pull;
    int64_t number;
    EXPECT(SP_STATUS_OK, sp_guest_handed(guest, text("3EB0"), text(PEER), SP_MESSAGE_KIND_CONTENT, &err));
    EXPECT(SP_STATUS_OK, sp_guest_ack(guest, text("3EB0"), 463, &err));
    EXPECT(SP_STATUS_OK, sp_guest_ack(guest, text("3EB0"), 463, &err));
    EXPECT(SP_STATUS_OK, sp_guest_outgoing(guest, &work, &err));
    pull = sp_work_count(work);
    for (i = 0; i < sp_work_count(work); i++) {
        CHECK(sp_work_id(work, i) != 0 && sp_work_iq_id(work, i, &slice) && slice.len > 0);
        CHECK(sp_work_iq(work, i, &slice) && slice.len > 10 && slice.ptr[0] == 0);
        if (sp_work_kind_of(work, i) == SP_WORK_KIND_MEX) {
            CHECK(pull == sp_work_count(work) && sp_work_variables(work, i, &slice));
            CHECK(sp_work_query_id(work, i, &slice) && !sp_work_peer(work, i, &slice));
            CHECK(!sp_work_time(work, i, &number));
            pull = i;
        } else {
            CHECK(!sp_work_query_id(work, i, &slice));
        }
    }
    CHECK(pull < sp_work_count(work));
    CHECK(sp_work_id(work, 99) == 0 && !sp_work_iq(work, 99, &slice));
    EXPECT(SP_STATUS_BAD_BYTES,
           sp_guest_work_done(guest, sp_work_id(work, pull), SP_WORK_END_STANZA, 0, text("?"), &err));
    EXPECT(SP_STATUS_OK, sp_guest_work_done(guest, sp_work_id(work, pull), SP_WORK_END_JSON, 0,
                                            text(locked), &err));
    sp_work_free(work);
    do {
        sp_event_free(event);
        event = NULL;
        EXPECT(SP_STATUS_OK, sp_guest_next_event(guest, 0, &event, &err));
    } while (sp_event_kind_of(event) != SP_EVENT_KIND_OUTCOME);
    CHECK(sp_event_number(event, SP_FIELD_OP, &number) && number == 0);
    CHECK(sp_event_text(event, SP_FIELD_ID, 0, &slice) && same(slice, "3EB0"));
    CHECK(sp_error_status(sp_event_error(event)) == SP_STATUS_ACCOUNT_TIMELOCKED);
    sp_event_free(event);
    plan = plan_of(guest, PEER);
    CHECK(sp_error_status(sp_plan_refusal(plan)) == SP_STATUS_ACCOUNT_TIMELOCKED);
    CHECK(sp_error_until(sp_plan_refusal(plan), &number) && number == 1786160800);
    sp_plan_free(plan);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void rows(void) {
    sp_guest guest = open_guest();
    sp_row *row = NULL;
    sp_buf salt = {0};
    sp_slice token;
    sp_prop off;
    int64_t t;
    EXPECT(SP_STATUS_OK, sp_guest_row_put(guest, text(PEER), text("token"), NOW - 9, 0, &err));
    EXPECT(SP_STATUS_OK, sp_guest_row_get(guest, text(PEER), &row, &err));
    CHECK(sp_row_token(row, &token) && same(token, "token"));
    CHECK(sp_row_time(row, &t) && t == NOW && sp_row_sender_time(row, &t) && t == NOW);
    sp_row_free(row);
    EXPECT(SP_STATUS_OK, sp_guest_row_get(guest, text("1203@g.us"), &row, &err));
    CHECK(row == NULL);
    EXPECT(SP_STATUS_OK, sp_guest_salt_from_history(guest, text("salt"), &err));
    EXPECT(SP_STATUS_OK, sp_guest_salt_get(guest, &salt, &err));
    CHECK(salt.len == 4 && memcmp(salt.ptr, "salt", 4) == 0);
    sp_buf_free(&salt);
    memset(&off, 0, sizeof off);
    off.code = 24941;
    off.value = text("0");
    EXPECT(SP_STATUS_OK, sp_guest_props(guest, &off, 1, &err));
    EXPECT(SP_STATUS_OK, sp_guest_salt_get(guest, &salt, &err));
    CHECK(salt.ptr == NULL && salt.len == 0);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void time_is_the_hosts(void) {
    sp_guest guest = open_guest();
    int64_t wait = -7;
    EXPECT(SP_STATUS_OK, sp_guest_deadline_ms(guest, &wait, &err));
    CHECK(wait > 0);
    EXPECT(SP_STATUS_OK, sp_guest_set_time(guest, (int64_t)NOW * 1000, (uint64_t)wait, &err));
    EXPECT(SP_STATUS_OK, sp_guest_deadline_ms(guest, &wait, &err));
    CHECK(wait == 0);
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_set_time(guest, 0, 1, &err));
    EXPECT(SP_STATUS_OK, sp_guest_tick(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_disconnected(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_deadline_ms(guest, &wait, &err));
    CHECK(wait == -1);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void questions(void) {
    sp_guest guest = open_guest();
    sp_slice to[2];
    sp_buf json = {0};
    to[0] = text(PEER);
    to[1] = text("4915550001");
    EXPECT(SP_STATUS_OK, sp_guest_token_received(guest, to[0], text("token"), NOW - 9, &err));
    EXPECT(SP_STATUS_OK, sp_guest_can_send_json(guest, to, 2, SP_RECIPIENT_ORDINARY, &json, &err));
    CHECK(holds(&json, "[{\"to\":\"" PEER "\",\"answer\":\"allowed\",\"attached\":\"tctoken\"}"));
    CHECK(holds(&json, "4915550001@s.whatsapp.net"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_explain_json(guest, to[0], &json, &err));
    CHECK(holds(&json, "\"attachable\":true") && !holds(&json, "100000000000001"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_explain_text(guest, to[0], 0, &json, &err));
    CHECK(json.len > 0 && !holds(&json, "100000000000001"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_explain_text(guest, to[0], 1, &json, &err));
    CHECK(holds(&json, "100000000000001"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_limits_json(guest, &json, &err));
    CHECK(holds(&json, "\"reachoutTimelock\":{\"state\":\"unknown\""));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_can_send_json(guest, NULL, 0, 0, &json, &err));
    CHECK(json.len == 2 && holds(&json, "[]"));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_can_send_json(guest, NULL, 1, 0, &json, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_can_send_json(guest, to, 2, 9, &json, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_explain_json(guest, text("x"), &json, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_explain_text(guest, to[0], 0, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_limits_json(guest, NULL, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_background(guest, 0, 2, -1, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_background(guest, 0, -1, -2, &err));
    CHECK(json.ptr == NULL);
    EXPECT(SP_STATUS_OK, sp_guest_forget_account(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_explain_json(guest, to[0], &json, &err));
    CHECK(!holds(&json, "\"token\""));
    sp_buf_free(&json);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

/* Every call with a handle, all arguments good; returns how many there are. */
static int every_call(sp_guest guest, int only, sp_status wanted) {
    sp_slice peer = text(PEER), id = text("3EB0"), nothing = bytes(NULL, 0);
    sp_prop prop;
    sp_plan *plan = NULL;
    sp_work *work = NULL;
    sp_row *row = NULL;
    sp_event *event = NULL;
    sp_buf salt = {0}, json[5];
    int64_t wait;
    int32_t fd;
    int n = 0;
    memset(json, 0, sizeof json);
    memset(&prop, 0, sizeof prop);
#define CALL(call)                   \
    do {                             \
        if (only < 0 || only == n) { \
            EXPECT(wanted, call);    \
        }                            \
        n++;                         \
    } while (0)
    CALL(sp_guest_token_received(guest, peer, id, NOW, &err));
    CALL(sp_guest_salt_changed(guest, nothing, &err));
    CALL(sp_guest_salt_from_history(guest, id, &err));
    CALL(sp_guest_app_state(guest, id, 0, id, &err));
    CALL(sp_guest_refresh_limits(guest, &err));
    CALL(sp_guest_history(guest, id, &err));
    CALL(sp_guest_background(guest, NOW, 1, -1, &err));
    CALL(sp_guest_forget_account(guest, &err));
    CALL(sp_guest_mapping_learned(guest, peer, text("4915550001@s.whatsapp.net"), &err));
    CALL(sp_guest_identity_changed(guest, peer, &err));
    CALL(sp_guest_props(guest, &prop, 1, &err));
    CALL(sp_guest_handed(guest, id, peer, SP_MESSAGE_KIND_CONTENT, &err));
    CALL(sp_guest_ack(guest, id, 0, &err));
    CALL(sp_guest_receipt(guest, &id, 1, &err));
    CALL(sp_guest_wrote(guest, peer, &err));
    CALL(sp_guest_connected(guest, &err));
    CALL(sp_guest_disconnected(guest, &err));
    CALL(sp_guest_backlog(guest, 1, &err));
    CALL(sp_guest_server_time(guest, NOW, &err));
    CALL(sp_guest_observe_stanza(guest, bytes("\0\xf8\x01\x13", 4), &err));
    CALL(sp_guest_row_put(guest, peer, id, NOW, 0, &err));
    CALL(sp_guest_set_time(guest, (int64_t)NOW * 1000, 0, &err));
    CALL(sp_guest_deadline_ms(guest, &wait, &err));
    CALL(sp_guest_tick(guest, &err));
    CALL(sp_guest_stop(guest, &err));
    CALL(sp_guest_plan(guest, peer, SP_MESSAGE_KIND_CONTENT, SP_RECIPIENT_ORDINARY, &plan, &err));
    CALL(sp_guest_row_get(guest, peer, &row, &err));
    CALL(sp_guest_salt_get(guest, &salt, &err));
    CALL(sp_guest_can_send_json(guest, &peer, 1, SP_RECIPIENT_ORDINARY, &json[0], &err));
    CALL(sp_guest_explain_json(guest, peer, &json[1], &err));
    CALL(sp_guest_explain_text(guest, peer, 0, &json[2], &err));
    CALL(sp_guest_limits_json(guest, &json[3], &err));
    CALL(sp_guest_status_json(guest, &json[4], &err));
    CALL(sp_guest_outgoing(guest, &work, &err));
    CALL(sp_guest_work_done(guest, 1, SP_WORK_END_OK, 0, nothing, &err));
    CALL(sp_guest_event_fd(guest, &fd, &err));
    CALL(sp_guest_next_event(guest, 0, &event, &err));
#undef CALL
    CHECK((plan != NULL) == (wanted == SP_STATUS_OK) || only >= 0);
    sp_plan_free(plan);
    sp_work_free(work);
    sp_row_free(row);
    sp_event_free(event);
    sp_buf_free(&salt);
    for (fd = 0; fd < 5; fd++) {
        sp_buf_free(&json[fd]);
    }
    return n;
}

static void handles(void) {
    sp_guest guest = open_guest(), bad = {0};
    sp_engine engine = open_engine("memory:");
    every_call(guest, -1, SP_STATUS_OK);
    every_call(bad, -1, SP_STATUS_BAD_HANDLE);
    bad.handle = engine.handle;
    every_call(bad, -1, SP_STATUS_BAD_HANDLE);
    EXPECT(SP_STATUS_BAD_HANDLE, sp_guest_close(bad, &err));
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    every_call(guest, -1, SP_STATUS_BAD_HANDLE);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

static void arguments(void) {
    sp_guest guest = open_guest();
    sp_slice peer = text(PEER), bad = text("no body"), id = text("3EB0"), null = bytes(NULL, 1);
    sp_plan *plan = NULL;
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_token_received(guest, bad, id, NOW, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_token_received(guest, null, id, NOW, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_token_received(guest, peer, null, NOW, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_salt_changed(guest, null, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_salt_from_history(guest, null, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_app_state(guest, null, 0, id, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_app_state(guest, id, 0, null, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_status_json(guest, NULL, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_mapping_learned(guest, peer, bad, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_guest_identity_changed(guest, bytes("\xff", 1), &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_props(guest, NULL, 1, &err));
    EXPECT(SP_STATUS_OK, sp_guest_props(guest, NULL, 0, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_handed(guest, id, peer, 3, &err));
    EXPECT(SP_STATUS_BAD_MESSAGE_ID, sp_guest_handed(guest, bad, peer, 0, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_handed(guest, id, bad, 0, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_ack(guest, id, -1, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_ack(guest, id, 65536, &err));
    EXPECT(SP_STATUS_BAD_MESSAGE_ID, sp_guest_ack(guest, text(""), 0, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_receipt(guest, NULL, 2, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_receipt(guest, &id, (size_t)-1, &err));
    EXPECT(SP_STATUS_BAD_MESSAGE_ID, sp_guest_receipt(guest, &bad, 1, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_wrote(guest, bad, &err));
    EXPECT(SP_STATUS_BAD_BYTES, sp_guest_observe_stanza(guest, text("garbage"), &err));
    EXPECT(SP_STATUS_BAD_BYTES, sp_guest_observe_stanza(guest, bytes(NULL, 0), &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_row_put(guest, bad, id, 0, 0, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_row_put(guest, peer, null, 0, 0, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_row_get(guest, peer, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_salt_get(guest, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_deadline_ms(guest, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_plan(guest, peer, 0, 0, NULL, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_plan(guest, peer, 9, 0, &plan, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_plan(guest, peer, 0, 9, &plan, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_guest_plan(guest, bad, 0, 0, &plan, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_outgoing(guest, NULL, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_guest_work_done(guest, 1, 9, 0, id, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT,
           sp_guest_work_done(guest, 1, SP_WORK_END_ERROR, 65536, id, &err));
    EXPECT(SP_STATUS_INVALID_UTF8,
           sp_guest_work_done(guest, 1, SP_WORK_END_JSON, 0, bytes("\xff", 1), &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_next_event(guest, 0, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_guest_event_fd(guest, NULL, &err));
    CHECK(plan == NULL);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

static void null_objects(void) {
    sp_slice slice = text("kept");
    int64_t t = 5;
    CHECK(sp_plan_attach(NULL) == SP_ATTACH_NOTHING && !sp_plan_ambiguous(NULL));
    CHECK(!sp_plan_bytes(NULL, &slice) && !sp_plan_token_time(NULL, &t));
    CHECK(!sp_plan_no_tctoken(NULL, &slice) && !sp_plan_no_cstoken(NULL, &slice));
    CHECK(sp_plan_refusal(NULL) == NULL && sp_work_count(NULL) == 0 && sp_work_id(NULL, 0) == 0);
    CHECK(sp_work_kind_of(NULL, 0) == SP_WORK_KIND_OTHER && !sp_work_time(NULL, 0, &t));
    CHECK(!sp_work_peer(NULL, 0, &slice) && !sp_work_query_id(NULL, 0, &slice));
    CHECK(!sp_work_variables(NULL, 0, &slice) && !sp_work_iq_id(NULL, 0, &slice));
    CHECK(!sp_work_iq(NULL, 0, &slice) && !sp_row_token(NULL, &slice));
    CHECK(!sp_row_time(NULL, &t) && !sp_row_sender_time(NULL, &t));
    CHECK(same(slice, "kept") && t == 5);
    sp_plan_free(NULL);
    sp_work_free(NULL);
    sp_row_free(NULL);
}

static void *tell(void *ctx) {
    sp_guest guest = *(sp_guest *)ctx;
    sp_status status = SP_STATUS_OK;
    while (status == SP_STATUS_OK) {
        sp_plan *plan = NULL;
        status = sp_guest_token_received(guest, text(PEER), text("token"), NOW, NULL);
        if (status == SP_STATUS_OK) {
            status = sp_guest_plan(guest, text(PEER), 0, 0, &plan, NULL);
            sp_plan_free(plan);
        }
    }
    CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    return NULL;
}

static void *wait_for_event(void *ctx) {
    sp_guest guest = *(sp_guest *)ctx;
    sp_event *event = NULL;
    sp_status status;
    do {
        sp_event_free(event);
        event = NULL;
        status = sp_guest_next_event(guest, -1, &event, NULL);
    } while (status == SP_STATUS_OK);
    CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    return NULL;
}

static void close_wakes_everybody(void) {
    sp_guest guest = open_guest();
    pthread_t threads[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, i % 2 ? tell : wait_for_event, &guest) == 0);
    }
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

#ifdef SENDPATH_PANIC_INJECTION

static void a_panic_is_a_status_and_poisons_its_guest(void) {
    int i, calls = 1;
    sp_slice slice;
    sp_guest made = {0};
    for (i = 0; i < calls; i++) {
        sp_guest victim = open_guest();
        sp_test_panic_next();
        calls = every_call(victim, i, SP_STATUS_PANIC);
        every_call(victim, i, SP_STATUS_POISONED);
        sp_test_panic_next();
        EXPECT(SP_STATUS_PANIC, sp_guest_close(victim, &err));
        EXPECT(SP_STATUS_OK, sp_guest_close(victim, &err));
    }
    CHECK(calls > 20);
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_guest_open(NULL, &made, &err));
    sp_test_panic_next();
    CHECK(!sp_plan_bytes(NULL, &slice) && sp_work_count(NULL) == 0);
}

#endif

int main(void) {
    opening();
    a_token_is_planned();
    a_refusal_is_explained();
    rows();
    time_is_the_hosts();
    questions();
    handles();
    arguments();
    null_objects();
    close_wakes_everybody();
#ifdef SENDPATH_PANIC_INJECTION
    a_panic_is_a_status_and_poisons_its_guest();
#endif
    return 0;
}
