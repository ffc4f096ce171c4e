// Package interop runs whatsmeow, unmodified, against the model server.
//
// It proves two things: the model server behaves as the real one in the eyes of a client that its
// authors did not write, and what that client sends is what the server expects.
package interop

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

var debug = os.Getenv("INTEROP_DEBUG") != ""

// The people of the model server; the account's own number is its default.
const (
	account = "15550100001"
	friend  = "4915550001"
	cold    = "4915550002"
)

func TestWrongRootKeyIsRefused(t *testing.T) {
	server := startServer(t)
	client := newClient(t, server)
	trusted := server.root
	trusted[0] ^= 1
	step(t, "refuses a server with another root key", func() {
		whatsmeow.WACertPubKey = trusted
		err := client.Connect()
		if err == nil || !strings.Contains(err.Error(), "signature") {
			t.Fatalf("connected: %v", err)
		}
	})
}

// An account that this version takes for one that is not migrated to LIDs: it writes to phone numbers.
func TestPhoneNumberChats(t *testing.T) {
	server, client := start(t)
	server.addPeer(friend, object{"devices": 2})
	server.addPeer(cold, object{"gate": "token"})

	step(t, "pairs by QR, follows 515 and logs in", func() {
		client.pair(server)
		await[*events.Connected](client)
		server.waitFor("logins", object{"count": 1})
		if client.Store.ID.User != account || client.Store.LID.IsEmpty() {
			t.Fatalf("linked as %s, %s", client.Store.ID, client.Store.LID)
		}
	})
	step(t, "uploads prekeys", func() {
		if server.control(object{"cmd": "stats"}).Prekeys == 0 {
			t.Fatal("the server has no one-time prekeys")
		}
	})
	step(t, "sends a text that all devices on both sides read", func() {
		_, err := client.sendText(pn(friend), "hello from whatsmeow")
		must(t, err)
		server.waitRead(friend, "hello from whatsmeow", 2)
		server.waitRead(account, "hello from whatsmeow", 1)
	})
	step(t, "gets the delivery receipt", func() {
		await[*events.Receipt](client)
	})
	step(t, "reads a text from a contact", func() {
		server.control(object{"cmd": "peer_send", "peer": friend, "text": "hello", "from_lid": false})
		client.expectText("hello")
		server.waitFor("answered", nil)
	})
	step(t, "uses the session that the answer confirmed", func() {
		_, err := client.sendText(pn(friend), "second")
		must(t, err)
		server.waitRead(friend, "second", 2)
		if kinds := server.kindsOf(friend, "second"); !slices.Equal(kinds, []string{"msg", "pkmsg"}) {
			t.Fatalf("sent %v to phone and companion", kinds)
		}
	})
	step(t, "is refused with 463 by a contact that gave no token", func() {
		_, err := client.sendText(pn(cold), "cold call")
		if err == nil || err.Error() != "server returned error 463" {
			t.Fatalf("error %v", err)
		}
		if last := server.lastMessage(); last.Tctoken != nil || last.Error == nil || *last.Error != 463 {
			t.Fatalf("judged %+v", last)
		}
	})
	step(t, "attaches the privacy token that the contact gave", func() {
		token := server.control(object{"cmd": "issue_token", "peer": cold, "from_lid": false}).Bytes
		client.catchUp(server, friend, false)
		_, err := client.sendText(pn(cold), "warm call")
		must(t, err)
		if last := server.lastMessage(); last.Tctoken == nil || *last.Tctoken != token {
			t.Fatalf("judged %+v, token %s", last, token)
		}
		server.waitRead(cold, "warm call", 1)
	})
	step(t, "sends again what a device could not read", func() {
		id, err := client.sendText(pn(friend), "twice")
		must(t, err)
		server.waitRead(friend, "twice", 2)
		server.control(object{"cmd": "retry_request", "peer": friend, "id": id})
		server.waitRead(friend, "twice", 3)
	})
	step(t, "writes to a device that a notification announced", func() {
		server.control(object{"cmd": "add_device", "peer": friend})
		client.catchUp(server, friend, false)
		_, err := client.sendText(pn(friend), "all of you")
		must(t, err)
		server.waitRead(friend, "all of you", 3)
	})
	step(t, "counts its prekeys when told that they run low", func() {
		asked := server.control(object{"cmd": "stats"}).Iqs["encrypt/count"]
		server.control(object{"cmd": "prekeys_low", "value": 3})
		server.waitFor("iq", object{"kind": "encrypt/count", "count": asked + 1})
	})
	step(t, "reads what came while it was offline", func() {
		client.Disconnect()
		server.waitFor("disconnected", nil)
		server.control(object{"cmd": "peer_send", "peer": friend, "text": "while away", "from_lid": false})
		must(t, client.Connect())
		client.expectText("while away")
		server.waitFor("answered", nil)
	})
	step(t, "leaves when the phone unlinks it", func() {
		server.control(object{"cmd": "unlink"})
		await[*events.LoggedOut](client)
	})
	step(t, "broke no rule and asked nothing unknown", server.expectNoComplaint)
}

