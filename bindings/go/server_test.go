package sendpath

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// server is the model server of the repository, as a program.
type server struct {
	t    *testing.T
	in   *json.Encoder
	out  *bufio.Scanner
	url  string
	root []byte
}

func startServer(t *testing.T) *server {
	t.Helper()
	path := os.Getenv("SENDPATH_MODEL_SERVER")
	if path == "" {
		t.Fatal("SENDPATH_MODEL_SERVER does not name the model server; run bindings/go/test.sh")
	}
	command := exec.Command(path)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	s := &server{t: t, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	ready := s.line()
	s.url = ready["url"].(string)
	if s.root, err = hex.DecodeString(ready["root_key"].(string)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) line() map[string]any {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatal("the model server is gone")
	}
	var reply map[string]any
	if err := json.Unmarshal(s.out.Bytes(), &reply); err != nil {
		s.t.Fatal(err)
	}
	return reply
}

type order map[string]any

func (s *server) do(o order) map[string]any {
	s.t.Helper()
	if err := s.in.Encode(o); err != nil {
		s.t.Fatal(err)
	}
	reply := s.line()
	if reply["reply"] == "error" {
		s.t.Fatalf("%v: %v", o, reply["message"])
	}
	return reply
}

// online links an account as a person would, by scanning its QR code.
func (s *server) online(engine *Engine, name string, change ...func(*AccountConfig)) *Account {
	s.t.Helper()
	config := AccountConfig{URL: s.url, RootKey: s.root, DeviceName: "go test"}
	for _, change := range change {
		change(&config)
	}
	account, err := engine.Account(name, config)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := account.Connect(); err != nil {
		s.t.Fatal(err)
	}
	s.until(account, KindConnected)
	return account
}

func (s *server) until(account *Account, kind Kind) Event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		event, err := account.Next(ctx)
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if event.Kind == KindPairQR {
			s.do(order{"cmd": "scan_qr", "qr": event.QR})
		}
		if event.Kind == kind {
			return event
		}
	}
}

