//! The bytes of a timeline in the store.

use prost::Message;

use crate::tctoken::record::Source;
use crate::tctoken::timeline::{Entry, Timeline, What};
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record};
use crate::verdict::{Attached, Cause, WhyNot};

impl Record for Timeline {
    const NAMESPACE: Namespace = Namespace::Timeline;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let row = Row {
            entries: self.entries.iter().map(Entry::row).collect(),
            cut: self.cut,
        };
        row.encode_to_vec()
    }

    /// Entries of a kind that is not known are left out.
    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = Row::decode(body).ok()?;
        let entries: Vec<_> = row.entries.iter().filter_map(EntryRow::entry).collect();
        let mut timeline = Self {
            cut: row.cut || entries.len() < row.entries.len(),
            entries,
        };
        timeline.bound();
        Some(timeline)
    }
}

#[derive(Clone, PartialEq, Message)]
struct Row {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<EntryRow>,
    #[prost(bool, tag = "2")]
    cut: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct EntryRow {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(int64, tag = "2")]
    at: i64,
    /// Repetitions.
    #[prost(uint32, tag = "3")]
    again: u32,
    /// Seconds from the first to the last time.
    #[prost(sint64, tag = "4")]
    span: i64,
    /// Seconds from the stamp of the token or issue to `at`: shorter than the stamp.
    #[prost(sint64, optional, tag = "5")]
    age: Option<i64>,
    /// A number of the source, the reason or the cause.
    #[prost(uint32, tag = "6")]
    detail: u32,
    #[prost(uint32, optional, tag = "7")]
    code: Option<u32>,
}

/// Numbers of kinds in the store; they never change.
mod kind {
    pub(super) const ACCEPTED: u32 = 1;
    pub(super) const ATTACHED_TOKEN: u32 = 2;
    pub(super) const ATTACHED_CSTOKEN: u32 = 3;
    pub(super) const ATTACHED_NOTHING: u32 = 4;
    pub(super) const IDENTITY_CHANGED: u32 = 5;
    pub(super) const ISSUED_HERE: u32 = 6;
    pub(super) const ISSUED_ELSEWHERE: u32 = 7;
    pub(super) const ISSUE_FAILED: u32 = 8;
    pub(super) const LID_CHANGED: u32 = 9;
    pub(super) const MERGED: u32 = 10;
    pub(super) const PRUNED: u32 = 11;
    pub(super) const RECEIVED_FRESH: u32 = 12;
    pub(super) const RECEIVED_ADVANCED: u32 = 13;
    pub(super) const REFUSED: u32 = 14;
    pub(super) const RELINKED: u32 = 15;
    pub(super) const FORGOTTEN: u32 = 16;
    pub(super) const ATTACHED_UNDECIDED: u32 = 17;
    pub(super) const WROTE: u32 = 18;
}

/// Numbers of [`WhyNot`] in the store; they never change.
mod why {
    pub(super) const NEVER_RECEIVED: u32 = 1;
    pub(super) const EXPIRED: u32 = 2;
    pub(super) const NOT_ELIGIBLE: u32 = 3;
    pub(super) const STORE_ERROR: u32 = 4;
    pub(super) const GATE_OFF: u32 = 5;
}

impl Entry {
    /// Its bytes in the row; they give entries of equal time an order.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.row().encode_to_vec()
    }

    fn row(&self) -> EntryRow {
        let mut row = EntryRow {
            at: self.at.0,
            again: self.count.saturating_sub(1),
            span: self.last.0.wrapping_sub(self.at.0),
            ..EntryRow::default()
        };
        let age = |t: UnixSeconds| Some(self.at.0.wrapping_sub(t.0));
        (row.kind, row.age) = match self.what {
            What::Accepted => (kind::ACCEPTED, None),
            What::Attached(Attached::Tctoken { t }) => (kind::ATTACHED_TOKEN, age(t)),
            What::Attached(Attached::Cstoken) => (kind::ATTACHED_CSTOKEN, None),
            What::Attached(Attached::Undecided) => (kind::ATTACHED_UNDECIDED, None),
            What::Attached(Attached::Nothing(reason)) => {
                let (number, t) = match reason {
                    WhyNot::Expired { t } => (why::EXPIRED, Some(t)),
                    WhyNot::NeverReceived => (why::NEVER_RECEIVED, None),
                    WhyNot::NotEligible => (why::NOT_ELIGIBLE, None),
                    WhyNot::StoreError => (why::STORE_ERROR, None),
                    WhyNot::GateOff => (why::GATE_OFF, None),
                };
                row.detail = number;
                (kind::ATTACHED_NOTHING, t.and_then(age))
            }
            What::Forgotten => (kind::FORGOTTEN, None),
            What::IdentityChanged => (kind::IDENTITY_CHANGED, None),
            What::Issued { t, here: true } => (kind::ISSUED_HERE, age(t)),
            What::Issued { t, here: false } => (kind::ISSUED_ELSEWHERE, age(t)),
            What::IssueFailed { code } => {
                row.code = code.map(u32::from);
                (kind::ISSUE_FAILED, None)
            }
            What::LidChanged => (kind::LID_CHANGED, None),
            What::Merged => (kind::MERGED, None),
            What::Pruned { t } => (kind::PRUNED, age(t)),
            What::Received { source, t, fresh } => {
                row.detail = source.number();
                let advanced = kind::RECEIVED_ADVANCED;
                (
                    if fresh {
                        kind::RECEIVED_FRESH
                    } else {
                        advanced
                    },
                    age(t),
                )
            }
            What::Refused { code, cause } => {
                row.detail = u32::from(cause.code());
                row.code = code.map(u32::from);
                (kind::REFUSED, None)
            }
            What::Relinked => (kind::RELINKED, None),
            What::Wrote => (kind::WROTE, None),
        };
        row
    }
}

