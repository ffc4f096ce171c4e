//! `sp_guest`: tokens and limits of an account whose connection the host owns.

use super::account::timeout;
use super::bytes::{Buf, Slice};
use super::engine::{above_zero, documents};
use super::error::ErrorObject;
use super::event::EventObject;
use super::raw::{self, Versioned};
use super::store::{HostStore, Ownership, StoreTable};
use super::{GUESTS, fork, guard, guard_on};
use crate::facade::{Error, Guest, GuestClock, GuestSetup, GuestStore, Status, StoreSpec};

/// A guest. Zero is none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct GuestHandle {
    /// Opaque.
    pub handle: u64,
}

/// How a guest tells the time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum ClockKind {
    /// By the clocks of the operating system.
    System = 0,
    /// By the host, with `sp_guest_set_time`.
    Manual = 1,
}

/// What a guest is opened with. Set everything to zero, then `struct_size`, then the rest. Exactly one
/// of `store_uri`, `store` and `beside` is given.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct GuestSettings {
    /// `sizeof(sp_guest_config)`.
    pub struct_size: u32,
    /// Events that wait for a slow host; behind that they are dropped and counted. 0 for 1024.
    pub event_capacity: u32,
    /// The built-in store: a path or `sqlite:///path` for a file that is created if missing, or
    /// `memory:`.
    pub store_uri: Slice,
    /// A store of the host instead. It is copied, its functions are called inside calls of guests,
    /// and it is freed when the last guest on it is closed.
    pub store: *const StoreTable,
    /// A guest whose store this one shares.
    pub beside: GuestHandle,
    /// Tells the guests of one store apart: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Opening the
    /// same name again fences the earlier guest off.
    pub name: Slice,
    /// Our own account by phone number, `<digits>@s.whatsapp.net`; may be empty when `own_lid` is
    /// not.
    pub own_jid: Slice,
    /// Our own account by LID, `<digits>@lid`.
    pub own_lid: Slice,
    /// Not 0: the host's library issues our token behind its sends by itself, as whatsmeow does.
    pub host_issues: i32,
    /// An `sp_clock`.
    pub clock: i32,
    /// For `SP_CLOCK_MANUAL`: the wall clock, in milliseconds since 1970.
    pub unix_ms: i64,
    /// For `SP_CLOCK_MANUAL`: the monotonic clock, in milliseconds since any instant.
    pub mono_ms: u64,
    /// Ids of the GraphQL documents that ask for the timelock, newest first, separated by commas;
    /// empty for the known ones.
    pub timelock_documents: Slice,
    /// The same for the quota of new chats.
    pub capping_documents: Slice,
    /// Not 0: honour the server if it switches tokens on messages off; newest clients do not.
    pub strict_props: i32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for GuestSettings {
    const FIRST_SIZE: usize = 152;
    const DEFAULT: Self = Self {
        struct_size: 152,
        event_capacity: 0,
        store_uri: Slice::EMPTY,
        store: std::ptr::null(),
        beside: GuestHandle { handle: 0 },
        name: Slice::EMPTY,
        own_jid: Slice::EMPTY,
        own_lid: Slice::EMPTY,
        host_issues: 0,
        clock: 0,
        unix_ms: 0,
        mono_ms: 0,
        timelock_documents: Slice::EMPTY,
        capping_documents: Slice::EMPTY,
        strict_props: 0,
        reserved: 0,
    };
}

impl GuestSettings {
    fn setup(self) -> Result<(GuestSetup, Option<Ownership>), Error> {
        let name = self.name.text("config.name")?;
        let own_jid = self.own_jid.maybe_text("config.own_jid")?;
        let own_lid = self.own_lid.maybe_text("config.own_lid")?;
        let documents = documents(self.timelock_documents, self.capping_documents)?;
        let clock = match self.clock {
            n if n == ClockKind::System as i32 => GuestClock::System,
            n if n == ClockKind::Manual as i32 => GuestClock::Manual {
                unix_ms: self.unix_ms,
                mono_ms: self.mono_ms,
            },
            n => return Err(unknown("config.clock", n)),
        };
        let (store, ownership) = self.open_store()?;
        let mut setup = GuestSetup::new(store, name);
        setup.own_jid = own_jid.map(Into::into);
        setup.own_lid = own_lid.map(Into::into);
        setup.host_issues = self.host_issues != 0;
        setup.documents = Some(documents);
        setup.strict_props = self.strict_props != 0;
        setup.event_capacity = above_zero(self.event_capacity);
        setup.clock = clock;
        Ok((setup, ownership))
    }

