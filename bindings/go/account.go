package sendpath

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"
)

// Account is one linked device. It is safe for use by many goroutines.
type Account struct {
	handle  C.sp_account
	events  *queue
	closing sync.Once
	closed  error
	net     runtime.Cleanup
}

// Receipt is an accepted message.
type Receipt struct {
	ID         string     // the id the message was sent with
	ServerTime *time.Time // nil when the server gave none
	Attached   string     // what the message carried to open the chat
}

// Status is where an account stands.
type Status struct {
	Phase   string `json:"phase"` // offline, connecting, authenticating, pairing, online, waiting
	JID     string `json:"jid"`
	LID     string `json:"lid"`
	Outbox  int    `json:"outbox"`  // messages without an answer
	Queued  int    `json:"queued"`  // requests that are not yet sent
	Ignored uint64 `json:"ignored"` // stanzas and parts of stanzas that made no sense
	// Tokens is what the token machine left aside.
	Tokens TokenCounters `json:"tokens"`
	// BlobsFetched were verified and opened, BlobsFailed were not to be had.
	BlobsFetched uint64 `json:"blobs_fetched"`
	BlobsFailed  uint64 `json:"blobs_failed"`
	// RetryAt is the next attempt to connect while waiting, in Unix seconds.
	RetryAt *int64 `json:"retry_at"`
	// Fault is why the session is being rebuilt, if it is.
	Fault *Error `json:"fault"`
}

func newAccount(handle C.sp_account) (*Account, error) {
	var fd C.int32_t
	var object *C.sp_error
	err := failure(C.sp_account_event_fd(handle, &fd, &object), object)
	var events *queue
	if err == nil {
		events, err = newQueue(int(fd))
	}
	if err != nil {
		C.sp_account_close(handle, nil)
		return nil, err
	}
	account := &Account{handle: handle, events: events}
	// Only a net: a forgotten account must not stay open for ever.
	account.net = runtime.AddCleanup(account, func(handle C.sp_account) {
		go C.sp_account_close(handle, nil)
	}, handle)
	return account, nil
}

// Connect dials and stays connected. An account that is not paired shows QR codes first.
func (a *Account) Connect() error {
	defer runtime.KeepAlive(a)
	var object *C.sp_error
	return a.failure(C.sp_account_connect(a.handle, &object), object)
}

// PairByCode links by a code that the user types into the phone with that number, instead of scanning:
// [KindPairCode] shows it, after [Account.Connect]. Code is the host's own code, eight symbols of
// 123456789ABCDEFGHJKLMNPQRSTVWXYZ; empty for a random one. It ends as [KindPaired] or
// [KindPairFailed]; do not ask in a loop, the server throttles a number for hours.
func (a *Account) PairByCode(number, code string) error {
	defer runtime.KeepAlive(a)
	var pinned pins
	defer pinned.Unpin()
	var object *C.sp_error
	status := C.sp_account_pair_by_code(a.handle, pinned.text(number), pinned.text(code), &object)
	return a.failure(status, object)
}

// Disconnect ends the connection and stays offline.
func (a *Account) Disconnect() error {
	defer runtime.KeepAlive(a)
	var object *C.sp_error
	return a.failure(C.sp_account_disconnect(a.handle, &object), object)
}

// Logout unlinks the device and deletes its keys; a [KindLoggedOut] event tells when it is done. With
// keepTokens the account's tokens stay for a later link of the same account.
func (a *Account) Logout(keepTokens bool) error {
	defer runtime.KeepAlive(a)
	var keep C.int32_t
	if keepTokens {
		keep = 1
	}
	var object *C.sp_error
	return a.failure(C.sp_account_logout(a.handle, keep, &object), object)
}

// ForgetAccount deletes everything that is stored for the account: tokens, names, limits, timelines.
// The link of this device stays. It returns at once; it is done in turn with the account's sends.
func (a *Account) ForgetAccount() error {
	defer runtime.KeepAlive(a)
	var object *C.sp_error
	status := C.sp_account_forget_account(a.handle, &object)
	return a.failure(status, object)
}

// RefreshLimits asks the server for the account's limits: a change is an event, and the answer is then
// in [Account.Limits]. It returns at once and does nothing while there is no connection.
func (a *Account) RefreshLimits() error {
	defer runtime.KeepAlive(a)
	var object *C.sp_error
	return a.failure(C.sp_account_refresh_limits(a.handle, &object), object)
}

