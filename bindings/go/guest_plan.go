package sendpath

// #include "bridge.h"
//
// // It keeps nothing of the arguments and does not call back.
// #cgo noescape sp_go_plan_of
// #cgo nocallback sp_go_plan_of
// #cgo nocallback sp_plan_free
import "C"

import (
	"bytes"
	"runtime"
	"time"
	"unsafe"
)

// Attach is which element a message carries to open the chat.
type Attach string

// The elements; the word is the tag.
const (
	AttachNothing Attach = "nothing"
	AttachTctoken Attach = "tctoken" // the contact's token
	AttachCstoken Attach = "cstoken" // the account's own proof
)

// Recipient is what a host knows about a recipient that its address does not tell.
type Recipient int32

// What may be known.
const (
	RecipientOrdinary   Recipient = C.SP_RECIPIENT_ORDINARY
	RecipientEnterprise Recipient = C.SP_RECIPIENT_ENTERPRISE // a verified official business
	RecipientSupport    Recipient = C.SP_RECIPIENT_SUPPORT    // WhatsApp's own support
)

// Plan is the decision for one message.
type Plan struct {
	Attach Attach
	// Bytes is the content of the element.
	Bytes []byte
	// TokenTime is the time stamp of the contact's token; zero without one.
	TokenTime time.Time
	// Ambiguous says that the token may be too old because the server has not said yet how old one
	// may be; worth a short wait for the props, if the host can.
	Ambiguous bool
	// NoTctoken is why no tctoken: expired, gate_off, never_received, not_eligible or store_error.
	NoTctoken string
	// NoCstoken is why not even a cstoken: gate_off, no_lid, no_salt, not_eligible or store_error.
	NoCstoken string
	// Refusal is why the message must not leave; nil when it may.
	Refusal *Error
}

// Plan tells what a message carries and whether it may leave. It asks nobody and never waits for the
// network; contacts that were asked about lately are answered from memory.
func (g *Guest) Plan(to string, kind MessageKind, recipient Recipient) (Plan, error) {
	defer runtime.KeepAlive(g)
	var plan C.sp_go_plan
	var object *C.sp_error
	status := C.sp_go_plan_of(g.handle, (*C.char)(unsafe.Pointer(unsafe.StringData(to))), C.size_t(len(to)),
		C.int32_t(kind), C.int32_t(recipient), &plan, &object)
	if err := g.failure(status, object); err != nil {
		return Plan{}, err
	}
	defer C.sp_plan_free(plan.plan)
	told := Plan{
		Attach:    AttachNothing,
		Bytes:     copied(plan.bytes),
		Ambiguous: bool(plan.ambiguous),
		NoTctoken: string(viewed(plan.no_tctoken)),
		NoCstoken: string(viewed(plan.no_cstoken)),
	}
	switch plan.attach {
	case C.SP_ATTACH_TCTOKEN:
		told.Attach = AttachTctoken
	case C.SP_ATTACH_CSTOKEN:
		told.Attach = AttachCstoken
	}
	if plan.has_token_time {
		told.TokenTime = time.Unix(int64(plan.token_time), 0)
	}
	if plan.refusal != nil {
		told.Refusal = &Error{}
		decode(told.Refusal, func(buf *C.sp_buf) C.sp_status { return C.sp_error_json(plan.refusal, buf, nil) })
	}
	return told, nil
}

// Row is a row of a library that sees only rows, such as whatsmeow's PrivacyToken.
type Row struct {
	// Token is the token, or a placeholder when none may be attached.
	Token []byte
	// Time is what the library compares with its own window; zero when nothing may be attached.
	Time time.Time
	// SenderTime is when our token was issued to the contact; zero when it never was.
	SenderTime time.Time
}

// Row is the row of a contact as the library must see it; nil when there is none.
func (g *Guest) Row(peer string) (*Row, error) {
	defer runtime.KeepAlive(g)
	var pinned pins
	defer pinned.Unpin()
	var row *C.sp_row
	var object *C.sp_error
	status := C.sp_guest_row_get(g.handle, pinned.text(peer), &row, &object)
	if err := g.failure(status, object); err != nil || row == nil {
		return nil, err
	}
	defer C.sp_row_free(row)
	told := &Row{}
	var slice C.sp_slice
	if C.sp_row_token(row, &slice) {
		told.Token = copied(slice)
	}
	var t C.int64_t
	if C.sp_row_time(row, &t) {
		told.Time = time.Unix(int64(t), 0)
	}
	if C.sp_row_sender_time(row, &t) {
		told.SenderTime = time.Unix(int64(t), 0)
	}
	return told, nil
}

// PutRow tells that the library writes a row of its store. A row that came from [Guest.Row] tells only
// when the library issued our token.
func (g *Guest) PutRow(peer string, row Row) error {
	var pinned pins
	defer pinned.Unpin()
	jid, token := pinned.text(peer), pinned.bytes(row.Token)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_row_put(g.handle, jid, token, seconds(row.Time), seconds(row.SenderTime), object)
	})
}

// Salt is the salt as the library must see it; nil when no cstoken may be sent.
func (g *Guest) Salt() ([]byte, error) {
	return g.bytes(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_salt_get(g.handle, buf, object)
	})
}

// bytes makes a call that fills a buffer; nil when it stays empty.
func (g *Guest) bytes(call func(*C.sp_buf, **C.sp_error) C.sp_status) ([]byte, error) {
	defer runtime.KeepAlive(g)
	return filled(call)
}

// filled makes a call that fills a buffer; nil when it stays empty.
func filled(call func(*C.sp_buf, **C.sp_error) C.sp_status) ([]byte, error) {
	var buf C.sp_buf
	var object *C.sp_error
	status := call(&buf, &object)
	if err := whenClosed(failure(status, object)); err != nil {
		return nil, err
	}
	defer C.sp_buf_free(&buf)
	if buf.len == 0 {
		return nil, nil
	}
	return C.GoBytes(unsafe.Pointer(buf.ptr), C.int(buf.len)), nil
}

// copied is nil for an empty slice.
func copied(slice C.sp_slice) []byte {
	return bytes.Clone(viewed(slice))
}

// viewed is the memory of the library; nil when there is none.
func viewed(slice C.sp_slice) []byte {
	return unsafe.Slice((*byte)(slice.ptr), int(slice.len))
}
