#ifndef SENDPATH_GO_BRIDGE_H
#define SENDPATH_GO_BRIDGE_H

#include "sendpath.h"

/* Starts a send whose end goes to the Go channel behind `handle`, a cgo.Handle. */
sp_status sp_go_send(sp_account account, sp_slice to, const sp_draft *draft,
                     const sp_send_options *options, uintptr_t handle, uint64_t *op, sp_error **err);

/* Starts a transfer whose end goes to the Go channel behind `end`. The file is at `path`, or what the
 * stream behind `stream` gives or takes if that is not 0. */
sp_status sp_go_upload(sp_account account, int32_t kind, sp_slice path, uintptr_t stream, uintptr_t end,
                       uint64_t *op, sp_error **err);
sp_status sp_go_download(sp_account account, const sp_media *media, sp_slice path, uintptr_t stream,
                         uintptr_t end, uint64_t *op, sp_error **err);

/* A plan and everything in it: one call into C instead of one for each part. */
typedef struct sp_go_plan {
    sp_plan *plan; /* to be freed; the slices and the refusal live as long */
    sp_slice bytes, no_tctoken, no_cstoken;
    const sp_error *refusal;
    int64_t token_time;
    sp_attach attach;
    bool has_token_time, ambiguous;
} sp_go_plan;

/* Asks what a message to the first `len` bytes of `to` carries; `out` is all zero. */
sp_status sp_go_plan_of(sp_guest guest, const char *to, size_t len, int32_t kind,
                        int32_t recipient, sp_go_plan *out, sp_error **err);

#endif
