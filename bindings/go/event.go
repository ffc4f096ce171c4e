package sendpath

import (
	"encoding/json"
	"time"
)

// Kind says what an event is. Tolerate kinds you do not know.
type Kind string

// The kinds, with the fields they have.
const (
	KindConnected       Kind = "connected"
	KindDisconnected    Kind = "disconnected"     // Reason; Code, Detail, Until, Message if known
	KindLoggedOut       Kind = "logged_out"       // as KindDisconnected
	KindPairQR          Kind = "pair_qr"          // QR, Seconds
	KindPaired          Kind = "paired"           // JID; LID if known
	KindPairFailed      Kind = "pair_failed"      // Reason; Code if known
	KindPairCode        Kind = "pair_code"        // PairCode, Seconds
	KindMessage         Kind = "message"          // ID, Chat, Sender, FromMe, Time, Payload; PushName, Text
	KindReceipt         Kind = "receipt"          // IDs, Sender, What; Time if known
	KindOutcome         Kind = "outcome"          // Op, Status; ID, Time, Attached if known; Err
	KindMayRetry        Kind = "may_retry"        // Peer, IDs
	KindTokenStored     Kind = "token_stored"     // Peer, Time, Fresh
	KindTimelockChanged Kind = "timelock_changed" // Active; Until, What if known
	KindCappingChanged  Kind = "capping_changed"  // What; Total, Used, Until if known
	KindSilentDrop      Kind = "silent_drop"      // Peer, IDs
	KindIdentityChanged Kind = "identity_changed" // Peer
	KindPresence        Kind = "presence"         // Peer, Available; LastSeen if known
	KindHistoryFailed   Kind = "history_failed"   // Reason, Message
	KindHistoryApplied  Kind = "history_applied"  // Conversations, Tokens, SenderTimes, Mappings, Salt
	KindOverflow        Kind = "overflow"         // Dropped
	KindOther           Kind = "other"
)

// Event is one thing that happened. Fields that its kind does not have are empty or nil.
type Event struct {
	Kind Kind `json:"kind"`

	QR       string   `json:"qr"`        // what to show as a QR code
	PairCode string   `json:"pair_code"` // what to type into the phone
	Seconds  int64    `json:"seconds"`   // for how long
	ID       string   `json:"id"`
	IDs      []string `json:"ids"`
	Chat     string   `json:"chat"`
	Sender   string   `json:"sender"`
	FromMe   bool     `json:"from_me"`
	PushName string   `json:"push_name"`
	Text     string   `json:"text"`
	JID      string   `json:"jid"`
	LID      string   `json:"lid"`
	Peer     string   `json:"peer"`
	Reason   string   `json:"reason"`
	Code     *int     `json:"code"`
	Detail   *int     `json:"detail"`
	What     string   `json:"what"`
	Active   bool     `json:"active"`
	Fresh    bool     `json:"fresh"`
	Op       uint64   `json:"op"` // 0 for a message that an earlier run of the program had sent
	Status   Code     `json:"status"`
	Attached string   `json:"attached"`
	Dropped  int64    `json:"dropped"`
	Message  string   `json:"message"` // for people
	Total    *int64   `json:"total"`   // new chats in a cycle; -1 for no limit
	Used     *int64   `json:"used"`    // new chats used up

	Available     bool  `json:"available"`     // the contact is there now
	Conversations int64 `json:"conversations"` // chats with people and businesses
	Tokens        int64 `json:"tokens"`        // new, or newer than the stored ones
	SenderTimes   int64 `json:"sender_times"`  // later than the stored ones
	Mappings      int64 `json:"mappings"`      // pairs of phone number and LID
	Salt          bool  `json:"salt"`          // the salt of cstokens was taken over

	Time     *time.Time `json:"-"` // the server's time stamp
	Until    *time.Time `json:"-"` // when it ends
	LastSeen *time.Time `json:"-"` // when the contact was there last

	Err *Error `json:"error"` // why a send was not accepted

	// Payload is the Message protobuf as it was sent.
	Payload []byte `json:"-"`
}

// UnmarshalJSON reads what the library writes.
func (e *Event) UnmarshalJSON(data []byte) error {
	type plain Event
	raw := struct {
		*plain
		Time  *int64 `json:"time"`
		Until *int64 `json:"until"`
		Seen  *int64 `json:"last_seen"`
	}{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	e.Time, e.Until, e.LastSeen = unix(raw.Time), unix(raw.Until), unix(raw.Seen)
	return nil
}
