/* Exactly one end for every send, calls while somebody closes, and panics. */
#include <pthread.h>

#include "check.h"

#define SENDS 200
#define THREADS 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ends[SENDS];
static int inside_status;
static sp_account inside_account;

static void ended(void *ctx, uint64_t op, sp_event *outcome) {
    int64_t number = 0;
    (void)op;
    CHECK(sp_event_kind_of(outcome) == SP_EVENT_KIND_OUTCOME);
    CHECK(sp_event_number(outcome, SP_FIELD_OP, &number) && (uint64_t)number == op);
    CHECK(sp_event_number(outcome, SP_FIELD_STATUS, &number) && number != SP_STATUS_OK);
    CHECK(sp_error_status(sp_event_error(outcome)) == number);
    sp_event_free(outcome);
    pthread_mutex_lock(&lock);
    ++*(int *)ctx;
    inside_status = sp_account_close(inside_account, NULL);
    pthread_mutex_unlock(&lock);
}

/* The account never comes online, so a send ends by a cancel, a refusal or the close. */
static void exactly_one_end(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    int i;
    inside_account = account;
    for (i = 0; i < SENDS; i++) {
        uint64_t op = 0;
        EXPECT(SP_STATUS_OK, sp_send_text_cb(account, text("9995551234"), text("hello"), NULL, ended,
                                             &ends[i], &op, &err));
        CHECK(op != 0);
        if (i % 3 == 0) {
            EXPECT(SP_STATUS_OK, sp_send_cancel(account, op, &err));
            EXPECT(SP_STATUS_OK, sp_send_cancel(account, op, &err));
        }
    }
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    for (i = 0; i < SENDS; i++) {
        CHECK(ends[i] == 1);
    }
    CHECK(inside_status == SP_STATUS_WOULD_DEADLOCK);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

static void *wait_for_event(void *ctx) {
    sp_account account = *(sp_account *)ctx;
    sp_event *event = NULL;
    sp_status status;
    do {
        sp_event_free(event);
        event = NULL;
        status = sp_account_next_event(account, -1, &event, NULL);
    } while (status == SP_STATUS_OK);
    CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    return NULL;
}

static void *use(void *ctx) {
    sp_account account = *(sp_account *)ctx;
    sp_status status = SP_STATUS_OK;
    while (status == SP_STATUS_OK || status == SP_STATUS_TIMEOUT) {
        sp_buf json = {0};
        sp_event *event = NULL;
        status = sp_account_status_json(account, &json, NULL);
        sp_buf_free(&json);
        if (status == SP_STATUS_OK) {
            status = sp_account_next_event(account, 0, &event, NULL);
            sp_event_free(event);
        }
    }
    CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    return NULL;
}

static void close_wakes_everybody(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    pthread_t threads[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, i % 2 ? use : wait_for_event, &account) == 0);
    }
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

#ifdef SENDPATH_PANIC_INJECTION

static void a_panic_poisons_its_object_only(void) {
    sp_engine engine = open_engine("memory:");
    sp_account account = open_account(engine, "a");
    sp_account other = open_account(engine, "b");
    sp_engine fresh = {0};
    sp_event *event = NULL;
    sp_slice to = text("4915551234"), slice;
    sp_buf buf = {0};
    int64_t number;
    int i;
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_account_disconnect(account, &err));
    EXPECT(SP_STATUS_POISONED, sp_account_disconnect(account, &err));
    EXPECT(SP_STATUS_POISONED, sp_account_next_event(account, 0, &event, &err));
    EXPECT(SP_STATUS_TIMEOUT, sp_account_next_event(other, 0, &event, &err));
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));

    for (i = 0; i < 20; i++) {
        sp_account victim = open_account(engine, "v");
        sp_account made = {0};
        sp_phase phase;
        int32_t fd;
        sp_test_panic_next();
        switch (i) {
        case 0: EXPECT(SP_STATUS_PANIC, sp_account_connect(victim, &err)); break;
        case 1: EXPECT(SP_STATUS_PANIC, sp_account_logout(victim, 0, &err)); break;
        case 2: EXPECT(SP_STATUS_PANIC, sp_account_phase(victim, &phase, &err)); break;
        case 3: EXPECT(SP_STATUS_PANIC, sp_account_status_json(victim, &buf, &err)); break;
        case 4: EXPECT(SP_STATUS_PANIC, sp_account_next_event(victim, 0, &event, &err)); break;
        case 5: EXPECT(SP_STATUS_PANIC, sp_account_event_fd(victim, &fd, &err)); break;
        case 6: EXPECT(SP_STATUS_PANIC, sp_send_text_start(victim, to, to, NULL, NULL, &err)); break;
        case 7: EXPECT(SP_STATUS_PANIC, sp_send_text(victim, to, to, NULL, 0, NULL, NULL, &err)); break;
        case 8: EXPECT(SP_STATUS_PANIC,
                       sp_send_text_cb(victim, to, to, NULL, ended, NULL, NULL, &err)); break;
        case 9: EXPECT(SP_STATUS_PANIC, sp_send_cancel(victim, 1, &err)); break;
        case 10: EXPECT(SP_STATUS_PANIC, sp_account_close(victim, &err)); break;
        case 11: EXPECT(SP_STATUS_PANIC,
                        sp_account_can_send_json(victim, &to, 1, 0, &buf, &err)); break;
        case 12: EXPECT(SP_STATUS_PANIC, sp_account_explain_json(victim, to, &buf, &err)); break;
        case 13: EXPECT(SP_STATUS_PANIC, sp_account_explain_text(victim, to, 0, &buf, &err)); break;
        case 14: EXPECT(SP_STATUS_PANIC, sp_account_limits_json(victim, &buf, &err)); break;
        case 15: EXPECT(SP_STATUS_PANIC, sp_account_forget_account(victim, &err)); break;
        case 16: EXPECT(SP_STATUS_PANIC, sp_account_refresh_limits(victim, &err)); break;
        case 18: EXPECT(SP_STATUS_PANIC, sp_account_pair_by_code(victim, to, to, &err)); break;
        case 17: EXPECT(SP_STATUS_PANIC, sp_account_subscribe_presence(victim, to, &err)); break;
        default: EXPECT(SP_STATUS_PANIC, sp_account_open(engine, text("x"), NULL, &made, &err)); break;
        }
        EXPECT(SP_STATUS_OK, sp_account_close(victim, &err));
        if (i == 19) {
            EXPECT(SP_STATUS_POISONED, sp_account_open(engine, text("x"), NULL, &made, &err));
        }
    }
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_engine_open(NULL, &fresh, &err));
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_engine_close(engine, &err));
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_buf_set(&buf, to, &err));
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_rows_add(NULL, to, to, &err));
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_event_json(NULL, &buf, &err));
    sp_test_panic_next();
    EXPECT(SP_STATUS_PANIC, sp_error_json(NULL, &buf, &err));
    sp_test_panic_next();
    CHECK(sp_abi_version() == 0xffffffffu && sp_abi_version() == SP_ABI_VERSION);
    sp_test_panic_next();
    CHECK(!sp_event_text(NULL, SP_FIELD_QR, 0, &slice) && !sp_event_number(NULL, SP_FIELD_OP, &number));
    sp_test_panic_next();
    CHECK(sp_error_status(NULL) == SP_STATUS_PANIC);
    EXPECT(SP_STATUS_OK, sp_account_close(other, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

#endif

int main(void) {
    exactly_one_end();
    close_wakes_everybody();
#ifdef SENDPATH_PANIC_INJECTION
    a_panic_poisons_its_object_only();
#endif
    return 0;
}
