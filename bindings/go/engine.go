package sendpath

// #include "bridge.h"
import "C"

import (
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Config is what an engine is opened with.
type Config struct {
	// Store is a path or sqlite:///path for a file that is created if missing, or memory:.
	Store string
}

// Engine is a store and the accounts in it. It is safe for use by many goroutines.
type Engine struct {
	handle  C.sp_engine
	closing sync.Once
	closed  error
	net     runtime.Cleanup
}

// Open opens the store and starts the library's threads.
func Open(config Config) (*Engine, error) {
	var pinned pins
	defer pinned.Unpin()
	settings := C.sp_engine_config{store_uri: pinned.text(config.Store)}
	settings.struct_size = C.uint32_t(unsafe.Sizeof(settings))
	var handle C.sp_engine
	var object *C.sp_error
	if err := failure(C.sp_engine_open(&settings, &handle, &object), object); err != nil {
		return nil, err
	}
	engine := &Engine{handle: handle}
	// Only a net: a forgotten engine must not hold its store for ever.
	engine.net = runtime.AddCleanup(engine, func(handle C.sp_engine) {
		go C.sp_engine_close(handle, nil)
	}, handle)
	return engine, nil
}

// Close closes every account, ends every open send and joins the library's threads. Calling it again
// returns what the first call returned.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		e.net.Stop()
		var object *C.sp_error
		e.closed = failure(C.sp_engine_close(e.handle, &object), object)
	})
	return e.closed
}

// AccountConfig is how an account is opened. Zero values are the defaults.
type AccountConfig struct {
	URL        string    // the server; WhatsApp's own by default
	RootKey    []byte    // the key that signs the server's certificate: 32 bytes
	DeviceName string    // shown in the phone's list of linked devices
	Version    [3]uint32 // the web build we claim to be
	// ClockTolerance is how far our clock may be off when the server's certificate is checked; in whole
	// seconds.
	ClockTolerance time.Duration
	// StrictProps honours the server if it switches tokens on messages off; newest clients do not.
	StrictProps bool
	// ReportingTokens makes messages carry a token by which recipients can prove to the server what was
	// sent.
	ReportingTokens bool

	// Proxy is what all connections of the account go through: http://, socks5:// or socks5h://, then
	// [user:password@]host[:port]. Empty to connect directly.
	Proxy   string
	Browser Browser // what the phone shows the device runs in

	EventCapacity uint32 // events that wait for a slow host before they are dropped and counted
	MaxPending    uint32 // sends without an outcome; more are refused with [CodeOutboxFull]
	// TimelockDocuments and CappingDocuments replace the known ids of the GraphQL documents, newest
	// first.
	TimelockDocuments []string
	CappingDocuments  []string
}

// Browser is what a linked device runs in, as the phone shows it.
type Browser int32

// The browsers.
const (
	BrowserChrome  Browser = C.SP_BROWSER_CHROME
	BrowserFirefox Browser = C.SP_BROWSER_FIREFOX
	BrowserEdge    Browser = C.SP_BROWSER_EDGE
	BrowserOpera   Browser = C.SP_BROWSER_OPERA
	BrowserSafari  Browser = C.SP_BROWSER_SAFARI
)

// Account opens the account in the slot name, 1 to 64 characters of A-Z a-z 0-9 . _ -. It stays
// offline until [Account.Connect].
func (e *Engine) Account(name string, config AccountConfig) (*Account, error) {
	defer runtime.KeepAlive(e)
	var pinned pins
	defer pinned.Unpin()
	settings := C.sp_account_config{
		event_capacity: C.uint32_t(config.EventCapacity),
		url:            pinned.text(config.URL),
		root_key:       pinned.bytes(config.RootKey),
		device_name:    pinned.text(config.DeviceName),

		strict_props:       flag(&config.StrictProps),
		timelock_documents: pinned.text(strings.Join(config.TimelockDocuments, ",")),
		capping_documents:  pinned.text(strings.Join(config.CappingDocuments, ",")),
		clock_tolerance:    C.int64_t(config.ClockTolerance / time.Second),
		max_pending:        C.uint32_t(config.MaxPending),
		reporting_tokens:   flag(&config.ReportingTokens),
		proxy:              pinned.text(config.Proxy),
		browser:            C.int32_t(config.Browser),
	}
	settings.struct_size = C.uint32_t(unsafe.Sizeof(settings))
	for i, part := range config.Version {
		settings.version[i] = C.uint32_t(part)
	}
	var handle C.sp_account
	var object *C.sp_error
	status := C.sp_account_open(e.handle, pinned.text(name), &settings, &handle, &object)
	if err := e.failure(status, object); err != nil {
		return nil, err
	}
	return newAccount(handle)
}

func (e *Engine) failure(status C.sp_status, object *C.sp_error) error {
	return whenClosed(failure(status, object))
}

// whenClosed tells a handle that was closed in the meantime from one that never was: Go code cannot
// have the latter.
func whenClosed(err error) error {
	if failed, ok := err.(*Error); ok && failed.Code == CodeBadHandle {
		return ErrClosed
	}
	return err
}
