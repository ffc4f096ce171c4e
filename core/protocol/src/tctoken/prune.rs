//! Throwing away what is of no use any more, in small batches beside the sends.
//!
//! ```text
//! token   cleared   t < cutoff(receive) - one bucket     kept one bucket longer than it is attached
//! row     dropped   no token left, and never issued or t < cutoff(send)
//! ```
//!
//! Never while the server has not told both windows: the default window would destroy tokens that
//! it still accepts (spec: "pruning"; whatsmeow, Baileys and whatsapp-rust do that).

use core::fmt;

use prost::Message;

use crate::error::{Fault, StoreError};
use crate::peer::{Names, PeerKey};
use crate::tctoken::Tokens;
use crate::tctoken::bucket::Window;
use crate::tctoken::record::TokenRecord;
use crate::tctoken::timeline::{Timeline, What};
use crate::time::{Millis, Mono, UnixSeconds};
use crate::txn::{Cx, Kept, Key, Namespace, Record, Scope, Txn};

/// Rows that one call looks at. More makes longer commits, which sends of other accounts wait for.
pub const BATCH: usize = 1_000;

/// Time from one run to the next, and from the first start to the first run: WhatsApp Web's.
pub const EVERY: Millis = Millis::from_secs(86_400);

/// Time from a start to a run that is overdue. A start is a busy time, and the windows may not be
/// known yet; much longer would never come for a program that is restarted often.
pub const SETTLE: Millis = Millis::from_secs(60);

/// Time between two batches of a run.
pub const SPACING: Millis = Millis::from_secs(1);

/// What one call did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// Contacts whose token was deleted and whose row stays.
    pub cleared: u64,
    /// Contacts of whom nothing is left.
    pub dropped: u64,
    /// Where the next call goes on; `None` when everything was looked at.
    pub next: Option<Cursor>,
}

/// A place between two batches. It names a contact, so `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct Cursor {
    stage: Stage,
    after: Option<Box<[u8]>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Rows of contacts.
    Contacts,
    /// Timelines of contacts that have no row, as those have that only ever refused us.
    Timelines,
}

/// The stamps from which things are kept.
#[derive(Clone, Copy, Debug)]
struct Cutoffs {
    theirs: UnixSeconds,
    ours: UnixSeconds,
}

impl Tokens {
    /// Looks at the next rows, from the first one if `after` is `None`. Does nothing while the
    /// windows are unknown. Rows that cannot be read are left alone and counted.
    ///
    /// # Errors
    /// What the store says.
    pub fn prune(
        &mut self,
        cx: &mut Cx<'_>,
        after: Option<Cursor>,
        now: UnixSeconds,
    ) -> Result<Pruned, Fault> {
        let (Some(receive), Some(send)) = (self.props.receive, self.props.send) else {
            return Ok(Pruned::default());
        };
        let kept = Cutoffs {
            theirs: one_more(receive, now),
            ours: send.cutoff(now),
        };
        let at = after.unwrap_or(Cursor {
            stage: Stage::Contacts,
            after: None,
        });
        let ns = match at.stage {
            Stage::Contacts => Namespace::Token,
            Stage::Timelines => Namespace::Timeline,
        };
        let rows = cx
            .txn
            .scan(&self.scope, ns, b"", at.after.as_deref(), BATCH)?;
        let mut pruned = Pruned {
            next: next(at.stage, rows.len(), rows.last().map(|(id, _)| &**id)),
            ..Pruned::default()
        };
        for (id, row) in rows {
            match at.stage {
                Stage::Contacts => self.prune_contact(cx, &id, &row, (kept, now), &mut pruned)?,
                Stage::Timelines => self.prune_timeline(cx, &id, &row, kept, &mut pruned)?,
            }
        }
        Ok(pruned)
    }

