//! The only place that reads clocks and the operating system's randomness.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sendpath_protocol::secret::Entropy;
use sendpath_protocol::time::{Mono, Now, UnixMillis};

/// Time and randomness of an engine. Tests drive one of their own.
pub trait Clock: Send + Sync {
    /// Both clocks, sampled together.
    fn now(&self) -> Now;

    /// How long to sleep until `at`; zero when it has passed, `None` to sleep until woken.
    fn until(&self, at: Mono) -> Option<Duration>;

    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);

    /// Told once by the engine how to wake it after the time was moved by hand. A clock that runs
    /// by itself has no use for it.
    fn subscribe(&self, wake: Box<dyn Fn() + Send + Sync>) {
        drop(wake);
    }
}

/// The clocks and the generator of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock. `None` when the operating system has no randomness to give.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads clocks and randomness"
    )]
    pub fn start() -> Option<Self> {
        getrandom::fill(&mut [0; 32]).ok()?;
        Some(Self {
            start: Instant::now(),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads clocks and randomness"
)]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Now::new(Mono(millis(self.start.elapsed())), UnixMillis(wall))
    }

    fn until(&self, at: Mono) -> Option<Duration> {
        // One more, because `now` rounds down: waking early would spin until the millisecond is over.
        Some(Duration::from_millis(at.0 + 1).saturating_sub(self.start.elapsed()))
    }

    fn fill(&self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            // It worked in `start`. Keys from anything else would be worse than no process.
            std::process::abort();
        }
    }
}

/// Whole milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A clock's randomness in the form that machines take.
pub struct Random<'a>(pub &'a dyn Clock);

impl Entropy for Random<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_until_an_instant_ends_behind_it() {
        let clock = SystemClock::start().unwrap();
        let now = clock.now().mono;
        let second = clock.until(Mono(now.0 + 1000)).unwrap();
        assert!(second > Duration::from_millis(900) && second <= Duration::from_millis(1001));
        assert_eq!(clock.until(Mono(0)).unwrap().as_millis() / 2, 0);
    }

    #[test]
    fn randomness_differs() {
        let clock = SystemClock::start().unwrap();
        let mut draws = [[0; 32]; 2];
        draws.iter_mut().for_each(|draw| clock.fill(draw));
        assert_ne!(draws[0], draws[1]);
    }
}
