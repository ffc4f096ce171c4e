//! What a host can ask of an account or a guest without sending. Nobody is asked over the network.

use super::account::AccountHandle;
use super::bytes::{Buf, Slice};
use super::error::ErrorObject;
use super::guest::GuestHandle;
use super::guest_plan::hint;
use super::raw;
use super::{ACCOUNTS, GUESTS, guard_on};
use crate::facade::{CanSend, Error, Status};

fn give(out: *mut Buf, text: impl FnOnce() -> Result<String, Error>) -> Result<(), Error> {
    let out = raw::out(out, "out")?;
    out.set(Buf::give(text()?.into_bytes()));
    Ok(())
}

fn texts<'a>(slices: *const Slice, count: usize) -> Result<Vec<&'a str>, Error> {
    let slices = raw::array(slices, count, "to")?;
    slices.iter().map(|slice| slice.text("to")).collect()
}

/// Whether messages to these recipients may be sent, as a JSON array in their order:
/// `[{"to":..,"answer":"allowed"|"blocked"|"contact_must_write"|"not_resolvable","attached":..,
/// "error":..}]`, the last two if there is something to tell; `error` as in `sp_error_json`. Addresses
/// as in `sp_send_text`, `recipient` is an `sp_recipient`. `SP_STATUS_NOT_PAIRED` before the first link.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_can_send_json(
    account: AccountHandle,
    to: *const Slice,
    count: usize,
    recipient: i32,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let (to, hint) = (texts(to, count)?, hint(recipient)?);
        give(out, || {
            Ok(CanSend::all_to_json(&account.can_send(&to, hint)?))
        })
    })
}

/// What is known about a contact and what happened with it, as one JSON object that names nobody:
/// `class`, `token`, `issued`, .., and `timeline`, oldest first, of `{"what":..,"at":..,"last":..,
/// "count":..}`. Times are Unix seconds. `SP_STATUS_NOT_PAIRED` before the first link.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_explain_json(
    account: AccountHandle,
    to: Slice,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let to = to.text("to")?;
        give(out, || Ok(account.explain(to)?.to_json()))
    })
}

/// The same for people; with `reveal` not 0 the contact's addresses are in it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_explain_text(
    account: AccountHandle,
    to: Slice,
    reveal: i32,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let to = to.text("to")?;
        give(out, || Ok(account.explain(to)?.text(reveal != 0)))
    })
}

/// The limits of the account, with when and from whom each is known, as one JSON object:
/// `reachoutTimelock`, `messageCapping`, `circuitBreaker`. What nobody knows is `null` beside a `state`
/// of `unknown`; that is not "no lock". `SP_STATUS_NOT_PAIRED` before the first link.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_limits_json(
    account: AccountHandle,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        give(out, || Ok(account.limits()?.to_json()))
    })
}

/// As `sp_account_can_send_json`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_can_send_json(
    guest: GuestHandle,
    to: *const Slice,
    count: usize,
    recipient: i32,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let (to, hint) = (texts(to, count)?, hint(recipient)?);
        give(out, || {
            Ok(CanSend::all_to_json(&guest.can_send(&to, hint)?))
        })
    })
}

/// As `sp_account_explain_json`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_explain_json(
    guest: GuestHandle,
    to: Slice,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let to = to.text("to")?;
        give(out, || Ok(guest.explain(to)?.to_json()))
    })
}

/// As `sp_account_explain_text`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_explain_text(
    guest: GuestHandle,
    to: Slice,
    reveal: i32,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let to = to.text("to")?;
        give(out, || Ok(guest.explain(to)?.text(reveal != 0)))
    })
}

/// As `sp_account_limits_json`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_limits_json(
    guest: GuestHandle,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        give(out, || Ok(guest.limits()?.to_json()))
    })
}
