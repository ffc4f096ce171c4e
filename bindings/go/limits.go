package sendpath

import (
	"encoding/json"
	"time"
)

// Limits is what an account may do, as far as is known.
type Limits struct {
	Timelock Timelock `json:"reachoutTimelock"`
	Capping  Capping  `json:"messageCapping"`
	Breaker  Breaker  `json:"circuitBreaker"`
}

// LimitState says what is known about a limit. Read it first: [LimitUnknown] does not mean that there
// is no limit.
type LimitState string

// The states.
const (
	LimitUnknown  LimitState = "unknown"  // the server never told
	LimitActive   LimitState = "active"   // of a timelock
	LimitInactive LimitState = "inactive" // of a timelock
	LimitOver     LimitState = "over"     // of a timelock: its end has passed, the server has not confirmed it
	LimitKnown    LimitState = "known"    // of the quota
)

// Timelock is the lock on new chats. What is not known is empty or nil.
type Timelock struct {
	State       LimitState `json:"state"`
	Kind        string     `json:"enforcementType"`
	Until       *time.Time `json:"-"`           // when it ends, or ended
	Provisional bool       `json:"provisional"` // the server did not tell the end
	Since       *time.Time `json:"-"`
	CheckedAt   *time.Time `json:"-"`
	Source      string     `json:"source"` // push, pull or local
}

// Capping is the quota of new chats. What is not known is empty or nil.
type Capping struct {
	State       LimitState `json:"state"`
	Status      string     `json:"cappingStatus"`
	Total       *int64     `json:"totalQuota"` // new chats in a cycle; -1 for no limit
	Used        *int64     `json:"usedQuota"`
	CycleStart  *time.Time `json:"-"`
	CycleEnd    *time.Time `json:"-"`
	CappedUntil *time.Time `json:"-"` // nil while chats may be started
	MVStatus    string     `json:"mvStatus"`
	OTEStatus   string     `json:"oteStatus"`
	CheckedAt   *time.Time `json:"-"`
	Source      string     `json:"source"` // push, pull or local
}

// Breaker is our own pause after several refused first messages in a row.
type Breaker struct {
	Open  bool       `json:"isOpen"`
	Until *time.Time `json:"-"`     // nil when closed
	Times int        `json:"times"` // how often in a row
}

// UnmarshalJSON reads what the library writes.
func (l *Timelock) UnmarshalJSON(data []byte) error {
	type plain Timelock
	raw := struct {
		*plain
		Until     *int64 `json:"timeEnforcementEnds"`
		Since     *int64 `json:"since"`
		CheckedAt *int64 `json:"checkedAt"`
	}{plain: (*plain)(l)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	l.Until, l.Since, l.CheckedAt = unix(raw.Until), unix(raw.Since), unix(raw.CheckedAt)
	return nil
}

// UnmarshalJSON reads what the library writes.
func (c *Capping) UnmarshalJSON(data []byte) error {
	type plain Capping
	raw := struct {
		*plain
		CycleStart  *int64 `json:"cycleStart"`
		CycleEnd    *int64 `json:"cycleEnd"`
		CappedUntil *int64 `json:"cappedUntil"`
		CheckedAt   *int64 `json:"checkedAt"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	c.CycleStart, c.CycleEnd = unix(raw.CycleStart), unix(raw.CycleEnd)
	c.CappedUntil, c.CheckedAt = unix(raw.CappedUntil), unix(raw.CheckedAt)
	return nil
}

// UnmarshalJSON reads what the library writes.
func (b *Breaker) UnmarshalJSON(data []byte) error {
	type plain Breaker
	raw := struct {
		*plain
		Until *int64 `json:"until"`
	}{plain: (*plain)(b)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	b.Until = unix(raw.Until)
	return nil
}
