//! Files on the media servers: up, down, and what is said about them.

use std::ffi::{OsStr, c_void};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::mpsc;

use sendpath_protocol::time::UnixSeconds;

use super::bytes::Slice;
use super::raw::{self, Versioned};
use crate::facade::{Error, Media, MediaKind, Sink, Source, Status};

/// A file on the media servers. Set everything to zero, then `struct_size`, then the rest. Whoever
/// has the key can read the file.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MediaFields {
    /// `sizeof(sp_media)`.
    pub struct_size: u32,
    /// What it is, an `sp_media_kind`.
    pub kind: i32,
    /// Where it was put; may be empty.
    pub url: Slice,
    /// The same without the host.
    pub direct_path: Slice,
    /// What its keys are made of: 32 bytes.
    pub media_key: Slice,
    /// SHA-256 of the file.
    pub sha256: Slice,
    /// SHA-256 of what is on the servers.
    pub enc_sha256: Slice,
    /// Such as `image/jpeg`, if the message said it.
    pub mimetype: Slice,
    /// Length of the file in bytes.
    pub length: u64,
    /// When its key was made, in Unix seconds; 0 if not known.
    pub keyed_at: i64,
}

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for MediaFields {
    const FIRST_SIZE: usize = 120;
    const DEFAULT: Self = Self {
        struct_size: 120,
        kind: 0,
        url: Slice::EMPTY,
        direct_path: Slice::EMPTY,
        media_key: Slice::EMPTY,
        sha256: Slice::EMPTY,
        enc_sha256: Slice::EMPTY,
        mimetype: Slice::EMPTY,
        length: 0,
        keyed_at: 0,
    };
}

impl MediaFields {
    /// The same with the bytes copied.
    pub(super) fn media(self) -> Result<Media, Error> {
        Ok(Media {
            kind: kind(self.kind)?,
            url: self.url.text("media.url")?.to_owned(),
            direct_path: self.direct_path.text("media.direct_path")?.to_owned(),
            media_key: self.media_key.bytes("media.media_key")?.to_vec(),
            keyed_at: (self.keyed_at != 0).then_some(UnixSeconds(self.keyed_at)),
            sha256: self.sha256.bytes("media.sha256")?.to_vec(),
            enc_sha256: self.enc_sha256.bytes("media.enc_sha256")?.to_vec(),
            length: self.length,
            mimetype: self.mimetype.text("media.mimetype")?.to_owned(),
        })
    }

    /// Borrows from `media`, which must live as long as C may look.
    pub(super) fn of(media: &Media) -> Self {
        let text = |text: &str| Slice::of(text.as_bytes());
        Self {
            kind: media.kind as i32,
            url: text(&media.url),
            direct_path: text(&media.direct_path),
            media_key: Slice::of(&media.media_key),
            sha256: Slice::of(&media.sha256),
            enc_sha256: Slice::of(&media.enc_sha256),
            mimetype: text(&media.mimetype),
            length: media.length,
            keyed_at: media.keyed_at.map_or(0, |t| t.0),
            ..Self::DEFAULT
        }
    }
}

/// The kind with that number.
pub(super) fn kind(number: i32) -> Result<MediaKind, Error> {
    MediaKind::from_number(number).ok_or_else(|| {
        let message = format!("no kind of media has the number {number}");
        Error::new(Status::InvalidArgument, message)
    })
}

/// Reads up to `len` bytes into `into` and sets `count`, 0 at the end. Anything but 0 as result gives
/// the upload up. Called on a thread of the library.
pub type ReadFn = Option<
    unsafe extern "C" fn(ctx: *mut c_void, into: *mut u8, len: usize, count: *mut usize) -> i32,
>;

/// Takes the next bytes of a file that was verified as a whole. Anything but 0 as result gives the
/// download up. Called on a thread of the library.
pub type WriteFn = Option<unsafe extern "C" fn(ctx: *mut c_void, bytes: Slice) -> i32>;

/// Called once when the library will not use the context again; it may outlive the transfer, which
/// does not wait for a read or a write that is under way.
pub type ReleaseFn = Option<unsafe extern "C" fn(ctx: *mut c_void)>;

/// What to upload: a path, or bytes, or what `read` gives. Set everything to zero, then `struct_size`.
/// Empty bytes are an empty file.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SourceFields {
    /// `sizeof(sp_source)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// A file to read.
    pub path: Slice,
    /// These bytes; they are copied.
    pub bytes: Slice,
    /// Reads; NULL for a path or bytes.
    pub read: ReadFn,
    /// Given to `read` and `release`.
    pub ctx: *mut c_void,
    /// May be NULL.
    pub release: ReleaseFn,
}

// SAFETY: repr(C), a u32 first; integers, raw pointers and optional function pointers, for which the
// host promises what their types say.
unsafe impl Versioned for SourceFields {
    const FIRST_SIZE: usize = 64;
    const DEFAULT: Self = Self {
        struct_size: 64,
        reserved: 0,
        path: Slice::EMPTY,
        bytes: Slice::EMPTY,
        read: None,
        ctx: std::ptr::null_mut(),
        release: None,
    };
}

/// Where a download goes: a path, or `write`. Set everything to zero, then `struct_size`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SinkFields {
    /// `sizeof(sp_sink)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// A file to write; it is there as a whole or not at all.
    pub path: Slice,
    /// Takes the bytes; NULL for a path.
    pub write: WriteFn,
    /// Given to `write` and `release`.
    pub ctx: *mut c_void,
    /// May be NULL.
    pub release: ReleaseFn,
}

