//! `sp_account`: connecting, state, events.

use std::time::Duration;

use super::bytes::{Buf, Slice};
use super::error::ErrorObject;
use super::event::EventObject;
use super::{ACCOUNTS, guard, guard_on, raw};
use crate::facade::{Phase, Status};

/// An account. Zero is none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AccountHandle {
    /// Opaque.
    pub handle: u64,
}

/// A wait in milliseconds; negative waits for ever.
pub(super) fn timeout(ms: i32) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Dials and stays connected. An account that is not paired shows QR codes first, as events.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_connect(account: AccountHandle, err: *mut *mut ErrorObject) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| account.connect())
}

/// Links by a code that the user types into the phone with that number, instead of scanning: a
/// PAIR_CODE event shows it, after `sp_account_connect`. `code` is the host's own code, eight symbols of
/// `123456789ABCDEFGHJKLMNPQRSTVWXYZ`; empty for a random one. It ends as PAIRED or PAIR_FAILED; do not
/// ask in a loop, the server throttles a number for hours.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_pair_by_code(
    account: AccountHandle,
    number: Slice,
    code: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.pair_by_code(number.text("number")?, code.maybe_text("code")?)
    })
}

/// Ends the connection and stays offline.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_disconnect(
    account: AccountHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.disconnect()
    })
}

/// Unlinks the device and deletes its keys; a LOGGED_OUT event tells when it is done. With
/// `keep_tokens` not 0 the account's tokens stay for a later link of the same account.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_logout(
    account: AccountHandle,
    keep_tokens: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.logout(keep_tokens != 0)
    })
}

/// Deletes everything that is stored for the account: tokens, names, limits, timelines. The link of
/// this device stays. Returns at once; it is done in turn with the account's sends.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_forget_account(
    account: AccountHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.forget_account()
    })
}

/// Asks the server for the account's limits: a change is an event, and the answer is then in
/// `sp_account_limits_json`. Returns at once; does nothing while there is no connection.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_refresh_limits(
    account: AccountHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.refresh_limits()
    })
}

/// Follows the presence of a contact until the connection ends; PRESENCE events tell. The question
/// carries the contact's token, and is asked again when a new one comes. `to` as in `sp_send_text`.
/// Returns at once; does nothing while there is no connection.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_subscribe_presence(
    account: AccountHandle,
    to: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.subscribe_presence(to.text("to")?)
    })
}

/// How far the connection is.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_phase(
    account: AccountHandle,
    out: *mut Phase,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let out = raw::out(out, "out")?;
        out.set(account.status()?.phase);
        Ok(())
    })
}

/// Where the account stands, as one JSON object: `phase`, `outbox`, `queued`, `ignored`, `tokens`,
/// `blobs_fetched`, `blobs_failed`, and `jid`, `lid`, `retry_at`, `fault` if known. `ignored` counts stanzas and parts of stanzas that made
/// no sense, `tokens` what the token machine left aside, by reason: `bad_time`, `empty`, `too_much`,
/// `unknown_type`, `not_a_contact`, `older`, `from_the_future`, `damaged_rows`, `newer_rows`,
/// `failed_reads`, `unknown_results`; since the session was built.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_status_json(
    account: AccountHandle,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let out = raw::out(out, "out")?;
        out.set(Buf::give(account.status()?.to_json().into_bytes()));
        Ok(())
    })
}

/// Waits for the next event: 0 only looks, negative waits for ever. `SP_STATUS_TIMEOUT` when there
/// is none, `SP_STATUS_CLOSED` when there will be none. The event is freed with `sp_event_free`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_next_event(
    account: AccountHandle,
    timeout_ms: i32,
    out: *mut *mut EventObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let out = raw::out(out, "out")?;
        let event = account.next_event(timeout(timeout_ms))?;
        out.set(raw::give(EventObject::new(event)));
        Ok(())
    })
}

/// A descriptor that is readable while an event waits, and once the account is closed. Poll it, do
/// not read from it; it belongs to the account and is closed with it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_event_fd(
    account: AccountHandle,
    out: *mut i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let out = raw::out(out, "out")?;
        out.set(account.event_fd()?);
        Ok(())
    })
}

/// Ends the connection and every open send, and wakes everybody who waits; the callbacks of open
/// sends have run when it returns. The handle is bad afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_close(account: AccountHandle, err: *mut *mut ErrorObject) -> Status {
    guard(err, || {
        ACCOUNTS.close(account.handle, |account| account.close())
    })
}
