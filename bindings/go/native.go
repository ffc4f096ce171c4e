package sendpath

// #include "bridge.h"
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

func init() {
	if got := abiVersion(); got != C.SP_ABI_VERSION {
		panic(fmt.Sprintf("sendpath: the library has ABI %d, this package needs %d", got, C.SP_ABI_VERSION))
	}
}

func abiVersion() uint32 {
	return uint32(C.sp_abi_version())
}

// Version is the version of the library that is linked.
func Version() string {
	return C.GoString(C.sp_version())
}

// pins keeps the memory of strings and slices in place during one call.
type pins struct{ runtime.Pinner }

func (p *pins) text(s string) C.sp_slice {
	return p.slice(unsafe.StringData(s), len(s))
}

func (p *pins) bytes(b []byte) C.sp_slice {
	return p.slice(unsafe.SliceData(b), len(b))
}

func (p *pins) slice(data *byte, size int) C.sp_slice {
	if size == 0 {
		return C.sp_slice{}
	}
	p.Pin(data)
	return C.sp_slice{ptr: (*C.uint8_t)(data), len: C.size_t(size)}
}

// texts is an array of the texts; nil for none.
func (p *pins) texts(texts []string) *C.sp_slice {
	slices := make([]C.sp_slice, len(texts))
	for i, text := range texts {
		slices[i] = p.text(text)
	}
	return pin(p, slices)
}

// pin is the first of the elements, which stay in place; nil for none.
func pin[T any](p *pins, elements []T) *T {
	if len(elements) == 0 {
		return nil
	}
	p.Pin(&elements[0])
	return &elements[0]
}

// failure turns a status and its error object, which it frees, into an error.
func failure(status C.sp_status, object *C.sp_error) error {
	if status == C.SP_STATUS_OK {
		return nil
	}
	defer C.sp_error_free(object)
	err := &Error{Code: Code(status), Message: "no details"}
	decode(err, func(buf *C.sp_buf) C.sp_status { return C.sp_error_json(object, buf, nil) })
	return err
}

// outcome reads and frees the event of an ended send.
func outcome(object *C.sp_event) (Receipt, error) {
	event := eventOf(object)
	if event.Err != nil {
		return Receipt{}, event.Err
	}
	return Receipt{ID: event.ID, ServerTime: event.Time, Attached: event.Attached}, nil
}

// eventOf reads and frees an event.
func eventOf(object *C.sp_event) Event {
	defer C.sp_event_free(object)
	var event Event
	decode(&event, func(buf *C.sp_buf) C.sp_status { return C.sp_event_json(object, buf, nil) })
	var payload C.sp_slice
	if C.sp_event_payload(object, &payload) {
		event.Payload = C.GoBytes(unsafe.Pointer(payload.ptr), C.int(payload.len))
	}
	return event
}

// decode reads the JSON that fill writes. Nothing else writes it, so it does not fail; into stays as
// it was if it ever does.
func decode(into any, fill func(*C.sp_buf) C.sp_status) {
	var buf C.sp_buf
	if fill(&buf) != C.SP_STATUS_OK {
		return
	}
	defer C.sp_buf_free(&buf)
	_ = json.Unmarshal(unsafe.Slice((*byte)(buf.ptr), int(buf.len)), into)
}

// ended carries the end of one send from the library's thread to the goroutine that waits.
type ended chan *C.sp_event

//export sendpathGoDone
func sendpathGoDone(handle C.uintptr_t, object *C.sp_event) {
	waiting := cgo.Handle(handle)
	// The channel has room for the one end there is.
	waiting.Value().(ended) <- object
	waiting.Delete()
}
