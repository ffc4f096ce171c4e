//! The token machine for hosts that own their connection, such as one built on whatsmeow.
//!
//! ```text
//! facts in    token_received, ack, observe_stanza, ..   committed when they return
//! question    plan(to)                                  from memory for contacts asked about lately
//! work out    outgoing() -> send -> work_done(id, ..)
//! events      next_event, event_fd                      as for an account
//! ```
//!
//! No thread, no runtime, no network: everything happens inside the calls, under one lock. After an
//! error of a fact it counts as not told: do not acknowledge the stanza it came from, so that the
//! server brings it again.

mod facts;
mod machine;
mod plan;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod work;

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sendpath_handoff::EventQueue;
use sendpath_protocol::account::Settings;
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::guest::{Fact, GuestConfig};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::mex::DocIds;
use sendpath_protocol::tctoken::policy::Own;
use sendpath_protocol::time::{Mono, Now, UnixMillis};

use self::machine::{Machine, Opening};
use super::error::Error;
use super::event::AccountEvent;
use super::runtime::{self, Home};
use super::status::Status;

pub use machine::GuestClock;
pub use plan::{AttachKind, Plan};
pub use sendpath_protocol::guest::Row;
pub use sendpath_protocol::limits::gate::RecipientHint;
pub use sendpath_protocol::tctoken::policy::MessageKind;
pub use status::GuestStatus;
pub use store::GuestStore;
pub use work::{WorkItem, WorkItemKind, WorkResult};

/// Events kept for a slow host.
const EVENTS: usize = 1_024;

/// How a guest is opened.
pub struct GuestSetup {
    /// Where tokens are kept; guests of other accounts may share it.
    pub store: GuestStore,
    /// Tells the guests of one store apart: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Opening the
    /// same name again fences the earlier guest off.
    pub name: String,
    /// Our own account by phone number, `<digits>@s.whatsapp.net`, with or without a device.
    pub own_jid: Option<String>,
    /// Our own account by LID, `<digits>@lid`; one of the two must be known.
    pub own_lid: Option<String>,
    /// The host's library issues our token behind its sends by itself, as whatsmeow does.
    pub host_issues: bool,
    /// Ids of the GraphQL documents by which limits are asked for; `None` for the known ones.
    pub documents: Option<DocIds>,
    /// Honour the server if it switches tokens on messages off; newest clients do not.
    pub strict_props: bool,
    /// Events that wait for a slow host before they are dropped and counted; `None` for 1024.
    pub event_capacity: Option<usize>,
    /// How it tells the time.
    pub clock: GuestClock,
}

impl GuestSetup {
    /// The usual settings.
    pub fn new(store: GuestStore, name: impl Into<String>) -> Self {
        Self {
            store,
            name: name.into(),
            own_jid: None,
            own_lid: None,
            host_issues: false,
            documents: None,
            strict_props: false,
            event_capacity: None,
            clock: GuestClock::System,
        }
    }
}

/// The tokens and limits of one account whose connection the host owns. Clones are the same guest.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    home: Home,
    events: EventQueue,
    /// `None` once closed; the store is given back then.
    machine: Mutex<Option<Machine>>,
}

