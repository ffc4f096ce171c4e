//! One row of an (own account, contact) pair, and the rules that change it. Pure.
//!
//! ```text
//! theirs  the token the contact gave us: bytes, its time t     lets us write to the contact
//! ours    when we last issued our token to the contact         lets the contact write to us
//! ```
//!
//! The two halves have different writers and are never touched together: a row may hold either, or
//! both. A row with `ours` only is a normal value ("placeholder"); without it every message would
//! cause an issue after a restart (spec: storage, merge rules).

use prost::Message;

use crate::secret::SecretBytes;
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record, row_of};

/// What is known about one contact.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenRecord {
    /// The contact's token; `None` when it never gave us one.
    pub theirs: Option<Theirs>,
    /// Our last issue; `None` when we never issued.
    pub ours: Option<Issued>,
}

/// A token that a contact gave us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Theirs {
    /// Opaque bytes, never empty.
    pub bytes: SecretBytes,
    /// The token's own time stamp, above zero.
    pub t: UnixSeconds,
    /// Where it came from.
    pub source: Source,
    /// Server time at which we stored these bytes.
    pub seen: UnixSeconds,
    /// A message that carried it was refused. It is kept and still attached: the contact may have
    /// re-registered, or it may not (spec: diagnosis rows 4 and 9).
    pub suspect: bool,
}

/// Our issue to a contact.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Issued {
    /// The `t` that the issue carried.
    pub t: UnixSeconds,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// History sync of the phone.
    History,
    /// Handed in by the host.
    Host,
    /// Another client's database.
    Import,
    /// A `privacy_token` notification.
    Notification,
    /// Written by a newer version.
    Unknown,
}

/// What a received token changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The same bytes with a later time stamp.
    Advanced,
    /// Nothing.
    None,
    /// Older than the stored one; dropped.
    Older,
    /// New bytes.
    Stored,
}

impl TokenRecord {
    /// Applies a token of the contact; our own half is not touched.
    ///
    /// Equal stamps replace, so that the last word of the server counts.
    pub fn receive(&mut self, token: Theirs) -> Change {
        match &mut self.theirs {
            Some(old) if old.bytes == token.bytes => {
                if token.t <= old.t {
                    return Change::None;
                }
                old.t = token.t;
                old.suspect = false;
                Change::Advanced
            }
            Some(old) if token.t < old.t => Change::Older,
            theirs => {
                *theirs = Some(token);
                Change::Stored
            }
        }
    }

    /// Records an issue of ours; the time only moves forward. False when nothing changed.
    pub fn touch_sender(&mut self, t: UnixSeconds) -> bool {
        let issued = Some(Issued { t });
        let later = issued > self.ours;
        if later {
            self.ours = issued;
        }
        later
    }

    /// The row of one contact whose two rows, by LID and by PN, are found to be the same: the later
    /// token (on a tie the LID row's) and the later issue, each half on its own.
    #[must_use]
    pub fn merged(lid: Self, pn: Self) -> Self {
        let theirs = match (lid.theirs, pn.theirs) {
            (Some(lid), Some(pn)) if pn.t > lid.t => Some(pn),
            (lid, pn) => lid.or(pn),
        };
        Self {
            theirs,
            ours: lid.ours.max(pn.ours),
        }
    }

    /// Holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.theirs.is_none() && self.ours.is_none()
    }
}

impl Source {
    /// The number in rows.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Unknown => 0,
            Self::Notification => 1,
            Self::History => 2,
            Self::Import => 3,
            Self::Host => 4,
        }
    }

    pub(crate) const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Notification,
            2 => Self::History,
            3 => Self::Import,
            4 => Self::Host,
            _ => Self::Unknown,
        }
    }
}

