//! Where an account stands, for whoever looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sendpath_protocol::error::Fault;
use sendpath_protocol::session;
use sendpath_protocol::time::UnixSeconds;

use crate::events::EventQueue;

/// Where an account stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// The session; `None` while it is being rebuilt after a fault, and after the account closed.
    pub session: Option<session::Status>,
    /// The connection below the session.
    pub connection: ConnectionState,
    /// Why the session was last dropped; `None` once a new one is open.
    pub fault: Option<Fault>,
}

/// The connection of an account.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Dialling or shaking hands.
    Connecting,
    /// None, and none wanted.
    #[default]
    Idle,
    /// Up.
    Up,
    /// None; the next attempt is at `retry`, by this machine's clock.
    Waiting {
        /// When.
        retry: UnixSeconds,
    },
}

/// What the driver of an account shares with its handles.
#[derive(Debug)]
pub struct Shared {
    /// What the account has to tell.
    pub events: Arc<EventQueue>,
    status: Mutex<Status>,
}

impl Shared {
    /// With a queue of so many events.
    pub fn new(event_capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            events: Arc::new(EventQueue::new(event_capacity)),
            status: Mutex::default(),
        })
    }

    /// Where the account stands.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    /// The account stands there now.
    pub fn publish(&self, status: Status) {
        *self.lock() = status;
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
