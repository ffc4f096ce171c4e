//! The decision for one message: what it carries, or why nothing.

use crate::nct::NoCstoken;
use crate::secret::SecretBytes;
use crate::tctoken::bucket::Window;
use crate::tctoken::policy::{Freshness, TokenProps};
use crate::tctoken::record::Source;
use crate::tctoken::stanza;
use crate::time::UnixSeconds;
use crate::verdict::{Attached, WhyNot};
use crate::wap::Node;

/// What a message carries to open the chat: a valid tctoken, else a cstoken, else nothing.
#[derive(Clone, Eq, PartialEq)]
pub enum Attach {
    /// The account's own proof.
    Cstoken {
        /// Raw HMAC.
        bytes: [u8; 32],
        /// Why it is not a tctoken.
        instead_of: WhyNot,
    },
    /// Nothing.
    Nothing {
        /// Why no tctoken.
        token: WhyNot,
        /// Why no cstoken.
        cstoken: NoCstoken,
    },
    /// The contact's token.
    Tctoken {
        /// Opaque.
        bytes: SecretBytes,
        /// Its time stamp.
        t: UnixSeconds,
        /// Never [`Freshness::Expired`]. When [`Freshness::Ambiguous`], asking for the props first
        /// is worth a short wait.
        freshness: Freshness,
        /// Where it came from.
        source: Source,
    },
}

/// Why a message carried what it carried: kept with it for the diagnosis of a refusal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AttachRecord {
    /// What it carried, or why no tctoken.
    pub attached: Attached,
    /// Why a cstoken went instead of a tctoken; `None` unless one did.
    pub instead_of: Option<WhyNot>,
    /// Why no cstoken; `None` unless the message carried nothing.
    pub no_cstoken: Option<NoCstoken>,
    /// Where the attached tctoken came from; `None` unless there is one.
    pub source: Option<Source>,
    /// Age of the attached tctoken in buckets, 0 for one of the current bucket; `None` unless there
    /// is one.
    pub age: Option<u32>,
    /// The window of received tokens at that time.
    pub window: Window,
    /// The server had told the window; otherwise it is the default.
    pub props_known: bool,
}

impl From<Attached> for AttachRecord {
    fn from(attached: Attached) -> Self {
        Self {
            attached,
            ..Self::default()
        }
    }
}

impl Attach {
    /// The element for the stanza.
    pub fn node(&self) -> Option<Node> {
        match self {
            Self::Cstoken { bytes, .. } => Some(stanza::cstoken(bytes)),
            Self::Nothing { .. } => None,
            Self::Tctoken { bytes, .. } => Some(stanza::tctoken(bytes)),
        }
    }

    /// What is remembered with the message and told to the host.
    pub const fn summary(&self) -> Attached {
        match self {
            Self::Cstoken { .. } => Attached::Cstoken,
            Self::Nothing { token, .. } => Attached::Nothing(*token),
            Self::Tctoken { t, .. } => Attached::Tctoken { t: *t },
        }
    }

    /// What is kept with the message: the decision at server time `now` under `props`.
    pub fn record(&self, props: &TokenProps, now: UnixSeconds) -> AttachRecord {
        let window = props.receive.unwrap_or_default();
        let record = AttachRecord {
            attached: self.summary(),
            window,
            props_known: props.receive.is_some(),
            ..AttachRecord::default()
        };
        match self {
            Self::Cstoken { instead_of, .. } => AttachRecord {
                instead_of: Some(*instead_of),
                ..record
            },
            Self::Nothing { cstoken, .. } => AttachRecord {
                no_cstoken: Some(*cstoken),
                ..record
            },
            Self::Tctoken { t, source, .. } => {
                let age = window
                    .span
                    .bucket(now)
                    .saturating_sub(window.span.bucket(*t));
                AttachRecord {
                    source: Some(*source),
                    age: Some(u32::try_from(age.max(0)).unwrap_or(u32::MAX)),
                    ..record
                }
            }
        }
    }

    /// Whether a tctoken goes along; only that lifts a timelock.
    pub const fn has_token(&self) -> bool {
        matches!(self, Self::Tctoken { .. })
    }
}

impl core::fmt::Debug for Attach {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nothing { token, cstoken } => write!(f, "Nothing({token:?}, {cstoken:?})"),
            other => other.summary().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tctoken::bucket::{BucketCount, BucketSpan};

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn token(t: i64) -> Attach {
        Attach::Tctoken {
            bytes: SecretBytes::new(vec![1]),
            t: UnixSeconds(t),
            freshness: Freshness::Fresh,
            source: Source::History,
        }
    }

    #[test]
    fn the_record_holds_each_decision_with_its_reasons() {
        let daily = Window {
            span: BucketSpan::new(86_400),
            count: BucketCount::new(3),
        };
        let known = TokenProps {
            receive: Some(daily),
            ..TokenProps::default()
        };
        let why = WhyNot::NeverReceived;
        let record = AttachRecord {
            window: daily,
            props_known: true,
            ..AttachRecord::from(Attached::Cstoken)
        };
        let cstoken = Attach::Cstoken {
            bytes: [7; 32],
            instead_of: why,
        };
        let nothing = Attach::Nothing {
            token: why,
            cstoken: NoCstoken::NoSalt,
        };
        let records =
            [cstoken, nothing, token(NOW.0 - 2 * 86_400)].map(|attach| attach.record(&known, NOW));
        let expected = [
            AttachRecord {
                instead_of: Some(why),
                ..record
            },
            AttachRecord {
                attached: Attached::Nothing(why),
                no_cstoken: Some(NoCstoken::NoSalt),
                ..record
            },
            AttachRecord {
                attached: Attached::Tctoken {
                    t: NOW.plus(-2 * 86_400),
                },
                source: Some(Source::History),
                age: Some(2),
                ..record
            },
        ];
        assert_eq!(records, expected);
    }

    #[test]
    fn without_props_the_window_is_the_default_and_said_to_be() {
        let record = token(NOW.0 + 86_400 * 30).record(&TokenProps::default(), NOW);
        assert_eq!(
            (record.window, record.props_known),
            (Window::default(), false)
        );
        assert_eq!(record.age, Some(0), "a stamp ahead of the clock");
    }
}
