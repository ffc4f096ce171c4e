//! `sp_work`: what a guest asks its host to send. Getters return false when there is nothing to tell.

use super::bytes::Slice;
use super::error::ErrorObject;
use super::guest::{GuestHandle, unknown};
use super::raw::{self, attribute};
use super::{GUESTS, guard_on, guard_value};
use crate::facade::{Error, Status, WorkItem, WorkItemKind, WorkResult};

/// A list of work, oldest first. Freed with `sp_work_free`; everything read from it lives as long.
pub struct WorkObject(Vec<WorkItem>);

/// How work ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum WorkEndNumber {
    /// The server took it; the answer says nothing more. Enough for ISSUE.
    Ok = 0,
    /// It could not be sent, or nothing came back in time.
    Lost = 1,
    /// The server answered with the error `code`.
    Error = 2,
    /// `answer` is the JSON text in the answer to a MEX query.
    Json = 3,
    /// `answer` is the whole stanza as it came out of the Noise layer (flag byte first).
    Stanza = 4,
}

fn result(end: i32, code: i32, answer: Slice) -> Result<WorkResult, Error> {
    Ok(match end {
        n if n == WorkEndNumber::Ok as i32 => WorkResult::Ok,
        n if n == WorkEndNumber::Lost as i32 => WorkResult::Lost,
        n if n == WorkEndNumber::Error as i32 => {
            WorkResult::Error(u16::try_from(code).map_err(|_| unknown("code", code))?)
        }
        n if n == WorkEndNumber::Json as i32 => WorkResult::Json(answer.text("answer")?.into()),
        n if n == WorkEndNumber::Stanza as i32 => {
            WorkResult::Stanza(answer.bytes("answer")?.to_vec())
        }
        n => return Err(unknown("end", n)),
    })
}

fn get<'a>(work: *const WorkObject, index: usize) -> Option<&'a WorkItem> {
    raw::object(work, "work").ok()?.0.get(index)
}

fn text(
    work: *const WorkObject,
    index: usize,
    out: *mut Slice,
    of: fn(&WorkItem) -> Option<&str>,
) -> bool {
    let text = get(work, index).and_then(of);
    attribute(out, text.map(|text| Slice::of(text.as_bytes())))
}

/// The work that is not done: the same entries until they are reported or lost with the connection.
/// A host that shows every stanza to `sp_guest_observe_stanza` and sends the IQs as they are has
/// nothing to report.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_outgoing(
    guest: GuestHandle,
    out: *mut *mut WorkObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        out.set(raw::give(WorkObject(guest.outgoing()?)));
        Ok(())
    })
}

/// Work ended: `end` is an `sp_work_end`, with `code` or `answer` where it says so. Numbers that are
/// done already, or never were, change nothing. After `SP_STATUS_BAD_BYTES` the work stays open.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_work_done(
    guest: GuestHandle,
    id: u64,
    end: i32,
    code: i32,
    answer: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.work_done(id, result(end, code, answer)?)
    })
}

/// How many entries a list has.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_count(work: *const WorkObject) -> usize {
    guard_value(0, || {
        raw::object(work, "work").map_or(0, |work| work.0.len())
    })
}

/// The number to report an entry under, never used again; 0 when there is no such entry.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_id(work: *const WorkObject, index: usize) -> u64 {
    guard_value(0, || get(work, index).map_or(0, |item| item.id))
}

/// What an entry is for; tolerate numbers you do not know and send the IQ as it is.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_kind_of(work: *const WorkObject, index: usize) -> WorkItemKind {
    guard_value(WorkItemKind::Other, || {
        get(work, index).map_or(WorkItemKind::Other, |item| item.kind)
    })
}

/// For ISSUE: the address in the IQ.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_peer(work: *const WorkObject, index: usize, out: *mut Slice) -> bool {
    guard_value(false, || {
        text(work, index, out, |item| item.peer.as_deref())
    })
}

/// For ISSUE: the time stamp in the IQ, in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_time(work: *const WorkObject, index: usize, out: *mut i64) -> bool {
    guard_value(false, || {
        let t = get(work, index).and_then(|item| item.t);
        attribute(out, t.map(|t| t.0))
    })
}

/// For MEX: the document id.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_query_id(work: *const WorkObject, index: usize, out: *mut Slice) -> bool {
    guard_value(false, || {
        text(work, index, out, |item| item.query_id.as_deref())
    })
}

/// For MEX: the variables, as JSON text.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_variables(
    work: *const WorkObject,
    index: usize,
    out: *mut Slice,
) -> bool {
    guard_value(false, || {
        text(work, index, out, |item| item.variables.as_deref())
    })
}

/// The `id` in the IQ.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_iq_id(work: *const WorkObject, index: usize, out: *mut Slice) -> bool {
    guard_value(false, || text(work, index, out, |item| Some(&item.iq_id)))
}

/// The whole IQ, encoded as it goes into the Noise layer (flag byte first).
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_iq(work: *const WorkObject, index: usize, out: *mut Slice) -> bool {
    guard_value(false, || {
        attribute(out, get(work, index).map(|item| Slice::of(&item.iq)))
    })
}

/// Frees a list. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_work_free(work: *mut WorkObject) {
    guard_value((), || drop(raw::take(work)));
}
