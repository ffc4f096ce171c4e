/* Every send that was started ends exactly once, by callback or by event, whoever cancels or closes
 * meanwhile; a send that was not started never ends. */
#include <pthread.h>
#include <unistd.h>

#include "check.h"

#define ENOUGH 100000
#define THREADS 4
#define SENDS 1000
#define OPS (THREADS * SENDS + 1)

enum way { BY_EVENT, BY_CALLBACK, BY_WAITING };

struct one {
    int started;
    int ends;
};

struct round {
    sp_account account;
    int number;
    int events_are_taken;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int tried;
    /* Indexed by operation: they count from 1 in every engine. */
    struct one by_event[OPS];
    struct one by_callback[OPS];
};

struct sender {
    struct round *round;
    unsigned number;
};

static struct round round_;

static struct one *at(struct one *all, uint64_t op) {
    CHECK(op > 0 && op < OPS);
    return &all[op];
}

static void add(struct round *round, int *count) {
    pthread_mutex_lock(&round->lock);
    ++*count;
    pthread_mutex_unlock(&round->lock);
}

static void ended(void *ctx, uint64_t op, sp_event *outcome) {
    struct round *round = (struct round *)ctx;
    int64_t number = 0;
    CHECK(sp_event_number(outcome, SP_FIELD_OP, &number) && (uint64_t)number == op);
    sp_event_free(outcome);
    add(round, &at(round->by_callback, op)->ends);
}

static enum way way_of(unsigned i) {
    return i % 7 == 3 ? BY_WAITING : i % 2 == 0 ? BY_EVENT : BY_CALLBACK;
}

/* One send; the account may be closed at any moment. */
static void start(struct round *round, enum way way, int cancel) {
    sp_slice to = text("4915551234"), hello = text("hello");
    uint64_t op = 0;
    sp_status status = SP_STATUS_CLOSED;
    switch (way) {
    case BY_EVENT:
        status = sp_send_text_start(round->account, to, hello, NULL, &op, NULL);
        CHECK((op != 0) == (status == SP_STATUS_OK));
        break;
    case BY_CALLBACK:
        status = sp_send_text_cb(round->account, to, hello, NULL, ended, round, &op, NULL);
        CHECK((op != 0) == (status == SP_STATUS_OK));
        break;
    case BY_WAITING:
        status = sp_send_text(round->account, to, hello, NULL, 0, &op, NULL, NULL);
        CHECK(status != SP_STATUS_OK);
        break;
    }
    if (op == 0) {
        CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    } else if (way == BY_CALLBACK) {
        add(round, &at(round->by_callback, op)->started);
    } else if (way == BY_EVENT || status == SP_STATUS_TIMEOUT) {
        add(round, &at(round->by_event, op)->started);
    }
    if (op != 0 && cancel) {
        status = sp_send_cancel(round->account, op, NULL);
        CHECK(status == SP_STATUS_OK || status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
    }
}

static void *send_many(void *ctx) {
    const struct sender *sender = (const struct sender *)ctx;
    struct round *round = sender->round;
    unsigned i;
    for (i = 0; i < SENDS; i++) {
        start(round, way_of(i + sender->number), i % 3 == 0);
        pthread_mutex_lock(&round->lock);
        round->tried++;
        pthread_cond_signal(&round->changed);
        pthread_mutex_unlock(&round->lock);
    }
    return NULL;
}

/* Takes events until there are no more. */
static void *take_events(void *ctx) {
    struct round *round = (struct round *)ctx;
    for (;;) {
        sp_event *event = NULL;
        int64_t op = 0;
        sp_status status = sp_account_next_event(round->account, -1, &event, NULL);
        if (status != SP_STATUS_OK) {
            CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_BAD_HANDLE);
            return NULL;
        }
        if (sp_event_kind_of(event) == SP_EVENT_KIND_OUTCOME) {
            CHECK(sp_event_number(event, SP_FIELD_OP, &op));
            add(round, &at(round->by_event, (uint64_t)op)->ends);
        }
        sp_event_free(event);
    }
}

/* The close falls later into every round, from before the first send to after the last. */
static void wait_for_the_moment(struct round *round) {
    int moment = (round->number * 397) % (THREADS * SENDS + 1);
    pthread_mutex_lock(&round->lock);
    while (round->tried < moment) {
        pthread_cond_wait(&round->changed, &round->lock);
    }
    pthread_mutex_unlock(&round->lock);
}

static int count(struct round *round) {
    int started = 0, i;
    for (i = 0; i < OPS; i++) {
        const struct one *callback = &round->by_callback[i], *event = &round->by_event[i];
        started += callback->started + event->started;
        CHECK(callback->ends == callback->started);
        /* Events that nobody has taken go with the account's handle. */
        CHECK(event->ends <= event->started);
        CHECK(event->ends == event->started || !round->events_are_taken);
    }
    return started;
}

static int run_round(int number) {
    struct round *round = &round_;
    struct sender senders[THREADS];
    pthread_t threads[THREADS], taker;
    sp_engine engine = open_engine("memory:");
    unsigned i;
    memset(round, 0, sizeof *round);
    CHECK(pthread_mutex_init(&round->lock, NULL) == 0 && pthread_cond_init(&round->changed, NULL) == 0);
    round->account = open_account(engine, "a");
    round->number = number;
    round->events_are_taken = number % 3 != 0;
    for (i = 0; i < THREADS; i++) {
        senders[i].round = round;
        senders[i].number = i;
        CHECK(pthread_create(&threads[i], NULL, send_many, &senders[i]) == 0);
    }
    CHECK(pthread_create(&taker, NULL, take_events, round) == 0);
    wait_for_the_moment(round);
    if (!round->events_are_taken) {
        EXPECT(SP_STATUS_OK, sp_account_close(round->account, &err));
    }
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(pthread_join(taker, NULL) == 0);
    if (round->events_are_taken) {
        EXPECT(SP_STATUS_OK, sp_account_close(round->account, &err));
    }
    pthread_cond_destroy(&round->changed);
    pthread_mutex_destroy(&round->lock);
    return count(round);
}

int main(void) {
    int started = 0, number = 0;
    alarm(300);
    while (started < ENOUGH) {
        started += run_round(number++);
    }
    printf("%d sends in %d rounds\n", started, number);
    return 0;
}