impl Record for TokenRecord {
    const NAMESPACE: Namespace = Namespace::Token;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        Row::of(self).encode_to_vec()
    }

    fn to_row(&self) -> Vec<u8> {
        row_of::<Self>(&Row::of(self))
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = Row::decode(body).ok()?;
        let theirs = row.theirs.map(|theirs| {
            let whole = !theirs.bytes.is_empty() && theirs.t > 0;
            whole.then(|| Theirs {
                bytes: SecretBytes::new(theirs.bytes),
                t: UnixSeconds(theirs.t),
                source: Source::from_number(theirs.source),
                seen: UnixSeconds(theirs.seen),
                suspect: theirs.suspect,
            })
        });
        Some(Self {
            theirs: match theirs {
                Some(damaged_or_whole) => Some(damaged_or_whole?),
                None => None,
            },
            ours: row.ours.map(|ours| Issued {
                t: UnixSeconds(ours.t),
            }),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Row {
    #[prost(message, optional, tag = "1")]
    theirs: Option<TheirsRow>,
    #[prost(message, optional, tag = "2")]
    ours: Option<OursRow>,
}

impl Row {
    fn of(record: &TokenRecord) -> Self {
        Self {
            theirs: record.theirs.as_ref().map(|theirs| TheirsRow {
                bytes: theirs.bytes.expose().to_vec(),
                t: theirs.t.0,
                source: theirs.source.number(),
                seen: theirs.seen.0,
                suspect: theirs.suspect,
            }),
            ours: record.ours.map(|ours| OursRow { t: ours.t.0 }),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct TheirsRow {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
    #[prost(int64, tag = "2")]
    t: i64,
    #[prost(uint32, tag = "3")]
    source: u32,
    #[prost(int64, tag = "4")]
    seen: i64,
    #[prost(bool, tag = "5")]
    suspect: bool,
}

#[derive(Clone, PartialEq, Message)]
struct OursRow {
    #[prost(int64, tag = "1")]
    t: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(bytes: &[u8], t: i64) -> Theirs {
        Theirs {
            bytes: SecretBytes::new(bytes.to_vec()),
            t: UnixSeconds(t),
            source: Source::Notification,
            seen: UnixSeconds(t + 1),
            suspect: false,
        }
    }

    fn full() -> TokenRecord {
        TokenRecord {
            theirs: Some(token(&[0xAA, 0xBB], 1_786_000_000)),
            ours: Some(Issued {
                t: UnixSeconds(1_786_074_400),
            }),
        }
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        assert_eq!(
            hex::encode(full().to_row()),
            "010a120a02aabb1080e5d0d30618012081e5d0d306120608a0aad5d306"
        );
        assert_eq!(hex::encode(TokenRecord::default().to_row()), "01");
        assert_eq!(full().encode(), full().to_row().split_off(1));
    }

    #[test]
    fn a_row_is_empty_without_either_half() {
        let (token, issue) = (full().theirs, full().ours);
        for (theirs, ours, empty) in [
            (None, None, true),
            (token.clone(), None, false),
            (None, issue, false),
            (token, issue, false),
        ] {
            assert_eq!(TokenRecord { theirs, ours }.is_empty(), empty);
        }
    }

    #[test]
    fn sources_keep_their_numbers() {
        for (number, source) in [
            (0, Source::Unknown),
            (1, Source::Notification),
            (2, Source::History),
            (3, Source::Import),
            (4, Source::Host),
        ] {
            assert_eq!(source.number(), number);
            assert_eq!(Source::from_number(number), source);
        }
        assert_eq!(Source::from_number(5), Source::Unknown);
    }

    #[test]
    fn a_row_without_token_bytes_or_time_is_damaged() {
        for (bytes, t) in [(vec![], 5), (vec![1], 0), (vec![1], -1)] {
            let row = Row {
                theirs: Some(TheirsRow {
                    bytes,
                    t,
                    ..TheirsRow::default()
                }),
                ours: None,
            };
            assert_eq!(TokenRecord::decode(1, &row.encode_to_vec()), None);
        }
    }

    #[test]
    fn a_newer_or_equal_token_replaces_and_an_older_one_is_dropped() {
        let mut row = full();
        assert_eq!(row.receive(token(b"Y", 1_785_990_000)), Change::Older);
        assert_eq!(row, full());
        assert_eq!(row.receive(token(b"Y", 1_786_000_000)), Change::Stored);
        assert_eq!(row.receive(token(b"Y", 1_786_000_000)), Change::None);
        assert_eq!(row.receive(token(b"Y", 1_786_050_000)), Change::Advanced);
        assert_eq!(row.theirs.unwrap().t, UnixSeconds(1_786_050_000));
        assert_eq!(row.ours, full().ours);
    }

    #[test]
    fn a_fresh_stamp_clears_the_suspicion_and_a_replay_does_not() {
        let mut row = full();
        row.theirs.as_mut().unwrap().suspect = true;
        row.receive(token(&[0xAA, 0xBB], 1_786_000_000));
        assert!(row.theirs.as_ref().unwrap().suspect);
        row.receive(token(&[0xAA, 0xBB], 1_786_000_001));
        assert!(!row.theirs.unwrap().suspect);
    }

    #[test]
    fn rows_of_one_contact_merge_half_by_half() {
        let lid = TokenRecord {
            theirs: Some(token(b"L", 10)),
            ours: Some(Issued { t: UnixSeconds(90) }),
        };
        let pn = TokenRecord {
            theirs: Some(token(b"P", 20)),
            ours: Some(Issued { t: UnixSeconds(80) }),
        };
        let merged = TokenRecord::merged(lid.clone(), pn.clone());
        assert_eq!((merged.theirs, merged.ours), (pn.theirs, lid.ours));
    }

    #[test]
    fn on_a_tie_the_row_by_lid_wins() {
        let row = |bytes: &[u8]| TokenRecord {
            theirs: Some(token(bytes, 10)),
            ours: None,
        };
        assert_eq!(TokenRecord::merged(row(b"L"), row(b"P")), row(b"L"));
    }

    prop_compose! {
        fn any_row()(
            token_of in proptest::option::of((0u8..3, 1i64..6, any::<bool>())),
            issued in proptest::option::of(0i64..6),
        ) -> TokenRecord {
            TokenRecord {
                theirs: token_of.map(|(byte, t, suspect)| Theirs { suspect, ..token(&[byte], t) }),
                ours: issued.map(|t| Issued { t: UnixSeconds(t) }),
            }
        }
    }

    proptest! {
        #[test]
        fn rows_round_trip(row in any_row()) {
            prop_assert_eq!(TokenRecord::from_row(&row.to_row()).unwrap(), row);
        }

        #[test]
        fn each_writer_owns_its_half(row in any_row(), t in 1i64..9) {
            let mut touched = row.clone();
            touched.touch_sender(UnixSeconds(t));
            prop_assert_eq!(&touched.theirs, &row.theirs);
            let mut given = row.clone();
            given.receive(token(b"N", t));
            prop_assert_eq!(given.ours, row.ours);
        }
    }
}