impl EntryRow {
    fn entry(&self) -> Option<Entry> {
        Some(Entry {
            what: self.what()?,
            at: UnixSeconds(self.at),
            last: UnixSeconds(self.at.wrapping_add(self.span)),
            count: self.again.saturating_add(1),
        })
    }

    fn what(&self) -> Option<What> {
        let t = self.age.map(|age| UnixSeconds(self.at.wrapping_sub(age)));
        let code = || match self.code {
            Some(code) => u16::try_from(code).ok().map(Some),
            None => Some(None),
        };
        Some(match self.kind {
            kind::ACCEPTED => What::Accepted,
            kind::ATTACHED_TOKEN => What::Attached(Attached::Tctoken { t: t? }),
            kind::ATTACHED_CSTOKEN => What::Attached(Attached::Cstoken),
            kind::ATTACHED_NOTHING => What::Attached(Attached::Nothing(match self.detail {
                why::EXPIRED => WhyNot::Expired { t: t? },
                why::NEVER_RECEIVED => WhyNot::NeverReceived,
                why::NOT_ELIGIBLE => WhyNot::NotEligible,
                why::STORE_ERROR => WhyNot::StoreError,
                why::GATE_OFF => WhyNot::GateOff,
                _ => return None,
            })),
            kind::ATTACHED_UNDECIDED => What::Attached(Attached::Undecided),
            kind::FORGOTTEN => What::Forgotten,
            kind::IDENTITY_CHANGED => What::IdentityChanged,
            kind::ISSUED_HERE | kind::ISSUED_ELSEWHERE => What::Issued {
                t: t?,
                here: self.kind == kind::ISSUED_HERE,
            },
            kind::ISSUE_FAILED => What::IssueFailed { code: code()? },
            kind::LID_CHANGED => What::LidChanged,
            kind::MERGED => What::Merged,
            kind::PRUNED => What::Pruned { t: t? },
            kind::RECEIVED_FRESH | kind::RECEIVED_ADVANCED => What::Received {
                source: Source::from_number(self.detail),
                t: t?,
                fresh: self.kind == kind::RECEIVED_FRESH,
            },
            kind::REFUSED => What::Refused {
                code: code()?,
                cause: *Cause::ALL
                    .iter()
                    .find(|cause| u32::from(cause.code()) == self.detail)?,
            },
            kind::RELINKED => What::Relinked,
            kind::WROTE => What::Wrote,
            _ => return None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: UnixSeconds = UnixSeconds(1_786_000_000);

    fn examples() -> Vec<What> {
        let nothing = |why| What::Attached(Attached::Nothing(why));
        vec![
            What::Accepted,
            What::Attached(Attached::Tctoken { t: T }),
            What::Attached(Attached::Cstoken),
            nothing(WhyNot::NeverReceived),
            nothing(WhyNot::Expired { t: T }),
            nothing(WhyNot::NotEligible),
            nothing(WhyNot::StoreError),
            What::Attached(Attached::Undecided),
            What::Forgotten,
            What::IdentityChanged,
            What::Issued { t: T, here: true },
            What::Issued { t: T, here: false },
            What::IssueFailed { code: Some(503) },
            What::IssueFailed { code: None },
            What::LidChanged,
            What::Merged,
            What::Pruned { t: T },
            What::Received {
                source: Source::Notification,
                t: T,
                fresh: true,
            },
            What::Received {
                source: Source::Import,
                t: T,
                fresh: false,
            },
            What::Refused {
                code: Some(463),
                cause: Cause::TokenRefused,
            },
            What::Refused {
                code: None,
                cause: Cause::AccountTimelocked,
            },
            What::Relinked,
            What::Wrote,
            nothing(WhyNot::GateOff),
        ]
    }

    fn with_time(what: What, t: UnixSeconds) -> What {
        match what {
            What::Attached(Attached::Tctoken { .. }) => What::Attached(Attached::Tctoken { t }),
            What::Attached(Attached::Nothing(WhyNot::Expired { .. })) => {
                What::Attached(Attached::Nothing(WhyNot::Expired { t }))
            }
            What::Issued { here, .. } => What::Issued { t, here },
            What::Pruned { .. } => What::Pruned { t },
            What::Received { source, fresh, .. } => What::Received { source, t, fresh },
            other => other,
        }
    }

    prop_compose! {
        pub(in crate::tctoken::timeline) fn any_entry()(
            what in prop::sample::select(examples()), t in 1i64..20,
            at in 0i64..20, span in 0i64..20, count in 1u32..4,
        ) -> Entry {
            Entry {
                what: with_time(what, UnixSeconds(t)),
                at: UnixSeconds(at),
                last: UnixSeconds(at + span),
                count,
            }
        }
    }

    fn row(what: What) -> String {
        let mut timeline = Timeline::default();
        timeline.push(what, T);
        hex::encode(timeline.to_row())
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let rows: Vec<_> = examples().into_iter().map(row).collect();
        assert_eq!(
            rows,
            [
                "010a0808011080e5d0d306",
                "010a0a08021080e5d0d3062800",
                "010a0808031080e5d0d306",
                "010a0a08041080e5d0d3063001",
                "010a0c08041080e5d0d30628003002",
                "010a0a08041080e5d0d3063003",
                "010a0a08041080e5d0d3063004",
                "010a0808111080e5d0d306",
                "010a0808101080e5d0d306",
                "010a0808051080e5d0d306",
                "010a0a08061080e5d0d3062800",
                "010a0a08071080e5d0d3062800",
                "010a0b08081080e5d0d30638f703",
                "010a0808081080e5d0d306",
                "010a0808091080e5d0d306",
                "010a08080a1080e5d0d306",
                "010a0a080b1080e5d0d3062800",
                "010a0c080c1080e5d0d30628003001",
                "010a0c080d1080e5d0d30628003003",
                "010a0e080e1080e5d0d30630960338cf03",
                "010a0b080e1080e5d0d306309103",
                "010a08080f1080e5d0d306",
                "010a0808121080e5d0d306",
                "010a0a08041080e5d0d3063005"
            ]
        );
        let mut twice = Timeline::lost();
        twice.push(What::Accepted, T);
        twice.push(What::Accepted, T.plus(60));
        assert_eq!(
            hex::encode(twice.to_row()),
            "010a0c08011080e5d0d306180120781001"
        );
        assert_eq!(hex::encode(Timeline::default().to_row()), "01");
    }

    #[test]
    fn an_entry_of_an_unknown_kind_is_left_out() {
        let known = Entry::once(What::Accepted, T).row();
        let strange = |kind, detail, code| EntryRow {
            kind,
            detail,
            code,
            ..known
        };
        let row = Row {
            entries: vec![
                strange(99, 0, None),
                known,
                strange(kind::ATTACHED_NOTHING, 99, None),
                strange(kind::REFUSED, 9_999, None),
                strange(kind::ISSUE_FAILED, 0, Some(70_000)),
                strange(kind::PRUNED, 0, None),
            ],
            cut: false,
        };
        let timeline = Timeline::decode(1, &row.encode_to_vec()).unwrap();
        assert_eq!(timeline.entries(), [Entry::once(What::Accepted, T)]);
        assert!(timeline.is_cut());
    }

    #[test]
    fn an_entry_of_a_full_row_takes_few_bytes() {
        let mut timeline = Timeline::default();
        for _ in 0..16 {
            let received = What::Received {
                source: Source::Notification,
                t: T,
                fresh: true,
            };
            timeline.push(received, T);
            timeline.push(What::Issued { t: T, here: true }, T);
        }
        assert_eq!(timeline.entries().len(), 32);
        let bytes = timeline.to_row().len();
        assert!(bytes <= 32 * 16, "{bytes}");
    }

    proptest! {
        #[test]
        fn rows_round_trip(entry in any_entry(), at: i64, t: i64, last: i64) {
            let entry = Entry {
                what: with_time(entry.what, UnixSeconds(t)),
                at: UnixSeconds(at),
                last: UnixSeconds(last),
                ..entry
            };
            prop_assert_eq!(entry.row().entry(), Some(entry));
        }
    }
}
