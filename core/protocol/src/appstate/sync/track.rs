//! How far one collection is.

use crate::secret::{Entropy, EntropyExt};
use crate::time::{Millis, Mono};

/// Failures in a row until a collection waits for the next login or notification.
const MOST_FAILURES: u32 = 8;

/// The first pause; each further one is twice as long (spec "Rate limiting": from 5 s, up to 5 min).
const PAUSE_SECONDS: u64 = 5;
const LONGEST_PAUSE_SECONDS: u64 = 300;

#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) stage: Stage,
    /// It changed while it was asked for: its new version, the highest number if nobody said.
    pub(super) again: Option<u64>,
    /// Answers in a row.
    pub(super) rounds: u32,
    failures: u32,
}

#[derive(Debug, Default, Eq, PartialEq)]
pub(super) enum Stage {
    /// Asked for when it is due.
    #[default]
    Idle,
    Asked,
    Fetching(File),
    /// Waits for the next login or notification.
    Halted,
    /// Waits for keys, too.
    Keyless,
    Pausing(Mono),
    /// Asked for or fetched for something that is forgotten; its end is waited for.
    Stale,
}

/// What a file is for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum File {
    /// Mutations of this `SyncdPatch`.
    Patch(Vec<u8>),
    Snapshot,
}

impl Track {
    pub(super) const fn at(stage: Stage) -> Self {
        Self {
            stage,
            again: None,
            rounds: 0,
            failures: 0,
        }
    }

    /// It did not work this time: later, or not before something changes.
    pub(super) fn failed(&mut self, now: Mono, rng: &mut dyn Entropy) {
        self.failures += 1;
        self.stage = if self.failures >= MOST_FAILURES {
            Stage::Halted
        } else {
            let seconds = PAUSE_SECONDS << (self.failures - 1);
            let pause = Millis::from_secs(seconds.min(LONGEST_PAUSE_SECONDS));
            let jitter = Millis(u64::from(rng.below(1_000)));
            Stage::Pausing(now.plus(pause).plus(jitter))
        };
    }

    /// It is waited for.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Asked | Stage::Fetching(_) | Stage::Stale)
    }

    /// Until when it pauses.
    pub(super) const fn pause(&self) -> Option<Mono> {
        match self.stage {
            Stage::Pausing(until) => Some(until),
            _ => None,
        }
    }
}
