//! What a committed step asks the driver to do.

use crate::event::Event;
use crate::media::fetch::Fetch;
use crate::request::{AnyReply, RequestError};
use crate::time::UnixSeconds;
use crate::verdict::Outcome;

/// One thing for the driver, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Write this stanza.
    Transmit(Stanza),
    /// Hand this to the host's event queue; may be dropped (and counted) if the host is slow.
    Event(Event),
    /// An operation ended; never dropped.
    Done(OpId, Outcome),
    /// Close the connection.
    Disconnect(Reconnect),
    /// Get a blob, open it and give it back as [`Input::Fetched`](crate::session::Input::Fetched),
    /// whether there is a connection or not.
    Fetch(Fetch),
    /// A request ended; never dropped.
    Reply(OpId, Result<AnyReply, RequestError>),
}

impl From<Event> for Effect {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<Stanza> for Effect {
    fn from(stanza: Stanza) -> Self {
        Self::Transmit(stanza)
    }
}

/// An encoded stanza as it goes into the Noise layer (flag byte first). Opaque to the driver.
#[derive(Clone, Eq, PartialEq)]
pub struct Stanza(pub Vec<u8>);

impl core::fmt::Debug for Stanza {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Stanza({} bytes)", self.0.len())
    }
}

/// The driver's number of an operation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OpId(pub u64);

/// What to do after the connection is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reconnect {
    /// Connect again after the usual back-off.
    Backoff,
    /// As `Backoff`, with five extra steps (stream error 429).
    BackoffPenalty,
    /// Not before that time (temporary ban).
    NotBefore(UnixSeconds),
    /// At once (515, routine recycling).
    Now,
    /// Not by itself: the host must act.
    Stop,
}
