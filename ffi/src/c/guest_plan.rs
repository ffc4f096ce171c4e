//! `sp_plan` and `sp_row`: what a guest answers. Getters return false when there is nothing to tell.

use super::bytes::{Buf, Slice};
use super::error::ErrorObject;
use super::guest::{GuestHandle, unknown};
use super::guest_fact::kind;
use super::raw::{self, attribute};
use super::{GUESTS, guard_on, guard_value};
use crate::facade::{AttachKind, Error, Plan, RecipientHint, Row, Status};

/// What a message carries and whether it may leave. Freed with `sp_plan_free`.
pub struct PlanObject {
    plan: Plan,
    refusal: Option<ErrorObject>,
}

/// A row as the host's library must see it. Freed with `sp_row_free`.
pub struct RowObject(Row);

/// What a host knows about a recipient that its address does not tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum RecipientNumber {
    /// Nothing special.
    Ordinary = 0,
    /// A verified official business.
    Enterprise = 1,
    /// WhatsApp's own support.
    Support = 2,
}

pub(super) fn hint(number: i32) -> Result<RecipientHint, Error> {
    match number {
        n if n == RecipientNumber::Ordinary as i32 => Ok(RecipientHint::Ordinary),
        n if n == RecipientNumber::Enterprise as i32 => Ok(RecipientHint::Enterprise),
        n if n == RecipientNumber::Support as i32 => Ok(RecipientHint::Support),
        n => Err(unknown("recipient", n)),
    }
}

fn get<'a>(plan: *const PlanObject) -> Option<&'a PlanObject> {
    raw::object(plan, "plan").ok()
}

fn word(plan: *const PlanObject, out: *mut Slice, of: fn(&Plan) -> Option<&'static str>) -> bool {
    let word = get(plan).and_then(|plan| of(&plan.plan));
    attribute(out, word.map(|word| Slice::of(word.as_bytes())))
}

/// What a message to `to` carries, and whether it may leave. `kind` is an `sp_message_kind`,
/// `recipient` an `sp_recipient`. Asks nobody and never blocks on the network; contacts that were
/// asked about lately are answered from memory. A store that fails costs the token only.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_plan(
    guest: GuestHandle,
    to: Slice,
    kind: i32,
    recipient: i32,
    out: *mut *mut PlanObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        let plan = guest.plan(to.text("to")?, self::kind(kind)?, hint(recipient)?)?;
        let refusal = plan.refusal.clone().map(ErrorObject::new);
        out.set(raw::give(PlanObject { plan, refusal }));
        Ok(())
    })
}

/// Which element the message carries.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_attach(plan: *const PlanObject) -> AttachKind {
    guard_value(AttachKind::Nothing, || {
        get(plan).map_or(AttachKind::Nothing, |plan| plan.plan.attach)
    })
}

/// The content of the element. It lives as long as the plan.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_bytes(plan: *const PlanObject, out: *mut Slice) -> bool {
    guard_value(false, || {
        let bytes = get(plan).map(|plan| plan.plan.bytes.expose());
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        attribute(out, bytes.map(Slice::of))
    })
}

/// The time stamp of the contact's token, in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_token_time(plan: *const PlanObject, out: *mut i64) -> bool {
    guard_value(false, || {
        let t = get(plan).and_then(|plan| plan.plan.token_time);
        attribute(out, t.map(|t| t.0))
    })
}

/// Whether the token may be too old because the server has not said yet how old one may be; worth a
/// short wait for the props, if the host can.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_ambiguous(plan: *const PlanObject) -> bool {
    guard_value(false, || get(plan).is_some_and(|plan| plan.plan.ambiguous))
}

/// Why no tctoken: `expired`, `gate_off`, `never_received`, `not_eligible` or `store_error`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_no_tctoken(plan: *const PlanObject, out: *mut Slice) -> bool {
    guard_value(false, || word(plan, out, |plan| plan.no_tctoken))
}

/// Why not even a cstoken: `gate_off`, `no_lid`, `no_salt`, `not_eligible` or `store_error`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_no_cstoken(plan: *const PlanObject, out: *mut Slice) -> bool {
    guard_value(false, || word(plan, out, |plan| plan.no_cstoken))
}

/// Why the message must not leave; NULL when it may. It belongs to the plan.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_refusal(plan: *const PlanObject) -> *const ErrorObject {
    guard_value(std::ptr::null(), || {
        let refusal = get(plan).and_then(|plan| plan.refusal.as_ref());
        refusal.map_or(std::ptr::null(), std::ptr::from_ref)
    })
}

/// Frees a plan and everything that was read from it. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_plan_free(plan: *mut PlanObject) {
    guard_value((), || drop(raw::take(plan)));
}

/// The row of a contact, for libraries that see only rows; NULL in `out` when there is none.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_row_get(
    guest: GuestHandle,
    peer: Slice,
    out: *mut *mut RowObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        let row = guest.row_get(peer.text("peer")?)?;
        out.set(row.map_or(std::ptr::null_mut(), |row| raw::give(RowObject(row))));
        Ok(())
    })
}

/// The token, or a placeholder when none may be attached; never empty. It lives as long as the row.
#[unsafe(no_mangle)]
pub extern "C" fn sp_row_token(row: *const RowObject, out: *mut Slice) -> bool {
    guard_value(false, || {
        let row = raw::object(row, "row").ok();
        attribute(out, row.map(|row| Slice::of(row.0.token.expose())))
    })
}

/// The time that the library compares with its own window, in Unix seconds; absent when nothing may
/// be attached.
#[unsafe(no_mangle)]
pub extern "C" fn sp_row_time(row: *const RowObject, out: *mut i64) -> bool {
    guard_value(false, || {
        let t = raw::object(row, "row").ok().and_then(|row| row.0.t);
        attribute(out, t.map(|t| t.0))
    })
}

/// When our token was issued to the contact, in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_row_sender_time(row: *const RowObject, out: *mut i64) -> bool {
    guard_value(false, || {
        let t = raw::object(row, "row").ok().and_then(|row| row.0.sender_t);
        attribute(out, t.map(|t| t.0))
    })
}

/// Frees a row. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_row_free(row: *mut RowObject) {
    guard_value((), || drop(raw::take(row)));
}

/// The salt as the library must see it; an empty buffer when no cstoken may be sent.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_salt_get(
    guest: GuestHandle,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        let salt = guest.salt_get()?;
        out.set(salt.map_or(Buf::EMPTY, |salt| Buf::give(salt.expose().to_vec())));
        Ok(())
    })
}
