//! The one question for props on its way, and when the next may leave.
//!
//! ```text
//! due: never told, notified, or the set is too old     60 s, 120 s .. 1 h after failures
//! ```
//! Nothing here is stored: a restart asks again at once if something was lost.

use crate::time::{Millis, Mono};

/// First pause after a fetch that failed; doubles each time. Shorter would press a server in trouble,
/// longer would keep a new account on assumptions.
pub const BACKOFF_FIRST: Millis = Millis::from_secs(60);

/// Longest pause after a fetch that failed.
pub const BACKOFF_MAX: Millis = Millis::from_secs(3_600);

/// State of the fetch.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    asking: bool,
    due: bool,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Mono,
    length: Millis,
}

impl Fetch {
    /// Makes a fetch due whatever the age of the set.
    pub(super) const fn demand(&mut self) {
        self.due = true;
    }

    /// A question leaves; false while one is on its way or the last one failed a short time ago.
    pub(super) fn begin(&mut self, now: Mono) -> bool {
        let free = !self.asking && self.pause.is_none_or(|pause| now >= pause.until);
        if free {
            self.asking = true;
            self.due = false;
        }
        free
    }

    /// The question ended; false when there was none. [`Fetch::succeeded`] or [`Fetch::failed`]
    /// follows.
    pub(super) const fn end(&mut self) -> bool {
        core::mem::replace(&mut self.asking, false)
    }

    pub(super) const fn succeeded(&mut self) {
        self.pause = None;
    }

    pub(super) fn failed(&mut self, now: Mono) {
        let length = match self.pause {
            Some(Pause { length, .. }) => Millis(length.0.saturating_mul(2)).min(BACKOFF_MAX),
            None => BACKOFF_FIRST,
        };
        self.due = true;
        self.pause = Some(Pause {
            until: now.plus(length),
            length,
        });
    }

    /// The question went away with the connection: due on the next one, without a pause.
    pub(super) const fn disconnected(&mut self) {
        self.due |= self.end();
    }

    pub(super) const fn asking(&self) -> bool {
        self.asking
    }

    /// When to begin, if the set is too old after `age_left`; `None` while a question is on its way.
    pub(super) fn deadline(&self, now: Mono, age_left: Millis) -> Option<Mono> {
        let wait = if self.due { Millis(0) } else { age_left };
        let due = now.plus(wait);
        let due = self.pause.map_or(due, |pause| due.max(pause.until));
        (!self.asking).then_some(due)
    }
}
