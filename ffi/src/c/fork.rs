//! The tables of handles stay usable in a forked child, which has one thread: that which forked.
//!
//! ```text
//! fork -> before: lock every table -> the process splits -> after, in both: unlock
//! ```
//!
//! Otherwise a fork amid another thread's call leaves a child with a table that is locked for ever,
//! where it would wait instead of being told that it is a fork.

use std::cell::RefCell;

use once_cell::sync::OnceCell;

use super::handle::Locked;
use super::{ACCOUNTS, ENGINES, GUESTS};
use crate::facade::{Account, Engine, Error, Guest, Status};

type Tables = (
    Locked<'static, Engine>,
    Locked<'static, Account>,
    Locked<'static, Guest>,
);

thread_local! {
    static HELD: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

/// Asks the system, once in the life of the process, to be called around forks. It may refuse; the
/// next engine or guest then asks again.
pub(super) fn watch() -> Result<(), Error> {
    static WATCHED: OnceCell<()> = OnceCell::new();
    let ask = || {
        // SAFETY: three functions without arguments that live as long as the library.
        let refused = unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
        match refused {
            0 => Ok(()),
            code => {
                let reason = std::io::Error::from_raw_os_error(code);
                Err(Error::new(Status::Runtime, reason.to_string()))
            }
        }
    };
    WATCHED.get_or_try_init(ask).copied()
}

unsafe extern "C" fn before() {
    // Both fail only in a thread that is ending, which has no business with handles any more.
    let _ = HELD.try_with(|held| {
        let tables = (ENGINES.lock(), ACCOUNTS.lock(), GUESTS.lock());
        held.try_borrow_mut().map(|mut held| *held = Some(tables))
    });
}

unsafe extern "C" fn after() {
    let _ = HELD.try_with(|held| held.try_borrow_mut().map(|mut held| held.take()));
}
