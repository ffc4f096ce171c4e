package sendpath

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	contact  = "100000000000001@lid"
	stranger = "100000000000002@lid"
)

var start = time.Unix(1_786_074_400, 0)

const locked = `{"data":{"xwa2_fetch_account_reachout_timelock":{"is_active":true,` +
	`"time_enforcement_ends":"1786160800"}}}`

func openedGuest(t *testing.T, change ...func(*GuestConfig)) *Guest {
	t.Helper()
	config := GuestConfig{Store: "memory:", Name: "a", OwnLID: "900000000000009@lid", Start: start}
	for _, change := range change {
		change(&config)
	}
	guest, err := OpenGuest(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guest.Close() })
	return guest
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func planned(t *testing.T, guest *Guest, to string) Plan {
	t.Helper()
	plan, err := guest.Plan(to, MessageContent, RecipientOrdinary)
	must(t, err)
	return plan
}

func TestGuestPlansWhatItWasTold(t *testing.T) {
	guest := openedGuest(t)
	plan := planned(t, guest, contact)
	if plan.Attach != AttachNothing || plan.NoTctoken != "never_received" || plan.NoCstoken != "no_salt" {
		t.Fatalf("%+v", plan)
	}
	if plan.Bytes != nil || !plan.TokenTime.IsZero() || plan.Refusal != nil {
		t.Fatalf("%+v", plan)
	}
	must(t, guest.TokenReceived(contact, []byte("token"), start.Add(-time.Second)))
	plan = planned(t, guest, contact)
	if plan.Attach != AttachTctoken || string(plan.Bytes) != "token" || !plan.TokenTime.Equal(start.Add(-time.Second)) {
		t.Fatalf("%+v", plan)
	}
	must(t, guest.SaltChanged([]byte("salt")))
	if plan = planned(t, guest, stranger); plan.Attach != AttachCstoken || len(plan.Bytes) != 32 {
		t.Fatalf("%+v", plan)
	}
	must(t, guest.SaltChanged(nil), guest.SaltFromHistory([]byte("old")))
	if plan = planned(t, guest, stranger); plan.Attach != AttachNothing {
		t.Fatalf("app state removed the salt: %+v", plan)
	}
	must(t, guest.MappingLearned("4915550001@s.whatsapp.net", contact))
	if plan = planned(t, guest, "4915550001"); plan.Attach != AttachTctoken {
		t.Fatalf("%+v", plan)
	}
	event, err := guest.Next(t.Context())
	if err != nil || event.Kind != KindTokenStored || event.Peer != contact {
		t.Fatalf("%+v, %v", event, err)
	}
	if event, ok := guest.Poll(); ok {
		t.Fatalf("%+v", event)
	}
}

