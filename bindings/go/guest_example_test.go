package sendpath_test

import (
	"fmt"
	"time"

	sendpath "github.com/sendpath/sendpath/bindings/go"
)

// A client with its own connection asks before a message and tells how it ended.
func ExampleGuest() {
	guest, err := sendpath.OpenGuest(sendpath.GuestConfig{
		Store:  "memory:",
		Name:   "example",
		OwnLID: "900000000000009@lid",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guest.Close()
	if err := guest.TokenReceived("100000000000001@lid", []byte("a token"), time.Now()); err != nil {
		fmt.Println(err)
		return
	}
	for id, to := range []string{"100000000000001@lid", "100000000000002@lid"} {
		if err := send(guest, fmt.Sprint("3EB0", id), to); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 3EB00 carries tctoken
	// 3EB01 carries nothing: never_received
}

func send(guest *sendpath.Guest, id, to string) error {
	plan, err := guest.Plan(to, sendpath.MessageContent, sendpath.RecipientOrdinary)
	switch {
	case err != nil:
		return err
	case plan.Refusal != nil:
		return plan.Refusal
	case plan.Attach == sendpath.AttachNothing:
		fmt.Println(id, "carries nothing:", plan.NoTctoken)
	default:
		fmt.Println(id, "carries", plan.Attach)
	}
	// Here the client sends, and tells the answer: guest.Ack(id, 0), or 463.
	return guest.Handed(id, to, sendpath.MessageContent)
}
