//! The C ABI: `include/sendpath.h` is generated from here.
//!
//! ```text
//! entry point -> guard -> checks -> facade -> sp_status, *err, outputs
//! ```
//!
//! Every entry point begins with the guard: a panic becomes a status and never crosses into C. All
//! pointers are checked for NULL, outputs are written only on success. This is the only folder with
//! `unsafe`; what C promises is said once, at [`raw`].
#![expect(
    unsafe_code,
    reason = "the boundary to C; each block says why it is sound"
)]
#![expect(
    unreachable_pub,
    reason = "the header generator takes public items; Rust must not reach them"
)]

mod account;
mod bytes;
mod draft;
mod engine;
mod error;
mod event;
mod fork;
mod guest;
mod guest_fact;
mod guest_plan;
mod guest_work;
mod handle;
mod media;
mod questions;
mod raw;
mod send;
mod status;
mod store;
#[cfg(test)]
mod store_suite;
mod transfer;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::error::ErrorObject;
use self::handle::Table;
use crate::facade::{Account, Engine, Error, Guest, Status};

/// Numbers of the binary interface. It is raised whenever a host would have to be compiled anew.
pub const SP_ABI_VERSION: u32 = 0;

static ENGINES: Table<Engine> = Table::new(0x45);
static ACCOUNTS: Table<Account> = Table::new(0x41);
static GUESTS: Table<Guest> = Table::new(0x47);

/// Runs the body of an entry point: a panic becomes [`Status::Panic`], an error goes to `err`.
fn guard(err: *mut *mut ErrorObject, body: impl FnOnce() -> Result<(), Error>) -> Status {
    boundary(err, || {
        status::injected_panic();
        body()
    })
}

/// As [`guard`], for a call on an object; after a panic the object refuses further calls.
fn guard_on<T>(
    table: &Table<T>,
    handle: u64,
    err: *mut *mut ErrorObject,
    body: impl FnOnce(&T) -> Result<(), Error>,
) -> Status {
    boundary(err, || {
        table.get(handle)?.run(|object| {
            status::injected_panic();
            body(object)
        })
    })
}

/// Runs the body of an entry point that has no way to fail.
fn guard_value<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    let call = || {
        status::injected_panic();
        body()
    };
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(on_panic)
}

fn boundary(err: *mut *mut ErrorObject, body: impl FnOnce() -> Result<(), Error>) -> Status {
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(Error::new(Status::Panic, panic_text(&*panic))));
    match result {
        Ok(()) => Status::Ok,
        Err(error) => {
            let status = error.status();
            ErrorObject::give(error, err);
            status
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!(
        "bug in sendpath: {}",
        text.unwrap_or("a panic without text")
    )
}