func TestGuestExplainsRefusals(t *testing.T) {
	guest := openedGuest(t)
	must(t, guest.Handed("3EB0", contact, MessageContent), guest.Ack("3EB0", 463), guest.Ack("3EB0", 463))
	work, err := guest.Outgoing()
	must(t, err)
	again, err := guest.Outgoing()
	must(t, err)
	pulls := 0
	for i, item := range work {
		if item.ID != again[i].ID || !bytes.Equal(item.IQ, again[i].IQ) || item.IQID == "" {
			t.Fatalf("the list changed: %+v", again)
		}
		switch item.Kind {
		case WorkMex:
			pulls++
			if item.QueryID == "" || !strings.Contains(item.Variables, "variables") {
				t.Fatalf("%+v", item)
			}
			must(t, guest.WorkDone(item.ID, WorkJSON([]byte(locked))))
		case WorkProps:
			must(t, guest.WorkDone(item.ID, WorkError(500)), guest.WorkDone(item.ID, WorkLost()))
		case WorkIssue:
			must(t, guest.WorkDone(item.ID, WorkOK()))
		default:
			t.Fatalf("%+v", item)
		}
	}
	if work, err = guest.Outgoing(); err != nil || len(work) != 0 || pulls != 1 {
		t.Fatalf("%d pulls, %+v, %v", pulls, work, err)
	}
	var end *Error
	for event, ok := guest.Poll(); ok; event, ok = guest.Poll() {
		if event.Kind == KindOutcome && event.ID == "3EB0" {
			end = event.Err
		}
	}
	if !errors.Is(end, ErrTimelocked) || end.Next != NextWaitUntil || end.Until.Unix() != 1_786_160_800 {
		t.Fatalf("%+v", end)
	}
	if refusal := planned(t, guest, stranger).Refusal; !errors.Is(refusal, ErrTimelocked) {
		t.Fatalf("%+v", refusal)
	}
	may, err := guest.CanSend(RecipientOrdinary, contact, "4915550001")
	if err != nil || len(may) != 2 || may[0].Answer != "blocked" || !errors.Is(may[0].Err, ErrTimelocked) {
		t.Fatalf("%+v, %v", may, err)
	}
	may, err = guest.CanSend(RecipientSupport, contact)
	if err != nil || may[0].Answer == "blocked" {
		t.Fatalf("%+v, %v", may, err)
	}
	limits, err := guest.Limits()
	if err != nil || limits.Timelock.State != LimitActive || limits.Timelock.Until.Unix() != 1_786_160_800 ||
		limits.Capping.State != LimitUnknown || limits.Breaker.Open {
		t.Fatalf("%+v, %v", limits, err)
	}
	told, err := guest.Explain(contact)
	if err != nil || told.Class != "contact" || len(told.Timeline) == 0 {
		t.Fatalf("%+v, %v", told, err)
	}
	text, err := guest.ExplainText(contact, true)
	if err != nil || !strings.Contains(text, "100000000000001") {
		t.Fatalf("%s, %v", text, err)
	}
}

func TestGuestIssuesOnceAfterAMessage(t *testing.T) {
	guest := openedGuest(t)
	must(t, guest.Props(map[uint32]string{14303: "1", 865: "604800"}))
	for _, id := range []string{"A", "B", "C"} {
		must(t, guest.Handed(id, contact, MessageContent), guest.Ack(id, 0), guest.Receipt(id))
	}
	var issues []Work
	work, err := guest.Outgoing()
	must(t, err)
	for _, item := range work {
		if item.Kind == WorkIssue {
			issues = append(issues, item)
		}
	}
	if len(issues) != 1 || issues[0].Peer != contact || !issues[0].Time.Equal(start) {
		t.Fatalf("%+v", issues)
	}
	must(t, guest.WorkDone(issues[0].ID, WorkOK()))
	row, err := guest.Row(contact)
	if err != nil || !row.SenderTime.Equal(start) || !row.Time.IsZero() || len(row.Token) == 0 {
		t.Fatalf("%+v, %v", row, err)
	}
}

func TestGuestRowsOfALibraryThatIssues(t *testing.T) {
	guest := openedGuest(t, func(c *GuestConfig) { c.HostIssues = true })
	must(t, guest.PutRow(contact, Row{Token: []byte("token"), Time: start.Add(-20 * 24 * time.Hour)}))
	first, err := guest.Row(contact)
	must(t, err)
	if !first.Time.Equal(start) || !first.SenderTime.IsZero() || string(first.Token) != "token" {
		t.Fatalf("%+v", first)
	}
	second, err := guest.Row(contact)
	if err != nil || second.SenderTime.IsZero() {
		t.Fatalf("it would issue twice: %+v, %v", second, err)
	}
	first.SenderTime = start
	must(t, guest.PutRow(contact, *first))
	if plan := planned(t, guest, contact); !plan.TokenTime.Equal(start.Add(-20 * 24 * time.Hour)) {
		t.Fatalf("the token's time moved: %+v", plan)
	}
	if row, err := guest.Row("1203@g.us"); row != nil || err != nil {
		t.Fatalf("%+v, %v", row, err)
	}
	must(t, guest.SaltChanged([]byte("salt")))
	if salt, err := guest.Salt(); string(salt) != "salt" || err != nil {
		t.Fatalf("%q, %v", salt, err)
	}
	must(t, guest.Props(map[uint32]string{24941: "0"}))
	if salt, err := guest.Salt(); salt != nil || err != nil {
		t.Fatalf("%q, %v", salt, err)
	}
}

