//! Timelines in the store: one small row a contact, kept like its token row.
//!
//! ```text
//! Timeline / lid:<user> | pn:<user>   the contact's entries; the PN row is provisional
//! Timeline / account                  what happened to all contacts at once
//! ```
//!
//! An entry is written in the step whose other rows are committed anyway. History sync writes none:
//! it brings ten thousand contacts at once, and the token row itself tells where its token is from.

use crate::error::StoreError;
use crate::jid::Jid;
use crate::peer::{Names, PeerKey};
use crate::tctoken::Tokens;
use crate::tctoken::timeline::{Timeline, What};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Key, Namespace, Scope, Txn};
use crate::verdict::Attached;

/// Id of the account's own row. No contact has it: theirs begin with `lid:` or `pn:`.
const ACCOUNT: &str = "account";

/// What became of a write, for the counters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Noted {
    /// Damaged rows; their timelines start anew.
    pub damaged: u64,
    /// Rows of a newer version; nothing was written.
    pub newer: u64,
}

/// Adds to the contact's timeline what happened at server time `at`. Nothing is written about
/// somebody without a name.
///
/// # Errors
/// What the store says.
pub fn note(
    cx: &mut Cx<'_>,
    scope: &Scope,
    names: &Names,
    what: What,
    at: UnixSeconds,
) -> Result<Noted, StoreError> {
    let Some(canonical) = names.canonical() else {
        return Ok(Noted::default());
    };
    let mut noted = Noted::default();
    let pn = names.pn.as_ref().filter(|pn| *pn != canonical);
    let provisional = match pn {
        Some(pn) => read(&cx.txn, scope, &pn.storage(), &mut noted)?,
        None => None,
    };
    let timeline = read(&cx.txn, scope, &canonical.storage(), &mut noted)?;
    if noted.newer > 0 {
        return Ok(noted);
    }
    if let (Some(pn), Some(_)) = (pn, &provisional) {
        cx.txn.delete(scope, Namespace::Timeline, pn.storage());
    }
    let mut timeline = either(timeline, provisional);
    timeline.push(what, at);
    cx.txn.put(scope, canonical.storage(), &timeline);
    Ok(noted)
}

/// Adds to the account's own timeline, which is told with that of every contact.
///
/// # Errors
/// What the store says.
pub fn note_account(
    cx: &mut Cx<'_>,
    scope: &Scope,
    what: What,
    at: UnixSeconds,
) -> Result<Noted, StoreError> {
    let mut noted = Noted::default();
    let timeline = read(&cx.txn, scope, ACCOUNT, &mut noted)?;
    if noted.newer == 0 {
        let mut timeline = timeline.unwrap_or_default();
        timeline.push(what, at);
        cx.txn.put(scope, ACCOUNT, &timeline);
    }
    Ok(noted)
}

/// What happened to the contact and to the account. Rows that cannot be read leave it cut.
///
/// # Errors
/// What the store says.
pub fn load(txn: &Txn<'_>, scope: &Scope, names: &Names) -> Result<Timeline, StoreError> {
    let mut whole = None;
    let contact = [&names.lid, &names.pn].into_iter().flatten();
    for id in contact.map(PeerKey::storage).chain([ACCOUNT.into()]) {
        let row = read(txn, scope, &id, &mut Noted::default())?;
        if row.is_some() {
            whole = Some(either(whole, row));
        }
    }
    Ok(whole.unwrap_or_default())
}

/// The contacts `from` and `into` are one: their rows become one, under `into`. If there was one
/// under `from`, `why` is added.
///
/// # Errors
/// What the store says.
pub fn merge(
    cx: &mut Cx<'_>,
    scope: &Scope,
    (from, into): (&PeerKey, &PeerKey),
    why: Option<(What, UnixSeconds)>,
) -> Result<Noted, StoreError> {
    let (source, target) = (from.storage(), into.storage());
    let mut noted = Noted::default();
    if from == into {
        return Ok(noted);
    }
    let Some(moved) = read(&cx.txn, scope, &source, &mut noted)? else {
        return Ok(noted);
    };
    let timeline = read(&cx.txn, scope, &target, &mut noted)?;
    if noted.newer == 0 {
        let mut timeline = either(timeline, Some(moved));
        if let Some((what, at)) = why {
            timeline.push(what, at);
        }
        cx.txn.put(scope, target, &timeline);
        cx.txn.delete(scope, Namespace::Timeline, source);
    }
    Ok(noted)
}

/// Where the contact's row lies.
pub(super) fn key(scope: &Scope, peer: &PeerKey) -> Key {
    Key::new(scope, Namespace::Timeline, peer.storage())
}

