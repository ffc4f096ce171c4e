// Links a device, sends one text and says what became of it.
//
//	go run . STORE TO TEXT [URL ROOT_KEY]
//
// STORE is a file that keeps the device; TO is a phone number or a JID. The QR codes that appear are
// to be scanned in WhatsApp under "Linked devices". URL and ROOT_KEY (64 hex digits) name another
// server than WhatsApp's, as tests do.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	sendpath "github.com/sendpath/sendpath/bindings/go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 3 && len(args) != 5 {
		return errors.New("usage: go run . STORE TO TEXT [URL ROOT_KEY]")
	}
	var config sendpath.AccountConfig
	if len(args) == 5 {
		key, err := hex.DecodeString(args[4])
		if err != nil {
			return err
		}
		config = sendpath.AccountConfig{URL: args[3], RootKey: key}
	}
	engine, err := sendpath.Open(sendpath.Config{Store: args[0]})
	if err != nil {
		return err
	}
	defer engine.Close()
	account, err := engine.Account("example", config)
	if err != nil {
		return err
	}
	defer account.Close()
	if err := online(ctx, out, account); err != nil {
		return err
	}
	receipt, err := account.SendText(ctx, args[1], args[2])
	var refused *sendpath.Error
	if errors.As(err, &refused) && errors.Is(err, sendpath.ErrRefused) {
		return fmt.Errorf("%w\nnext: %s", err, refused.Next)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "accepted:", receipt.ID)
	return nil
}

// online connects and shows QR codes until the account is linked.
func online(ctx context.Context, out io.Writer, account *sendpath.Account) error {
	if err := account.Connect(); err != nil {
		return err
	}
	for {
		event, err := account.Next(ctx)
		if err != nil {
			return err
		}
		switch event.Kind {
		case sendpath.KindPairQR:
			fmt.Fprintln(out, "scan:", event.QR)
		case sendpath.KindPaired:
			fmt.Fprintln(out, "linked:", event.JID)
		case sendpath.KindConnected:
			return nil
		case sendpath.KindPairFailed, sendpath.KindLoggedOut:
			return fmt.Errorf("not linked: %s", event.Reason)
		}
	}
}