func TestGuestTakesEveryFact(t *testing.T) {
	guest := openedGuest(t)
	yes := true
	must(t, guest.Background(Background{LinkedAt: start, HistoryComplete: &yes}), guest.Background(Background{}))
	must(t, guest.Backlog(true), guest.Backlog(false), guest.ServerTime(start), guest.Wrote(contact))
	must(t, guest.IdentityChanged(contact), guest.History([]byte("not one")), guest.Props(nil), guest.Receipt())
	must(t, guest.ObserveStanza([]byte{0, 0xf8, 1, 0x13}))
	wait, scheduled, err := guest.Deadline()
	if err != nil || !scheduled || wait < 0 {
		t.Fatalf("%v, %v, %v", wait, scheduled, err)
	}
	must(t, guest.SetTime(start.Add(wait), wait), guest.Tick(), guest.Disconnected())
	if _, scheduled, err = guest.Deadline(); err != nil || scheduled {
		t.Fatalf("%v, %v", scheduled, err)
	}
	must(t, guest.Connected(), guest.TokenReceived(contact, []byte("t"), start), guest.ForgetAccount())
	if plan := planned(t, guest, contact); plan.Attach != AttachNothing {
		t.Fatalf("%+v", plan)
	}
	must(t, guest.Stop())
	if work, err := guest.Outgoing(); err != nil || len(work) != 0 {
		t.Fatalf("%+v, %v", work, err)
	}
}

// SyncActionValue 80 { salt 1 }.
var saltValue = []byte("\x82\x05\x06\x0a\x04salt")

func TestGuestTakesTheSaltFromAppState(t *testing.T) {
	guest := openedGuest(t)
	index := []byte(`["nct_salt_sync"]`)
	must(t, guest.AppState([]byte(`["star"]`), saltValue, false))
	if salt, err := guest.Salt(); salt != nil || err != nil {
		t.Fatalf("another entry: %q, %v", salt, err)
	}
	must(t, guest.AppState(index, saltValue, false), guest.AppState(index, nil, false))
	if salt, err := guest.Salt(); string(salt) != "salt" || err != nil {
		t.Fatalf("%q, %v", salt, err)
	}
	if status, err := guest.Status(); err != nil || status.Ignored != 1 {
		t.Fatalf("an entry without salt: %+v, %v", status, err)
	}
	must(t, guest.AppState(index, nil, true))
	if salt, err := guest.Salt(); salt != nil || err != nil {
		t.Fatalf("it was removed: %q, %v", salt, err)
	}
}

func TestGuestCountsWhatItLeftAside(t *testing.T) {
	guest := openedGuest(t)
	must(t, guest.TokenReceived(contact, []byte("token"), start))
	must(t, guest.TokenReceived(contact, []byte("old"), start.Add(-time.Second)), guest.Ack("A", 0))
	want := GuestStatus{Online: true, Ignored: 1, Tokens: TokenCounters{Older: 1}}
	if status, err := guest.Status(); err != nil || status != want {
		t.Fatalf("%+v, %v", status, err)
	}
	must(t, guest.Disconnected())
	if status, err := guest.Status(); err != nil || status.Online {
		t.Fatalf("%+v, %v", status, err)
	}
}

func TestGuestAsksForTheLimitsWhenTold(t *testing.T) {
	guest := openedGuest(t)
	must(t, guest.RefreshLimits())
	work, err := guest.Outgoing()
	must(t, err)
	asked := 0
	for _, item := range work {
		if item.Kind == WorkMex {
			asked++
		}
	}
	if asked != 2 {
		t.Fatalf("the lock and the quota: %+v", work)
	}
}

func TestGuestHonoursTheServersSwitchIfStrict(t *testing.T) {
	for strict, attach := range map[bool]Attach{false: AttachTctoken, true: AttachNothing} {
		guest := openedGuest(t, func(c *GuestConfig) { c.StrictProps = strict })
		must(t, guest.Props(map[uint32]string{10518: "0"}))
		must(t, guest.TokenReceived(contact, []byte("token"), start))
		if plan := planned(t, guest, contact); plan.Attach != attach {
			t.Fatalf("strict %v: %+v", strict, plan)
		}
	}
}

