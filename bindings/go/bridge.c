#include "bridge.h"

#include "_cgo_export.h"

static void done(void *ctx, uint64_t op, sp_event *outcome) {
    (void)op;
    sendpathGoDone((uintptr_t)ctx, outcome);
}

sp_status sp_go_send_text(sp_account account, sp_slice to, sp_slice text,
                          const sp_send_options *options, uintptr_t handle, uint64_t *op,
                          sp_error **err) {
    return sp_send_text_cb(account, to, text, options, done, (void *)handle, op, err);
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