// SAFETY: as for `SourceFields`.
unsafe impl Versioned for SinkFields {
    const FIRST_SIZE: usize = 48;
    const DEFAULT: Self = Self {
        struct_size: 48,
        reserved: 0,
        path: Slice::EMPTY,
        write: None,
        ctx: std::ptr::null_mut(),
        release: None,
    };
}

/// Ends when nobody uses the context any more.
pub(super) type Released = mpsc::Receiver<()>;

/// The source, and how to wait until it is not used any more.
pub(super) fn source(pointer: *const SourceFields) -> Result<(Source, Released), Error> {
    let fields = raw::versioned(pointer, "source")?;
    let (used, released) = mpsc::channel();
    let (path, bytes) = (fields.path.bytes("path")?, fields.bytes.bytes("bytes")?);
    let source = match fields.read {
        Some(_) if !path.is_empty() || !bytes.is_empty() => {
            return Err(ambiguous("source", "path, bytes and read"));
        }
        Some(call) => Source::Reader(Box::new(HostReader {
            call,
            context: Context::new(fields.ctx, fields.release, used),
        })),
        None if path.is_empty() => Source::Bytes(bytes.to_vec()),
        None if bytes.is_empty() => Source::Path(path_of(path)),
        None => return Err(ambiguous("source", "path, bytes and read")),
    };
    Ok((source, released))
}

/// The sink, and how to wait until it is not used any more.
pub(super) fn sink(pointer: *const SinkFields) -> Result<(Sink, Released), Error> {
    let fields = raw::versioned(pointer, "sink")?;
    let (used, released) = mpsc::channel();
    let sink = match (fields.write, fields.path.bytes("path")?) {
        (Some(call), []) => Sink::Writer(Box::new(HostWriter {
            call,
            context: Context::new(fields.ctx, fields.release, used),
        })),
        (None, path @ [_, ..]) => Sink::Path(path_of(path)),
        _ => return Err(ambiguous("sink", "path and write")),
    };
    Ok((sink, released))
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn ambiguous(name: &str, fields: &str) -> Error {
    let message = format!("{name}: give exactly one of {fields}");
    Error::new(Status::InvalidArgument, message)
}

/// A context of the host, released once.
struct Context {
    ctx: *mut c_void,
    release: ReleaseFn,
    _used: mpsc::Sender<()>,
}

// SAFETY: the host was told that its functions run on threads of the library, so the context is made
// for that; it is used by one of them at a time, and the library never looks behind the pointer.
unsafe impl Send for Context {}

impl Context {
    fn new(ctx: *mut c_void, release: ReleaseFn, used: mpsc::Sender<()>) -> Self {
        Self {
            ctx,
            release,
            _used: used,
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: a function pointer from C with the promised signature and its own context, once.
            unsafe { release(self.ctx) };
        }
    }
}

struct HostReader {
    call: unsafe extern "C" fn(*mut c_void, *mut u8, usize, *mut usize) -> i32,
    context: Context,
}

impl Read for HostReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        // SAFETY: a function pointer from C with the promised signature and its own context; `out` is
        // valid for writes of its length.
        let result = unsafe {
            (self.call)(
                self.context.ctx,
                out.as_mut_ptr(),
                out.len(),
                &raw mut count,
            )
        };
        match result {
            0 if count <= out.len() => Ok(count),
            0 => Err(io::Error::other("the host's reader says it gave too much")),
            code => Err(host("reader", code)),
        }
    }
}

struct HostWriter {
    call: unsafe extern "C" fn(*mut c_void, Slice) -> i32,
    context: Context,
}

impl Write for HostWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: a function pointer from C with the promised signature and its own context; the slice
        // lives as long as the call.
        match unsafe { (self.call)(self.context.ctx, Slice::of(bytes)) } {
            0 => Ok(bytes.len()),
            code => Err(host("writer", code)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn host(what: &str, code: i32) -> io::Error {
    io::Error::other(format!("the host's {what} failed with {code}"))
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_release_fixes_the_sizes() {
        assert_eq!(size_of::<MediaFields>(), MediaFields::FIRST_SIZE);
        assert_eq!(size_of::<SinkFields>(), SinkFields::FIRST_SIZE);
        assert_eq!(size_of::<SourceFields>(), SourceFields::FIRST_SIZE);
    }

    #[test]
    fn a_source_is_one_thing_and_a_sink_too() {
        let both = SourceFields {
            path: Slice::of(b"/x"),
            bytes: Slice::of(b"y"),
            ..SourceFields::DEFAULT
        };
        assert!(source(&raw const both).is_err());
        assert!(source(&SourceFields::DEFAULT).is_ok(), "an empty file");
        assert!(sink(&SinkFields::DEFAULT).is_err());
    }

    #[test]
    fn what_is_told_is_what_is_read() {
        let media = Media {
            kind: MediaKind::Voice,
            url: "https://x".into(),
            direct_path: "/y".into(),
            media_key: vec![1; 32],
            keyed_at: Some(UnixSeconds(5)),
            sha256: vec![2; 32],
            enc_sha256: vec![3; 32],
            length: 7,
            mimetype: "audio/ogg".into(),
        };
        assert_eq!(MediaFields::of(&media).media().unwrap(), media);
    }
}