impl Guest {
    /// Opens the guest; the connection counts as up until [`Guest::disconnected`].
    ///
    /// # Errors
    /// `BadAccountName`, `BadAddress` for our own addresses, `WouldDeadlock`, what the store says.
    pub fn open(setup: GuestSetup) -> Result<Self, Error> {
        runtime::may_block()?;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&setup.name.len()) || !setup.name.bytes().all(good) {
            return Err(ApiMisuse::BadAccountName.into());
        }
        let opening = Opening {
            own: own(setup.own_jid.as_deref(), setup.own_lid.as_deref())?,
            name: setup.name,
            config: GuestConfig {
                account: Settings {
                    documents: setup.documents.unwrap_or_default(),
                    strict_props: setup.strict_props,
                },
                host_issues: setup.host_issues,
            },
        };
        let events = EventQueue::new(setup.event_capacity.unwrap_or(EVENTS));
        let machine = Machine::open(opening, setup.store, setup.clock, &events)?;
        Ok(Self(Arc::new(Inner {
            home: Home::here(),
            events,
            machine: Mutex::new(Some(machine)),
        })))
    }

    /// Sets a manual clock. The wall clock may go back, the monotonic one must not.
    ///
    /// # Errors
    /// `InvalidArgument`, also for a guest with the system's clock; `Closed`, `Forked`.
    pub fn set_time(&self, unix_ms: i64, mono_ms: u64) -> Result<(), Error> {
        let now = Now::new(Mono(mono_ms), UnixMillis(unix_ms));
        self.with(|machine, _| machine.set_time(now))
    }

    /// How many milliseconds from now [`Guest::tick`] has something to do; 0 when it is due, `None`
    /// while nothing is scheduled. It changes with every fact.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`.
    pub fn deadline_ms(&self) -> Result<Option<u64>, Error> {
        self.with(|machine, _| Ok(machine.deadline().map(|wait| wait.0)))
    }

    /// Does what time brings. Late or early calls do no harm.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`, what the store says.
    pub fn tick(&self) -> Result<(), Error> {
        self.handle(Fact::Tick)
    }

    /// The next event, waiting up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `Timeout`, `Closed`, `Forked`, `WouldDeadlock`.
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<AccountEvent, Error> {
        self.0.home.check()?;
        if timeout != Some(Duration::ZERO) {
            runtime::may_block()?;
        }
        let event = self.0.events.next(timeout).map_err(|_| Error::closed())?;
        event.map(Into::into).ok_or_else(Error::timeout)
    }

    /// The next event, for a task.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub async fn event(&self) -> Result<AccountEvent, Error> {
        self.0.home.check()?;
        let event = self.0.events.next_async().await;
        event.map(Into::into).map_err(|_| Error::closed())
    }

    /// Waits until [`Guest::next_event`] has something to say, and takes nothing.
    ///
    /// # Errors
    /// `Forked`.
    pub async fn readable(&self) -> Result<(), Error> {
        self.0.home.check()?;
        self.0.events.readable().await;
        Ok(())
    }

    /// A descriptor that is readable while an event waits, and once the guest is closed. It is only
    /// to be polled, and belongs to the guest.
    ///
    /// # Errors
    /// `Runtime` when the system has no descriptor left; `Forked`.
    pub fn event_fd(&self) -> Result<RawFd, Error> {
        self.0.home.check()?;
        let descriptor = self.0.events.descriptor();
        descriptor.map_err(|error| Error::new(Status::Runtime, error.to_string()))
    }

    /// Ends the guest: refusals that wait for an answer end as undetermined, whoever waits for an
    /// event wakes. What is in the queue can still be taken. A second call does nothing.
    ///
    /// # Errors
    /// `Forked`, `WouldDeadlock`; what the store says, and the guest is closed all the same.
    pub fn close(&self) -> Result<(), Error> {
        let machine = self.enter()?.take();
        let closed = machine.map(|machine| machine.close(&self.0.events));
        self.0.events.close();
        closed.unwrap_or(Ok(()))
    }

    /// The store, for other guests beside this one.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`.
    pub fn store(&self) -> Result<GuestStore, Error> {
        self.with(|machine, _| Ok(machine.store().clone()))
    }

    fn handle(&self, fact: Fact) -> Result<(), Error> {
        self.with(|machine, events| machine.handle(fact, events))
    }

    fn with<R>(
        &self,
        call: impl FnOnce(&mut Machine, &EventQueue) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut machine = self.enter()?;
        call(machine.as_mut().ok_or_else(Error::closed)?, &self.0.events)
    }

    fn enter(&self) -> Result<MutexGuard<'_, Option<Machine>>, Error> {
        self.0.home.check()?;
        // In a callback of a host's store this thread holds the lock already.
        runtime::may_block()?;
        Ok(self.0.machine.lock().unwrap_or_else(|poisoned| {
            self.0.machine.clear_poison();
            let mut machine = poisoned.into_inner();
            machine.iter_mut().for_each(Machine::lose);
            machine
        }))
    }
}

fn own(jid: Option<&str>, lid: Option<&str>) -> Result<Own, Error> {
    let jid = jid.map(address).transpose()?;
    let lid = lid.map(address).transpose()?;
    let good = jid.as_ref().is_none_or(Jid::is_pn) && lid.as_ref().is_none_or(Jid::is_lid);
    let own = Own::new(lid.as_ref(), jid.as_ref()).filter(|_| good);
    own.ok_or_else(|| {
        let message =
            "own_jid is `<digits>@s.whatsapp.net`, own_lid `<digits>@lid`; give one or both";
        Error::new(Status::BadAddress, message)
    })
}

/// Any address of the wire, or the digits of a phone number.
fn address(text: &str) -> Result<Jid, Error> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Jid::pn(text));
    }
    let parsed = text.parse();
    parsed.map_err(|error| Error::new(Status::BadAddress, format!("not an address: {error}")))
}