func TestGuestMisuseIsATypedError(t *testing.T) {
	if _, err := OpenGuest(GuestConfig{Store: "memory:", Name: "a"}); !errors.Is(err, ErrMisuse) {
		t.Fatalf("no account: %v", err)
	}
	if _, err := OpenGuest(GuestConfig{Name: "a", OwnLID: contact}); !errors.Is(err, ErrMisuse) {
		t.Fatalf("no store: %v", err)
	}
	guest := openedGuest(t)
	for code, err := range map[Code]error{
		CodeBadAddress:      guest.Wrote("no body"),
		CodeBadMessageID:    guest.Ack("", 0),
		CodeBadBytes:        guest.ObserveStanza([]byte("garbage")),
		CodeInvalidArgument: guest.Ack("A", 70_000),
	} {
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != code || !errors.Is(err, ErrMisuse) {
			t.Errorf("%v: %v", code, err)
		}
	}
	if _, err := guest.Plan(contact, 9, 0); !errors.Is(err, ErrMisuse) {
		t.Fatalf("kind: %v", err)
	}
	if err := openedGuest(t, func(c *GuestConfig) { c.Start = time.Time{} }).SetTime(start, 0); !errors.Is(err, ErrMisuse) {
		t.Fatalf("the system's clock was set: %v", err)
	}
}

func TestGuestsShareAStoreAndFenceEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guests.db")
	first := openedGuest(t, func(c *GuestConfig) { c.Store = path })
	other := openedGuest(t, func(c *GuestConfig) {
		c.Store, c.Beside, c.Name, c.OwnLID = "", first, "b", "900000000000008@lid"
	})
	must(t, first.TokenReceived(contact, []byte("token"), start))
	if plan := planned(t, other, contact); plan.Attach != AttachNothing {
		t.Fatalf("another account's token: %+v", plan)
	}
	again := openedGuest(t, func(c *GuestConfig) { c.Store = path })
	if plan := planned(t, again, contact); plan.Attach != AttachTctoken {
		t.Fatalf("%+v", plan)
	}
	if err := first.TokenReceived(stranger, []byte("token"), start); !errors.Is(err, ErrFenced) {
		t.Fatalf("got %v", err)
	}
	must(t, other.TokenReceived(stranger, []byte("token"), start))
}

func TestGuestCloseWakesEverybodyAndLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		guest := openedGuest(t)
		if runtime.NumGoroutine() > before {
			t.Fatal("a guest has goroutines")
		}
		events := guest.Events(t.Context())
		var users sync.WaitGroup
		for range 8 {
			users.Add(1)
			go func() {
				defer users.Done()
				for {
					err := guest.TokenReceived(contact, []byte("token"), start)
					if err == nil {
						_, err = guest.Plan(contact, MessageContent, RecipientOrdinary)
					}
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		must(t, guest.Close(), guest.Close())
		users.Wait()
		for range events {
		}
		if _, err := guest.Next(context.Background()); !errors.Is(err, ErrClosed) {
			t.Fatalf("next: %v", err)
		}
		if _, err := guest.Outgoing(); !errors.Is(err, ErrClosed) {
			t.Fatalf("outgoing: %v", err)
		}
		for runtime.NumGoroutine() > before {
			runtime.Gosched()
		}
	}
}

func BenchmarkGuestPlan(b *testing.B) {
	guest, err := OpenGuest(GuestConfig{Store: "memory:", Name: "a", OwnLID: "900000000000009@lid"})
	if err != nil {
		b.Fatal(err)
	}
	defer guest.Close()
	if err := guest.TokenReceived(contact, []byte("token"), time.Now()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if plan, err := guest.Plan(contact, MessageContent, RecipientOrdinary); err != nil || plan.Bytes == nil {
			b.Fatal(plan, err)
		}
	}
}

// BenchmarkCall is what a call into the library costs that does nothing.
func BenchmarkCall(b *testing.B) {
	for b.Loop() {
		if abiVersion() != 0 {
			b.Fatal("the library has another ABI")
		}
	}
}