// The host names contacts by LID; messages and tokens come from LIDs.
func TestLidChats(t *testing.T) {
	server, client := start(t)
	server.addPeer(friend, object{"lid": "1001"})
	server.addPeer(cold, object{"lid": "1002", "gate": "token"})
	client.pair(server)
	await[*events.Connected](client)

	step(t, "sends a text to a LID", func() {
		_, err := client.sendText(lid("1001"), "hello LID")
		must(t, err)
		server.waitRead(friend, "hello LID", 1)
		server.waitRead(account, "hello LID", 1)
	})
	step(t, "reads a text from a LID", func() {
		server.control(object{"cmd": "peer_send", "peer": friend, "text": "hello"})
		client.expectText("hello")
		server.waitFor("answered", nil)
	})
	step(t, "is refused with 463 at a LID", func() {
		_, err := client.sendText(lid("1002"), "cold call")
		if err == nil || err.Error() != "server returned error 463" {
			t.Fatalf("error %v", err)
		}
	})
	step(t, "attaches the privacy token of a LID", func() {
		token := server.control(object{"cmd": "issue_token", "peer": cold}).Bytes
		client.catchUp(server, friend, true)
		_, err := client.sendText(lid("1002"), "warm call")
		must(t, err)
		if last := server.lastMessage(); last.Tctoken == nil || *last.Tctoken != token {
			t.Fatalf("judged %+v, token %s", last, token)
		}
	})
	step(t, "sends again what a device could not read, at a LID", func() {
		id, err := client.sendText(lid("1001"), "twice")
		must(t, err)
		server.waitRead(friend, "twice", 1)
		server.control(object{"cmd": "retry_request", "peer": friend, "id": id})
		server.waitRead(friend, "twice", 2)
	})
	step(t, "learns of a new device from the phash of an ack", func() {
		server.control(object{"cmd": "add_device", "peer": friend, "announce": false})
		_, err := client.sendText(lid("1001"), "phone only")
		must(t, err)
		_, err = client.sendText(lid("1001"), "all of you")
		must(t, err)
		server.waitRead(friend, "all of you", 2)
	})
	step(t, "trusts a contact that changed its identity", func() {
		server.control(object{"cmd": "identity_change", "peer": friend})
		client.catchUp(server, cold, true)
		_, err := client.sendText(lid("1001"), "new phone?")
		must(t, err)
		server.waitRead(friend, "new phone?", 1)
	})
	step(t, "broke no rule and asked nothing unknown, with LIDs", server.expectNoComplaint)
	server.saveStanzas()
}

// What hosts ask for besides sending.
func TestQuestions(t *testing.T) {
	server, client := start(t)
	server.addPeer(friend, object{"lid": "1001", "devices": 2})
	client.pair(server)
	await[*events.Connected](client)

	step(t, "asks who has an account", func() {
		found, err := client.IsOnWhatsApp(t.Context(), []string{"+" + friend, "+4915559999"})
		must(t, err)
		if len(found) != 2 || !found[0].IsIn || found[0].JID != pn(friend) || found[1].IsIn {
			t.Fatalf("found %+v", found)
		}
	})
	step(t, "asks for a contact's devices and LID", func() {
		people, err := client.GetUserInfo(t.Context(), []types.JID{pn(friend)})
		must(t, err)
		if info := people[pn(friend)]; len(info.Devices) != 2 || info.LID != lid("1001") {
			t.Fatalf("told %+v", people)
		}
	})
	step(t, "reads the account's settings", func() {
		settings, err := client.TryFetchPrivacySettings(t.Context(), true)
		must(t, err)
		blocked, err := client.GetBlocklist(t.Context())
		must(t, err)
		if settings.ReadReceipts != types.PrivacySettingAll || len(blocked.JIDs) != 0 {
			t.Fatalf("read %+v, %+v", settings, blocked)
		}
	})
	step(t, "broke no rule with its questions", server.expectNoComplaint)
}

func start(t *testing.T) (*server, *client) {
	t.Helper()
	server := startServer(t)
	whatsmeow.WACertPubKey = server.root
	return server, newClient(t, server)
}

// step runs one check and prints one line about it. A check that fails ends the test.
func step(t *testing.T, name string, check func()) {
	t.Helper()
	verdict := "FAIL"
	defer func() { fmt.Printf("%-4s whatsmeow: %s\n", verdict, name) }()
	check()
	if !t.Failed() {
		verdict = "ok"
	}
}
