//! Server time is a parameter: the certificate, every `t` and every token window follow it.

use sendpath_protocol::time::UnixSeconds;
use serde::{Deserialize, Serialize};

/// Where the server takes its time from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// Always this second since 1970, until a test sets another.
    Fixed(i64),
    /// The system clock plus that many seconds.
    Offset(i64),
    /// The system clock.
    #[default]
    System,
}

impl TimeSource {
    /// The current second.
    pub fn now(self) -> UnixSeconds {
        match self {
            Self::Fixed(second) => UnixSeconds(second),
            Self::Offset(seconds) => system_clock().plus(seconds),
            Self::System => system_clock(),
        }
    }

    /// The same source, later by `seconds`.
    #[must_use]
    pub const fn advanced(self, seconds: i64) -> Self {
        match self {
            Self::Fixed(second) => Self::Fixed(second.saturating_add(seconds)),
            Self::Offset(offset) => Self::Offset(offset.saturating_add(seconds)),
            Self::System => Self::Offset(seconds),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads a clock; tests replace it by a fixed time"
)]
fn system_clock() -> UnixSeconds {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixSeconds(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = TimeSource::Fixed(1_750_000_000);
        assert_eq!(clock.now(), UnixSeconds(1_750_000_000));
        assert_eq!(clock.advanced(-60).now(), UnixSeconds(1_749_999_940));
    }
}
