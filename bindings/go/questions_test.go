package sendpath

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestARefusedContactIsExplained(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001", "gate": "token"})
	s.settle(account)
	if _, err := account.SendText(t.Context(), "4915550001", "hello"); !errors.Is(err, ErrColdRefused) {
		t.Fatalf("got %v", err)
	}
	told, err := account.Explain("4915550001")
	if err != nil || told.Class != "contact" || !told.LIDKnown || told.Token != nil || told.NoCstoken == "" || told.Cut {
		t.Fatalf("%+v, %v", told, err)
	}
	var refused *Happening
	for i, entry := range told.Timeline {
		if entry.What == "refused" {
			refused = &told.Timeline[i]
		}
	}
	if refused == nil || refused.Cause != "COLD_REFUSED" || refused.Code == nil || *refused.Code != 463 ||
		refused.Count != 1 || refused.At.IsZero() || refused.Last.Before(refused.At) {
		t.Fatalf("%+v", told.Timeline)
	}
	if text, err := account.ExplainText("4915550001", false); err != nil ||
		!strings.Contains(text, "COLD_REFUSED") || strings.Contains(text, "4915550001") {
		t.Fatalf("%s, %v", text, err)
	}
	if text, err := account.ExplainText("4915550001", true); err != nil || !strings.Contains(text, "4915550001") {
		t.Fatalf("%s, %v", text, err)
	}
	answers, err := account.CanSend(RecipientOrdinary, "4915550001")
	if err != nil || answers[0].Answer != MaySendContactMustWrite {
		t.Fatalf("%+v, %v", answers, err)
	}
}

func TestForgettingLeavesTheLink(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	s.do(order{"cmd": "issue_token", "peer": "1001"})
	s.until(account, KindTokenStored)
	before, err := account.Explain("1001@lid")
	if err != nil || before.Token == nil || !before.Token.Attachable || before.Token.Time.Year() < 2000 ||
		!before.Token.ExpiresAt.After(before.Token.Time) || before.Token.Source == "" {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := account.ForgetAccount(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		told, err := account.Explain("1001@lid")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", told, err)
		}
		if told.Token == nil {
			break
		}
	}
	if status, err := account.Status(); err != nil || status.Phase != "online" {
		t.Fatalf("%+v, %v", status, err)
	}
}

func TestAFollowedContactTellsItsPresence(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	s.do(order{"cmd": "issue_token", "peer": "1001", "bytes": "0102"})
	s.until(account, KindTokenStored)
	if err := account.SubscribePresence("1001@lid"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if asked := fmt.Sprint(s.do(order{"cmd": "heard", "tag": "presence"})); strings.Contains(asked, "tctoken") {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(asked)
		}
	}
	s.do(order{"cmd": "push", "node": order{"tag": "presence", "attrs": order{
		"from": "1001@lid", "type": "unavailable", "last": "1786074400"}}})
	gone := s.until(account, KindPresence)
	if gone.Peer != "1001@lid" || gone.Available || gone.LastSeen == nil || gone.LastSeen.Unix() != 1_786_074_400 {
		t.Fatalf("%+v", gone)
	}
	if err := account.SubscribePresence("x"); !errors.Is(err, ErrMisuse) {
		t.Fatalf("got %v", err)
	}
}

func TestLimitsAreAskedForWhenTold(t *testing.T) {
	s, _, account := linked(t)
	until := time.Now().Add(time.Hour).Unix()
	s.do(order{"cmd": "set_timelock", "active": true, "until": until, "push": false})
	if err := account.RefreshLimits(); err != nil {
		t.Fatal(err)
	}
	if changed := s.until(account, KindTimelockChanged); !changed.Active || changed.Until.Unix() != until {
		t.Fatalf("%+v", changed)
	}
	limits, err := account.Limits()
	if err != nil || limits.Timelock.State != LimitActive || limits.Timelock.Source != "pull" {
		t.Fatalf("%+v, %v", limits, err)
	}
}

func TestWhatIsLeftAsideIsCounted(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	for _, stamp := range []int{1_786_074_400, 1_786_074_300} {
		s.do(order{"cmd": "issue_token", "peer": "1001", "t": stamp})
	}
	for deadline := time.Now().Add(time.Minute); ; {
		status, err := account.Status()
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", status, err)
		}
		if status.Tokens.Older == 1 {
			break
		}
	}
}

func TestAHistoryIsToldInCounts(t *testing.T) {
	s, _, account := linked(t)
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	s.do(order{"cmd": "phone_history", "salt": "0001", "progress": 100, "chats": []order{
		{"peer": "1001", "token": "0102", "t": time.Now().Unix()}}})
	applied := s.until(account, KindHistoryApplied)
	if applied.Conversations != 1 || applied.Tokens != 1 || applied.Mappings != 1 || !applied.Salt {
		t.Fatalf("%+v", applied)
	}
}

func TestTheServersSwitchIsHonouredIfStrict(t *testing.T) {
	s := startServer(t)
	s.do(order{"cmd": "set_props", "props": order{"10518": "0"}})
	s.do(order{"cmd": "add_peer", "pn": "4915550001", "lid": "1001"})
	engine, err := Open(Config{Store: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	account := s.online(engine, "a", func(c *AccountConfig) { c.StrictProps = true })
	s.do(order{"cmd": "wait_for", "condition": order{"iq": order{"kind": "abt/props", "count": 1}}})
	s.do(order{"cmd": "issue_token", "peer": "1001"})
	s.until(account, KindTokenStored)
	answers, err := account.CanSend(RecipientOrdinary, "1001@lid")
	if err != nil || answers[0].Attached != "nothing_gate_off" {
		t.Fatalf("%+v, %v", answers, err)
	}
}

func TestATypedCodeLinks(t *testing.T) {
	s := startServer(t)
	engine, err := Open(Config{Store: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	account, err := engine.Account("a", AccountConfig{URL: s.url, RootKey: s.root})
	if err != nil {
		t.Fatal(err)
	}
	var wrong *Error
	if err := account.PairByCode("12", ""); !errors.As(err, &wrong) || wrong.Code != CodeBadNumber {
		t.Fatalf("got %v", err)
	}
	if err := errors.Join(account.Connect(), account.PairByCode("+15550100001", "ABCDEFGH")); err != nil {
		t.Fatal(err)
	}
	var shown Event
	for shown.Kind != KindPairCode { // the QR codes in between are not scanned
		if shown, err = account.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if shown.PairCode != "ABCD-EFGH" || shown.Seconds != 180 {
		t.Fatalf("%+v", shown)
	}
	s.do(order{"cmd": "type_code", "code": shown.PairCode})
	s.until(account, KindPaired)
	s.until(account, KindConnected)
}
