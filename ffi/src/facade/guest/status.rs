//! Where a guest stands, as flat facts.

use sendpath_protocol::tctoken::Counters;

use super::Guest;
use crate::facade::counters;
use crate::facade::error::Error;
use crate::facade::json::Object;

/// Where a guest stands. Counts begin when it is opened, and anew after a failure of its store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GuestStatus {
    /// The host's connection is up, as far as it told.
    pub online: bool,
    /// Facts that made no sense and changed nothing.
    pub ignored: u64,
    /// What the token machine left aside.
    pub tokens: Counters,
}

impl GuestStatus {
    /// The facts as one JSON object.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.flag("online", self.online);
        object.raw("ignored", &self.ignored.to_string());
        object.raw("tokens", &counters::to_json(&self.tokens));
        object.finish()
    }
}

impl Guest {
    /// Where the guest stands.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`, what the store says.
    pub fn status(&self) -> Result<GuestStatus, Error> {
        self.with(|machine, events| {
            let guest = machine.live(events)?;
            Ok(GuestStatus {
                online: guest.is_online(),
                ignored: guest.ignored(),
                tokens: *guest.counters(),
            })
        })
    }
}
