#include "bridge.h"

#include "_cgo_export.h"

static void done(void *ctx, uint64_t op, sp_event *outcome) {
    (void)op;
    sendpathGoDone((uintptr_t)ctx, outcome);
}

sp_status sp_go_send(sp_account account, sp_slice to, const sp_draft *draft,
                     const sp_send_options *options, uintptr_t handle, uint64_t *op,
                     sp_error **err) {
    return sp_send_cb(account, to, draft, options, done, (void *)handle, op, err);
}

static int32_t give(void *ctx, uint8_t *into, size_t len, size_t *count) {
    return sendpathGoRead((uintptr_t)ctx, into, len, count);
}

static int32_t take(void *ctx, sp_slice bytes) {
    return sendpathGoWrite((uintptr_t)ctx, (uint8_t *)bytes.ptr, bytes.len);
}

static void release(void *ctx) {
    sendpathGoRelease((uintptr_t)ctx);
}

static void transferred(void *ctx, uint64_t op, sp_status status, sp_file *file, sp_error *error) {
    (void)op;
    sendpathGoTransferred((uintptr_t)ctx, status, file, error);
}

sp_status sp_go_upload(sp_account account, int32_t kind, sp_slice path, uintptr_t stream, uintptr_t end,
                       uint64_t *op, sp_error **err) {
    sp_source source = {.struct_size = sizeof source, .path = path};
    if (stream != 0) {
        source.read = give;
        source.ctx = (void *)stream;
        source.release = release;
    }
    return sp_upload_cb(account, kind, &source, transferred, (void *)end, op, err);
}

sp_status sp_go_download(sp_account account, const sp_media *media, sp_slice path, uintptr_t stream,
                         uintptr_t end, uint64_t *op, sp_error **err) {
    sp_sink sink = {.struct_size = sizeof sink, .path = path};
    if (stream != 0) {
        sink.write = take;
        sink.ctx = (void *)stream;
        sink.release = release;
    }
    return sp_download_cb(account, media, &sink, transferred, (void *)end, op, err);
}

sp_status sp_go_plan_of(sp_guest guest, const char *to, size_t len, int32_t kind,
                        int32_t recipient, sp_go_plan *out, sp_error **err) {
    sp_slice jid = {(const uint8_t *)to, len};
    sp_status status = sp_guest_plan(guest, jid, kind, recipient, &out->plan, err);
    if (status == SP_STATUS_OK) {
        out->attach = sp_plan_attach(out->plan);
        out->ambiguous = sp_plan_ambiguous(out->plan);
        out->refusal = sp_plan_refusal(out->plan);
        out->has_token_time = sp_plan_token_time(out->plan, &out->token_time);
        (void)sp_plan_bytes(out->plan, &out->bytes);
        (void)sp_plan_no_tctoken(out->plan, &out->no_tctoken);
        (void)sp_plan_no_cstoken(out->plan, &out->no_cstoken);
    }
    return status;
}
