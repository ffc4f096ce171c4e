//! Uploads and downloads: by waiting, by callback.

use std::ffi::c_void;

use sendpath_protocol::effect::OpId;

use super::account::{AccountHandle, timeout};
use super::bytes::Slice;
use super::error::ErrorObject;
use super::media::{self, MediaFields, SinkFields, SourceFields};
use super::raw;
use super::{ACCOUNTS, guard, guard_on, guard_value};
use crate::facade::{Account, Error, Media, Status};

/// A file on the media servers. Freed with `sp_file_free`.
pub struct FileObject(Media);

/// The file that a received message speaks of; `payload` is that of the MESSAGE event. `out` is set to
/// NULL when the message speaks of none.
#[unsafe(no_mangle)]
pub extern "C" fn sp_file_of_message(
    payload: Slice,
    out: *mut *mut FileObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let out = raw::out(out, "out")?;
        let media = Media::of_message(payload.bytes("payload")?);
        out.set(media.map_or(std::ptr::null_mut(), give));
        Ok(())
    })
}

/// What is known about the file, for a draft, a download, or the host's own storage. `out` has its
/// `struct_size` set; the rest of it is written and lives as long as the file.
#[unsafe(no_mangle)]
pub extern "C" fn sp_file_media(
    file: *const FileObject,
    out: *mut MediaFields,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let file = raw::object(file, "file")?;
        raw::fill(out, MediaFields::of(&file.0), "out")
    })
}

/// Frees a file and everything that was read from it; what is on the servers stays. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_file_free(file: *mut FileObject) {
    guard_value((), || drop(raw::take(file)));
}

/// Called exactly once on a thread of the library when a transfer has ended: `file` is what was
/// uploaded, NULL otherwise; `error` is NULL with `SP_STATUS_OK`. It frees both. It must not block.
pub type TransferFn = Option<
    unsafe extern "C" fn(
        ctx: *mut c_void,
        op: u64,
        status: Status,
        file: *mut FileObject,
        error: *mut ErrorObject,
    ),
>;

/// A callback with its context.
struct Done {
    call: unsafe extern "C" fn(*mut c_void, u64, Status, *mut FileObject, *mut ErrorObject),
    ctx: *mut c_void,
}

// SAFETY: the host was told that the callback runs on another thread, so its context is made for
// that; the library itself never looks behind the pointer.
unsafe impl Send for Done {}

impl Done {
    fn run(self, op: OpId, end: Result<*mut FileObject, Error>) {
        let (mut error, mut file) = (std::ptr::null_mut(), std::ptr::null_mut());
        let status = match end {
            Ok(uploaded) => {
                file = uploaded;
                Status::Ok
            }
            Err(failure) => {
                let status = failure.status();
                ErrorObject::give(failure, &raw mut error);
                status
            }
        };
        // SAFETY: a function pointer from C with the promised signature, called with its own context.
        unsafe { (self.call)(self.ctx, op.0, status, file, error) };
    }
}

/// Encrypts and uploads a file, and waits for that: negative waits for ever, and after
/// `SP_STATUS_TIMEOUT` the upload is given up. `kind` is an `sp_media_kind`. Files of any size: a few
/// hundred KiB of them are in memory at a time. When it returns the library has done with `source`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_upload(
    account: AccountHandle,
    kind: i32,
    source: *const SourceFields,
    timeout_ms: i32,
    out: *mut *mut FileObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let (source, released) = media::source(source)?;
        let (out, kind) = (raw::out(out, "out")?, media::kind(kind)?);
        crate::facade::may_block()?;
        let uploaded = on(account, |account| {
            account.upload_wait(kind, source, timeout(timeout_ms))
        });
        // Nothing is ever sent: this waits for the end of the channel.
        let _ = released.recv();
        out.set(give(uploaded?));
        Ok(())
    })
}

/// Encrypts and uploads a file and returns at once; `done` is called exactly once if and only if this
/// returns `SP_STATUS_OK`, possibly before it returns. `op` may be NULL. On failure the
/// context of `source` is released too, unless `source` itself is refused.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_upload_cb(
    account: AccountHandle,
    kind: i32,
    source: *const SourceFields,
    done: TransferFn,
    ctx: *mut c_void,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let (source, _) = media::source(source)?;
        let call = done.ok_or_else(|| raw::null("done"))?;
        let done = Done { call, ctx };
        let end = move |op, uploaded: Result<Media, Error>| done.run(op, uploaded.map(give));
        let kind = media::kind(kind)?;
        let started = on(account, |account| account.upload_then(kind, source, end))?;
        if let Some(op) = raw::maybe_out(op) {
            op.set(started.0);
        }
        Ok(())
    })
}

/// Downloads a file, and waits for that, as `sp_upload`. Nothing is written before the whole file was
/// verified. Files of any size: 1 MiB of it is in memory, more in a file without a name, encrypted.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_download(
    account: AccountHandle,
    media: *const MediaFields,
    sink: *const SinkFields,
    timeout_ms: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let (sink, released) = media::sink(sink)?;
        crate::facade::may_block()?;
        let media = raw::versioned(media, "media").and_then(MediaFields::media)?;
        let ended = on(account, |account| {
            account.download_wait(media, sink, timeout(timeout_ms))
        });
        // Nothing is ever sent: this waits for the end of the channel.
        let _ = released.recv();
        ended.map(drop)
    })
}

/// Downloads a file and returns at once; `done` as for `sp_upload_cb`, without a file. `op` may be
/// NULL. On failure the context of `sink` is released too, unless `sink` itself is refused.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_download_cb(
    account: AccountHandle,
    media: *const MediaFields,
    sink: *const SinkFields,
    done: TransferFn,
    ctx: *mut c_void,
    op: *mut u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let (sink, _) = media::sink(sink)?;
        let call = done.ok_or_else(|| raw::null("done"))?;
        let media = raw::versioned(media, "media").and_then(MediaFields::media)?;
        let done = Done { call, ctx };
        let end = move |op, written: Result<u64, Error>| {
            done.run(op, written.map(|_| std::ptr::null_mut()));
        };
        let started = on(account, |account| account.download_then(media, sink, end))?;
        if let Some(op) = raw::maybe_out(op) {
            op.set(started.0);
        }
        Ok(())
    })
}

/// The host no longer wants a transfer that has a callback, which comes with `SP_STATUS_CANCELLED`. An
/// unknown or ended one is no error.
#[unsafe(no_mangle)]
pub extern "C" fn sp_transfer_cancel(
    account: AccountHandle,
    op: u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ACCOUNTS, account.handle, err, |account| {
        account.cancel_transfer(OpId(op))
    })
}

/// As `guard_on`, inside a guard: what the host lent is released whatever the account says.
fn on<T>(
    account: AccountHandle,
    body: impl FnOnce(&Account) -> Result<T, Error>,
) -> Result<T, Error> {
    ACCOUNTS.get(account.handle)?.run(body)
}

fn give(media: Media) -> *mut FileObject {
    raw::give(FileObject(media))
}