func linked(t *testing.T) (*server, *Engine, *Account) {
	t.Helper()
	s := startServer(t)
	engine, err := Open(Config{Store: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return s, engine, s.online(engine, "a")
}

// settle lets the time pass in which a contact's token may still be on its way to a new device.
func (s *server) settle(account *Account) {
	s.t.Helper()
	s.do(order{"cmd": "advance_time", "seconds": 2 * 24 * 60 * 60})
	for _, step := range []func() error{account.Disconnect, account.Connect} {
		if err := step(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.until(account, KindConnected)
}

func TestATextArrivesAndAnAnswerComesBack(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	receipt, err := account.SendText(t.Context(), "4915550001", "hello", WithID("3EB0AA01"))
	if err != nil || receipt.ID != "3EB0AA01" || receipt.ServerTime == nil {
		t.Fatalf("%+v, %v", receipt, err)
	}
	received := s.do(order{"cmd": "received", "peer": "1001"})
	first := received["messages"].([]any)[0].(map[string]any)
	if first["text"] != "hello" {
		t.Fatalf("the peer got %v", received)
	}
	s.do(order{"cmd": "peer_send", "peer": "1001", "text": "hi there"})
	message := s.until(account, KindMessage)
	if message.Text != "hi there" || message.ID == "" || message.Time == nil || len(message.Payload) == 0 {
		t.Fatalf("%+v", message)
	}
	if status, err := account.Status(); err != nil || status.Phase != "online" || status.JID == "" {
		t.Fatalf("%+v, %v", status, err)
	}
	if broken := s.do(order{"cmd": "violations"})["violations"].([]any); len(broken) > 0 {
		t.Fatal(broken)
	}
}

func TestARefusalOfTheServerSaysWhyAndWhatToDo(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001", "gate": "token"})
	s.settle(account)
	_, err := account.SendText(t.Context(), "4915550001", "hello")
	var refused *Error
	if !errors.As(err, &refused) || !errors.Is(err, ErrColdRefused) || !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v", err)
	}
	if refused.NackCode == nil || *refused.NackCode != 463 || refused.Next != NextAskContactToWrite ||
		refused.Attached != "nothing_never_received" || refused.MessageID == "" ||
		refused.Advice == "" || refused.RetryAt != nil || refused.RetryAfter != nil {
		t.Fatalf("%+v", refused)
	}
}

func TestARefusalUnderALockSaysUntilWhen(t *testing.T) {
	s, _, account := linked(t)
	until := time.Now().Add(time.Hour).Unix()
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001", "gate": "token"})
	// Pushes are dated in whole seconds, and one older than the state read at login counts for nothing.
	s.do(order{"cmd": "advance_time", "seconds": 5})
	s.do(order{"cmd": "set_timelock", "active": true, "until": until,
		"kind": "RESTRICT_ALL_COMPANIONS", "push": true})
	if changed := s.until(account, KindTimelockChanged); !changed.Active || changed.Until.Unix() != until {
		t.Fatalf("%+v", changed)
	}
	_, err := account.SendText(t.Context(), "4915550001", "hello")
	var refused *Error
	if !errors.As(err, &refused) || !errors.Is(err, ErrTimelocked) {
		t.Fatalf("got %v", err)
	}
	if refused.Next != NextWaitUntil || refused.RetryAt == nil || refused.RetryAt.Unix() != until ||
		refused.Until == nil || refused.MayRetry == nil || *refused.MayRetry || refused.NackCode != nil {
		t.Fatalf("%+v", refused)
	}
	may, err := account.CanSend(RecipientOrdinary, "4915550001")
	if err != nil || len(may) != 1 || may[0].Answer != MaySendBlocked || !errors.Is(may[0].Err, ErrTimelocked) ||
		may[0].Err.Until == nil || may[0].Err.Until.Unix() != until {
		t.Fatalf("%+v, %v", may, err)
	}
	limits, err := account.Limits()
	lock := limits.Timelock
	if err != nil || lock.State != LimitActive || lock.Kind != "RESTRICT_ALL_COMPANIONS" || lock.Source == "" ||
		lock.Until == nil || lock.Until.Unix() != until || lock.Since == nil || lock.CheckedAt == nil {
		t.Fatalf("%+v, %v", limits, err)
	}
	told, err := account.Explain("4915550001")
	if err != nil || told.Class != "contact" || told.Token != nil {
		t.Fatalf("%+v, %v", told, err)
	}
	if text, err := account.ExplainText("4915550001", false); err != nil || text == "" {
		t.Fatalf("%q, %v", text, err)
	}
	if sent := s.do(order{"cmd": "messages"})["messages"].([]any); len(sent) > 0 {
		t.Fatalf("sent under a known lock: %v", sent)
	}
}

func TestAContextThatEndsCancelsTheSend(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	s.do(order{"cmd": "ack_mode", "mode": "hold"})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := account.SendText(ctx, "4915550001", "hello")
		result <- err
	}()
	s.do(order{"cmd": "wait_for", "condition": order{"messages": order{"count": 1}}})
	cancel()
	err := <-result
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnknown) {
		t.Fatalf("got %v", err)
	}
}

func TestManySendsWaitWithoutThreads(t *testing.T) {
	s, _, account := linked(t)
	const sends = 200
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	s.do(order{"cmd": "ack_mode", "mode": "hold"})
	before := threads(t)
	var waiting sync.WaitGroup
	for n := range sends {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			if _, err := account.SendText(t.Context(), "4915550001", fmt.Sprint(n)); err != nil {
				t.Error(err)
			}
		}()
	}
	s.do(order{"cmd": "wait_for", "condition": order{"messages": order{"count": sends}}, "timeout_ms": 60000})
	if grown := threads(t) - before; grown > 16 {
		t.Errorf("%d threads for %d waiting sends", grown, sends)
	}
	s.do(order{"cmd": "ack_mode", "mode": "normal"})
	s.do(order{"cmd": "release_acks"})
	waiting.Wait()
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("threads are counted on Linux only")
	}
	return len(tasks)
}
