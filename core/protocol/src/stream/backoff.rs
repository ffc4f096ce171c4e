//! When to connect again.
//!
//! ```text
//! 1, 1, 2, 3, 5, 8 .. 900 s, each within 10 %; from the start again after 30 s of connection
//! ```
//! Source: spec "Back-off", as the web client does it.

use crate::secret::{Entropy, EntropyExt};
use crate::time::{Millis, Mono};

/// Longer waits keep hosts offline after the server is back; shorter ones press a server in
/// trouble.
const LONGEST: u64 = 900;
/// A connection that held this long was a good one.
const STABLE: Millis = Millis::from_secs(30);
/// Steps that a rate limit costs.
const PENALTY: u32 = 5;
/// Restarts at once in a row, without a stable connection in between, before waiting begins.
/// Pairing needs one.
const RESTARTS: u32 = 3;

/// The waits of one account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    step: u32,
    restarts: u32,
    up: Option<Mono>,
}

impl Backoff {
    /// A connection is up.
    pub fn established(&mut self, now: Mono) {
        self.up = Some(now);
    }

    /// The wait after a connection that ended or never came up.
    pub fn wait(&mut self, now: Mono, rng: &mut dyn Entropy) -> Millis {
        self.settle(now);
        let seconds = fibonacci(self.step);
        self.step = self.step.saturating_add(1);
        jittered(seconds * 1000, rng)
    }

    /// As [`Backoff::wait`] when the server said that we are too fast.
    pub fn penalty(&mut self, now: Mono, rng: &mut dyn Entropy) -> Millis {
        self.settle(now);
        self.step = self.step.saturating_add(PENALTY);
        self.wait(now, rng)
    }

    /// The wait after a restart that the server asked for: none, unless it does nothing else.
    pub fn restart(&mut self, now: Mono, rng: &mut dyn Entropy) -> Millis {
        self.settle(now);
        self.restarts = self.restarts.saturating_add(1);
        if self.restarts <= RESTARTS {
            return Millis(0);
        }
        self.wait(now, rng)
    }

    fn settle(&mut self, now: Mono) {
        if let Some(up) = self.up.take()
            && now.since(up) >= STABLE
        {
            *self = Self::default();
        }
    }
}

fn fibonacci(step: u32) -> u64 {
    let (mut this, mut next) = (1, 1);
    for _ in 0..step {
        if this >= LONGEST {
            break;
        }
        (this, next) = (next, this + next);
    }
    this.min(LONGEST)
}

fn jittered(millis: u64, rng: &mut dyn Entropy) -> Millis {
    let tenth = u32::try_from(millis / 10).unwrap_or(0);
    let shift = u64::from(rng.below(2 * tenth + 1));
    Millis(millis - u64::from(tenth) + shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest, the middle or the highest of every range.
    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    const START: Mono = Mono(0);

    #[test]
    fn waits_grow_as_fibonacci_up_to_a_quarter_of_an_hour() {
        let mut backoff = Backoff::default();
        let mut wait = || backoff.wait(START, &mut Constant(0)).0 * 10 / 9 / 1000;
        let waits: Vec<_> = (0..18).map(|_| wait()).collect();
        let expected = [
            1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 900, 900, 900,
        ];
        assert_eq!(waits, expected);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for (byte, expected) in [(0, 900), (0xFF, 1100)] {
            let wait = Backoff::default().wait(START, &mut Constant(byte));
            assert_eq!(wait, Millis(expected));
        }
    }

    #[test]
    fn thirty_seconds_of_connection_start_anew_and_less_does_not() {
        for (held, expected) in [(29_999, 1800), (30_000, 900)] {
            let mut backoff = Backoff::default();
            backoff.wait(START, &mut Constant(0));
            backoff.wait(START, &mut Constant(0));
            backoff.established(Mono(5));
            let wait = backoff.wait(Mono(5 + held), &mut Constant(0));
            assert_eq!(wait, Millis(expected), "held {held} ms");
        }
    }

    #[test]
    fn a_rate_limit_skips_five_steps() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.penalty(START, &mut Constant(0)), Millis(7200));
        assert_eq!(backoff.wait(START, &mut Constant(0)), Millis(11_700));
    }

    #[test]
    fn restarts_are_at_once_until_they_repeat() {
        let mut backoff = Backoff::default();
        let mut restart = |now| backoff.restart(now, &mut Constant(0)).0;
        let waits: Vec<_> = (0..5).map(|_| restart(START)).collect();
        assert_eq!(waits, [0, 0, 0, 900, 900]);
    }
}