/// The row under `id`; `None` when there is none. One that cannot be read is lost.
fn read(
    txn: &Txn<'_>,
    scope: &Scope,
    id: &str,
    noted: &mut Noted,
) -> Result<Option<Timeline>, StoreError> {
    let before = txn.damaged();
    match txn.get_or_none(scope, id) {
        Err(StoreError::Version { .. }) => noted.newer += 1,
        Ok(None) if txn.damaged() > before => noted.damaged += 1,
        row => return row,
    }
    Ok(Some(Timeline::lost()))
}

fn either(one: Option<Timeline>, other: Option<Timeline>) -> Timeline {
    match (one, other) {
        (Some(one), Some(other)) => one.merged(other),
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

impl Tokens {
    /// Adds to the timeline of the contact behind `to` what happened at server time `at`. Nothing is
    /// written about anybody who has no tokens. Never fails, as it is part of sending: what cannot
    /// be read is counted and not written.
    pub fn note(&mut self, cx: &mut Cx<'_>, to: &Jid, known: &Names, what: What, at: UnixSeconds) {
        if what == What::Attached(Attached::Undecided) {
            return;
        }
        if let Some(names) = self.contact(to, known) {
            self.note_contact(cx, &names, what, at);
        }
    }

    pub(super) fn note_contact(
        &mut self,
        cx: &mut Cx<'_>,
        names: &Names,
        what: What,
        at: UnixSeconds,
    ) {
        match note(cx, &self.scope, names, what, at) {
            Ok(noted) => self.tally(noted),
            Err(_) => self.counters.failed_reads += 1,
        }
    }

    /// Rows of the account beside those of contacts could not be read.
    pub const fn count_damaged(&mut self, rows: u64) {
        self.counters.damaged_rows += rows;
    }

    pub(super) const fn tally(&mut self, noted: Noted) {
        self.counters.damaged_rows += noted.damaged;
        self.counters.newer_rows += noted.newer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use crate::jid::Jid;
    use crate::peer::AccountKey;
    use crate::tctoken::timeline::Entry;
    use crate::testkit::Bench;
    use crate::txn::Reader;

    const T: UnixSeconds = UnixSeconds(1_786_000_000);

    fn scope() -> Scope {
        Scope::account(&AccountKey(PeerKey::Lid("9".into())))
    }

    fn lid() -> PeerKey {
        PeerKey::Lid("7".into())
    }

    fn pn() -> PeerKey {
        PeerKey::Pn("49".into())
    }

    fn key(id: &str) -> Key {
        Key::new(&scope(), Namespace::Timeline, id)
    }

    fn noted(bench: &mut Bench, names: &Names, what: What, at: i64) -> Noted {
        bench.run(|cx| Ok(note(cx, &scope(), names, what, UnixSeconds(at))?))
    }

    fn whats(bench: &mut Bench, names: &Names) -> Vec<What> {
        let timeline = bench.run(|cx| Ok(load(&cx.txn, &scope(), names)?));
        timeline.entries().iter().map(|entry| entry.what).collect()
    }

    fn put(bench: &mut Bench, id: &str, row: &[u8]) {
        bench.run(|cx| {
            cx.txn.put_row(key(id), row.to_vec());
            Ok(())
        });
    }

    fn merged(bench: &mut Bench) -> Noted {
        let why = Some((What::Merged, UnixSeconds(9)));
        bench.run(|cx| Ok(merge(cx, &scope(), (&pn(), &lid()), why)?))
    }

    #[test]
    fn an_entry_is_one_row_under_the_lid() {
        let mut bench = Bench::new(1);
        let both = Names::pair(lid(), pn());
        noted(&mut bench, &both, What::Accepted, 1);
        noted(&mut bench, &both, What::Accepted, 2);
        assert_eq!((bench.store.len(), bench.store.commits()), (1, 2));
        assert!(bench.store.get(&key("lid:7")).unwrap().is_some());
        assert_eq!(whats(&mut bench, &Names::of(lid())), [What::Accepted]);
        noted(&mut bench, &Names::default(), What::Accepted, 3);
        assert_eq!(bench.store.commits(), 2, "nobody");
    }

    #[test]
    fn an_entry_joins_the_rows_of_both_names() {
        let mut bench = Bench::new(1);
        noted(&mut bench, &Names::of(pn()), What::IdentityChanged, 2);
        noted(&mut bench, &Names::of(lid()), What::LidChanged, 1);
        let both = Names::pair(lid(), pn());
        let apart = [What::LidChanged, What::IdentityChanged];
        assert_eq!(whats(&mut bench, &both), apart);
        noted(&mut bench, &both, What::Accepted, 3);
        assert_eq!(bench.store.get(&key("pn:49")).unwrap(), None);
        let joined = [apart[0], apart[1], What::Accepted];
        assert_eq!(whats(&mut bench, &Names::of(lid())), joined);
    }

    #[test]
    fn a_merge_is_noted_only_if_there_was_something_to_merge() {
        let mut bench = Bench::new(1);
        noted(&mut bench, &Names::of(lid()), What::Accepted, 1);
        merged(&mut bench);
        assert_eq!(whats(&mut bench, &Names::of(lid())), [What::Accepted]);
        noted(&mut bench, &Names::of(pn()), What::IdentityChanged, 2);
        merged(&mut bench);
        assert_eq!(bench.store.len(), 1);
        assert_eq!(
            whats(&mut bench, &Names::of(lid())),
            [What::Accepted, What::IdentityChanged, What::Merged]
        );
    }

    #[test]
    fn what_happens_to_the_account_is_told_with_every_contact() {
        let mut bench = Bench::new(1);
        noted(&mut bench, &Names::of(lid()), What::Accepted, 1);
        noted(&mut bench, &Names::of(lid()), What::IdentityChanged, 3);
        bench.run(|cx| Ok(note_account(cx, &scope(), What::Relinked, UnixSeconds(2))?));
        assert_eq!(
            whats(&mut bench, &Names::of(lid())),
            [What::Accepted, What::Relinked, What::IdentityChanged]
        );
        assert_eq!(whats(&mut bench, &Names::of(pn())), [What::Relinked]);
    }

    #[test]
    fn a_damaged_row_starts_anew_and_is_counted() {
        let mut bench = Bench::new(1);
        put(&mut bench, "lid:7", &[1, 0xff]);
        let seen = noted(&mut bench, &Names::of(lid()), What::Accepted, T.0);
        assert_eq!((seen.damaged, seen.newer), (1, 0));
        let timeline = bench.run(|cx| Ok(load(&cx.txn, &scope(), &Names::of(lid()))?));
        assert_eq!(timeline.entries(), [Entry::once(What::Accepted, T)]);
        assert!(timeline.is_cut());
    }

    #[test]
    fn a_row_of_a_newer_version_is_left_alone() {
        for (id, other) in [("lid:7", pn()), ("pn:49", lid())] {
            let mut bench = Bench::new(1);
            noted(&mut bench, &Names::of(other), What::Accepted, 1);
            put(&mut bench, id, &[9, 1, 2]);
            let before = bench.store.len();
            let both = Names::pair(lid(), pn());
            let seen = noted(&mut bench, &both, What::Accepted, 2);
            assert_eq!((seen.damaged, seen.newer), (0, 1));
            assert_eq!(merged(&mut bench).newer, 1);
            assert_eq!(bench.store.get(&key(id)).unwrap(), Some(vec![9, 1, 2]));
            assert_eq!(bench.store.len(), before);
        }
    }

    fn tokens() -> Tokens {
        let own = crate::tctoken::policy::Own::new(Some(&Jid::lid("9")), None).unwrap();
        Tokens::new(own, Default::default()).unwrap()
    }

    #[test]
    fn the_machine_counts_what_it_could_not_read() {
        let mut bench = Bench::new(1);
        let mut tokens = tokens();
        for (row, counted) in [(&[1, 0xff][..], (1, 0)), (&[9], (1, 1))] {
            put(&mut bench, "lid:7", row);
            bench.run(|cx| {
                tokens.note(cx, &Jid::lid("7"), &Names::default(), What::Accepted, T);
                Ok(())
            });
            let counters = tokens.counters();
            assert_eq!((counters.damaged_rows, counters.newer_rows), counted);
        }
    }

    #[test]
    fn damaged_rows_of_the_account_are_added_to_those_of_contacts() {
        let mut tokens = tokens();
        tokens.count_damaged(2);
        tokens.count_damaged(3);
        assert_eq!(tokens.counters().damaged_rows, 5);
    }

    #[test]
    fn a_failing_store_is_an_error_here_and_a_count_in_a_send() {
        let mut bench = Bench::new(1);
        let mut tokens = tokens();
        bench.store.fail_reads(Some(StoreError::Full));
        let failed = bench.run(|cx| {
            let known = Names::default();
            tokens.note(cx, &Jid::lid("7"), &known, What::Accepted, T);
            tokens.note(cx, &Jid::lid("9"), &known, What::Accepted, T);
            Ok::<_, Fault>(note(cx, &scope(), &Names::of(lid()), What::Accepted, T))
        });
        assert_eq!(failed, Err(StoreError::Full));
        assert_eq!(tokens.counters().failed_reads, 1, "we have no timeline");
    }
}
