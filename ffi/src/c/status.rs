//! Versions, names of numbers, and the panic switch of tests.

use std::ffi::{CStr, c_char};

use super::bytes::Slice;
use super::{SP_ABI_VERSION, guard_value};
use crate::facade::{Class, Status};

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The binary interface of this library; compare it with `SP_ABI_VERSION` before anything else.
#[unsafe(no_mangle)]
pub extern "C" fn sp_abi_version() -> u32 {
    guard_value(u32::MAX, || SP_ABI_VERSION)
}

/// The version of this library, such as `0.1.0`; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_version() -> *const c_char {
    guard_value(c"".as_ptr(), || VERSION.as_ptr())
}

/// The name of a status number, such as `BAD_HANDLE`; empty for an unknown one.
#[unsafe(no_mangle)]
pub extern "C" fn sp_status_name(status: i32) -> Slice {
    guard_value(Slice::EMPTY, || {
        let name = Status::from_number(status).map(Status::as_str);
        name.map_or(Slice::EMPTY, |name| Slice::of(name.as_bytes()))
    })
}

/// Who has to act on a status number; `SP_CLASS_BUG` for an unknown one.
#[unsafe(no_mangle)]
pub extern "C" fn sp_status_class(status: i32) -> Class {
    guard_value(Class::Bug, || {
        Status::from_number(status).map_or(Class::Bug, Status::class)
    })
}

/// Tests only: the next call of this thread panics inside its boundary.
#[cfg(feature = "panic-injection")]
#[unsafe(no_mangle)]
pub extern "C" fn sp_test_panic_next() {
    guard_value((), || injection::ARMED.set(true));
}

#[cfg(feature = "panic-injection")]
mod injection {
    use std::cell::Cell;

    thread_local! {
        pub(super) static ARMED: Cell<bool> = const { Cell::new(false) };
    }
}

/// Where `sp_test_panic_next` takes effect; nothing without that feature.
#[cfg(feature = "panic-injection")]
#[expect(clippy::panic, reason = "the purpose of the feature")]
pub(super) fn injected_panic() {
    if injection::ARMED.replace(false) {
        panic!("injected by a test");
    }
}

#[cfg(not(feature = "panic-injection"))]
pub(super) fn injected_panic() {}
