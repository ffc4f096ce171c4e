/* In a forked child every call of every kind says so at once, and the parent goes on working. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define THREADS 4
#define FORKS 200

static void counted(void *ctx, uint64_t op, sp_event *outcome) {
    (void)op;
    sp_event_free(outcome);
    ++*(int *)ctx;
}

static void never(void *ctx, uint64_t op, sp_event *outcome) {
    (void)ctx;
    (void)op;
    (void)outcome;
    CHECK(!"called although the send was not started");
}

/* Calls that would wait for ever are given for ever; alarm ends a child that hangs. */
static void every_call_is_refused(sp_engine engine, sp_account account) {
    sp_slice to = text("4915551234");
    sp_account opened = {0};
    sp_event *event = NULL;
    sp_phase phase = SP_PHASE_ONLINE;
    sp_buf buf = {0};
    int32_t fd = -7;
    uint64_t op = 77;
    EXPECT(SP_STATUS_FORKED, sp_account_open(engine, text("b"), NULL, &opened, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_connect(account, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_disconnect(account, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_logout(account, 0, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_phase(account, &phase, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_status_json(account, &buf, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_limits_json(account, &buf, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_forget_account(account, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_refresh_limits(account, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_pair_by_code(account, to, bytes(NULL, 0), &err));
    EXPECT(SP_STATUS_FORKED, sp_account_subscribe_presence(account, to, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_next_event(account, -1, &event, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_event_fd(account, &fd, &err));
    EXPECT(SP_STATUS_FORKED, sp_send_text_start(account, to, to, NULL, &op, &err));
    EXPECT(SP_STATUS_FORKED, sp_send_text(account, to, to, NULL, -1, &op, &event, &err));
    EXPECT(SP_STATUS_FORKED, sp_send_text_cb(account, to, to, NULL, never, NULL, &op, &err));
    EXPECT(SP_STATUS_FORKED, sp_send_cancel(account, 1, &err));
    EXPECT(SP_STATUS_FORKED, sp_account_close(account, &err));
    EXPECT(SP_STATUS_FORKED, sp_engine_close(engine, &err));
    CHECK(event == NULL && buf.ptr == NULL && fd == -7 && op == 77 && opened.handle == 0);
    /* What needs no thread of the parent works. */
    EXPECT(SP_STATUS_OK, sp_buf_set(&buf, to, &err));
    sp_buf_free(&buf);
    CHECK(sp_abi_version() == SP_ABI_VERSION);
}

static sp_guest open_guest(void) {
    sp_guest guest = {0};
    sp_guest_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store_uri = text("memory:");
    config.name = text("a");
    config.own_lid = text("900000000000009@lid");
    EXPECT(SP_STATUS_OK, sp_guest_open(&config, &guest, &err));
    return guest;
}

static void a_guest_is_refused(sp_guest guest) {
    sp_slice peer = text("100000000000001@lid");
    sp_plan *plan = NULL;
    sp_event *event = NULL;
    int32_t fd = -7;
    EXPECT(SP_STATUS_FORKED, sp_guest_token_received(guest, peer, peer, 1786074400, &err));
    EXPECT(SP_STATUS_FORKED, sp_guest_plan(guest, peer, 0, 0, &plan, &err));
    EXPECT(SP_STATUS_FORKED, sp_guest_next_event(guest, -1, &event, &err));
    EXPECT(SP_STATUS_FORKED, sp_guest_event_fd(guest, &fd, &err));
    EXPECT(SP_STATUS_FORKED, sp_guest_close(guest, &err));
    CHECK(plan == NULL && event == NULL && fd == -7);
}

/* Another program, so that a leak checker does not count the parent's threads here. */
static void leave(void) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

static void succeeded(pid_t child) {
    int code = -1;
    CHECK(waitpid(child, &code, 0) == child);
    if (code != 0) {
        fprintf(stderr, "the child ended with %x%s\n", (unsigned)code,
                WIFSIGNALED(code) && WTERMSIG(code) == SIGALRM ? ": it hung" : "");
        exit(1);
    }
}

static void a_child_is_told_and_may_open_its_own(sp_engine engine, sp_account account,
                                                 sp_guest guest) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sp_engine own;
        sp_account its;
        alarm(30);
        every_call_is_refused(engine, account);
        a_guest_is_refused(guest);
        own = open_engine("memory:");
        its = open_account(own, "a");
        EXPECT(SP_STATUS_OK, sp_account_close(its, &err));
        EXPECT(SP_STATUS_OK, sp_engine_close(own, &err));
        leave();
    }
    succeeded(child);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int stopping;

static int stopped(void) {
    int now;
    pthread_mutex_lock(&lock);
    now = stopping;
    pthread_mutex_unlock(&lock);
    return now;
}

/* Holds the guest's lock most of the time. */
static void *tell(void *ctx) {
    sp_slice peer = text("100000000000001@lid");
    while (!stopped()) {
        EXPECT(SP_STATUS_OK,
               sp_guest_token_received(*(sp_guest *)ctx, peer, peer, 1786074400, &err));
    }
    return ctx;
}

/* Keeps the tables of handles busy, so that forks fall into the middle of calls. */
static void *open_and_close(void *ctx) {
    while (!stopped()) {
        sp_engine engine = open_engine("memory:");
        sp_account account = open_account(engine, "a");
        sp_guest guest = open_guest();
        EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
        EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
        EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    }
    return ctx;
}

static void a_fork_amid_calls_does_not_hang(sp_engine engine, sp_account account, sp_guest guest) {
    pthread_t threads[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, i == 0 ? tell : open_and_close, &guest) == 0);
    }
    for (i = 0; i < FORKS; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(30);
            every_call_is_refused(engine, account);
            a_guest_is_refused(guest);
            leave();
        }
        succeeded(child);
    }
    pthread_mutex_lock(&lock);
    stopping = 1;
    pthread_mutex_unlock(&lock);
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

static void the_parent_goes_on(sp_engine engine, sp_account account, sp_guest guest) {
    int ends = 0;
    uint64_t op = 0;
    sp_event *event = NULL;
    EXPECT(SP_STATUS_OK, sp_send_text_start(account, text("4915551234"), text("hello"), NULL, &op, &err));
    EXPECT(SP_STATUS_OK, sp_send_cancel(account, op, &err));
    EXPECT(SP_STATUS_OK, sp_account_next_event(account, -1, &event, &err));
    CHECK(sp_event_kind_of(event) == SP_EVENT_KIND_OUTCOME);
    sp_event_free(event);
    EXPECT(SP_STATUS_OK, sp_send_text_cb(account, text("4915551234"), text("hello"), NULL, counted,
                                         &ends, &op, &err));
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    CHECK(ends == 1);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    EXPECT(SP_STATUS_OK, sp_guest_tick(guest, &err));
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
}

int main(void) {
    sp_engine engine;
    sp_account account;
    sp_guest guest;
    alarm(300);
    engine = open_engine("memory:");
    account = open_account(engine, "a");
    guest = open_guest();
    a_child_is_told_and_may_open_its_own(engine, account, guest);
    a_fork_amid_calls_does_not_hang(engine, account, guest);
    the_parent_goes_on(engine, account, guest);
    return 0;
}
