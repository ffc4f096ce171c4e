//! What a guest's lock protects: the machine, its store, its clock. One fact, one commit.

use sendpath_engine::clock::{Clock, Random, SystemClock};
use sendpath_handoff::EventQueue;
use sendpath_protocol::account::Background;
use sendpath_protocol::effect::Effect;
use sendpath_protocol::error::Fault;
use sendpath_protocol::guest::{Fact, Guest, GuestConfig};
use sendpath_protocol::tctoken::policy::Own;
use sendpath_protocol::time::{Millis, Mono, Now, ServerClock, UnixMillis};
use sendpath_protocol::txn::{Fence, Scope};

use super::store::GuestStore;
use crate::facade::error::Error;
use crate::facade::status::Status;

/// How a guest tells the time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GuestClock {
    /// By the host, with [`set_time`](super::Guest::set_time); for tests and for hosts whose own
    /// time is not the system's.
    Manual {
        /// Wall clock, in milliseconds since 1970.
        unix_ms: i64,
        /// Monotonic clock, in milliseconds since any instant.
        mono_ms: u64,
    },
    /// By the clocks of the operating system.
    #[default]
    System,
}

/// How a machine is opened, again and again.
pub(super) struct Opening {
    pub(super) name: String,
    pub(super) own: Own,
    pub(super) config: GuestConfig,
}

pub(super) struct Machine {
    /// `None` behind a failure of the store, until it can be read again.
    guest: Option<Guest>,
    opening: Opening,
    store: GuestStore,
    fence: Fence,
    system: SystemClock,
    manual: Option<Now>,
    /// What the host told of its connection, for a machine that is opened again.
    online: bool,
    server: Option<ServerClock>,
    background: Option<Background>,
}

impl Machine {
    pub(super) fn open(
        opening: Opening,
        store: GuestStore,
        clock: GuestClock,
        events: &EventQueue,
    ) -> Result<Self, Error> {
        let system = SystemClock::start();
        let system = system.ok_or_else(|| Error::new(Status::Runtime, "no randomness"))?;
        let fence = store.lock().acquire(&Scope::slot(&opening.name))?;
        let manual = match clock {
            GuestClock::Manual { unix_ms, mono_ms } => {
                Some(Now::new(Mono(mono_ms), UnixMillis(unix_ms)))
            }
            GuestClock::System => None,
        };
        let mut machine = Self {
            guest: None,
            opening,
            store,
            fence,
            system,
            manual,
            online: true,
            server: None,
            background: None,
        };
        machine.revive(events)?;
        Ok(machine)
    }

    pub(super) fn now(&self) -> Now {
        self.manual.unwrap_or_else(|| self.system.now())
    }

    pub(super) fn set_time(&mut self, to: Now) -> Result<(), Error> {
        let refuse = |message| Err(Error::new(Status::InvalidArgument, message));
        match &mut self.manual {
            None => refuse("this guest was opened with the system's clock"),
            Some(now) if to.mono < now.mono => refuse("the monotonic clock never goes back"),
            Some(now) => {
                *now = to;
                Ok(())
            }
        }
    }

    /// Takes in one fact, commits, and tells the events of it.
    pub(super) fn handle(&mut self, fact: Fact, events: &EventQueue) -> Result<(), Error> {
        self.revive(events)?;
        if let Fact::Background(background) = &fact {
            self.background = Some(*background);
        }
        let result = self.step(fact, events);
        if result.is_err() {
            self.lose();
            // The error counts; whoever calls next tries again.
            let _ = self.revive(events);
        }
        result
    }

    fn step(&mut self, fact: Fact, events: &EventQueue) -> Result<(), Error> {
        let now = self.now();
        let Some(guest) = &mut self.guest else {
            return Err(Error::closed());
        };
        let mut store = self.store.lock();
        let rng = &mut Random(&self.system);
        let step = guest.handle(now, rng, &**store, fact)?;
        tell(events, step.commit(&mut **store, &self.fence)?);
        self.online = guest.is_online();
        Ok(())
    }

    /// The machine, opened again if the store had failed.
    pub(super) fn live(&mut self, events: &EventQueue) -> Result<&mut Guest, Error> {
        self.revive(events)?;
        let bug = Fault::Bug("a revived machine is there");
        self.guest.as_mut().ok_or_else(|| bug.into())
    }

    /// As [`Machine::live`]; `None` while it cannot be read.
    pub(super) fn guest(&mut self, events: &EventQueue) -> Option<&mut Guest> {
        self.live(events).ok()
    }

    pub(super) const fn store(&self) -> &GuestStore {
        &self.store
    }

    /// Drops the machine: what it holds in memory may not be what is stored.
    pub(super) fn lose(&mut self) {
        if let Some(guest) = self.guest.take() {
            self.online = guest.is_online();
            self.server = Some(guest.clock());
        }
    }

    /// Ends it; a failure of the store is told, and it is over all the same.
    pub(super) fn close(mut self, events: &EventQueue) -> Result<(), Error> {
        match &self.guest {
            Some(_) => self.step(Fact::Stop, events),
            None => Ok(()),
        }
    }

    fn revive(&mut self, events: &EventQueue) -> Result<(), Error> {
        if self.guest.is_some() {
            return Ok(());
        }
        let now = self.now();
        let Opening { name, own, config } = &self.opening;
        let mut store = self.store.lock();
        let rng = &mut Random(&self.system);
        let (mut guest, step) = Guest::open(name, own.clone(), config.clone(), now, rng, &**store)?;
        tell(events, step.commit(&mut **store, &self.fence)?);
        let known = self.server.map(|clock| Fact::ServerTime(clock.unix(now)));
        let background = self.background.map(Fact::Background);
        let offline = (!self.online).then_some(Fact::Disconnected);
        for fact in known.into_iter().chain(background).chain(offline) {
            let step = guest.handle(now, rng, &**store, fact)?;
            tell(events, step.commit(&mut **store, &self.fence)?);
        }
        drop(store);
        self.guest = Some(guest);
        Ok(())
    }

    /// How long until a tick has something to do.
    pub(super) fn deadline(&self) -> Option<Millis> {
        let deadline = self.guest.as_ref()?.deadline()?;
        Some(deadline.since(self.now().mono))
    }
}

fn tell(events: &EventQueue, effects: Vec<Effect>) {
    for effect in effects {
        if let Effect::Event(event) = effect {
            events.push(event);
        }
    }
}
