package sendpath

// #include "bridge.h"
import "C"

import (
	"encoding/json"
	"runtime"
)

// MaySend is an answer of [Account.CanSend]. Tolerate answers you do not know.
type MaySend string

// The answers.
const (
	MaySendAllowed          MaySend = "allowed"            // it would be sent
	MaySendBlocked          MaySend = "blocked"            // it would be refused here, for now: Err
	MaySendContactMustWrite MaySend = "contact_must_write" // it would be sent, but the last one was refused
	MaySendNotResolvable    MaySend = "not_resolvable"     // nothing can be sent to that address
	MaySendOther            MaySend = "other"
)

// CanSend is whether a message to one recipient may be sent.
type CanSend struct {
	To       string  `json:"to"`
	Answer   MaySend `json:"answer"`
	Attached string  `json:"attached"` // what it would carry
	Err      *Error  `json:"error"`    // why it is blocked, and until when
}

// CanSend tells, for each recipient, whether a message may be sent, by what is known here. Nobody is
// asked.
func (a *Account) CanSend(recipient Recipient, to ...string) ([]CanSend, error) {
	defer runtime.KeepAlive(a)
	return canSend(to, func(first *C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_account_can_send_json(a.handle, first, C.size_t(len(to)), C.int32_t(recipient), buf, object)
	})
}

// CanSend tells, for each recipient, whether a message may be sent, by what is known here. Nobody is
// asked.
func (g *Guest) CanSend(recipient Recipient, to ...string) ([]CanSend, error) {
	defer runtime.KeepAlive(g)
	return canSend(to, func(first *C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_can_send_json(g.handle, first, C.size_t(len(to)), C.int32_t(recipient), buf, object)
	})
}

func canSend(to []string, ask func(*C.sp_slice, *C.sp_buf, **C.sp_error) C.sp_status) ([]CanSend, error) {
	var pinned pins
	defer pinned.Unpin()
	slices := pinned.texts(to)
	text, err := filled(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return ask(slices, buf, object)
	})
	if err != nil {
		return nil, err
	}
	var answers []CanSend
	err = json.Unmarshal(text, &answers)
	return answers, err
}

// Explain tells what is known about a contact and what happened with it; it names nobody.
func (a *Account) Explain(to string) (Explanation, error) {
	defer runtime.KeepAlive(a)
	return parsed[Explanation](about(to, func(to C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_account_explain_json(a.handle, to, buf, object)
	}))
}

// Explain tells what is known about a contact and what happened with it; it names nobody.
func (g *Guest) Explain(to string) (Explanation, error) {
	defer runtime.KeepAlive(g)
	return parsed[Explanation](about(to, func(to C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_explain_json(g.handle, to, buf, object)
	}))
}

// ExplainText is [Account.Explain] for people; with reveal the contact's addresses are in it.
func (a *Account) ExplainText(to string, reveal bool) (string, error) {
	defer runtime.KeepAlive(a)
	text, err := about(to, func(to C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_account_explain_text(a.handle, to, flag(&reveal), buf, object)
	})
	return string(text), err
}

// ExplainText is [Guest.Explain] for people; with reveal the contact's addresses are in it.
func (g *Guest) ExplainText(to string, reveal bool) (string, error) {
	defer runtime.KeepAlive(g)
	text, err := about(to, func(to C.sp_slice, buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_explain_text(g.handle, to, flag(&reveal), buf, object)
	})
	return string(text), err
}

func about(to string, ask func(C.sp_slice, *C.sp_buf, **C.sp_error) C.sp_status) ([]byte, error) {
	var pinned pins
	defer pinned.Unpin()
	jid := pinned.text(to)
	return filled(func(buf *C.sp_buf, object **C.sp_error) C.sp_status { return ask(jid, buf, object) })
}

// Limits tells the limits of the account, with when and from whom each is known. Nobody is asked.
func (a *Account) Limits() (Limits, error) {
	defer runtime.KeepAlive(a)
	return parsed[Limits](filled(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_account_limits_json(a.handle, buf, object)
	}))
}

// Limits tells the limits of the account, with when and from whom each is known. Nobody is asked.
func (g *Guest) Limits() (Limits, error) {
	return parsed[Limits](g.bytes(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_limits_json(g.handle, buf, object)
	}))
}

// parsed reads an answer of the library.
func parsed[T any](text []byte, err error) (T, error) {
	var told T
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	return told, err
}
