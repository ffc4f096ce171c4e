#ifndef SENDPATH_GO_BRIDGE_H
#define SENDPATH_GO_BRIDGE_H

#include "sendpath.h"

/* Starts a send whose end goes to the Go channel behind `handle`, a cgo.Handle. */
sp_status sp_go_send_text(sp_account account, sp_slice to, sp_slice text,
                          const sp_send_options *options, uintptr_t handle, uint64_t *op,
                          sp_error **err);

#endif
