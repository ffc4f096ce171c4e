//! `sp_error`: why a call or a send failed. Getters return false when there is nothing to tell.

use sendpath_protocol::verdict::{Cause, MessageId, Next};

use super::bytes::{Buf, Slice};
use super::raw::{self, attribute};
use super::{guard, guard_value};
use crate::facade::{Class, Error, Status};

/// An error. Freed with `sp_error_free`, unless it belongs to an event.
pub struct ErrorObject(Error);

impl ErrorObject {
    pub(super) const fn new(error: Error) -> Self {
        Self(error)
    }

    /// Puts `error` where C wants it, if it does.
    pub(super) fn give(error: Error, place: *mut *mut Self) {
        if let Some(place) = raw::maybe_out(place) {
            place.set(raw::give(Self(error)));
        }
    }
}

fn get<'a>(error: *const ErrorObject) -> Option<&'a Error> {
    raw::object(error, "error").ok().map(|error| &error.0)
}

fn text(error: *const ErrorObject, out: *mut Slice, of: fn(&Error) -> Option<&str>) -> bool {
    let text = get(error).and_then(of);
    attribute(out, text.map(|text| Slice::of(text.as_bytes())))
}

/// The number; `SP_STATUS_OK` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_status(error: *const ErrorObject) -> Status {
    guard_value(Status::Panic, || {
        get(error).map_or(Status::Ok, Error::status)
    })
}

/// Who has to act.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_class(error: *const ErrorObject) -> Class {
    guard_value(Class::Bug, || get(error).map_or(Class::None, Error::class))
}

/// For people: what happened. Empty for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_message(error: *const ErrorObject) -> Slice {
    guard_value(Slice::EMPTY, || {
        get(error).map_or(Slice::EMPTY, |error| Slice::of(error.message().as_bytes()))
    })
}

/// The name of the cause of a refused send, such as `ACCOUNT_TIMELOCKED`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_cause(error: *const ErrorObject, out: *mut Slice) -> bool {
    guard_value(false, || text(error, out, |e| e.cause().map(Cause::as_str)))
}

/// The next action after a refused send: `ask_contact_to_write`, `do_not_retry`, `fix_input`,
/// `retry_after` or `wait_until`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_next(error: *const ErrorObject, out: *mut Slice) -> bool {
    guard_value(false, || text(error, out, |e| e.next().map(Next::as_str)))
}

/// For people: what a refusal means and what to do.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_advice(error: *const ErrorObject, out: *mut Slice) -> bool {
    guard_value(false, || text(error, out, Error::advice))
}

/// What the refused message carried to open the chat: `tctoken`, `cstoken`, or `nothing_` and why.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_attached(error: *const ErrorObject, out: *mut Slice) -> bool {
    guard_value(false, || text(error, out, Error::attached))
}

/// Id of the message the error is about.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_message_id(error: *const ErrorObject, out: *mut Slice) -> bool {
    guard_value(false, || {
        text(error, out, |e| e.message_id().map(MessageId::as_str))
    })
}

/// When the cause of a refusal ends, in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_until(error: *const ErrorObject, out: *mut i64) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::until).map(|t| t.0))
    })
}

/// Before when trying again is useless, in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_retry_at(error: *const ErrorObject, out: *mut i64) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::retry_at).map(|t| t.0))
    })
}

/// How long to wait before trying once more, in milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_retry_after_ms(error: *const ErrorObject, out: *mut u64) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::retry_after).map(|t| t.0))
    })
}

/// The server's nack code, such as 463.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_nack_code(error: *const ErrorObject, out: *mut u16) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::nack_code))
    })
}

/// Whether the same message may be sent once more after `sp_error_retry_after_ms`, with nothing else to
/// wait for: no end, no word of the contact, no correction.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_may_retry(error: *const ErrorObject, out: *mut bool) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::may_retry))
    })
}

/// For `SP_STATUS_OUTCOME_UNKNOWN`: whether the library still holds the message and sends it again.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_still_trying(error: *const ErrorObject, out: *mut bool) -> bool {
    guard_value(false, || {
        attribute(out, get(error).and_then(Error::still_trying))
    })
}

/// Everything as one JSON object.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_json(
    error: *const ErrorObject,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let out = raw::out(out, "out")?;
        let json = raw::object(error, "error")?.0.to_json();
        out.set(Buf::give(json.into_bytes()));
        Ok(())
    })
}

/// Frees an error. NULL is allowed; an error of an event is not.
#[unsafe(no_mangle)]
pub extern "C" fn sp_error_free(error: *mut ErrorObject) {
    guard_value((), || drop(raw::take(error)));
}
