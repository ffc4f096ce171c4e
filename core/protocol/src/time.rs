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

    /// For humans: `2026-08-06T00:00:00Z`.
    pub const fn utc(self) -> Utc {
        Utc(self)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Shows a time as ISO 8601 in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Utc(UnixSeconds);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.0.div_euclid(86_400), self.0.0.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        let second = second % 60;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counted from 0000-03-01, so that the leap day ends a year; 146 097 days are 400 years.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day)
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

    /// Our wall clock was moved between two samples on one connection: the server's was not. Both
    /// samples are of one process; a difference below two seconds counts as drift.
    pub fn steady(&mut self, earlier: Now, now: Now) {
        let elapsed = i64::try_from(now.mono.since(earlier.mono).0).unwrap_or(i64::MAX);
        let moved = now
            .wall
            .0
            .saturating_sub(earlier.wall.0)
            .saturating_sub(elapsed);
        if moved.unsigned_abs() >= 2_000 {
            let seconds = moved.saturating_add(500).div_euclid(1_000);
            self.skew_seconds = self.skew_seconds.saturating_sub(seconds);
        }
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
    fn times_are_shown_as_calendar_dates() {
        for (t, text) in [
            (1_785_974_400, "2026-08-06T00:00:00Z"),
            (1_786_074_400, "2026-08-07T03:46:40Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixSeconds(t).utc().to_string(), text);
        }
        let far = UnixSeconds(i64::MAX).utc().to_string();
        assert!(far.ends_with("-12-04T15:30:07Z"), "{far}");
    }

    #[test]
    fn server_time_follows_the_last_observation() {
        let now = Now::new(Mono(5), UnixMillis(1_000_000));
        let mut clock = ServerClock::default();
        clock.observe(UnixSeconds(1_060), now);
        assert_eq!(clock.unix(now), UnixSeconds(1_060));
        assert_eq!(clock.millis(now), UnixMillis(1_060_000));
    }

    #[test]
    fn a_moved_wall_clock_does_not_move_the_servers() {
        let at = |mono, wall| Now::new(Mono(mono), UnixMillis(wall));
        let begin = at(5_000, 1_000_000);
        for moved in [-7_200_000, -2_000, 2_000, 7_200_000] {
            let mut clock = ServerClock::default();
            clock.observe(UnixSeconds(1_060), begin);
            let later = at(8_000, 1_003_000 + moved);
            clock.steady(begin, later);
            assert_eq!(clock.unix(later), UnixSeconds(1_063), "{moved}");
        }
        let mut clock = ServerClock::default();
        clock.steady(begin, at(8_000, 1_004_999));
        assert_eq!(clock.skew(), 0, "drift is left alone");
    }
}
