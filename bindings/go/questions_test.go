package sendpath

import (
	"errors"
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
