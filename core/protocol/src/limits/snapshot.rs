//! What the account may do now, for hosts: each limit with when and from whom we know it.
//!
//! "Nobody told us" is a state of its own. Hosts that showed it as nothing had it read as "no lock"
//! (spec: users, design consequences).

use crate::limits::Origin;
use crate::limits::breaker::Breaker;
use crate::limits::capping::{Capping, CappingProps};
use crate::limits::timelock::Timelock;
use crate::time::UnixSeconds;

/// The limits of an account at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Whether the account may start chats.
    pub timelock: TimelockState,
    /// How many chats it may start.
    pub capping: CappingState,
    /// Whether we hold back first messages ourselves.
    pub breaker: BreakerState,
}

/// The reachout timelock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TimelockState {
    /// In force.
    Active {
        /// The server's word for the kind, such as `RESTRICT_ALL_COMPANIONS`.
        kind: Option<String>,
        /// The end; the first second that is free again.
        until: UnixSeconds,
        /// The server gave no end; `until` is when to ask again.
        provisional: bool,
        /// When we first heard of it.
        since: UnixSeconds,
        /// Server time of the last word.
        checked_at: UnixSeconds,
        /// Who said it; `None` when an older version stored it.
        source: Option<Origin>,
    },
    /// The server said that there is none.
    Inactive {
        /// Server time of the last word.
        checked_at: UnixSeconds,
        /// Who said it; `None` when an older version stored it.
        source: Option<Origin>,
    },
    /// The end has passed and the server has not confirmed it; sending is allowed.
    Over {
        /// The server's word for the kind.
        kind: Option<String>,
        /// The end.
        until: UnixSeconds,
        /// Server time of the last word.
        checked_at: UnixSeconds,
        /// Who said it; `None` when an older version stored it.
        source: Option<Origin>,
    },
    /// The server never said anything.
    Unknown,
}

/// The quota of new chats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CappingState {
    /// The last words of the server.
    Known(Quota),
    /// The server never said anything.
    Unknown,
}

/// A quota of new chats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quota {
    /// The server's word, such as `FIRST_WARNING`; `NONE` when a cap is over or switched off.
    pub status: String,
    /// New chats are refused until then.
    pub capped_until: Option<UnixSeconds>,
    /// New chats in a cycle; -1 for no limit, `None` if the server did not say.
    pub total: Option<i64>,
    /// New chats used up; `None` if the server did not say.
    pub used: Option<i64>,
    /// Begin of the cycle, if the server said it.
    pub cycle_start: Option<UnixSeconds>,
    /// End of the cycle, if the server said it.
    pub cycle_end: Option<UnixSeconds>,
    /// The server's word about one-time extension.
    pub ote: Option<String>,
    /// The server's word about Meta Verified.
    pub mv: Option<String>,
    /// Server time of the last word.
    pub checked_at: UnixSeconds,
    /// Who said it; `None` when an older version stored it.
    pub source: Option<Origin>,
}

/// Our own caution.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BreakerState {
    /// First messages are sent.
    Closed,
    /// First messages are refused here.
    Open {
        /// The first second that is free again.
        until: UnixSeconds,
        /// How often it opened without a success between.
        times: u32,
    },
}

impl Limits {
    /// The limits at server time `now`.
    pub fn of(
        timelock: &Timelock,
        (capping, props): (&Capping, &CappingProps),
        breaker: &Breaker,
        now: UnixSeconds,
    ) -> Self {
        Self {
            timelock: timelock.state(now),
            capping: capping.state(props, now),
            breaker: breaker.state(now),
        }
    }
}
