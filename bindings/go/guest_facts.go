package sendpath

// #include "bridge.h"
import "C"

import "time"

// MessageKind is what a message is, as far as tokens are concerned.
type MessageKind int32

// The kinds of messages.
const (
	MessageContent  MessageKind = C.SP_MESSAGE_KIND_CONTENT  // text, media, reaction, edit, poll vote
	MessageProtocol MessageKind = C.SP_MESSAGE_KIND_PROTOCOL // revokes and the like
	MessagePeer     MessageKind = C.SP_MESSAGE_KIND_PEER     // to our own devices
)

// Facts are durable when the call returns nil. After an error a fact counts as not told: do not
// acknowledge the stanza it came from, and the server brings it again. Facts may come late, twice or
// in any order.

// TokenReceived tells a token that a contact gave us, with the time stamp of its notification.
func (g *Guest) TokenReceived(from string, token []byte, t time.Time) error {
	var pinned pins
	defer pinned.Unpin()
	jid, bytes := pinned.text(from), pinned.bytes(token)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_token_received(g.handle, jid, bytes, C.int64_t(t.Unix()), object)
	})
}

// SaltChanged tells that app state set the salt of cstokens, or removed it (empty).
func (g *Guest) SaltChanged(salt []byte) error {
	var pinned pins
	defer pinned.Unpin()
	bytes := pinned.bytes(salt)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_salt_changed(g.handle, bytes, object)
	})
}

// AppState tells that app state set or removed the entry with this index: the index is JSON, the value
// the SyncActionValue as protobuf, both decrypted. Only the entry that tells the salt counts.
func (g *Guest) AppState(index, value []byte, removed bool) error {
	var pinned pins
	defer pinned.Unpin()
	entry, bytes := pinned.bytes(index), pinned.bytes(value)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_app_state(g.handle, entry, flag(&removed), bytes, object)
	})
}

// RefreshLimits asks for the account's limits: the questions are in [Guest.Outgoing], a change is an
// event, and the answer is then in [Guest.Limits]. It does nothing while the connection is down.
func (g *Guest) RefreshLimits() error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_refresh_limits(g.handle, object)
	})
}

// SaltFromHistory tells the salt of a history sync; it counts only while app state never spoke of it.
func (g *Guest) SaltFromHistory(salt []byte) error {
	var pinned pins
	defer pinned.Unpin()
	bytes := pinned.bytes(salt)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_salt_from_history(g.handle, bytes, object)
	})
}

// History tells a history sync: the blob as downloaded (compressed) or inflated. One that cannot be
// read changes nothing.
func (g *Guest) History(blob []byte) error {
	var pinned pins
	defer pinned.Unpin()
	bytes := pinned.bytes(blob)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_history(g.handle, bytes, object)
	})
}

// Background is what is known about the link of the account, for the diagnosis of refusals; zero and
// nil for what is not known.
type Background struct {
	LinkedAt        time.Time // when it was paired
	HistoryComplete *bool     // the phone has sent all of its history
	LIDMigrated     *bool     // 1:1 chats are addressed by LID
}

// Background tells about the link of the account.
func (g *Guest) Background(known Background) error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_background(g.handle, seconds(known.LinkedAt), flag(known.HistoryComplete),
			flag(known.LIDMigrated), object)
	})
}

// ForgetAccount deletes everything that is stored for the account: tokens, names, limits, timelines.
func (g *Guest) ForgetAccount() error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_forget_account(g.handle, object)
	})
}

// MappingLearned tells two addresses of one account, by phone number and by LID, in either order.
func (g *Guest) MappingLearned(one, other string) error {
	var pinned pins
	defer pinned.Unpin()
	first, second := pinned.text(one), pinned.text(other)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_mapping_learned(g.handle, first, second, object)
	})
}

// IdentityChanged tells that the keys of a contact's device are new.
func (g *Guest) IdentityChanged(jid string) error {
	var pinned pins
	defer pinned.Unpin()
	peer := pinned.text(jid)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_identity_changed(g.handle, peer, object)
	})
}

// Props tells AB props by their codes, for hosts that fetch them by themselves.
func (g *Guest) Props(values map[uint32]string) error {
	var pinned pins
	defer pinned.Unpin()
	props := make([]C.sp_prop, 0, len(values))
	for code, value := range values {
		props = append(props, C.sp_prop{code: C.uint32_t(code), value: pinned.text(value)})
	}
	first := pin(&pinned, props)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_props(g.handle, first, C.size_t(len(props)), object)
	})
}

// Handed tells that a message was handed to the connection.
func (g *Guest) Handed(id, to string, kind MessageKind) error {
	var pinned pins
	defer pinned.Unpin()
	message, jid := pinned.text(id), pinned.text(to)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_handed(g.handle, message, jid, C.int32_t(kind), object)
	})
}

// Ack tells the server's answer to a message: the error in its ack, 0 for a yes. What a refusal meant
// comes as a [KindOutcome] event.
func (g *Guest) Ack(id string, code int) error {
	var pinned pins
	defer pinned.Unpin()
	message := pinned.text(id)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_ack(g.handle, message, C.int32_t(code), object)
	})
}

// Receipt tells that messages of ours arrived at a device of their recipient.
func (g *Guest) Receipt(ids ...string) error {
	var pinned pins
	defer pinned.Unpin()
	slices := pinned.texts(ids)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_receipt(g.handle, slices, C.size_t(len(ids)), object)
	})
}

// Wrote tells that a contact wrote to us.
func (g *Guest) Wrote(jid string) error {
	var pinned pins
	defer pinned.Unpin()
	peer := pinned.text(jid)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_wrote(g.handle, peer, object)
	})
}

// Connected tells that the host's connection is up and logged in.
func (g *Guest) Connected() error {
	return g.tell(func(object **C.sp_error) C.sp_status { return C.sp_guest_connected(g.handle, object) })
}

// Disconnected tells that the host's connection is gone; open work is lost with it.
func (g *Guest) Disconnected() error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_disconnected(g.handle, object)
	})
}

// Backlog tells that the server begins, or has ended, to deliver what it kept while the host was away.
func (g *Guest) Backlog(open bool) error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_backlog(g.handle, flag(&open), object)
	})
}

// ServerTime tells the server's time, from any stanza that has it.
func (g *Guest) ServerTime(t time.Time) error {
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_server_time(g.handle, C.int64_t(t.Unix()), object)
	})
}

// ObserveStanza tells any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte
// first). What does not concern tokens and limits changes nothing.
func (g *Guest) ObserveStanza(stanza []byte) error {
	var pinned pins
	defer pinned.Unpin()
	bytes := pinned.bytes(stanza)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_observe_stanza(g.handle, bytes, object)
	})
}

// seconds is 0 for the zero time.
func seconds(t time.Time) C.int64_t {
	if t.IsZero() {
		return 0
	}
	return C.int64_t(t.Unix())
}

// flag is -1 for nil.
func flag(value *bool) C.int32_t {
	switch {
	case value == nil:
		return -1
	case *value:
		return 1
	default:
		return 0
	}
}