    fn prune_contact(
        &mut self,
        cx: &mut Cx<'_>,
        id: &[u8],
        row: &[u8],
        (kept, now): (Cutoffs, UnixSeconds),
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let Some(mut record) = self.readable::<TokenRecord>(row)? else {
            return Ok(());
        };
        let old = record.theirs.take_if(|theirs| theirs.t < kept.theirs);
        let issue_counts = record.ours.is_some_and(|ours| ours.t >= kept.ours);
        if record.theirs.is_none() && !issue_counts {
            cx.txn.delete(&self.scope, Namespace::Token, id);
            cx.txn.delete(&self.scope, Namespace::Timeline, id);
            pruned.dropped += 1;
        } else if let Some(old) = old {
            cx.txn.put(&self.scope, id, &record);
            if let Some(peer) = peer(id) {
                self.note_contact(cx, &Names::of(peer), What::Pruned { t: old.t }, now);
            }
            pruned.cleared += 1;
        }
        Ok(())
    }

    fn prune_timeline(
        &mut self,
        cx: &mut Cx<'_>,
        id: &[u8],
        row: &[u8],
        kept: Cutoffs,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let since = kept.theirs.min(kept.ours);
        let over = |timeline: Timeline| timeline.last().is_none_or(|last| last < since);
        if peer(id).is_none() || !self.readable(row)?.is_some_and(over) {
            return Ok(());
        }
        let contact = Key::new(&self.scope, Namespace::Token, id);
        if cx.txn.row(&contact)?.is_none() {
            cx.txn.delete(&self.scope, Namespace::Timeline, id);
            pruned.dropped += 1;
        }
        Ok(())
    }

    /// The record, or `None` and a count.
    fn readable<R: Record>(&mut self, row: &[u8]) -> Result<Option<R>, StoreError> {
        match R::from_row(row) {
            Err(StoreError::Corrupt(_)) => self.counters.damaged_rows += 1,
            Err(StoreError::Version { .. }) => self.counters.newer_rows += 1,
            record => return record.map(Some),
        }
        Ok(None)
    }
}

/// When to prune: a run a day, in spaced batches. The day is counted over restarts, or a program
/// that starts anew each night would never prune.
#[derive(Debug)]
pub struct Pruner {
    row: Kept<PrunerRecord>,
    due: Option<Mono>,
    run: (Mono, UnixSeconds),
    cursor: Option<Cursor>,
    stopped: bool,
}

/// The stored state.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PrunerRecord {
    /// Server time at which the last whole run began, or of the first start; Unix seconds.
    #[prost(int64, tag = "1")]
    pub last: i64,
}

crate::prost_record!(PrunerRecord, Limits, version 1);

impl Pruner {
    /// The state as stored; nothing is due before [`Pruner::start`].
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, account: &Scope) -> Result<Self, StoreError> {
        Ok(Self {
            row: Kept::load(txn, account, "pruner")?,
            due: None,
            run: Default::default(),
            cursor: None,
            stopped: false,
        })
    }

    /// The account is in use at server time `now`: the next run is a day after the last one, the
    /// first one a day after the first start. Later calls do nothing.
    pub fn start(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) {
        if self.stopped || self.due.is_some() {
            return;
        }
        let last = self.row.get().map(|row| UnixSeconds(row.last));
        // A time that lies ahead is of a clock that was wrong.
        let last = last.filter(|last| *last <= now).unwrap_or(now);
        self.row.put(cx, PrunerRecord { last: last.0 });
        let age = Millis::from_secs(u64::try_from(now.since(last)).unwrap_or(0));
        let wait = Millis(EVERY.0.saturating_sub(age.0)).max(SETTLE);
        self.due = Some(cx.now.mono.plus(wait));
    }

    /// When [`Pruner::tick`] has something to do; `None` before [`Pruner::start`] and after
    /// [`Pruner::stop`].
    pub const fn deadline(&self) -> Option<Mono> {
        self.due
    }

    /// Prunes a batch if it is time, at server time `now`. Early calls do nothing.
    ///
    /// # Errors
    /// What the store says.
    pub fn tick(
        &mut self,
        cx: &mut Cx<'_>,
        tokens: &mut Tokens,
        now: UnixSeconds,
    ) -> Result<Pruned, Fault> {
        let mono = cx.now.mono;
        if self.due.is_none_or(|due| mono < due) {
            return Ok(Pruned::default());
        }
        if self.cursor.is_none() {
            self.run = (mono, now);
        }
        let pruned = tokens.prune(cx, self.cursor.take(), now)?;
        self.cursor.clone_from(&pruned.next);
        let (began, last) = self.run;
        self.due = Some(match self.cursor {
            Some(_) => mono.plus(SPACING),
            None => began.plus(EVERY),
        });
        if self.cursor.is_none() {
            self.row.put(cx, PrunerRecord { last: last.0 });
        }
        Ok(pruned)
    }

    /// Nothing is pruned any more, not even the rest of a run.
    pub fn stop(&mut self) {
        self.due = None;
        self.stopped = true;
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({:?})", self.stage)
    }
}

