/* The script that every language runs: each kind of message, refusals, questions, files. The table is
 * made from tests/script/script.json. Orders for the model server go out as lines, a line comes back. */
#include "check.h"

#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

struct step {
    const char *name;
    const char *to;
    sp_status status;
    int media; /* an sp_media_kind, or -1 */
    const char *target;
    const char *quote;
    const char *replaces;
    sp_draft draft;
};

#include "script_table.h"

#define STEPS (sizeof steps / sizeof *steps)
#define WAIT 60000

static char ids[STEPS][160];

static void order(const char *line) {
    char back[16];
    printf("order: %s\n", line);
    fflush(stdout);
    CHECK(fgets(back, sizeof back, stdin) != NULL);
}

static sp_event *until(sp_account account, sp_event_kind kind) {
    sp_event *event = NULL;
    for (;;) {
        EXPECT(SP_STATUS_OK, sp_account_next_event(account, WAIT, &event, &err));
        if (sp_event_kind_of(event) == kind) {
            return event;
        }
        sp_event_free(event);
    }
}

static void link_device(sp_account account) {
    sp_event *shown;
    sp_slice qr;
    char line[2048];
    EXPECT(SP_STATUS_OK, sp_account_connect(account, &err));
    shown = until(account, SP_EVENT_KIND_PAIR_QR);
    CHECK(sp_event_text(shown, SP_FIELD_QR, 0, &qr));
    snprintf(line, sizeof line, "{\"cmd\":\"scan_qr\",\"qr\":\"%.*s\"}", (int)qr.len,
             (const char *)qr.ptr);
    order(line);
    sp_event_free(shown);
    sp_event_free(until(account, SP_EVENT_KIND_PAIRED));
    sp_event_free(until(account, SP_EVENT_KIND_CONNECTED));
}

/* The id of the message that a step of that name has sent, or the name itself. */
static sp_slice sent(const char *name) {
    size_t i;
    for (i = 0; i < STEPS; i++) {
        if (strcmp(steps[i].name, name) == 0) {
            return text(ids[i]);
        }
    }
    return text(name);
}

static void run(sp_account account, size_t at) {
    const struct step *step = &steps[at];
    sp_draft draft = step->draft;
    sp_file *file = NULL;
    sp_media media;
    sp_event *outcome = NULL;
    sp_slice id;
    if (step->media >= 0) {
        sp_source source;
        memset(&source, 0, sizeof source);
        source.struct_size = sizeof source;
        source.bytes = text("nine bytes");
        EXPECT(SP_STATUS_OK, sp_upload(account, step->media, &source, WAIT, &file, &err));
        memset(&media, 0, sizeof media);
        media.struct_size = sizeof media;
        EXPECT(SP_STATUS_OK, sp_file_media(file, &media, &err));
        CHECK(media.length == 10 && media.media_key.len == 32);
        draft.media = &media;
    }
    if (step->target != NULL) {
        draft.target_id = sent(step->target);
    }
    if (step->quote != NULL) {
        draft.quote_id = sent(step->quote);
        draft.quote_payload = quoted;
    }
    if (step->replaces != NULL) {
        draft.replaces = sent(step->replaces);
    }
    fprintf(stderr, "%s\n", step->name);
    EXPECT(step->status,
           sp_send(account, text(step->to), &draft, NULL, WAIT, NULL, &outcome, &err));
    if (step->status == SP_STATUS_OK) {
        CHECK(sp_event_text(outcome, SP_FIELD_ID, 0, &id) && id.len < sizeof ids[at]);
        memcpy(ids[at], id.ptr, id.len);
    }
    sp_event_free(outcome);
    sp_file_free(file);
}

struct written {
    size_t bytes;
    int released;
};

static int32_t take(void *ctx, sp_slice piece) {
    ((struct written *)ctx)->bytes += piece.len;
    return 0;
}

static int32_t fail(void *ctx, sp_slice piece) {
    (void)ctx;
    (void)piece;
    return 7;
}

static int32_t give(void *ctx, uint8_t *into, size_t len, size_t *count) {
    struct written *left = (struct written *)ctx;
    *count = left->bytes < len ? left->bytes : len;
    memset(into, 'x', *count);
    left->bytes -= *count;
    return 0;
}

static void release(void *ctx) {
    ((struct written *)ctx)->released++;
}

