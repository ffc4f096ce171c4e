package sendpath

// TokenCounters is what the token machine left aside, by reason.
type TokenCounters struct {
	BadTime        uint64 `json:"bad_time"`        // tokens without a usable time stamp
	Empty          uint64 `json:"empty"`           // tokens without bytes
	TooMuch        uint64 `json:"too_much"`        // tokens that are too long or too many
	UnknownType    uint64 `json:"unknown_type"`    // tokens of another type
	NotAContact    uint64 `json:"not_a_contact"`   // tokens without a contact they could belong to
	Older          uint64 `json:"older"`           // tokens older than the stored one
	FromTheFuture  uint64 `json:"from_the_future"` // tokens and issues stamped in the far future, taken as now
	DamagedRows    uint64 `json:"damaged_rows"`    // rows treated as absent
	NewerRows      uint64 `json:"newer_rows"`      // writes left out because a newer version wrote the row
	FailedReads    uint64 `json:"failed_reads"`    // reads that failed while a message was sent
	UnknownResults uint64 `json:"unknown_results"` // results of IQs that are not ours, or came twice
}
