//! Units of time. The unit is in the type; nothing here reads a clock.
//!
//! A driver samples its clocks once per input and passes [`Now`]; every decision taken for that
//! input sees the same instant.

use core::fmt;

/// Seconds since 1970-01-01T00:00:00Z, as the wire writes times.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// The instant `seconds` later (earlier when negative), saturating at the ends.
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The whole second this instant lies in.
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1000))
    }
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u64);

impl Millis {
    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

/// Milliseconds on the driver's monotonic clock; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mono(pub u64);

impl Mono {
    /// The instant `after` later, saturating.
    pub const fn plus(self, after: Millis) -> Self {
        Self(self.0.saturating_add(after.0))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// The one instant of a step: both clocks sampled together by the driver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Monotonic clock, for timeouts and timers.
    pub mono: Mono,
    /// Wall clock of this machine, not corrected by the server.
    pub wall: UnixMillis,
}

impl Now {
    /// A pair of samples.
    pub const fn new(mono: Mono, wall: UnixMillis) -> Self {
        Self { mono, wall }
    }

    /// The local wall clock in seconds.
    pub const fn unix(self) -> UnixSeconds {
        self.wall.seconds()
    }
}

/// What we learnt about the server's clock: add the skew to local wall time to get server time.
///
/// Token arithmetic and stamps use server time (spec: "server-corrected clock").
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServerClock {
    skew_seconds: i64,
}

impl ServerClock {
    /// A clock with a known skew, in seconds, as persisted.
    pub const fn with_skew(skew_seconds: i64) -> Self {
        Self { skew_seconds }
    }

    /// Seconds to add to local time.
    pub const fn skew(self) -> i64 {
        self.skew_seconds
    }

    /// Learns from a `t` the server stamped just now.
    pub const fn observe(&mut self, server: UnixSeconds, now: Now) {
        self.skew_seconds = server.since(now.unix());
    }

    /// Server time at `now`.
    pub const fn unix(self, now: Now) -> UnixSeconds {
        now.unix().plus(self.skew_seconds)
    }

    /// Server time at `now` in milliseconds.
    pub const fn millis(self, now: Now) -> UnixMillis {
        UnixMillis(
            now.wall
                .0
                .saturating_add(self.skew_seconds.saturating_mul(1000)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_before_1970_lies_in_the_second_below() {
        assert_eq!(UnixMillis(-1).seconds(), UnixSeconds(-1));
    }

    #[test]
    fn server_time_follows_the_last_observation() {
        let now = Now::new(Mono(5), UnixMillis(1_000_000));
        let mut clock = ServerClock::default();
        clock.observe(UnixSeconds(1_060), now);
        assert_eq!(clock.unix(now), UnixSeconds(1_060));
        assert_eq!(clock.millis(now), UnixMillis(1_060_000));
    }
}
