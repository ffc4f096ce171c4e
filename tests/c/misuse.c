/* Whatever a host does wrong is a status, never a crash: NULL, handles, UTF-8, sizes, lifetimes. */
#include "check.h"

static void constants(void) {
    CHECK(sp_abi_version() == SP_ABI_VERSION);
    CHECK(strcmp(sp_version(), EXPECTED_VERSION) == 0);
    CHECK(same(sp_status_name(SP_STATUS_BAD_HANDLE), "BAD_HANDLE"));
    CHECK(sp_status_name(7777).ptr == NULL);
    CHECK(sp_status_class(SP_STATUS_COLD_REFUSED) == SP_CLASS_REFUSED);
    CHECK(sp_status_class(7777) == SP_CLASS_BUG);
}

static void engine_arguments(void) {
    sp_engine engine = {0};
    sp_engine_config config;
    sp_store store;
    memset(&config, 0, sizeof config);
    memset(&store, 0, sizeof store);
    config.struct_size = sizeof config;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_engine_open(&config, &engine, &err));
    config.store_uri = text("memory:");
    EXPECT(SP_STATUS_NULL_POINTER, sp_engine_open(NULL, &engine, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_engine_open(&config, NULL, &err));
    config.store = &store;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_engine_open(&config, &engine, &err));
    config.store_uri = bytes(NULL, 0);
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_engine_open(&config, &engine, &err));
    store.struct_size = sizeof store;
    EXPECT(SP_STATUS_NULL_POINTER, sp_engine_open(&config, &engine, &err));
    config.store = NULL;
    config.store_uri = bytes(NULL, 3);
    EXPECT(SP_STATUS_NULL_POINTER, sp_engine_open(&config, &engine, &err));
    config.store_uri = bytes("x", (size_t)-1);
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_engine_open(&config, &engine, &err));
    config.store_uri = bytes("mem\xff", 4);
    EXPECT(SP_STATUS_INVALID_UTF8, sp_engine_open(&config, &engine, &err));
    config.store_uri = text("nonsense://");
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_engine_open(&config, &engine, &err));
    config.store_uri = text("memory:");
    config.struct_size = 0;
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_engine_open(&config, &engine, &err));
    config.struct_size = sizeof config - 1;
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_engine_open(&config, &engine, &err));
    config.struct_size = 0xffffffffu;
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_engine_open(&config, &engine, &err));
    CHECK(engine.handle == 0);
    CHECK(sp_engine_open(NULL, NULL, NULL) == SP_STATUS_NULL_POINTER);
}

/* A host of a later release knows fields that this library does not. */
static void longer_struct(void) {
    struct {
        sp_engine_config known;
        uint64_t unknown[4];
    } later;
    sp_engine engine = {0};
    memset(&later, 0, sizeof later);
    later.known.struct_size = sizeof later;
    later.known.store_uri = text("memory:");
    EXPECT(SP_STATUS_OK, sp_engine_open(&later.known, &engine, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

static void account_arguments(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = {0};
    sp_account_config config;
    memset(&config, 0, sizeof config);
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_account_open(engine, text("a"), &config, &account, &err));
    config.struct_size = sizeof config;
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_open(engine, text("a"), &config, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_open(engine, bytes(NULL, 1), NULL, &account, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_open(engine, bytes("\xc3", 1), NULL, &account, &err));
    EXPECT(SP_STATUS_BAD_ACCOUNT_NAME, sp_account_open(engine, text("a b"), NULL, &account, &err));
    EXPECT(SP_STATUS_BAD_ACCOUNT_NAME, sp_account_open(engine, text(""), NULL, &account, &err));
    config.root_key = bytes("short", 5);
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_account_open(engine, text("a"), &config, &account, &err));
    config.root_key = bytes(NULL, 0);
    config.url = bytes("\xff", 1);
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_open(engine, text("a"), &config, &account, &err));
    config.url = bytes(NULL, 0);
    config.device_name = bytes(NULL, 7);
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_open(engine, text("a"), &config, &account, &err));
    config.device_name = bytes(NULL, 0);
    config.clock_tolerance = -1;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_account_open(engine, text("a"), &config, &account, &err));
    config.clock_tolerance = 60;
    config.timelock_documents = bytes("\xff", 1);
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_open(engine, text("a"), &config, &account, &err));
    config.timelock_documents = text("2,1");
    config.strict_props = 1;
    EXPECT(SP_STATUS_OK, sp_account_open(engine, text("a"), &config, &account, &err));
    EXPECT(SP_STATUS_ALREADY_OPEN, sp_account_open(engine, text("a"), NULL, &account, &err));
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

