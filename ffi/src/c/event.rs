//! `sp_event`: one thing that happened. Getters return false when there is nothing to tell.

use super::bytes::{Buf, Slice};
use super::error::ErrorObject;
use super::raw::{self, attribute};
use super::{guard, guard_value};
use crate::facade::{AccountEvent, EventKind, Field, Fields, Status};

/// An event. Freed with `sp_event_free`.
pub struct EventObject {
    fields: Fields,
    error: Option<ErrorObject>,
}

impl EventObject {
    pub(super) fn new(event: AccountEvent) -> Self {
        let fields = Fields::of(event);
        let error = fields.error().cloned().map(ErrorObject::new);
        Self { fields, error }
    }
}

fn get<'a>(event: *const EventObject) -> Option<&'a EventObject> {
    raw::object(event, "event").ok()
}

/// What happened, an `sp_event_kind`; tolerate numbers you do not know.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_kind_of(event: *const EventObject) -> EventKind {
    guard_value(EventKind::Other, || {
        get(event).map_or(EventKind::Other, |event| event.fields.kind())
    })
}

/// A text field, an `sp_field`; `index` counts repeated ones from 0, others have index 0. It lives
/// as long as the event.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_text(
    event: *const EventObject,
    field: i32,
    index: usize,
    out: *mut Slice,
) -> bool {
    guard_value(false, || {
        let field = Field::from_number(field);
        let text = get(event)
            .zip(field)
            .and_then(|(event, field)| event.fields.text(field, index));
        attribute(out, text.map(|text| Slice::of(text.as_bytes())))
    })
}

/// A number field or a flag (0 or 1), an `sp_field`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_number(event: *const EventObject, field: i32, out: *mut i64) -> bool {
    guard_value(false, || {
        let field = Field::from_number(field);
        let number = get(event).zip(field);
        attribute(
            out,
            number.and_then(|(event, field)| event.fields.number(field)),
        )
    })
}

/// The `Message` protobuf of a MESSAGE event as it was sent. It lives as long as the event.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_payload(event: *const EventObject, out: *mut Slice) -> bool {
    guard_value(false, || {
        let payload = get(event).and_then(|event| event.fields.payload());
        attribute(out, payload.map(Slice::of))
    })
}

/// Why the send of an OUTCOME event was not accepted; NULL when it was, and for other events. It
/// belongs to the event.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_error(event: *const EventObject) -> *const ErrorObject {
    guard_value(std::ptr::null(), || {
        let error = get(event).and_then(|event| event.error.as_ref());
        error.map_or(std::ptr::null(), std::ptr::from_ref)
    })
}

/// All fields but the payload as one JSON object: `{"kind":"message","id":..}`, keys as in
/// `sp_field`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_json(
    event: *const EventObject,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let out = raw::out(out, "out")?;
        let json = raw::object(event, "event")?.fields.to_json();
        out.set(Buf::give(json.into_bytes()));
        Ok(())
    })
}

/// Frees an event and everything that was read from it. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_event_free(event: *mut EventObject) {
    guard_value((), || drop(raw::take(event)));
}
