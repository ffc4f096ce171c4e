package interop

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// clientType is the field that phones demand in a code since May 2026 (1 is Chrome). The newest
// whatsmeow that the module proxy serves is older, so this host adds the field, as hosts did then.
const clientType = ",1"

// client is whatsmeow as its users run it: SQLite store, QR channel, event handler.
type client struct {
	*whatsmeow.Client
	t      *testing.T
	events chan any
}

func newClient(t *testing.T, server *server) *client {
	t.Helper()
	file := "file:" + filepath.Join(t.TempDir(), "whatsmeow.db") + "?_foreign_keys=on&_synchronous=OFF"
	container, err := sqlstore.New(t.Context(), "sqlite3", file, log("store"))
	must(t, err)
	t.Cleanup(func() { _ = container.Close() })
	device, err := container.GetFirstDevice(t.Context())
	must(t, err)
	c := &client{whatsmeow.NewClient(device, log("client")), t, make(chan any, 1024)}
	transport := &http.Client{Transport: redirect{server.web}}
	c.SetPreLoginHTTPClient(transport)
	c.SetWebsocketHTTPClient(transport)
	c.SetMediaHTTPClient(transport)
	c.AddEventHandler(func(event any) { c.events <- event })
	t.Cleanup(c.Disconnect)
	return c
}

func log(module string) waLog.Logger {
	if testing.Verbose() && debug {
		return waLog.Stdout(module, "DEBUG", false)
	}
	return waLog.Noop
}

// await returns the next event of a type; others are dropped.
func await[E any](c *client) E {
	c.t.Helper()
	limit := time.After(waitLimit)
	for {
		select {
		case event := <-c.events:
			if wanted, ok := event.(E); ok {
				return wanted
			}
		case <-limit:
			var wanted E
			c.t.Fatalf("no %T in time", wanted)
		}
	}
}

// pair links the client with the phone of the account.
func (c *client) pair(s *server) {
	c.t.Helper()
	codes, err := c.GetQRChannel(c.t.Context())
	must(c.t, err)
	must(c.t, c.Connect())
	scanned := false
	for item := range codes {
		switch item.Event {
		case whatsmeow.QRChannelEventCode:
			if !scanned {
				s.scan(item.Code + clientType)
				scanned = true
			}
		case whatsmeow.QRChannelSuccess.Event:
		default:
			c.t.Fatalf("pairing: %s %v", item.Event, item.Error)
		}
	}
	await[*events.PairSuccess](c)
}

// sendText sends to a bare address.
func (c *client) sendText(to types.JID, text string) (types.MessageID, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), waitLimit)
	defer cancel()
	sent, err := c.SendMessage(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
	return sent.ID, err
}

// expectText fails the test when the next message is another one.
func (c *client) expectText(text string) {
	c.t.Helper()
	if read := await[*events.Message](c).Message.GetConversation(); read != text {
		c.t.Fatalf("read %q instead of %q", read, text)
	}
}

// catchUp returns when the client has handled all that the server sent: it answers before it acts,
// but it acts in order.
func (c *client) catchUp(s *server, peer string, fromLid bool) {
	c.t.Helper()
	s.control(object{"cmd": "peer_send", "peer": peer, "text": "mark", "from_lid": fromLid})
	c.expectText("mark")
}

func pn(user string) types.JID  { return types.NewJID(user, types.DefaultUserServer) }
func lid(user string) types.JID { return types.NewJID(user, types.HiddenUserServer) }
