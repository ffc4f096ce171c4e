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
