package sendpath

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// GuestConfig is what a guest is opened with. Zero values are the defaults.
type GuestConfig struct {
	// Store is a path or sqlite:///path for a file that is created if missing, or memory:.
	Store string
	// Beside is another guest whose store this one shares, instead of Store.
	Beside *Guest
	// Name tells the guests of one store apart, 1 to 64 characters of A-Z a-z 0-9 . _ -. Opening the
	// same name again fences the earlier guest off.
	Name string
	// OwnJID and OwnLID are our own account; one of them must be known.
	OwnJID string
	OwnLID string
	// HostIssues says that the host's library issues our token behind its sends by itself, as
	// whatsmeow does.
	HostIssues bool
	// StrictProps honours the server if it switches tokens on messages off; newest clients do not.
	StrictProps bool
	// EventCapacity is how many events wait for a slow host before they are dropped and counted.
	EventCapacity uint32
	// Start, if not zero, is where a clock begins that only [Guest.SetTime] moves.
	Start time.Time
	// TimelockDocuments and CappingDocuments replace the known ids of the GraphQL documents, newest
	// first.
	TimelockDocuments []string
	CappingDocuments  []string
}

// Guest keeps the tokens and limits of one account whose connection the host owns. It starts no
// thread and no goroutine, and sends nothing. It is safe for use by many goroutines.
type Guest struct {
	handle  C.sp_guest
	events  *queue
	closing sync.Once
	closed  error
	net     runtime.Cleanup
}

// OpenGuest opens a guest; its connection counts as up until [Guest.Disconnected].
func OpenGuest(config GuestConfig) (*Guest, error) {
	defer runtime.KeepAlive(config.Beside)
	var pinned pins
	defer pinned.Unpin()
	settings := C.sp_guest_config{
		event_capacity:     C.uint32_t(config.EventCapacity),
		host_issues:        flag(&config.HostIssues),
		strict_props:       flag(&config.StrictProps),
		store_uri:          pinned.text(config.Store),
		name:               pinned.text(config.Name),
		own_jid:            pinned.text(config.OwnJID),
		own_lid:            pinned.text(config.OwnLID),
		timelock_documents: pinned.text(strings.Join(config.TimelockDocuments, ",")),
		capping_documents:  pinned.text(strings.Join(config.CappingDocuments, ",")),
	}
	settings.struct_size = C.uint32_t(unsafe.Sizeof(settings))
	if config.Beside != nil {
		settings.beside = config.Beside.handle
	}
	if !config.Start.IsZero() {
		settings.clock = C.SP_CLOCK_MANUAL
		settings.unix_ms = C.int64_t(config.Start.UnixMilli())
	}
	var handle C.sp_guest
	var object *C.sp_error
	if err := whenClosed(failure(C.sp_guest_open(&settings, &handle, &object), object)); err != nil {
		return nil, err
	}
	return newGuest(handle)
}

func newGuest(handle C.sp_guest) (*Guest, error) {
	var fd C.int32_t
	var object *C.sp_error
	err := failure(C.sp_guest_event_fd(handle, &fd, &object), object)
	var events *queue
	if err == nil {
		events, err = newQueue(int(fd))
	}
	if err != nil {
		C.sp_guest_close(handle, nil)
		return nil, err
	}
	guest := &Guest{handle: handle, events: events}
	// Only a net: a forgotten guest must not hold its store for ever.
	guest.net = runtime.AddCleanup(guest, func(handle C.sp_guest) {
		go C.sp_guest_close(handle, nil)
	}, handle)
	return guest, nil
}

// Next waits for the next event. Events come in order, to one caller each. What a refused message
// meant is a [KindOutcome] with its ID. [ErrClosed] when there will be none.
func (g *Guest) Next(ctx context.Context) (Event, error) {
	defer runtime.KeepAlive(g)
	return g.events.next(ctx, g.take)
}

// Poll takes the next event if there is one; false when there is none, also once closed.
func (g *Guest) Poll() (Event, bool) {
	defer runtime.KeepAlive(g)
	event, err := taken(g.take)
	return event, err == nil
}

func (g *Guest) take(object **C.sp_event) C.sp_status {
	return C.sp_guest_next_event(g.handle, 0, object, nil)
}

// Events is a channel of [Guest.Next]; it closes with the guest or when the context ends.
func (g *Guest) Events(ctx context.Context) <-chan Event {
	return channel(ctx, g.Next)
}

// Deadline is how long from now [Guest.Tick] has something to do; false while nothing is scheduled.
// It changes with every fact.
func (g *Guest) Deadline() (time.Duration, bool, error) {
	defer runtime.KeepAlive(g)
	var wait C.int64_t
	var object *C.sp_error
	err := g.failure(C.sp_guest_deadline_ms(g.handle, &wait, &object), object)
	if err != nil || wait < 0 {
		return 0, false, err
	}
	return time.Duration(wait) * time.Millisecond, true, nil
}

// Tick does what time brings. Late or early calls do no harm; without any, plans are right all the
// same.
func (g *Guest) Tick() error {
	return g.tell(func(object **C.sp_error) C.sp_status { return C.sp_guest_tick(g.handle, object) })
}

// SetTime moves the clock of a guest that was opened with GuestConfig.Start; elapsed is what has
// passed since the opening and must not go back.
func (g *Guest) SetTime(now time.Time, elapsed time.Duration) error {
	wall, mono := C.int64_t(now.UnixMilli()), C.uint64_t(max(elapsed, 0).Milliseconds())
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_set_time(g.handle, wall, mono, object)
	})
}

// GuestStatus is where a guest stands. Counts begin when it is opened, and anew after a failure of its
// store.
type GuestStatus struct {
	Online  bool   `json:"online"`  // the host's connection is up, as far as it told
	Ignored uint64 `json:"ignored"` // facts that made no sense and changed nothing
	// Tokens is what the token machine left aside.
	Tokens TokenCounters `json:"tokens"`
}

// Status tells where the guest stands.
func (g *Guest) Status() (GuestStatus, error) {
	return parsed[GuestStatus](g.bytes(func(buf *C.sp_buf, object **C.sp_error) C.sp_status {
		return C.sp_guest_status_json(g.handle, buf, object)
	}))
}

// Stop gives up: no work any more, refusals that wait for an answer end as undetermined. Facts are
// still taken in.
func (g *Guest) Stop() error {
	return g.tell(func(object **C.sp_error) C.sp_status { return C.sp_guest_stop(g.handle, object) })
}

// Close ends the guest and wakes every goroutine that waits. Its store is closed with the last guest
// on it. Calling it again returns what the first call returned.
func (g *Guest) Close() error {
	g.closing.Do(func() {
		g.net.Stop()
		var object *C.sp_error
		g.closed = whenClosed(failure(C.sp_guest_close(g.handle, &object), object))
		g.events.close()
	})
	return g.closed
}

// tell makes a call whose only result is its error.
func (g *Guest) tell(call func(**C.sp_error) C.sp_status) error {
	defer runtime.KeepAlive(g)
	var object *C.sp_error
	status := call(&object)
	return g.failure(status, object)
}

func (g *Guest) failure(status C.sp_status, object *C.sp_error) error {
	return whenClosed(failure(status, object))
}
