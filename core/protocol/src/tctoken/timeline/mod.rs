//! What happened between us and one contact, told in few entries. Pure.
//!
//! ```text
//! received (notification, new) x 3      first .. last, the last one's stamp
//! attached token x 57                   57 messages
//! accepted x 57
//! refused TOKEN_REFUSED (463)           now something changed
//! ```
//!
//! Hosts ask for it when a contact cannot be reached, so it must still hold the last token and the
//! last refusal after thousands of messages: repetitions fold into one entry, and only the newest
//! [`MOST`] entries are kept.

mod row;

use crate::tctoken::record::Source;
use crate::time::UnixSeconds;
use crate::verdict::{Attached, Cause};

/// Entries that are kept. An entry takes about 15 bytes in the store, and the row is written with
/// every message: more tell an older story and make each message cost more.
pub const MOST: usize = 32;

/// Something that happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// The server took a message.
    Accepted,
    /// A message left, and this is what it carried.
    Attached(Attached),
    /// All rows of the account were erased on request.
    Forgotten,
    /// The contact's phone was registered anew.
    IdentityChanged,
    /// Our token was issued to the contact.
    Issued {
        /// The `t` of the issue.
        t: UnixSeconds,
        /// By this device; otherwise by another one of ours.
        here: bool,
    },
    /// An issue did not go through.
    IssueFailed {
        /// The server's code; `None` when there was no answer.
        code: Option<u16>,
    },
    /// The contact has another LID now, and what was known under the old one came along.
    LidChanged,
    /// What was known by phone number and what was known by LID turned out to be one contact.
    Merged,
    /// The contact's token was deleted because it was too old to be of any use.
    Pruned {
        /// The token's time stamp.
        t: UnixSeconds,
    },
    /// The contact gave us a token.
    Received {
        /// How it came.
        source: Source,
        /// Its time stamp.
        t: UnixSeconds,
        /// New bytes; otherwise the known ones with a later stamp.
        fresh: bool,
    },
    /// A message was refused, by the server or here.
    Refused {
        /// The server's code; `None` when nothing was sent.
        code: Option<u16>,
        /// Why, as far as it could be found out.
        cause: Cause,
    },
    /// The account was linked anew.
    Relinked,
    /// The contact wrote to us; noted at most once a day.
    Wrote,
}

/// One entry: something that happened once, or several times in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What; when it happened several times, the last one.
    pub what: What,
    /// Server time of the first time.
    pub at: UnixSeconds,
    /// Server time of the last time.
    pub last: UnixSeconds,
    /// How many times, from 1.
    pub count: u32,
}

impl Entry {
    /// Something that happened once.
    pub const fn once(what: What, at: UnixSeconds) -> Self {
        Self {
            what,
            at,
            last: at,
            count: 1,
        }
    }
}

/// The entries of a contact, in the order in which they began.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Timeline {
    entries: Vec<Entry>,
    cut: bool,
}

impl Timeline {
    /// A timeline whose earlier entries are lost.
    pub(super) fn lost() -> Self {
        Self {
            entries: Vec::new(),
            cut: true,
        }
    }

    /// The entries, oldest first; at most [`MOST`].
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Something was left out: entries too old for the row, or a damaged row.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// When something happened last; `None` while nothing did.
    pub fn last(&self) -> Option<UnixSeconds> {
        self.entries.iter().map(|entry| entry.last).max()
    }

    /// Adds what happened at server time `at`. The same again counts as a repetition, also if
    /// messages and answers alternate; with an event in between they start anew.
    pub fn push(&mut self, what: What, at: UnixSeconds) {
        for entry in self.entries.iter_mut().rev() {
            if entry.what.repeats(&what) {
                entry.what = what;
                entry.count = entry.count.saturating_add(1);
                entry.last = entry.last.max(at);
                return;
            }
            if entry.what.lane() == Lane::Event || entry.what.lane() == what.lane() {
                break;
            }
        }
        self.entries.push(Entry::once(what, at));
        self.bound();
    }

    /// The timeline of a contact that was known under two names: the entries of both in the order
    /// of time, nothing folded. In which order timelines are merged, and how often, makes no
    /// difference.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let mut entries = [self.entries, other.entries].concat();
        entries.sort_by_cached_key(|entry| (entry.at, entry.last, entry.bytes()));
        entries.dedup();
        let mut merged = Self {
            entries,
            cut: self.cut || other.cut,
        };
        merged.bound();
        merged
    }

    fn bound(&mut self) {
        let surplus = self.entries.len().saturating_sub(MOST);
        self.cut |= surplus > 0;
        self.entries.drain(..surplus);
    }
}

/// Messages and their answers alternate, so they are told apart: each lane folds on its own, and an
/// event starts both anew. An event folds across messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lane {
    Answer,
    Event,
    Message,
}

impl What {
    const fn lane(&self) -> Lane {
        match self {
            Self::Accepted | Self::Refused { .. } => Lane::Answer,
            Self::Attached(_) => Lane::Message,
            _ => Lane::Event,
        }
    }

    /// Whether `next` is this once more. Stamps of tokens and issues differ each time; which token
    /// a message carried does matter.
    fn repeats(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Issued { here: a, .. }, Self::Issued { here: b, .. }) => a == b,
            (
                Self::Received { source, fresh, .. },
                Self::Received {
                    source: next_source,
                    fresh: next_fresh,
                    ..
                },
            ) => source == next_source && fresh == next_fresh,
            (Self::Pruned { .. }, Self::Pruned { .. }) => true,
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::row::tests::any_entry;
    use super::*;
    use crate::verdict::WhyNot;