/* A picture of the peer comes in: whole, then lost. */
static void download(sp_account account, const char *line, sp_status expected) {
    struct written written = {0, 0};
    sp_sink sink;
    sp_slice payload;
    sp_file *file = NULL;
    sp_media media;
    sp_event *message;
    order(line);
    message = until(account, SP_EVENT_KIND_MESSAGE);
    CHECK(sp_event_payload(message, &payload));
    EXPECT(SP_STATUS_OK, sp_file_of_message(payload, &file, &err));
    sp_event_free(message);
    CHECK(file != NULL);
    memset(&media, 0, sizeof media);
    media.struct_size = sizeof media;
    EXPECT(SP_STATUS_OK, sp_file_media(file, &media, &err));
    CHECK(media.kind == SP_MEDIA_KIND_IMAGE && media.length == 70000);
    CHECK(same(media.mimetype, "image/png"));
    memset(&sink, 0, sizeof sink);
    sink.struct_size = sizeof sink;
    sink.write = take;
    sink.ctx = &written;
    sink.release = release;
    EXPECT(expected, sp_download(account, &media, &sink, WAIT, &err));
    CHECK(written.released == 1);
    CHECK(written.bytes == (expected == SP_STATUS_OK ? 70000 : 0));
    if (expected == SP_STATUS_OK) {
        sink.write = fail;
        EXPECT(SP_STATUS_MEDIA_FILE, sp_download(account, &media, &sink, WAIT, &err));
        CHECK(written.released == 2);
    }
    sp_file_free(file);
}

static void upload_from_a_reader(sp_account account) {
    struct written left = {200000, 0};
    sp_source source;
    sp_file *file = NULL;
    sp_media media;
    memset(&source, 0, sizeof source);
    source.struct_size = sizeof source;
    source.read = give;
    source.ctx = &left;
    source.release = release;
    EXPECT(SP_STATUS_OK,
           sp_upload(account, SP_MEDIA_KIND_DOCUMENT, &source, WAIT, &file, &err));
    memset(&media, 0, sizeof media);
    media.struct_size = sizeof media;
    EXPECT(SP_STATUS_OK, sp_file_media(file, &media, &err));
    CHECK(media.length == 200000 && left.bytes == 0 && left.released == 1);
    sp_file_free(file);
    source.path = text("/nowhere");
    source.read = NULL;
    EXPECT(SP_STATUS_MEDIA_FILE,
           sp_upload(account, SP_MEDIA_KIND_DOCUMENT, &source, WAIT, &file, &err));
}

static int ends;

static void ended(void *ctx, uint64_t op, sp_status status, sp_file *file, sp_error *error) {
    CHECK(op != 0 && ctx == &ends);
    CHECK(status == SP_STATUS_CLOSED || status == SP_STATUS_CANCELLED ||
          status == SP_STATUS_MEDIA_NOT_CONNECTED || status == SP_STATUS_OK);
    CHECK(sp_error_status(error) == status && (file != NULL) == (status == SP_STATUS_OK));
    sp_file_free(file);
    sp_error_free(error);
    ends++;
}

static void every_transfer_ends_once(sp_engine engine, sp_account account) {
    sp_source source;
    uint64_t op = 0;
    int i;
    memset(&source, 0, sizeof source);
    source.struct_size = sizeof source;
    source.bytes = text("x");
    for (i = 0; i < 20; i++) {
        EXPECT(SP_STATUS_OK, sp_upload_cb(account, SP_MEDIA_KIND_IMAGE, &source, ended, &ends,
                                          &op, &err));
        if (i % 2 == 0) {
            EXPECT(SP_STATUS_OK, sp_transfer_cancel(account, op, &err));
        }
    }
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    CHECK(ends == 20);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
}

int main(int argc, char **argv) {
    sp_account_config config;
    sp_account account = {0};
    sp_engine engine;
    uint8_t key[32];
    size_t i;
    sp_buf told = {0};
    CHECK(argc == 3);
    for (i = 0; i < sizeof key; i++) {
        unsigned byte = 0;
        CHECK(sscanf(argv[2] + 2 * i, "%2x", &byte) == 1);
        key[i] = (uint8_t)byte;
    }
    engine = open_engine("memory:");
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.url = text(argv[1]);
    config.root_key = bytes(key, sizeof key);
    config.browser = SP_BROWSER_FIREFOX;
    config.proxy = text("ftp://nowhere");
    EXPECT(SP_STATUS_INVALID_ARGUMENT,
           sp_account_open(engine, text("a"), &config, &account, &err));
    config.proxy = text("");
    EXPECT(SP_STATUS_OK, sp_account_open(engine, text("a"), &config, &account, &err));
    link_device(account);
    for (i = 0; i < sizeof world / sizeof *world; i++) {
        order(world[i]);
    }
    for (i = 0; i < STEPS; i++) {
        run(account, i);
    }
    EXPECT(SP_STATUS_OK, sp_account_explain_text(account, text(cold), 0, &told, &err));
    sp_buf_free(&told);
    download(account, whole_picture, SP_STATUS_OK);
    download(account, lost_picture, SP_STATUS_MEDIA_GONE);
    upload_from_a_reader(account);
    every_transfer_ends_once(engine, account);
    return 0;
}
