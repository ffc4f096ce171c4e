//! The library's own threads: who is one, and which process they live in.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

use super::error::Error;
use super::status::Status;

thread_local! {
    static LIBRARY_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Runs a host callback; blocking calls inside it fail instead of waiting for their own thread.
pub fn within_library<T>(call: impl FnOnce() -> T) -> T {
    let before = LIBRARY_THREAD.replace(true);
    let result = call();
    LIBRARY_THREAD.set(before);
    result
}

/// Whether a blocking call may be made on this thread.
///
/// # Errors
/// `WouldDeadlock` on a thread of the library.
pub fn may_block() -> Result<(), Error> {
    if LIBRARY_THREAD.get() {
        Err(Error::would_deadlock())
    } else {
        Ok(())
    }
}

pub(super) fn start(threads: usize) -> Result<Runtime, Error> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("sendpath")
        .on_thread_start(|| LIBRARY_THREAD.set(true))
        .enable_all()
        .build()
        .map_err(|error| Error::new(Status::Runtime, error.to_string()))
}

/// The process an object was made in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home(u32);

impl Home {
    pub(super) fn here() -> Self {
        Self(std::process::id())
    }

    pub(super) fn check(self) -> Result<(), Error> {
        if std::process::id() == self.0 {
            Ok(())
        } else {
            Err(Error::forked())
        }
    }
}

/// Counts what must end before a close may return.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    count: Mutex<usize>,
    idle: Condvar,
}

impl InFlight {
    pub(super) fn enter(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    pub(super) fn leave(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.idle.notify_all();
        }
    }

    pub(super) fn wait_idle(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.idle.wait_while(count, |count| *count > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_belongs_to_the_library_only_inside_a_callback() {
        assert!(may_block().is_ok());
        within_library(|| {
            let error = may_block().unwrap_err();
            assert_eq!(error.status(), Status::WouldDeadlock);
            within_library(|| ());
            assert!(
                LIBRARY_THREAD.get(),
                "an inner callback does not end the outer"
            );
        });
        assert!(may_block().is_ok());
    }

    #[test]
    fn another_process_is_not_home() {
        assert!(Home::here().check().is_ok());
        let parent = Home(std::process::id() + 1);
        assert_eq!(parent.check().unwrap_err().status(), Status::Forked);
    }
}
