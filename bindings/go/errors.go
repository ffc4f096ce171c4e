package sendpath

import (
	"encoding/json"
	"fmt"
	"time"
)

// Class says who has to act on an error.
type Class string

// The classes.
const (
	ClassMisuse  Class = "misuse"  // the caller used the library wrongly
	ClassRuntime Class = "runtime" // closed, forked, out of time or resources
	ClassStore   Class = "store"   // the store failed
	ClassRefused Class = "refused" // the send was refused, here or by the server
	ClassUnknown Class = "unknown" // the end of the send is not known
	ClassBug     Class = "bug"     // a bug in sendpath
	ClassMedia   Class = "media"   // a file could not be brought up or down
)

// Next is what to do after a refusal.
type Next string

// The next actions.
const (
	NextAskContactToWrite Next = "ask_contact_to_write"
	NextDoNotRetry        Next = "do_not_retry"
	NextFixInput          Next = "fix_input"
	NextRetryAfter        Next = "retry_after"
	NextWaitUntil         Next = "wait_until"
)

// Targets for errors.Is. One with a code matches that code, one with a class the whole class.
var (
	ErrMisuse  = &Error{Class: ClassMisuse, Message: "misuse"}
	ErrStore   = &Error{Class: ClassStore, Message: "the store failed"}
	ErrRefused = &Error{Class: ClassRefused, Message: "the send was refused"}
	ErrUnknown = &Error{Class: ClassUnknown, Message: "the end of the send is not known"}
	ErrBug     = &Error{Class: ClassBug, Message: "a bug in sendpath"}
	ErrMedia   = &Error{Class: ClassMedia, Message: "a file could not be brought up or down"}

	ErrClosed      = &Error{Code: CodeClosed, Class: ClassRuntime, Message: "closed"}
	ErrForked      = &Error{Code: CodeForked, Class: ClassRuntime, Message: "forked"}
	ErrFenced      = &Error{Code: CodeStoreFenced, Class: ClassStore, Message: "opened elsewhere"}
	ErrNotPaired   = &Error{Code: CodeNotPaired, Class: ClassRefused, Message: "not paired"}
	ErrTimelocked  = &Error{Code: CodeAccountTimelocked, Class: ClassRefused, Message: "timelocked"}
	ErrColdRefused = &Error{Code: CodeColdRefused, Class: ClassRefused, Message: "cold contact"}
	ErrCapped      = &Error{Code: CodeNewChatCapped, Class: ClassRefused, Message: "capped"}
)

// Error says why a call or a send failed. What does not apply is empty or nil.
type Error struct {
	Code    Code   `json:"status"`
	Name    string `json:"name"`
	Class   Class  `json:"class"`
	Message string `json:"message"`

	// Of a refused send.
	Cause    string     `json:"cause"`
	Next     Next       `json:"next"`
	Advice   string     `json:"advice"`
	Attached string     `json:"attached"`
	Until    *time.Time `json:"-"` // when the cause ends
	RetryAt  *time.Time `json:"-"` // before when trying again is useless
	// RetryAfter is how long to wait before trying once more.
	RetryAfter *time.Duration `json:"-"`
	NackCode   *int           `json:"nack_code"` // of media servers the HTTP status
	MayRetry   *bool          `json:"may_retry"`

	// MessageID is the message that the error is about.
	MessageID string `json:"id"`
	// StillTrying says, for an unknown end, whether the library will send the message again.
	StillTrying *bool `json:"still_trying"`

	context error
}

// Error is the name and the message.
func (e *Error) Error() string {
	if e.Name == "" {
		return "sendpath: " + e.Message
	}
	return fmt.Sprintf("sendpath: %s: %s", e.Name, e.Message)
}

// Is matches another Error by code, or by class if that has no code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	if !ok {
		return false
	}
	if other.Code != CodeOK {
		return e.Code == other.Code
	}
	return e.Class == other.Class
}

// Unwrap is the context's error when the context ended the call.
func (e *Error) Unwrap() error {
	return e.context
}

// UnmarshalJSON reads what the library writes.
func (e *Error) UnmarshalJSON(data []byte) error {
	type plain Error
	raw := struct {
		*plain
		Until        *int64 `json:"until"`
		RetryAt      *int64 `json:"retry_at"`
		RetryAfterMS *int64 `json:"retry_after_ms"`
	}{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	e.Until, e.RetryAt = unix(raw.Until), unix(raw.RetryAt)
	if raw.RetryAfterMS != nil {
		wait := time.Duration(*raw.RetryAfterMS) * time.Millisecond
		e.RetryAfter = &wait
	}
	return nil
}

func unix(seconds *int64) *time.Time {
	if seconds == nil {
		return nil
	}
	t := time.Unix(*seconds, 0)
	return &t
}