    const TOKEN: What = What::Attached(Attached::Tctoken { t: UnixSeconds(9) });
    const NOTHING: What = What::Attached(Attached::Nothing(WhyNot::NeverReceived));
    const COLD: What = What::Refused {
        code: Some(463),
        cause: Cause::ColdRefused,
    };

    const fn received(t: i64) -> What {
        What::Received {
            source: Source::Notification,
            t: UnixSeconds(t),
            fresh: true,
        }
    }

    const fn issued(t: i64) -> What {
        What::Issued {
            t: UnixSeconds(t),
            here: true,
        }
    }

    fn told(whats: impl IntoIterator<Item = What>) -> Timeline {
        let mut timeline = Timeline::default();
        for (at, what) in (100..).zip(whats) {
            timeline.push(what, UnixSeconds(at));
        }
        timeline
    }

    /// What, how many times, first and last second.
    fn lines(timeline: &Timeline) -> Vec<(What, u32, i64, i64)> {
        let line = |entry: &Entry| (entry.what, entry.count, entry.at.0, entry.last.0);
        timeline.entries().iter().map(line).collect()
    }

    #[test]
    fn messages_and_their_answers_fold_apart() {
        let sent = [TOKEN, What::Accepted].repeat(57);
        assert_eq!(
            lines(&told(sent)),
            [(TOKEN, 57, 100, 212), (What::Accepted, 57, 101, 213)]
        );
    }

    #[test]
    fn tokens_fold_when_source_and_newness_agree() {
        let received = |source, fresh, t| What::Received {
            source,
            t: UnixSeconds(t),
            fresh,
        };
        let first = received(Source::Notification, true, 1);
        for (source, fresh, entries) in [
            (Source::Notification, true, 1),
            (Source::Notification, false, 2),
            (Source::History, true, 2),
        ] {
            let timeline = told([first, received(source, fresh, 2)]);
            assert_eq!(timeline.entries().len(), entries);
        }
    }

    #[test]
    fn another_answer_or_another_load_is_another_entry() {
        let whats = [
            TOKEN,
            What::Accepted,
            TOKEN,
            COLD,
            NOTHING,
            COLD,
            NOTHING,
            What::Accepted,
        ];
        assert_eq!(
            lines(&told(whats)),
            [
                (TOKEN, 2, 100, 102),
                (What::Accepted, 1, 101, 101),
                (COLD, 2, 103, 105),
                (NOTHING, 2, 104, 106),
                (What::Accepted, 1, 107, 107),
            ]
        );
    }

    #[test]
    fn an_event_starts_messages_anew_and_folds_across_them() {
        let week = |t| [issued(t), TOKEN, What::Accepted];
        let whats = [week(1), week(2)].concat();
        assert_eq!(
            lines(&told(whats)),
            [
                (issued(2), 2, 100, 103),
                (TOKEN, 2, 101, 104),
                (What::Accepted, 2, 102, 105)
            ]
        );
        let whats = [TOKEN, received(1), TOKEN, issued(2), received(3)];
        let counts = told(whats).entries().iter().map(|e| e.count).sum::<u32>();
        assert_eq!((lines(&told(whats)).len(), counts), (5, 5));
    }

    #[test]
    fn only_the_newest_entries_are_kept() {
        let whats = (0..40).flat_map(|t| [received(t), issued(t)]);
        let timeline = told(whats);
        assert!(timeline.is_cut());
        assert_eq!(timeline.entries().len(), MOST);
        assert_eq!(timeline.entries()[MOST - 1].what, issued(39));
        assert_eq!(timeline.entries()[0].what, received(24));
    }

    #[test]
    fn a_clock_that_went_back_does_not_shorten_an_entry() {
        let mut timeline = told([TOKEN]);
        timeline.push(TOKEN, UnixSeconds(50));
        assert_eq!(lines(&timeline), [(TOKEN, 2, 100, 100)]);
        assert_eq!(timeline.last(), Some(UnixSeconds(100)));
    }

    #[test]
    fn two_names_of_a_contact_tell_one_story() {
        let mut by_pn = Timeline::default();
        let mut by_lid = Timeline::default();
        by_pn.push(NOTHING, UnixSeconds(1));
        by_lid.push(received(2), UnixSeconds(2));
        by_pn.push(COLD, UnixSeconds(3));
        let whats: Vec<_> = by_lid
            .merged(by_pn)
            .entries()
            .iter()
            .map(|entry| entry.what)
            .collect();
        assert_eq!(whats, [NOTHING, received(2), COLD]);
    }

    prop_compose! {
        fn any_timeline()(
            entries in proptest::collection::vec(any_entry(), 0..40), cut: bool,
        ) -> Timeline {
            let mut timeline = Timeline { entries, cut };
            timeline.bound();
            timeline
        }
    }

    proptest! {
        #[test]
        fn the_order_of_merges_does_not_matter(
            a in any_timeline(), b in any_timeline(), c in any_timeline(),
        ) {
            let merged = Timeline::merged;
            prop_assert_eq!(merged(a.clone(), b.clone()), merged(b.clone(), a.clone()));
            prop_assert_eq!(
                merged(merged(a.clone(), b.clone()), c.clone()),
                merged(a.clone(), merged(b.clone(), c))
            );
            let both = merged(a, b.clone());
            prop_assert_eq!(merged(both.clone(), b), both);
        }

        #[test]
        fn a_timeline_never_outgrows_its_bound(
            entries in proptest::collection::vec(any_entry(), 0..100),
        ) {
            let mut timeline = Timeline::default();
            for entry in &entries {
                timeline.push(entry.what, entry.at);
                prop_assert!(timeline.entries().len() <= MOST);
            }
            let counted: usize = timeline
                .entries()
                .iter()
                .map(|entry| usize::try_from(entry.count).unwrap())
                .sum();
            prop_assert_eq!(timeline.is_cut(), counted < entries.len());
        }
    }
}
