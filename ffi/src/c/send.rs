//! Sending: by event, by waiting, by callback. Every send that was started has exactly one outcome.

use std::ffi::c_void;
use std::time::Duration;

use sendpath_protocol::effect::OpId;
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::verdict::MessageId;

use super::account::{AccountHandle, timeout};
use super::bytes::Slice;
use super::draft::{self, DraftFields};
use super::error::ErrorObject;
use super::event::EventObject;
use super::guest_plan::hint;
use super::raw::{self, Versioned};
use super::{ACCOUNTS, guard_on};
use crate::facade::{Account, AccountEvent, Draft, Error, SendOptions, Status};

/// What may be said about one message. Set everything to zero, then `struct_size`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SendSettings {
    /// `sizeof(sp_send_options)`.
    pub struct_size: u32,
    /// What is known about the recipient, an `sp_recipient`.
    pub recipient: i32,
    /// How long from now the message may still be sent, in milliseconds; 0 for as long as it takes.
    pub deadline_ms: u64,
    /// The id to send with, 1 to 128 visible ASCII characters; empty for a fresh one.
    pub id: Slice,
}

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for SendSettings {
    const FIRST_SIZE: usize = 32;
    const DEFAULT: Self = Self {
        struct_size: 32,
        recipient: 0,
        deadline_ms: 0,
        id: Slice::EMPTY,
    };
}

fn options(settings: *const SendSettings) -> Result<SendOptions, Error> {
    if settings.is_null() {
        return Ok(SendOptions::default());
    }
    let settings = raw::versioned(settings, "options")?;
    let id = settings.id.maybe_text("options.id")?;
    let id = id.map(|id| MessageId::parse(id).ok_or(ApiMisuse::BadMessageId));
    Ok(SendOptions {
        id: id.transpose()?,
        recipient: hint(settings.recipient)?,
        deadline: (settings.deadline_ms != 0).then(|| Duration::from_millis(settings.deadline_ms)),
    })
}

/// Called exactly once on a thread of the library with the OUTCOME event, which it frees with
/// `sp_event_free`. It must not block and must not call anything that waits.
pub type DoneFn =
    Option<unsafe extern "C" fn(ctx: *mut c_void, op: u64, outcome: *mut EventObject)>;

/// A callback with its context.
struct Done {
    call: unsafe extern "C" fn(*mut c_void, u64, *mut EventObject),
    ctx: *mut c_void,
}

// SAFETY: the host was told that the callback runs on another thread, so its context is made for
// that; the library itself never looks behind the pointer.
unsafe impl Send for Done {}

impl Done {
    fn run(self, op: OpId, outcome: *mut EventObject) {
        // SAFETY: a function pointer from C with the promised signature, called with its own context.
        unsafe { (self.call)(self.ctx, op.0, outcome) };
    }
}

/// Sends a message and returns at once. The outcome comes as an OUTCOME event with the operation's
/// number. `to` is `<digits>@s.whatsapp.net`, `<digits>@lid`, the digits of a phone number, or a
/// group, `<id>@g.us`; `options` and `op` may be NULL.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_start(
    account: AccountHandle,
    to: Slice,
    draft: *const DraftFields,
    options: *const SendSettings,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        start(account, to, || draft::draft(draft), options, op)
    })
}

/// Sends a message and waits for its outcome: negative waits for ever. `SP_STATUS_OK` means accepted by
/// the server; a refusal is its own status with everything in `err`. After `SP_STATUS_TIMEOUT` the
/// send goes on and its outcome comes as an event. `options`, `op` and `outcome` may be NULL; `op` is
/// set as soon as the send has started, `outcome` whenever it has ended. `to` as in `sp_send_start`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send(
    account: AccountHandle,
    to: Slice,
    draft: *const DraftFields,
    options: *const SendSettings,
    timeout_ms: i32,
    op: *mut u64,
    outcome: *mut *mut EventObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let draft = || draft::draft(draft);
        wait(account, to, draft, options, timeout_ms, op, outcome)
    })
}

/// Sends a message and returns at once; `done` is called exactly once if and only if this returns
/// `SP_STATUS_OK`, possibly before it returns. `options` and `op` may be NULL. `to` as in
/// `sp_send_start`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_cb(
    account: AccountHandle,
    to: Slice,
    draft: *const DraftFields,
    options: *const SendSettings,
    done: DoneFn,
    ctx: *mut c_void,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let call = done.ok_or_else(|| raw::null("done"))?;
        let done = Done { call, ctx };
        then(account, to, || draft::draft(draft), options, done, op)
    })
}

