//! Checked handles: a number that is freed, forged or of another kind is an error, not a crash.
//!
//! ```text
//! 63      56 55            32 31             0
//! [  tag   ][  generation   ][     index     ]      never 0
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use crate::facade::{Error, Status};

/// A slot whose generation reaches this is never used again, so no handle ever comes back.
const LAST_GENERATION: u32 = (1 << 24) - 1;

/// All live objects of one kind.
pub(super) struct Table<T> {
    tag: u8,
    slots: RwLock<Slots<T>>,
}

/// A table that nobody else uses meanwhile.
pub(super) struct Locked<'a, T>(
    #[expect(dead_code, reason = "held")] RwLockWriteGuard<'a, Slots<T>>,
);

struct Slots<T> {
    all: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    entry: Option<Arc<Entry<T>>>,
}

/// An object and whether a call on it panicked. A call in flight keeps it alive.
pub(super) struct Entry<T> {
    object: T,
    poisoned: AtomicBool,
}

impl<T> Table<T> {
    /// An empty table; `tag` tells kinds apart and is not 0.
    pub(super) const fn new(tag: u8) -> Self {
        Self {
            tag,
            slots: RwLock::new(Slots {
                all: Vec::new(),
                free: Vec::new(),
            }),
        }
    }

    /// Keeps `object` and names it.
    pub(super) fn insert(&self, object: T) -> Result<u64, Error> {
        let entry = Arc::new(Entry {
            object,
            poisoned: AtomicBool::new(false),
        });
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let index = match slots.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(slots.all.len())
                    .map_err(|_| Error::new(Status::Runtime, "too many handles"))?;
                slots.all.push(Slot {
                    generation: 0,
                    entry: None,
                });
                index
            }
        };
        let slot = &mut slots.all[index as usize];
        slot.generation += 1;
        slot.entry = Some(entry);
        Ok(self.name(slot.generation, index))
    }

    /// Keeps every other thread out.
    pub(super) fn lock(&self) -> Locked<'_, T> {
        Locked(self.slots.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The object that `handle` names.
    pub(super) fn get(&self, handle: u64) -> Result<Arc<Entry<T>>, Error> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.all.get(index(handle) as usize);
        slot.filter(|slot| self.name(slot.generation, index(handle)) == handle)
            .and_then(|slot| slot.entry.clone())
            .ok_or_else(bad_handle)
    }

    /// Closes the object, poisoned or not; the handle is bad afterwards. A close that was refused
    /// because of where it was called leaves the handle as it was.
    pub(super) fn close(
        &self,
        handle: u64,
        close: impl FnOnce(&T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let result = close(&self.get(handle)?.object);
        let refused = [Status::Forked, Status::WouldDeadlock];
        if result
            .as_ref()
            .is_err_and(|error| refused.contains(&error.status()))
        {
            return result;
        }
        self.remove(handle)?;
        result
    }

    fn remove(&self, handle: u64) -> Result<(), Error> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let index = index(handle);
        let slot = slots.all.get_mut(index as usize);
        let slot = slot.filter(|slot| self.name(slot.generation, index) == handle);
        let slot = slot.ok_or_else(bad_handle)?;
        let entry = slot.entry.take().ok_or_else(bad_handle)?;
        if slot.generation < LAST_GENERATION {
            slots.free.push(index);
        }
        drop(slots);
        // Outside the lock: the last reference may join threads that look up handles.
        drop(entry);
        Ok(())
    }

    fn name(&self, generation: u32, index: u32) -> u64 {
        u64::from(self.tag) << 56 | u64::from(generation) << 32 | u64::from(index)
    }
}

impl<T> Entry<T> {
    /// Calls `body` unless an earlier call panicked; if this one does, it is the last.
    pub(super) fn run<R>(&self, body: impl FnOnce(&T) -> Result<R, Error>) -> Result<R, Error> {
        if self.poisoned.load(Ordering::Acquire) {
            let message = "an earlier call on this object panicked; close it";
            return Err(Error::new(Status::Poisoned, message));
        }
        let _watch = PoisonOnPanic(&self.poisoned);
        body(&self.object)
    }
}

struct PoisonOnPanic<'a>(&'a AtomicBool);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

fn index(handle: u64) -> u32 {
    // The low half, by definition of the format.
    let [.., a, b, c, d] = handle.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn bad_handle() -> Error {
    let message = "the handle was closed, never given out, or names another kind of object";
    Error::new(Status::BadHandle, message)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    fn status<T>(result: Result<T, Error>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    #[test]
    fn a_removed_handle_stays_bad_when_its_slot_is_used_again() {
        let table = Table::new(1);
        let first = table.insert("first").unwrap();
        assert_eq!(table.get(first).unwrap().object, "first");
        table.remove(first).unwrap();
        let second = table.insert("second").unwrap();
        assert_eq!(index(first), index(second));
        assert_eq!(status(table.get(first)), Status::BadHandle);
        assert_eq!(status(table.remove(first)), Status::BadHandle);
        assert_eq!(table.get(second).unwrap().object, "second");
    }

    #[test]
    fn zero_forged_and_foreign_handles_are_bad() {
        let table = Table::new(1);
        let other = Table::new(2);
        let good = table.insert(()).unwrap();
        other.insert(()).unwrap();
        for bad in [0, u64::MAX, good + 1, good ^ (1 << 40), good ^ (3 << 56)] {
            assert_eq!(status(table.get(bad)), Status::BadHandle, "{bad:x}");
        }
        assert_eq!(status(other.get(good)), Status::BadHandle);
    }

    #[test]
    fn a_worn_out_slot_is_not_used_again() {
        let table = Table::new(1);
        let first = table.insert(1).unwrap();
        table.slots.write().unwrap().all[0].generation = LAST_GENERATION;
        let last = u64::from(LAST_GENERATION) << 32 | first & !(u64::from(LAST_GENERATION) << 32);
        table.remove(last).unwrap();
        assert_eq!(index(table.insert(2).unwrap()), 1);
    }

    #[test]
    fn after_a_panic_an_object_only_closes() {
        let table = Table::new(1);
        let handle = table.insert(5).unwrap();
        let entry = table.get(handle).unwrap();
        let call = || entry.run(|_| -> Result<(), Error> { panic!("boom") });
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert_eq!(status(entry.run(|_| Ok(()))), Status::Poisoned);
        let close = table.close(handle, |object| {
            assert_eq!(*object, 5);
            Ok(())
        });
        assert_eq!(status(close), Status::Ok);
        assert_eq!(status(table.get(handle)), Status::BadHandle);
    }

    #[test]
    fn a_close_in_the_wrong_place_keeps_the_handle() {
        let table = Table::new(1);
        let handle = table.insert(()).unwrap();
        let refused = table.close(handle, |()| Err(Error::forked()));
        assert_eq!(status(refused), Status::Forked);
        assert!(table.get(handle).is_ok());
        let failed = table.close(handle, |()| Err(Error::closed()));
        assert_eq!(status(failed), Status::Closed);
        assert_eq!(status(table.get(handle)), Status::BadHandle);
    }

    #[test]
    fn a_call_in_flight_keeps_its_object_alive() {
        let table = Table::new(1);
        let handle = table.insert(vec![7; 1000]).unwrap();
        thread::scope(|scope| {
            let users: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            match table.get(handle) {
                                Ok(entry) => assert_eq!(entry.object[999], 7),
                                Err(error) => return error.status(),
                            }
                        }
                    })
                })
                .collect();
            table.remove(handle).unwrap();
            for user in users {
                assert_eq!(user.join().unwrap(), Status::BadHandle);
            }
        });
    }
}
