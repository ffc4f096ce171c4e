/*
 * Tokens and refusals beside a client that owns its connection: what to attach, what a 463 meant.
 *
 *     guest STORE
 *
 * STORE is a file, or memory: for none. The client is this program: it tells what its connection
 * would bring.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sendpath.h"

static const char own[] = "900000000000009@lid";
static const char known[] = "100000000000001@lid";
static const char stranger[] = "100000000000002@lid";

/* What the server answers when asked about the account's lock. */
static const char locked[] =
    "{\"data\":{\"xwa2_fetch_account_reachout_timelock\":{\"is_active\":true,"
    "\"time_enforcement_ends\":\"4102444800\",\"enforcement_type\":\"DEFAULT\"}}}";

static sp_slice text(const char *from) {
    sp_slice slice;
    slice.ptr = (const uint8_t *)from;
    slice.len = strlen(from);
    return slice;
}

static void print(const char *before, sp_slice slice) {
    printf("%s%.*s\n", before, (int)slice.len, (const char *)slice.ptr);
}

/* Says why a message is or was refused; false when it is not. */
static int explain(const sp_error *refusal) {
    sp_slice slice;
    if (refusal == NULL) {
        return 0;
    }
    print("refused: ", sp_error_message(refusal));
    if (sp_error_cause(refusal, &slice)) {
        print("  cause: ", slice);
    }
    if (sp_error_next(refusal, &slice)) {
        print("  next: ", slice);
    }
    return 1;
}

/* Sends if it may: the element goes into the stanza as its last child. */
static sp_status send_to(sp_guest guest, const char *id, const char *to, sp_error **error) {
    sp_plan *plan = NULL;
    sp_slice bytes;
    sp_status status = sp_guest_plan(guest, text(to), SP_MESSAGE_KIND_CONTENT,
                                     SP_RECIPIENT_ORDINARY, &plan, error);
    if (status != SP_STATUS_OK) {
        return status;
    }
    if (!explain(sp_plan_refusal(plan))) {
        if (sp_plan_bytes(plan, &bytes)) {
            printf("%s carries %s of %u bytes\n", id,
                   sp_plan_attach(plan) == SP_ATTACH_TCTOKEN ? "tctoken" : "cstoken",
                   (unsigned)bytes.len);
        } else if (sp_plan_no_tctoken(plan, &bytes)) {
            printf("%s carries nothing, ", id);
            print("", bytes);
        }
        status = sp_guest_handed(guest, text(id), text(to), SP_MESSAGE_KIND_CONTENT, error);
    }
    sp_plan_free(plan);
    return status;
}

/* Sends what the guest asks for. Here the server takes every IQ and answers one question. */
static sp_status work(sp_guest guest, sp_error **error) {
    sp_work *list = NULL;
    sp_slice slice;
    size_t i;
    sp_status status = sp_guest_outgoing(guest, &list, error);
    for (i = 0; status == SP_STATUS_OK && i < sp_work_count(list); i++) {
        uint64_t id = sp_work_id(list, i);
        if (sp_work_kind_of(list, i) == SP_WORK_KIND_MEX && sp_work_query_id(list, i, &slice)) {
            print("asking document ", slice);
            status = sp_guest_work_done(guest, id, SP_WORK_END_JSON, 0, text(locked), error);
        } else {
            status = sp_guest_work_done(guest, id, SP_WORK_END_OK, 0, text(""), error);
        }
    }
    sp_work_free(list);
    return status;
}

static void events(sp_guest guest) {
    sp_event *event = NULL;
    sp_slice slice;
    while (sp_guest_next_event(guest, 0, &event, NULL) == SP_STATUS_OK) {
        sp_event_kind kind = sp_event_kind_of(event);
        if (kind == SP_EVENT_KIND_TOKEN_STORED && sp_event_text(event, SP_FIELD_PEER, 0, &slice)) {
            print("token of ", slice);
        } else if (kind == SP_EVENT_KIND_OUTCOME && sp_event_text(event, SP_FIELD_ID, 0, &slice)) {
            print("the end of ", slice);
            explain(sp_event_error(event));
        }
        sp_event_free(event);
    }
}

static sp_status run(sp_guest guest, sp_error **error) {
    sp_status status =
        sp_guest_token_received(guest, text(known), text("a token"), (int64_t)time(NULL), error);
    if (status == SP_STATUS_OK) {
        status = send_to(guest, "3EB0A1", known, error);
    }
    if (status == SP_STATUS_OK) {
        status = sp_guest_ack(guest, text("3EB0A1"), 0, error);
    }
    if (status == SP_STATUS_OK) {
        status = send_to(guest, "3EB0A2", stranger, error);
    }
    if (status == SP_STATUS_OK) {
        status = sp_guest_ack(guest, text("3EB0A2"), 463, error);
    }
    if (status == SP_STATUS_OK) {
        status = work(guest, error);
    }
    events(guest);
    /* The lock is known now, so this is refused before anything leaves. */
    return status == SP_STATUS_OK ? send_to(guest, "3EB0A3", stranger, error) : status;
}

int main(int argc, char **argv) {
    sp_guest_config config;
    sp_guest guest;
    sp_error *error = NULL;

    if (sp_abi_version() != SP_ABI_VERSION || argc != 2) {
        fprintf(stderr, "usage: guest STORE\n");
        return 2;
    }
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store_uri = text(argv[1]);
    config.name = text("example");
    config.own_lid = text(own);
    if (sp_guest_open(&config, &guest, &error) == SP_STATUS_OK) {
        run(guest, &error);
        sp_guest_close(guest, NULL);
    }
    if (error != NULL) {
        print("failed: ", sp_error_message(error));
        sp_error_free(error);
        return 1;
    }
    return 0;
}
