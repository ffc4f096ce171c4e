package sendpath

// #include "bridge.h"
import "C"

import (
	"runtime"
	"time"
)

// WorkKind is what work is for. Tolerate kinds you do not know and send the IQ as it is.
type WorkKind int32

// The kinds of work.
const (
	WorkOther WorkKind = C.SP_WORK_KIND_OTHER
	WorkProps WorkKind = C.SP_WORK_KIND_PROPS // ask for the AB props
	WorkIssue WorkKind = C.SP_WORK_KIND_ISSUE // issue our token to Peer, with Time
	WorkMex   WorkKind = C.SP_WORK_KIND_MEX   // a GraphQL query: QueryID, Variables
)

// Work is an IQ to send: as it is, or built anew from the parts by the host's library.
type Work struct {
	ID        uint64 // the number to report it under, never used again
	Kind      WorkKind
	Peer      string    // the address in the IQ
	Time      time.Time // the time stamp in the IQ
	QueryID   string    // the document id
	Variables string    // JSON text
	IQID      string    // the id in the IQ
	IQ        []byte    // the whole IQ, encoded as it goes into the Noise layer (flag byte first)
}

// Outgoing is the work that is not done, oldest first: the same entries until they are reported or
// lost with the connection. A host that shows every stanza to [Guest.ObserveStanza] and sends the IQs
// as they are has nothing to report.
func (g *Guest) Outgoing() ([]Work, error) {
	defer runtime.KeepAlive(g)
	var list *C.sp_work
	var object *C.sp_error
	if err := g.failure(C.sp_guest_outgoing(g.handle, &list, &object), object); err != nil {
		return nil, err
	}
	defer C.sp_work_free(list)
	work := make([]Work, C.sp_work_count(list))
	for i := range work {
		work[i] = workAt(list, C.size_t(i))
	}
	return work, nil
}

func workAt(list *C.sp_work, index C.size_t) Work {
	work := Work{ID: uint64(C.sp_work_id(list, index)), Kind: WorkKind(C.sp_work_kind_of(list, index))}
	var slice C.sp_slice
	if C.sp_work_peer(list, index, &slice) {
		work.Peer = string(viewed(slice))
	}
	var t C.int64_t
	if C.sp_work_time(list, index, &t) {
		work.Time = time.Unix(int64(t), 0)
	}
	if C.sp_work_query_id(list, index, &slice) {
		work.QueryID = string(viewed(slice))
	}
	if C.sp_work_variables(list, index, &slice) {
		work.Variables = string(viewed(slice))
	}
	if C.sp_work_iq_id(list, index, &slice) {
		work.IQID = string(viewed(slice))
	}
	if C.sp_work_iq(list, index, &slice) {
		work.IQ = copied(slice)
	}
	return work
}

// WorkResult is how work ended.
type WorkResult struct {
	end    C.int32_t
	code   int
	answer []byte
}

// WorkOK says that the server took it and the answer says nothing more; enough for [WorkIssue].
func WorkOK() WorkResult { return WorkResult{end: C.SP_WORK_END_OK} }

// WorkLost says that it could not be sent, or that nothing came back in time.
func WorkLost() WorkResult { return WorkResult{end: C.SP_WORK_END_LOST} }

// WorkError says that the server answered with an error code.
func WorkError(code int) WorkResult { return WorkResult{end: C.SP_WORK_END_ERROR, code: code} }

// WorkJSON is the JSON text in the answer to a [WorkMex].
func WorkJSON(answer []byte) WorkResult { return WorkResult{end: C.SP_WORK_END_JSON, answer: answer} }

// WorkStanza is the whole answer as it came out of the Noise layer (flag byte first).
func WorkStanza(answer []byte) WorkResult {
	return WorkResult{end: C.SP_WORK_END_STANZA, answer: answer}
}

// WorkDone reports the end of work. Numbers that are done already, or never were, change nothing.
func (g *Guest) WorkDone(id uint64, result WorkResult) error {
	var pinned pins
	defer pinned.Unpin()
	answer := pinned.bytes(result.answer)
	return g.tell(func(object **C.sp_error) C.sp_status {
		return C.sp_guest_work_done(g.handle, C.uint64_t(id), result.end, C.int32_t(result.code), answer, object)
	})
}