static void never(void *ctx, uint64_t op, sp_event *outcome) {
    (void)ctx;
    (void)op;
    (void)outcome;
    CHECK(!"called although the send was not started");
}

static void send_arguments(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    sp_slice to = text("4915551234");
    sp_slice body = text("hello");
    sp_send_options options;
    sp_buf buf = {0};
    uint64_t op = 77;
    memset(&options, 0, sizeof options);
    EXPECT(SP_STATUS_STRUCT_SIZE, sp_send_text_start(account, to, body, &options, &op, &err));
    options.struct_size = sizeof options;
    options.recipient = 3;
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_send_text_start(account, to, body, &options, &op, &err));
    options.recipient = SP_RECIPIENT_SUPPORT;
    options.id = text("two words");
    EXPECT(SP_STATUS_BAD_MESSAGE_ID, sp_send_text_start(account, to, body, &options, &op, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_send_text_start(account, bytes(NULL, 9), body, NULL, &op, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_send_text_start(account, to, bytes(NULL, 9), NULL, &op, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_send_text_start(account, to, bytes("\x80", 1), NULL, &op, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_send_text_start(account, bytes("\x80", 1), body, NULL, &op, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_send_text_start(account, text("nobody"), body, NULL, &op, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_send_text(account, text("nobody"), body, NULL, 0, &op, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_send_text_cb(account, to, body, NULL, NULL, NULL, &op, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_send_text_cb(account, text("x"), body, NULL, never, NULL, &op, &err));
    EXPECT(SP_STATUS_OK, sp_send_cancel(account, 123456, &err));
    CHECK(op == 77);
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_next_event(account, 0, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_event_fd(account, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_phase(account, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_status_json(account, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_can_send_json(account, NULL, 1, 0, &buf, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_account_can_send_json(account, &to, 1, 3, &buf, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_account_explain_json(account, text("x"), &buf, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_explain_text(account, to, 0, NULL, &err));
    EXPECT(SP_STATUS_NOT_PAIRED, sp_account_limits_json(account, &buf, &err));
    CHECK(buf.ptr == NULL);
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

/* Nothing is known before the first link, and there is nothing to forget. */
static void questions_without_a_link(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    sp_slice to = text("4915551234"), null = bytes(NULL, 1), latin = bytes("\xe9", 1);
    sp_buf buf = {0};
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_can_send_json(account, &to, 1, 0, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_can_send_json(account, &null, 1, 0, &buf, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_can_send_json(account, &latin, 1, 0, &buf, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT,
           sp_account_can_send_json(account, &to, (size_t)-1, 0, &buf, &err));
    EXPECT(SP_STATUS_INVALID_ARGUMENT, sp_account_can_send_json(account, &to, 1, -1, &buf, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_explain_json(account, to, NULL, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_explain_json(account, null, &buf, &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_explain_text(account, latin, 0, &buf, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_limits_json(account, NULL, &err));
    EXPECT(SP_STATUS_NOT_PAIRED, sp_account_can_send_json(account, &to, 1, 0, &buf, &err));
    EXPECT(SP_STATUS_NOT_PAIRED, sp_account_explain_json(account, to, &buf, &err));
    EXPECT(SP_STATUS_NOT_PAIRED, sp_account_explain_text(account, to, 1, &buf, &err));
    CHECK(sp_account_limits_json(account, &buf, NULL) == SP_STATUS_NOT_PAIRED);
    EXPECT(SP_STATUS_OK, sp_account_forget_account(account, &err));
    EXPECT(SP_STATUS_OK, sp_account_refresh_limits(account, &err));
    EXPECT(SP_STATUS_OK, sp_account_subscribe_presence(account, to, &err));
    EXPECT(SP_STATUS_BAD_ADDRESS, sp_account_subscribe_presence(account, text("x"), &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_account_subscribe_presence(account, null, &err));
    EXPECT(SP_STATUS_BAD_NUMBER, sp_account_pair_by_code(account, text("12"), bytes(NULL, 0), &err));
    EXPECT(SP_STATUS_BAD_CODE, sp_account_pair_by_code(account, to, text("ABC"), &err));
    EXPECT(SP_STATUS_INVALID_UTF8, sp_account_pair_by_code(account, latin, text(""), &err));
    CHECK(buf.ptr == NULL);
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

static void every_account_call(sp_account account, sp_status wanted) {
    sp_event *event = NULL;
    sp_phase phase = SP_PHASE_ONLINE;
    sp_buf buf = {0};
    int32_t fd = -7;
    uint64_t op = 77;
    sp_slice to = text("4915551234");
    EXPECT(wanted, sp_account_connect(account, &err));
    EXPECT(wanted, sp_account_disconnect(account, &err));
    EXPECT(wanted, sp_account_logout(account, 0, &err));
    EXPECT(wanted, sp_account_next_event(account, 0, &event, &err));
    EXPECT(wanted, sp_send_text_start(account, to, to, NULL, &op, &err));
    EXPECT(wanted, sp_send_text(account, to, to, NULL, 0, &op, &event, &err));
    EXPECT(wanted, sp_send_text_cb(account, to, to, NULL, never, NULL, &op, &err));
    EXPECT(wanted, sp_account_can_send_json(account, &to, 1, SP_RECIPIENT_ORDINARY, &buf, &err));
    EXPECT(wanted, sp_account_explain_json(account, to, &buf, &err));
    EXPECT(wanted, sp_account_explain_text(account, to, 0, &buf, &err));
    EXPECT(wanted, sp_account_limits_json(account, &buf, &err));
    EXPECT(wanted, sp_account_forget_account(account, &err));
    EXPECT(wanted, sp_account_refresh_limits(account, &err));
    EXPECT(wanted, sp_account_pair_by_code(account, to, bytes(NULL, 0), &err));
    EXPECT(wanted, sp_account_subscribe_presence(account, to, &err));
    if (wanted == SP_STATUS_BAD_HANDLE) {
        EXPECT(wanted, sp_account_phase(account, &phase, &err));
        EXPECT(wanted, sp_account_status_json(account, &buf, &err));
        EXPECT(wanted, sp_account_event_fd(account, &fd, &err));
        EXPECT(wanted, sp_send_cancel(account, 1, &err));
        EXPECT(wanted, sp_account_close(account, &err));
    }
    CHECK(event == NULL && buf.ptr == NULL && fd == -7 && op == 77 && phase == SP_PHASE_ONLINE);
}

static void handles(void) {
    sp_engine engine = open_engine("memory:");
    sp_engine other = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    sp_account orphan = open_account(other, "a");
    sp_account bad = {0};
    sp_engine foreign;
    every_account_call(bad, SP_STATUS_BAD_HANDLE);
    bad.handle = ~(uint64_t)0;
    every_account_call(bad, SP_STATUS_BAD_HANDLE);
    bad.handle = engine.handle;
    every_account_call(bad, SP_STATUS_BAD_HANDLE);
    foreign.handle = account.handle;
    EXPECT(SP_STATUS_BAD_HANDLE, sp_engine_close(foreign, &err));
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    every_account_call(account, SP_STATUS_BAD_HANDLE);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    EXPECT(SP_STATUS_BAD_HANDLE, sp_engine_close(engine, &err));
    EXPECT(SP_STATUS_BAD_HANDLE, sp_account_open(engine, text("b"), NULL, &bad, &err));
    /* The engine of an account is gone, its handle is not. */
    EXPECT(SP_STATUS_OK, sp_engine_close(other, &err));
    every_account_call(orphan, SP_STATUS_CLOSED);
    EXPECT(SP_STATUS_OK, sp_account_close(orphan, &err));
}

static void null_objects(void) {
    sp_slice slice = text("kept");
    int64_t number = 5;
    uint64_t big = 5;
    uint16_t code = 5;
    bool flag = true;
    sp_buf buf = {0};
    CHECK(sp_error_status(NULL) == SP_STATUS_OK && sp_error_class(NULL) == SP_CLASS_NONE);
    CHECK(sp_error_message(NULL).len == 0);
    CHECK(!sp_error_cause(NULL, &slice) && !sp_error_next(NULL, &slice));
    CHECK(!sp_error_advice(NULL, &slice) && !sp_error_attached(NULL, &slice));
    CHECK(!sp_error_message_id(NULL, &slice) && !sp_error_until(NULL, &number));
    CHECK(!sp_error_retry_at(NULL, &number) && !sp_error_retry_after_ms(NULL, &big));
    CHECK(!sp_error_nack_code(NULL, &code) && !sp_error_may_retry(NULL, &flag));
    CHECK(!sp_error_still_trying(NULL, &flag));
    CHECK(sp_event_kind_of(NULL) == SP_EVENT_KIND_OTHER && sp_event_error(NULL) == NULL);
    CHECK(!sp_event_text(NULL, SP_FIELD_QR, 0, &slice) && !sp_event_payload(NULL, &slice));
    CHECK(!sp_event_number(NULL, SP_FIELD_OP, &number));
    CHECK(same(slice, "kept") && number == 5 && big == 5 && code == 5 && flag);
    EXPECT(SP_STATUS_NULL_POINTER, sp_error_json(NULL, &buf, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_event_json(NULL, &buf, &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_buf_set(NULL, text("x"), &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_buf_set(&buf, bytes(NULL, 1), &err));
    EXPECT(SP_STATUS_NULL_POINTER, sp_rows_add(NULL, text("x"), text("x"), &err));
    CHECK(buf.ptr == NULL);
    sp_error_free(NULL);
    sp_event_free(NULL);
    sp_buf_free(NULL);
}

/* An attribute that does not apply is absent, and a getter with nowhere to write says so. */
static void errors(void) {
    sp_engine engine = {0};
    sp_error *error = NULL;
    sp_slice slice = text("kept");
    sp_buf json = {0};
    CHECK(sp_engine_close(engine, &error) == SP_STATUS_BAD_HANDLE);
    CHECK(sp_error_class(error) == SP_CLASS_MISUSE);
    CHECK(sp_error_message(error).len > 0);
    CHECK(!sp_error_cause(error, &slice) && same(slice, "kept"));
    CHECK(!sp_error_cause(error, NULL));
    EXPECT(SP_STATUS_NULL_POINTER, sp_error_json(error, NULL, &err));
    EXPECT(SP_STATUS_OK, sp_error_json(error, &json, &err));
    CHECK(json.len > 20 && memcmp(json.ptr, "{\"status\":4,\"name\":\"BAD_HANDLE\"", 30) == 0);
    EXPECT(SP_STATUS_OK, sp_buf_set(&json, text("replaced"), &err));
    CHECK(json.len == 8 && memcmp(json.ptr, "replaced", 8) == 0);
    sp_buf_free(&json);
    sp_buf_free(&json);
    CHECK(json.ptr == NULL && json.len == 0 && json.cap == 0);
    sp_error_free(error);
}

int main(void) {
    constants();
    engine_arguments();
    longer_struct();
    account_arguments();
    send_arguments();
    questions_without_a_link();
    handles();
    null_objects();
    errors();
    return 0;
}
