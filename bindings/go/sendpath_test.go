package sendpath

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func opened(t *testing.T) (*Engine, *Account) {
	t.Helper()
	engine, err := Open(Config{Store: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	account, err := engine.Account("a", AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return engine, account
}

func TestMisuseIsATypedError(t *testing.T) {
	engine, account := opened(t)
	_, err := engine.Account("not a name", AccountConfig{})
	var failed *Error
	if !errors.As(err, &failed) || failed.Code != CodeBadAccountName || failed.Name != "BAD_ACCOUNT_NAME" {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, ErrMisuse) || errors.Is(err, ErrRefused) || errors.Is(err, ErrClosed) {
		t.Fatalf("wrong class: %v", err)
	}
	if _, err := engine.Account("b", AccountConfig{RootKey: []byte{1}}); !errors.Is(err, ErrMisuse) {
		t.Fatalf("short root key: %v", err)
	}
	if _, err := engine.Account("a", AccountConfig{}); err == nil {
		t.Fatal("an account was opened twice")
	}
	_, err = account.SendText(t.Context(), "nobody", "hello")
	if !errors.As(err, &failed) || failed.Code != CodeBadAddress {
		t.Fatalf("got %v", err)
	}
	if _, err := Open(Config{Store: "nonsense://"}); !errors.Is(err, ErrMisuse) {
		t.Fatalf("store: %v", err)
	}
	if _, err := Open(Config{Store: filepath.Join(t.TempDir(), "no", "folder")}); !errors.Is(err, ErrStore) {
		t.Fatalf("folder: %v", err)
	}
}

func TestNothingIsKnownBeforeTheFirstLink(t *testing.T) {
	_, account := opened(t)
	_, errs := account.CanSend(RecipientOrdinary, "4915551234")
	_, erre := account.Explain("4915551234")
	_, errr := account.ExplainText("4915551234", true)
	_, errl := account.Limits()
	for _, err := range []error{errs, erre, errr, errl} {
		if !errors.Is(err, ErrNotPaired) {
			t.Fatalf("got %v", err)
		}
	}
	if err := account.ForgetAccount(); err != nil {
		t.Fatal(err)
	}
	if _, err := account.CanSend(RecipientOrdinary, "4915551234", "nobody"); !errors.Is(err, ErrMisuse) {
		t.Fatalf("address: %v", err)
	}
	_, errs = account.CanSend(7, "4915551234")
	_, erre = account.SendText(t.Context(), "4915551234", "hello", WithRecipient(-1))
	for _, err := range []error{errs, erre} {
		if !errors.Is(err, &Error{Code: CodeInvalidArgument}) {
			t.Fatalf("recipient: %v", err)
		}
	}
	if err := account.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := account.Limits(); !errors.Is(err, ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}

func TestCloseIsIdempotentAndEndsEverything(t *testing.T) {
	engine, account := opened(t)
	next := make(chan error)
	go func() {
		for {
			if _, err := account.Next(context.Background()); err != nil {
				next <- err
				return
			}
		}
	}()
	var sends sync.WaitGroup
	for range 64 {
		sends.Add(1)
		go func() {
			defer sends.Done()
			if _, err := account.SendText(context.Background(), "4915551234", "hello"); err == nil {
				t.Error("an account without a phone cannot send")
			}
		}()
	}
	if err := account.Close(); err != nil {
		t.Fatal(err)
	}
	sends.Wait()
	if err := <-next; !errors.Is(err, ErrClosed) {
		t.Fatalf("next: %v", err)
	}
	if err := account.Close(); err != nil {
		t.Fatal(err)
	}
	if err := account.Connect(); !errors.Is(err, ErrClosed) {
		t.Fatalf("connect: %v", err)
	}
	if _, err := account.Status(); !errors.Is(err, ErrClosed) {
		t.Fatalf("status: %v", err)
	}
	if _, err := account.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("next: %v", err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Account("b", AccountConfig{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("account: %v", err)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	_, account := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := account.Next(ctx)
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := account.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	status, err := account.Status()
	if err != nil || status.Phase == "" {
		t.Fatalf("%+v, %v", status, err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		engine, account := opened(t)
		events := account.Events(t.Context())
		if err := account.Close(); err != nil {
			t.Fatal(err)
		}
		for range events {
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("goroutines leak:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

func TestEveryCodeHasANameInTheLibrary(t *testing.T) {
	if Version() == "" || strings.Count(Version(), ".") != 2 {
		t.Fatalf("version %q", Version())
	}
}