    fn open_store(&self) -> Result<(GuestStore, Option<Ownership>), Error> {
        let uri = self.store_uri.maybe_text("config.store_uri")?;
        match (uri, self.store.is_null(), self.beside.handle) {
            (Some(uri), true, 0) => Ok((GuestStore::open(StoreSpec::Uri(uri.into()))?, None)),
            (None, false, 0) => {
                let table = raw::versioned(self.store, "config.store")?;
                let (store, ownership) = HostStore::new(table)?;
                let store = GuestStore::open(StoreSpec::Custom(Box::new(store)))?;
                Ok((store, Some(ownership)))
            }
            (None, true, beside) if beside != 0 => {
                Ok((GUESTS.get(beside)?.run(Guest::store)?, None))
            }
            _ => {
                let message = "give one of config.store_uri, config.store and config.beside";
                Err(Error::new(Status::InvalidArgument, message))
            }
        }
    }
}

/// A number that no enumeration of ours has.
pub(super) fn unknown(name: &str, number: i32) -> Error {
    Error::new(Status::InvalidArgument, format!("{name} is {number}"))
}

/// Opens a guest: no thread is started and nothing is sent by itself. Its connection counts as up
/// until `sp_guest_disconnected`. On failure a store of the host is still the host's.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_open(
    config: *const GuestSettings,
    out: *mut GuestHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let out = raw::out(out, "out")?;
        let (setup, ownership) = raw::versioned(config, "config")?.setup()?;
        fork::watch()?;
        let handle = GUESTS.insert(Guest::open(setup)?)?;
        if let Some(ownership) = ownership {
            ownership.take();
        }
        out.set(GuestHandle { handle });
        Ok(())
    })
}

/// Ends a guest and wakes whoever waits for its events; refusals that wait for an answer are not told
/// any more. Its store is closed with the last guest on it. The handle is bad afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_close(guest: GuestHandle, err: *mut *mut ErrorObject) -> Status {
    guard(err, || GUESTS.close(guest.handle, |guest| guest.close()))
}

/// Sets a manual clock. The wall clock may go back, the monotonic one must not.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_set_time(
    guest: GuestHandle,
    unix_ms: i64,
    mono_ms: u64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.set_time(unix_ms, mono_ms)
    })
}

/// How many milliseconds from now `sp_guest_tick` has something to do: 0 when it is due, -1 while
/// nothing is scheduled. It changes with every fact.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_deadline_ms(
    guest: GuestHandle,
    out: *mut i64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        let wait = guest.deadline_ms()?;
        out.set(wait.map_or(-1, |wait| i64::try_from(wait).unwrap_or(i64::MAX)));
        Ok(())
    })
}

/// Does what time brings. Late or early calls do no harm; a host that never calls it still gets
/// correct plans.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_tick(guest: GuestHandle, err: *mut *mut ErrorObject) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::tick)
}

/// Where the guest stands, as one JSON object: `online`, `ignored` and `tokens`. `ignored` counts facts
/// that made no sense and changed nothing, `tokens` is as in `sp_account_status_json`; both since it
/// was opened, or since its store failed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_status_json(
    guest: GuestHandle,
    out: *mut Buf,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        out.set(Buf::give(guest.status()?.to_json().into_bytes()));
        Ok(())
    })
}

/// Waits for the next event: 0 only looks, negative waits for ever. `SP_STATUS_TIMEOUT` when there
/// is none, `SP_STATUS_CLOSED` when there will be none. The event is freed with `sp_event_free`. The
/// end of a refused message is an OUTCOME with OP 0.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_next_event(
    guest: GuestHandle,
    timeout_ms: i32,
    out: *mut *mut EventObject,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        let event = guest.next_event(timeout(timeout_ms))?;
        out.set(raw::give(EventObject::new(event)));
        Ok(())
    })
}

/// A descriptor that is readable while an event waits, and once the guest is closed. Poll it, do not
/// read from it; it belongs to the guest and is closed with it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_event_fd(
    guest: GuestHandle,
    out: *mut i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let out = raw::out(out, "out")?;
        out.set(guest.event_fd()?);
        Ok(())
    })
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_release_fixes_the_size() {
        assert_eq!(size_of::<GuestSettings>(), GuestSettings::FIRST_SIZE);
    }
}