// SubscribePresence follows the presence of a contact until the connection ends: [KindPresence]. The
// question carries the contact's token. It returns at once and does nothing while there is no
// connection.
func (a *Account) SubscribePresence(to string) error {
	defer runtime.KeepAlive(a)
	var pinned pins
	defer pinned.Unpin()
	var object *C.sp_error
	return a.failure(C.sp_account_subscribe_presence(a.handle, pinned.text(to), &object), object)
}

// Status tells where the account stands.
func (a *Account) Status() (Status, error) {
	defer runtime.KeepAlive(a)
	return parsed[Status](filled(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_account_status_json(a.handle, buf, object)
	}))
}

// SendOption says something about one message.
type SendOption func(*sendOptions)

type sendOptions struct {
	id        string
	recipient Recipient
	deadline  time.Duration
}

// WithID sends with this id, 1 to 128 visible ASCII characters.
func WithID(id string) SendOption {
	return func(o *sendOptions) { o.id = id }
}

// WithRecipient says what is known about the recipient.
func WithRecipient(recipient Recipient) SendOption {
	return func(o *sendOptions) { o.recipient = recipient }
}

// WithDeadline gives the message up if it could not be sent within d.
func WithDeadline(d time.Duration) SendOption {
	return func(o *sendOptions) { o.deadline = d }
}

// SendText is [Account.Send] of a [Text].
func (a *Account) SendText(ctx context.Context, to, text string, options ...SendOption) (Receipt, error) {
	return a.Send(ctx, to, Text{Body: text}, options...)
}

// Send sends a message and waits for the server's answer. The recipient is digits@s.whatsapp.net,
// digits@lid, the digits of a phone number, or a group, id@g.us. When the context ends first, the send
// is cancelled and its end is returned: an error that wraps the context's, or a Receipt if the server
// was faster.
func (a *Account) Send(ctx context.Context, to string, content Content, options ...SendOption) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	end := make(ended, 1)
	op, err := a.start(end, to, content, options)
	if err != nil {
		return Receipt{}, err
	}
	defer runtime.KeepAlive(a)
	select {
	case object := <-end:
		return outcome(object)
	case <-ctx.Done():
	}
	// Every send ends exactly once, a cancelled one at once; so this does not wait for the network.
	C.sp_send_cancel(a.handle, op, nil)
	receipt, err := outcome(<-end)
	if failed, ok := err.(*Error); ok {
		failed.context = ctx.Err()
	}
	return receipt, err
}

func (a *Account) start(end ended, to string, content Content, options []SendOption) (C.uint64_t, error) {
	defer runtime.KeepAlive(a)
	var chosen sendOptions
	for _, option := range options {
		option(&chosen)
	}
	var pinned pins
	defer pinned.Unpin()
	settings := C.sp_send_options{
		recipient:   C.int32_t(chosen.recipient),
		deadline_ms: C.uint64_t(max(chosen.deadline, 0).Milliseconds()),
		id:          pinned.text(chosen.id),
	}
	settings.struct_size = C.uint32_t(unsafe.Sizeof(settings))
	var draft C.sp_draft
	draft.struct_size = C.uint32_t(unsafe.Sizeof(draft))
	content.fill(&draft, &pinned)
	waiting := cgo.NewHandle(end)
	var op C.uint64_t
	var object *C.sp_error
	status := C.sp_go_send(a.handle, pinned.text(to), &draft, &settings,
		C.uintptr_t(waiting), &op, &object)
	err := a.failure(status, object)
	if err != nil {
		waiting.Delete()
	}
	return op, err
}

// Next waits for the next event. Events come in order, to one caller each. [ErrClosed] when there
// will be none.
func (a *Account) Next(ctx context.Context) (Event, error) {
	defer runtime.KeepAlive(a)
	return a.events.next(ctx, func(object **C.sp_event) C.sp_status {
		return C.sp_account_next_event(a.handle, 0, object, nil)
	})
}

// Events is a channel of [Account.Next]; it closes with the account or when the context ends.
func (a *Account) Events(ctx context.Context) <-chan Event {
	return channel(ctx, a.Next)
}

// Close ends the connection and every open send and wakes every goroutine that waits. Calling it
// again returns what the first call returned.
func (a *Account) Close() error {
	a.closing.Do(func() {
		a.net.Stop()
		var object *C.sp_error
		a.closed = whenClosed(failure(C.sp_account_close(a.handle, &object), object))
		a.events.close()
	})
	return a.closed
}

func (a *Account) failure(status C.sp_status, object *C.sp_error) error {
	return whenClosed(failure(status, object))
}