/// The window's first second, one bucket earlier.
const fn one_more(window: Window, now: UnixSeconds) -> UnixSeconds {
    window.cutoff(now).plus(-window.span.seconds())
}

fn next(stage: Stage, rows: usize, last: Option<&[u8]>) -> Option<Cursor> {
    match stage {
        _ if rows >= BATCH => Some(Cursor {
            stage,
            after: last.map(Into::into),
        }),
        Stage::Contacts => Some(Cursor {
            stage: Stage::Timelines,
            after: None,
        }),
        Stage::Timelines => None,
    }
}

fn peer(id: &[u8]) -> Option<PeerKey> {
    PeerKey::parse_storage(core::str::from_utf8(id).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    const T: UnixSeconds = UnixSeconds(1_786_000_000);

    fn load(bench: &mut Bench) -> Pruner {
        let account = bench.slot.clone();
        bench.run(|cx| Ok(Pruner::load(&cx.txn, &account)?))
    }

    fn start(bench: &mut Bench, pruner: &mut Pruner, server: UnixSeconds) -> Option<Mono> {
        bench.run(|cx| {
            pruner.start(cx, server);
            Ok(pruner.deadline())
        })
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = PrunerRecord { last: 5 };
        assert_eq!(hex::encode(record.to_row()), "010805");
        assert_eq!(PrunerRecord::from_row(&record.to_row()), Ok(record));
    }

    #[test]
    fn the_day_goes_on_over_restarts_until_the_stop() {
        let mut bench = Bench::new(1);
        let begun = bench.now.mono;
        let ten_hours = Millis::from_secs(36_000);
        let mut pruner = load(&mut bench);
        let first = Some(begun.plus(EVERY));
        assert_eq!(start(&mut bench, &mut pruner, T), first);
        bench.now.mono = begun.plus(ten_hours);
        let later = T.plus(36_000);
        assert_eq!(
            start(&mut bench, &mut pruner, later),
            first,
            "once is enough"
        );
        let mut restarted = load(&mut bench);
        assert_eq!(start(&mut bench, &mut restarted, later), first);
        restarted.stop();
        assert_eq!(start(&mut bench, &mut restarted, later), None);
    }

    #[test]
    fn a_run_that_lies_ahead_was_now() {
        let mut bench = Bench::new(1);
        let (now, mut pruner) = (bench.now.mono, load(&mut bench));
        start(&mut bench, &mut pruner, T);
        for at in [T.plus(-86_400), T.plus(-40_000)] {
            let mut restarted = load(&mut bench);
            let wait = EVERY.0 - 1_000 * u64::try_from(at.since(T.plus(-86_400))).unwrap();
            let due = Some(now.plus(Millis(wait)));
            assert_eq!(start(&mut bench, &mut restarted, at), due);
        }
    }
}
