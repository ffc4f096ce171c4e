//! A clock that stands still until a test moves it, so that nothing depends on how fast a machine is.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sendpath_engine::clock::{Clock, SystemClock};
use sendpath_protocol::time::{Millis, Mono, Now, UnixMillis};

/// Time by hand, randomness from the operating system.
pub struct ManualClock {
    now: Mutex<Now>,
    sleepers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
    random: SystemClock,
}

impl ManualClock {
    /// Stands at that second since 1970.
    pub fn at(second: i64) -> Self {
        Self {
            now: Mutex::new(Now::new(Mono(1_000_000), UnixMillis(second * 1_000))),
            sleepers: Mutex::default(),
            random: SystemClock::start().expect("randomness"),
        }
    }

    /// Lets that many seconds pass and wakes whoever waited for them.
    pub fn advance(&self, seconds: u32) {
        let mut now = locked(&self.now);
        let millis = i64::from(seconds) * 1_000;
        *now = Now::new(
            now.mono.plus(Millis::from_secs(seconds.into())),
            UnixMillis(now.wall.0 + millis),
        );
        drop(now);
        locked(&self.sleepers).iter().for_each(|wake| wake());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *locked(&self.now)
    }

    fn until(&self, at: Mono) -> Option<Duration> {
        (at <= locked(&self.now).mono).then_some(Duration::ZERO)
    }

    fn fill(&self, out: &mut [u8]) {
        self.random.fill(out);
    }

    fn subscribe(&self, wake: Box<dyn Fn() + Send + Sync>) {
        locked(&self.sleepers).push(wake);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
