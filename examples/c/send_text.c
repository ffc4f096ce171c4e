/*
 * Links a device, sends one text and says what became of it.
 *
 *     send_text STORE TO TEXT [URL ROOT_KEY]
 *
 * STORE is a file that keeps the device; TO is a phone number or a JID. The QR codes that appear are
 * to be scanned in WhatsApp under "Linked devices". URL and ROOT_KEY (64 hex digits) name another
 * server than WhatsApp's, as tests do.
 */
#include <stdio.h>
#include <string.h>

#include "sendpath.h"

static sp_slice text(const char *from) {
    sp_slice slice;
    slice.ptr = (const uint8_t *)from;
    slice.len = strlen(from);
    return slice;
}

static void print(const char *label, sp_slice slice) {
    printf("%s%.*s\n", label, (int)slice.len, (const char *)slice.ptr);
    fflush(stdout);
}

/* Says what went wrong and what to do, and frees the error. */
static int explain(sp_error *error) {
    sp_slice words;
    int64_t until;
    print("error: ", sp_status_name(sp_error_status(error)));
    print("  ", sp_error_message(error));
    if (sp_error_next(error, &words)) {
        print("  next: ", words);
    }
    if (sp_error_retry_at(error, &until)) {
        printf("  not before: %lld\n", (long long)until);
    }
    sp_error_free(error);
    return 1;
}

static int hex(const char *digits, uint8_t *out, size_t len) {
    size_t i;
    if (strlen(digits) != 2 * len) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        unsigned byte;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1) {
            return 0;
        }
        out[i] = (uint8_t)byte;
    }
    return 1;
}

/* Shows QR codes until the account is linked and online. */
static int wait_online(sp_account account, sp_error **error) {
    for (;;) {
        sp_event *event = NULL;
        sp_slice slice;
        sp_event_kind kind;
        if (sp_account_next_event(account, -1, &event, error) != SP_STATUS_OK) {
            return 0;
        }
        kind = sp_event_kind_of(event);
        if (kind == SP_EVENT_KIND_PAIR_QR && sp_event_text(event, SP_FIELD_QR, 0, &slice)) {
            print("scan: ", slice);
        } else if (kind == SP_EVENT_KIND_PAIRED && sp_event_text(event, SP_FIELD_JID, 0, &slice)) {
            print("linked: ", slice);
        } else if (kind == SP_EVENT_KIND_PAIR_FAILED || kind == SP_EVENT_KIND_LOGGED_OUT) {
            if (sp_event_text(event, SP_FIELD_REASON, 0, &slice)) {
                print("not linked: ", slice);
            }
            sp_event_free(event);
            return 0;
        }
        sp_event_free(event);
        if (kind == SP_EVENT_KIND_CONNECTED) {
            return 1;
        }
    }
}

static int send_one(sp_account account, const char *to, const char *body, sp_error **error) {
    sp_event *outcome = NULL;
    sp_slice id;
    if (sp_account_connect(account, error) != SP_STATUS_OK || !wait_online(account, error)) {
        return 0;
    }
    if (sp_send_text(account, text(to), text(body), NULL, 60000, NULL, &outcome, error) !=
        SP_STATUS_OK) {
        sp_event_free(outcome);
        return 0;
    }
    if (sp_event_text(outcome, SP_FIELD_ID, 0, &id)) {
        print("accepted: ", id);
    }
    sp_event_free(outcome);
    return 1;
}

int main(int argc, char **argv) {
    sp_engine_config settings;
    sp_account_config config;
    sp_engine engine;
    sp_account account;
    sp_error *error = NULL;
    uint8_t root_key[32];
    int failed = 0;

    if (sp_abi_version() != SP_ABI_VERSION || (argc != 4 && argc != 6)) {
        fprintf(stderr, "usage: send_text STORE TO TEXT [URL ROOT_KEY]\n");
        return 2;
    }
    memset(&settings, 0, sizeof settings);
    settings.struct_size = sizeof settings;
    settings.store_uri = text(argv[1]);
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    if (argc == 6) {
        if (!hex(argv[5], root_key, sizeof root_key)) {
            fprintf(stderr, "ROOT_KEY has 64 hex digits\n");
            return 2;
        }
        config.url = text(argv[4]);
        config.root_key.ptr = root_key;
        config.root_key.len = sizeof root_key;
    }
    if (sp_engine_open(&settings, &engine, &error) != SP_STATUS_OK) {
        return explain(error);
    }
    if (sp_account_open(engine, text("example"), &config, &account, &error) != SP_STATUS_OK) {
        failed = explain(error);
    } else {
        if (!send_one(account, argv[2], argv[3], &error)) {
            failed = error == NULL ? 1 : explain(error);
        }
        sp_account_close(account, NULL);
    }
    sp_engine_close(engine, NULL);
    return failed;
}