/// As `sp_send_start`, for a text.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_text_start(
    account: AccountHandle,
    to: Slice,
    text: Slice,
    options: *const SendSettings,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        start(account, to, || plain(text), options, op)
    })
}

/// As `sp_send`, for a text.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_text(
    account: AccountHandle,
    to: Slice,
    text: Slice,
    options: *const SendSettings,
    timeout_ms: i32,
    op: *mut u64,
    outcome: *mut *mut EventObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let text = || plain(text);
        wait(account, to, text, options, timeout_ms, op, outcome)
    })
}

/// As `sp_send_cb`, for a text.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_text_cb(
    account: AccountHandle,
    to: Slice,
    text: Slice,
    options: *const SendSettings,
    done: DoneFn,
    ctx: *mut c_void,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        let call = done.ok_or_else(|| raw::null("done"))?;
        let done = Done { call, ctx };
        then(account, to, || plain(text), options, done, op)
    })
}

fn plain(text: Slice) -> Result<Draft, Error> {
    Ok(Draft::text(text.text("text")?))
}

fn start(
    account: &Account,
    to: Slice,
    draft: impl FnOnce() -> Result<Draft, Error>,
    options: *const SendSettings,
    op: *mut u64,
) -> Result<(), Error> {
    let settings = self::options(options)?;
    let started = account.send_start(to.text("to")?, draft()?, settings)?;
    if let Some(op) = raw::maybe_out(op) {
        op.set(started.0);
    }
    Ok(())
}

fn wait(
    account: &Account,
    to: Slice,
    draft: impl FnOnce() -> Result<Draft, Error>,
    options: *const SendSettings,
    timeout_ms: i32,
    op: *mut u64,
    outcome: *mut *mut EventObject,
) -> Result<(), Error> {
    let settings = self::options(options)?;
    crate::facade::may_block()?;
    let pending = account.send(to.text("to")?, draft()?, settings)?;
    if let Some(op) = raw::maybe_out(op) {
        op.set(pending.op().0);
    }
    let completion = pending.wait(timeout(timeout_ms))?;
    let result = completion.result.clone().map(drop);
    if let Some(place) = raw::maybe_out(outcome) {
        place.set(raw::give(EventObject::new(AccountEvent::Outcome(
            completion,
        ))));
    }
    result
}

fn then(
    account: &Account,
    to: Slice,
    draft: impl FnOnce() -> Result<Draft, Error>,
    options: *const SendSettings,
    done: Done,
    op: *mut u64,
) -> Result<(), Error> {
    let settings = self::options(options)?;
    let end = move |completion: crate::facade::Completion| {
        let op = completion.op;
        let event = EventObject::new(AccountEvent::Outcome(completion));
        done.run(op, raw::give(event));
    };
    let started = account.send_then(to.text("to")?, draft()?, settings, end)?;
    if let Some(op) = raw::maybe_out(op) {
        op.set(started.0);
    }
    Ok(())
}

/// The host no longer wants a send. What has left stays sent; the outcome comes as usual. An unknown
/// or ended operation is no error.
#[unsafe(no_mangle)]
pub extern "C" fn sp_send_cancel(
    account: AccountHandle,
    op: u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.cancel(OpId(op))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facade::RecipientHint;

    #[test]
    fn options_are_optional_and_checked() {
        assert_eq!(options(std::ptr::null()).unwrap(), SendOptions::default());
        let settings = SendSettings {
            deadline_ms: 1500,
            id: Slice::of(b"3EB0 A"),
            ..SendSettings::DEFAULT
        };
        let error = options(&raw const settings).unwrap_err();
        assert_eq!(error.status(), Status::BadMessageId);
        let settings = SendSettings {
            id: Slice::of(b"3EB0A"),
            ..settings
        };
        let options = options(&raw const settings).unwrap();
        assert_eq!(options.deadline, Some(Duration::from_millis(1500)));
        assert_eq!(options.recipient, RecipientHint::Ordinary);
        assert_eq!(options.id.unwrap().as_str(), "3EB0A");
    }

    #[test]
    fn a_recipient_has_a_known_number() {
        let told = |recipient| {
            let settings = SendSettings {
                recipient,
                ..SendSettings::DEFAULT
            };
            options(&raw const settings).map(|options| options.recipient)
        };
        assert_eq!(told(1).unwrap(), RecipientHint::Enterprise);
        assert_eq!(told(2).unwrap(), RecipientHint::Support);
        for unknown in [3, -1] {
            let error = told(unknown).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument);
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn the_first_release_fixes_the_size() {
        assert_eq!(size_of::<SendSettings>(), SendSettings::FIRST_SIZE);
    }
}
