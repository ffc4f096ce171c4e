package sendpath

import (
	"encoding/json"
	"time"
)

// Explanation is what is known about a contact and what happened with it.
type Explanation struct {
	Class      string      `json:"class"`        // what kind of chat it is; only a contact has tokens
	LIDKnown   bool        `json:"lid_known"`    // the contact's hidden identity is known
	PNKnown    bool        `json:"pn_known"`     // its phone number is known
	Salt       bool        `json:"salt"`         // the account can make cstokens
	PropsKnown bool        `json:"props_known"`  // the server told its windows; else times are assumptions
	NoCstoken  string      `json:"no_cstoken"`   // why a message would not even carry a cstoken
	Token      *TokenFacts `json:"token"`        // the contact's token; nil when there is none
	Issued     *IssueFacts `json:"issued"`       // our last token for it; nil when there was none
	Timeline   []Happening `json:"timeline"`     // what happened, oldest first
	Cut        bool        `json:"timeline_cut"` // earlier entries are missing
}

// TokenFacts is what is known about a contact's token.
type TokenFacts struct {
	Time       time.Time // its stamp
	Source     string    // how it came
	Seen       time.Time // when it was stored
	Suspect    bool      // a message that carried it was refused
	Attachable bool      // a message would carry it now
	ExpiresAt  time.Time // from when on it is not attached any more
}

// IssueFacts is what is known about our token for a contact.
type IssueFacts struct {
	Time    time.Time // its stamp
	NextDue time.Time // from when on a message causes another one
}

// Happening is one entry of a contact's timeline. Repetitions are one entry with a count. Tolerate
// words you do not know.
type Happening struct {
	What  string    // attached, accepted, refused, received, issued, issue_failed, pruned, ..
	At    time.Time // when it happened first
	Last  time.Time // when it happened last
	Count int       // how often

	Attached string     // for attached: what the message carried, or why nothing
	Cause    string     // for refused: the cause, as in Error.Cause
	Code     *int       // for refused and issue_failed: the server's number
	Token    *time.Time // the stamp of the token that this is about
	Source   string     // for received: how it came
	Fresh    bool       // for received: the token is newer than what we had
	Here     bool       // for issued: by this device
}

// UnmarshalJSON reads what the library writes.
func (f *TokenFacts) UnmarshalJSON(data []byte) error {
	var raw struct {
		T          int64  `json:"t"`
		Source     string `json:"source"`
		Seen       int64  `json:"seen"`
		Suspect    bool   `json:"suspect"`
		Attachable bool   `json:"attachable"`
		ExpiresAt  int64  `json:"expires_at"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*f = TokenFacts{
		Time:       time.Unix(raw.T, 0),
		Source:     raw.Source,
		Seen:       time.Unix(raw.Seen, 0),
		Suspect:    raw.Suspect,
		Attachable: raw.Attachable,
		ExpiresAt:  time.Unix(raw.ExpiresAt, 0),
	}
	return nil
}

// UnmarshalJSON reads what the library writes.
func (f *IssueFacts) UnmarshalJSON(data []byte) error {
	var raw struct {
		T       int64 `json:"t"`
		NextDue int64 `json:"next_due"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*f = IssueFacts{Time: time.Unix(raw.T, 0), NextDue: time.Unix(raw.NextDue, 0)}
	return nil
}

// UnmarshalJSON reads what the library writes.
func (h *Happening) UnmarshalJSON(data []byte) error {
	var raw struct {
		What     string `json:"what"`
		At       int64  `json:"at"`
		Last     int64  `json:"last"`
		Count    int    `json:"count"`
		Attached string `json:"attached"`
		Cause    string `json:"cause"`
		Code     *int   `json:"code"`
		T        *int64 `json:"t"`
		Source   string `json:"source"`
		Fresh    bool   `json:"fresh"`
		Here     bool   `json:"here"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*h = Happening{
		What: raw.What, At: time.Unix(raw.At, 0), Last: time.Unix(raw.Last, 0), Count: raw.Count,
		Attached: raw.Attached, Cause: raw.Cause, Code: raw.Code, Token: unix(raw.T),
		Source: raw.Source, Fresh: raw.Fresh, Here: raw.Here,
	}
	return nil
}
