package sendpath

// #include "bridge.h"
import "C"

import (
	"context"
	"os"
	"syscall"
	"time"
)

// queue waits for events in Go's poller, so that no OS thread is held.
type queue struct {
	wake *os.File
	turn chan struct{}
}

// newQueue waits on a copy of the library's descriptor.
func newQueue(fd int) (*queue, error) {
	syscall.ForkLock.RLock()
	copied, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(copied)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	return &queue{os.NewFile(uintptr(copied), "sendpath events"), make(chan struct{}, 1)}, nil
}

// next waits until take, which must not block, gives an event.
func (q *queue) next(ctx context.Context, take func(**C.sp_event) C.sp_status) (Event, error) {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return Event{}, err
	}
	conn, err := q.wake.SyscallConn()
	if err != nil {
		return Event{}, ErrClosed
	}
	if err := q.wake.SetReadDeadline(time.Time{}); err != nil {
		return Event{}, ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { _ = q.wake.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var event Event
	var failed error
	err = conn.Read(func(uintptr) bool {
		event, failed = taken(take)
		return failed != errNothing
	})
	switch {
	case err == nil:
		return event, failed
	case ctx.Err() != nil:
		return Event{}, ctx.Err()
	default:
		return Event{}, ErrClosed
	}
}

func (q *queue) close() {
	_ = q.wake.Close()
}

// errNothing says that no event waits.
var errNothing = &Error{Code: CodeTimeout}

// taken reads an event if there is one.
func taken(take func(**C.sp_event) C.sp_status) (Event, error) {
	var object *C.sp_event
	switch status := Code(take(&object)); status {
	case CodeOK:
		return eventOf(object), nil
	case CodeTimeout:
		return Event{}, errNothing
	case CodeClosed, CodeBadHandle:
		return Event{}, ErrClosed
	default:
		return Event{}, &Error{Code: status, Message: "no event"}
	}
}

// channel gives what next gives, until it fails or the context ends.
func channel(ctx context.Context, next func(context.Context) (Event, error)) <-chan Event {
	events := make(chan Event)
	go func() {
		defer close(events)
		for {
			event, err := next(ctx)
			if err != nil {
				return
			}
			select {
			case events <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}
