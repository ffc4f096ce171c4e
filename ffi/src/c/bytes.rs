//! Bytes across the boundary: borrowed slices in, owned buffers out.

use std::ptr;

use super::error::ErrorObject;
use super::raw;
use super::{guard, guard_value};
use crate::facade::{Error, Status};

/// Bytes that somebody else owns. As an argument it is borrowed for the call; from a getter it lives
/// as long as the object it came from. Text is UTF-8 without a terminating NUL. Empty may be NULL.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Slice {
    /// First byte; NULL only when `len` is 0.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

/// Bytes that the caller owns and frees with `sp_buf_free`. All zero is an empty buffer.
#[derive(Debug)]
#[repr(C)]
pub struct Buf {
    /// First byte; NULL when nothing was allocated.
    pub ptr: *mut u8,
    /// Number of bytes.
    pub len: usize,
    /// Number of bytes allocated.
    pub cap: usize,
}

impl Slice {
    pub(super) const EMPTY: Self = Self {
        ptr: ptr::null(),
        len: 0,
    };

    /// Borrows `bytes`, which must live as long as C may look.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// The bytes.
    pub(super) fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Error> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.ptr.is_null() {
            return Err(raw::null(name));
        }
        if isize::try_from(self.len).is_err() {
            let message = format!("{name}: no slice has {} bytes", self.len);
            return Err(Error::new(Status::InvalidArgument, message));
        }
        // SAFETY: not NULL, so valid for `len` bytes during the call (`raw`); `len` fits in isize.
        Ok(unsafe { std::slice::from_raw_parts(self.ptr, self.len) })
    }

    /// The text.
    pub(super) fn text<'a>(self, name: &str) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes(name)?).map_err(|error| {
            let message = format!("{name} is not UTF-8 from byte {} on", error.valid_up_to());
            Error::new(Status::InvalidUtf8, message)
        })
    }

    /// The text, or `None` when empty.
    pub(super) fn maybe_text<'a>(self, name: &str) -> Result<Option<&'a str>, Error> {
        Ok(Some(self.text(name)?).filter(|text| !text.is_empty()))
    }
}

impl Buf {
    pub(super) const EMPTY: Self = Self {
        ptr: ptr::null_mut(),
        len: 0,
        cap: 0,
    };

    /// Hands `bytes` to C.
    pub(super) fn give(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self {
            ptr: bytes.as_mut_ptr(),
            len: bytes.len(),
            cap: bytes.capacity(),
        }
    }

    /// Takes the bytes back and leaves an empty buffer.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buf = std::mem::replace(self, Self::EMPTY);
        if buf.ptr.is_null() {
            return Vec::new();
        }
        // SAFETY: a buffer that is not NULL came from `give` and was not freed (`raw`), so pointer,
        // length and capacity are those of a `Vec<u8>`.
        unsafe { Vec::from_raw_parts(buf.ptr, buf.len, buf.cap) }
    }
}

/// Frees a buffer and sets it to zero, so that a second call does nothing. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_buf_free(buf: *mut Buf) {
    guard_value((), || {
        // SAFETY: not NULL means valid for the call (`raw`).
        if let Some(buf) = unsafe { buf.as_mut() } {
            drop(buf.take());
        }
    });
}

/// Fills a buffer with a copy of `bytes` and frees what was in it. For stores of the host.
#[unsafe(no_mangle)]
pub extern "C" fn sp_buf_set(buf: *mut Buf, bytes: Slice, err: *mut *mut ErrorObject) -> Status {
    guard(err, || {
        // SAFETY: not NULL means valid for the call (`raw`).
        let buf = unsafe { buf.as_mut() }.ok_or_else(|| raw::null("buf"))?;
        let copy = bytes.bytes("bytes")?.to_vec();
        drop(buf.take());
        *buf = Buf::give(copy);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeing_twice_is_harmless() {
        let mut buf = Buf::give(vec![1, 2, 3]);
        sp_buf_free(&raw mut buf);
        assert!(buf.ptr.is_null() && buf.len == 0 && buf.cap == 0);
        sp_buf_free(&raw mut buf);
        sp_buf_free(ptr::null_mut());
    }

    #[test]
    fn setting_replaces_what_was_there() {
        let mut buf = Buf::give(vec![1; 100]);
        let status = sp_buf_set(&raw mut buf, Slice::of(b"new"), ptr::null_mut());
        assert_eq!(status, Status::Ok);
        assert_eq!(buf.take(), b"new");
    }

    #[test]
    fn text_says_where_it_stops_being_utf8() {
        let error = Slice::of(b"abc\xff").text("to").unwrap_err();
        assert_eq!(error.status(), Status::InvalidUtf8);
        assert_eq!(error.message(), "to is not UTF-8 from byte 3 on");
    }

    #[test]
    fn null_is_empty_only_without_a_length() {
        assert_eq!(Slice::EMPTY.bytes("x").unwrap(), b"");
        let bad = Slice {
            ptr: ptr::null(),
            len: 1,
        };
        assert_eq!(bad.bytes("x").unwrap_err().status(), Status::NullPointer);
        let huge = Slice {
            ptr: ptr::dangling(),
            len: usize::MAX,
        };
        let error = huge.bytes("x").unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }
}
