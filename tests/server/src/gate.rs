//! Who may write to whom: a pure rule over facts.
//!
//! Source: tokens spec 5.3 and 6. A valid token of the contact opens every door; a cstoken opens a
//! recipient's own gate only and never lifts a timelock.

use sendpath_protocol::time::UnixSeconds;
use serde::{Deserialize, Serialize};

/// What a recipient demands of accounts that write to it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Anybody may write.
    #[default]
    Open,
    /// Refuses everybody with that ack code.
    Refuse(u16),
    /// A valid tctoken, or else 463.
    Token,
    /// A valid tctoken or a right cstoken, or else 463.
    TokenOrCstoken,
}

/// What the stanza carried, after looking it up at the recipient.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// A cstoken that is the HMAC it must be.
    Cstoken,
    /// A token of this recipient for this account, older than the window.
    Expired,
    /// Nothing.
    Nothing,
    /// A tctoken of this recipient for this account, inside the window.
    Token,
    /// Bytes this recipient never gave to this account.
    Unknown,
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) own_account: bool,
    pub(crate) gate: Gate,
    pub(crate) shown: Shown,
    pub(crate) timelocked: bool,
    pub(crate) capped: bool,
}

/// The ack's error code; `None` lets the message through.
pub(crate) fn refusal(facts: Facts) -> Option<u16> {
    match (facts.gate, facts.shown) {
        _ if facts.own_account => None,
        (Gate::Refuse(code), _) => Some(code),
        (_, Shown::Token) => None,
        _ if facts.timelocked => Some(463),
        _ if facts.capped => Some(475),
        (Gate::Open, _) | (Gate::TokenOrCstoken, Shown::Cstoken) => None,
        (Gate::Token | Gate::TokenOrCstoken, _) => Some(463),
    }
}

/// The receiver-side token window: `tctoken_duration` and `tctoken_num_buckets`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    pub(crate) duration: i64,
    pub(crate) buckets: i64,
}

impl Window {
    /// Whether a token stamped `t` still counts at `now`.
    pub(crate) const fn holds(self, t: UnixSeconds, now: UnixSeconds) -> bool {
        let first = now.0.div_euclid(self.duration) - (self.buckets - 1);
        t.0 >= first * self.duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD: Facts = Facts {
        own_account: false,
        gate: Gate::Open,
        shown: Shown::Nothing,
        timelocked: false,
        capped: false,
    };

    #[test]
    fn a_token_gate_wants_a_valid_token() {
        for (shown, expected) in [
            (Shown::Token, None),
            (Shown::Expired, Some(463)),
            (Shown::Unknown, Some(463)),
            (Shown::Cstoken, Some(463)),
            (Shown::Nothing, Some(463)),
        ] {
            let facts = Facts {
                gate: Gate::Token,
                shown,
                ..COLD
            };
            assert_eq!(refusal(facts), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_timelock_stops_cold_chats_even_with_a_cstoken() {
        for (shown, expected) in [
            (Shown::Token, None),
            (Shown::Cstoken, Some(463)),
            (Shown::Nothing, Some(463)),
        ] {
            let facts = Facts {
                gate: Gate::TokenOrCstoken,
                shown,
                timelocked: true,
                ..COLD
            };
            assert_eq!(refusal(facts), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_cap_stops_new_chats_only() {
        let capped = Facts {
            capped: true,
            ..COLD
        };
        assert_eq!(refusal(capped), Some(475));
        assert_eq!(
            refusal(Facts {
                shown: Shown::Token,
                ..capped
            }),
            None
        );
    }

    #[test]
    fn own_devices_are_never_refused() {
        let own = Facts {
            own_account: true,
            gate: Gate::Refuse(403),
            timelocked: true,
            ..COLD
        };
        assert_eq!(refusal(own), None);
        assert_eq!(
            refusal(Facts {
                own_account: false,
                ..own
            }),
            Some(403)
        );
    }

    #[test]
    fn the_window_begins_at_a_bucket_edge() {
        // Source: tokens spec 3.1, now = 2026-08-07 03:46:40Z.
        let now = UnixSeconds(1_786_074_400);
        for (buckets, cutoff) in [(4, 1_784_160_000), (26, 1_770_854_400), (1, 1_785_974_400)] {
            let window = Window {
                duration: 604_800,
                buckets,
            };
            assert!(window.holds(UnixSeconds(cutoff), now));
            assert!(!window.holds(UnixSeconds(cutoff - 1), now));
        }
    }
}
