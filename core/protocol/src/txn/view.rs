//! What a step reads and will write.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::txn::{Changes, Key, Namespace, Reader, Record, Rows, Scope};

/// A reader with pending changes on top: reads see own writes.
pub struct Txn<'a> {
    reader: &'a dyn Reader,
    changes: Changes,
    /// What [`Txn::read_ahead`] has read, in key order; outer `None` when it was written since.
    ahead: Vec<(Key, Option<Option<Vec<u8>>>)>,
    /// Rows that [`Txn::get_or_none`] could not decode, and how often it met one.
    damaged: (RefCell<BTreeMap<Key, Vec<u8>>>, Cell<u64>),
}

impl<'a> Txn<'a> {
    /// A view for questions; what is written to it goes nowhere.
    pub fn reading(reader: &'a dyn Reader) -> Self {
        Self {
            reader,
            changes: Changes::default(),
            ahead: Vec::new(),
            damaged: Default::default(),
        }
    }

    pub(super) fn into_changes(self) -> Changes {
        let mut changes = self.changes;
        for (key, row) in self.damaged.0.into_inner() {
            let id = [format!("{}/", key.ns.number()).as_bytes(), &key.id].concat();
            changes.put(Key::new(&key.scope, Namespace::Quarantine, id), row);
            if changes.pending(&key).is_none() {
                changes.delete(key);
            }
        }
        changes
    }

    /// Reads these rows at once, so that [`Txn::row`] and [`Txn::get`] of them do not ask the store
    /// again. What an earlier call has read is forgotten: callers work in blocks of bounded size.
    ///
    /// # Errors
    /// What the store says.
    pub fn read_ahead(&mut self, mut keys: Vec<Key>) -> Result<(), StoreError> {
        // In the order of the store: neighbours lie in one page.
        keys.sort_unstable();
        keys.dedup();
        let mut upcoming = keys.first().and_then(|key| self.changes.next_from(key));
        keys.retain(|key| {
            if upcoming.is_some_and(|upcoming| upcoming < key) {
                upcoming = self.changes.next_from(key);
            }
            upcoming != Some(key)
        });
        self.ahead.clear();
        let rows = self.reader.get_many(&keys)?;
        self.ahead = keys.into_iter().zip(rows.into_iter().map(Some)).collect();
        Ok(())
    }

    /// The row under `key`, pending writes included.
    ///
    /// # Errors
    /// What the store says.
    pub fn row(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some((_, Some(row))) = self.place(key).and_then(|at| self.ahead.get(at)) {
            return Ok(row.clone());
        }
        match self.changes.pending(key) {
            Some(row) => Ok(row.map(<[u8]>::to_vec)),
            None => self.reader.get(key),
        }
    }

    /// The record with `id`.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Corrupt`] or [`StoreError::Version`] for a bad row.
    pub fn get<R: Record>(
        &self,
        scope: &Scope,
        id: impl AsRef<[u8]>,
    ) -> Result<Option<R>, StoreError> {
        let row = self.row(&Key::new(scope, R::NAMESPACE, id))?;
        row.map(|row| R::from_row(&row)).transpose()
    }

    /// As [`Txn::get`], but a damaged row counts as none: one bad row must not stop anything. It is
    /// counted, and if this is a step it is moved to [`Namespace::Quarantine`] with the commit.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Version`] for a row that must not be overwritten.
    pub fn get_or_none<R: Record>(
        &self,
        scope: &Scope,
        id: impl AsRef<[u8]>,
    ) -> Result<Option<R>, StoreError> {
        let key = Key::new(scope, R::NAMESPACE, id);
        let Some(row) = self.row(&key)? else {
            return Ok(None);
        };
        match R::from_row(&row) {
            Err(StoreError::Corrupt(_)) => {
                self.damaged.0.borrow_mut().insert(key, row);
                self.damaged.1.update(|met| met.saturating_add(1));
                Ok(None)
            }
            record => record.map(Some),
        }
    }

    /// How often [`Txn::get_or_none`] met a damaged row.
    pub const fn damaged(&self) -> u64 {
        self.damaged.1.get()
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, scope: &Scope, id: impl AsRef<[u8]>, record: &R) {
        self.put_row(Key::new(scope, R::NAMESPACE, id), record.to_row());
    }

    /// Writes a row as it is, to move one without reading it.
    pub fn put_row(&mut self, key: Key, row: Vec<u8>) {
        self.written(&key);
        self.changes.put(key, row);
    }

    /// Removes the record with `id`, if there is one.
    pub fn delete(&mut self, scope: &Scope, ns: Namespace, id: impl AsRef<[u8]>) {
        let key = Key::new(scope, ns, id);
        self.written(&key);
        self.changes.delete(key);
    }

    /// Up to `limit` rows whose id starts with `prefix` and is greater than `after`, in id order,
    /// pending writes included.
    ///
    /// # Errors
    /// What the store says.
    pub fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let pending: Vec<_> = self
            .changes
            .within(scope, ns, prefix)
            .filter(|(key, _)| after.is_none_or(|after| &*key.id > after))
            .collect();
        let removed = pending.iter().filter(|(_, row)| row.is_none()).count();
        let stored = self
            .reader
            .scan(scope, ns, prefix, after, limit.saturating_add(removed))?;
        if pending.is_empty() {
            return Ok(stored);
        }
        let mut merged: BTreeMap<Box<[u8]>, Option<Vec<u8>>> = stored
            .into_iter()
            .map(|(id, row)| (id, Some(row)))
            .collect();
        for (key, row) in pending {
            merged.insert((*key.id).into(), row.map(<[u8]>::to_vec));
        }
        let present = merged.into_iter().filter_map(|(id, row)| Some((id, row?)));
        Ok(present.take(limit).collect())
    }

    fn place(&self, key: &Key) -> Option<usize> {
        self.ahead
            .binary_search_by(|(ahead, _)| ahead.cmp(key))
            .ok()
    }

    fn written(&mut self, key: &Key) {
        if let Some((_, row)) = self.place(key).and_then(|at| self.ahead.get_mut(at)) {
            *row = None;
        }
    }
}

/// Rows of one [`Txn::read_ahead`], by the contact or the pair they belong to. More would be faster
/// by little and hold more memory.
const BLOCK: usize = 512;

/// Cuts what is to be worked on into blocks to read ahead for.
pub fn blocks<T>(items: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let block: Vec<T> = items.by_ref().take(BLOCK).collect();
        (!block.is_empty()).then_some(block)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::limits::breaker::BreakerRecord;
    use crate::testkit::Bench;
    use crate::txn::{MemoryStore, Store};

    #[test]
    fn reads_see_own_writes() {
        let store = stored(&["gone", "k"]);
        let mut txn = Txn::reading(&store);
        set(&mut txn, "k", Some("new"));
        set(&mut txn, "gone", None);
        assert_eq!(txn.row(&key("k")), Ok(Some(b"new".to_vec())));
        assert_eq!(txn.row(&key("gone")), Ok(None));
        assert_eq!(store.get(&key("k")), Ok(Some(b"old".to_vec())));
    }

    #[test]
    fn scans_merge_pending_writes_and_removals() {
        let store = stored(&["1", "2", "3", "4", "5"]);
        let mut txn = Txn::reading(&store);
        set(&mut txn, "1", None);
        set(&mut txn, "2", None);
        set(&mut txn, "3", Some("new"));
        set(&mut txn, "35", Some("new"));
        let foreign = Key::new(&Scope::slot("b"), NS, "36");
        txn.put_row(foreign, b"another scope".to_vec());
        let scan = |after: Option<&str>, limit| {
            let rows = txn.scan(&slot(), NS, b"", after.map(str::as_bytes), limit);
            let text = |(id, row): (Box<[u8]>, Vec<u8>)| {
                String::from_utf8([&id[..], b"=", &row].concat()).unwrap()
            };
            rows.unwrap().into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(scan(None, 3), ["3=new", "35=new", "4=old"]);
        assert_eq!(scan(Some("3"), 9), ["35=new", "4=old", "5=old"]);
        assert_eq!(scan(None, 0), NOTHING);
    }

    #[test]
    fn rows_read_ahead_are_not_asked_for_again_and_lose_against_own_writes() {
        let store = Counting {
            store: stored(&["a", "b", "c"]),
            reads: Cell::new(0),
        };
        let mut txn = Txn::reading(&store);
        set(&mut txn, "a", Some("new"));
        let keys = ["b", "a", "absent", "c", "b"].map(key).to_vec();
        txn.read_ahead(keys).unwrap();
        assert_eq!(store.reads.take(), 3, "once each, none for a pending write");
        assert_eq!(txn.row(&key("a")), Ok(Some(b"new".to_vec())));
        assert_eq!(txn.row(&key("b")), Ok(Some(b"old".to_vec())));
        assert_eq!(txn.row(&key("absent")), Ok(None));
        set(&mut txn, "a", Some("newer"));
        set(&mut txn, "absent", Some("now there"));
        set(&mut txn, "c", None);
        assert_eq!(txn.row(&key("a")), Ok(Some(b"newer".to_vec())));
        assert_eq!(txn.row(&key("absent")), Ok(Some(b"now there".to_vec())));
        assert_eq!(txn.row(&key("c")), Ok(None));
        assert_eq!(store.reads.take(), 0);
        txn.read_ahead(vec![]).unwrap();
        assert_eq!(txn.row(&key("b")), Ok(Some(b"old".to_vec())));
        assert_eq!(store.reads.take(), 1, "forgotten by the next call");
    }

    #[test]
    fn a_damaged_row_counts_as_none_and_is_moved_aside_with_the_step() {
        for rewritten in [false, true] {
            let mut bench = Bench::new(1);
            let (slot, good) = (bench.slot.clone(), BreakerRecord::default());
            let key = |ns, id: &str| Key::new(&slot, ns, id);
            bench.run(|cx| {
                let damaged = key(Namespace::Limits, "x");
                cx.txn.put_row(damaged, vec![1, 0xff]);
                Ok(())
            });
            bench.run(|cx| {
                for met in 1..=2 {
                    let read = cx.txn.get_or_none::<BreakerRecord>(&slot, "x");
                    assert_eq!((read, cx.txn.damaged()), (Ok(None), met));
                }
                if rewritten {
                    cx.txn.put(&slot, "x", &good);
                }
                Ok(())
            });
            let kept = rewritten.then(|| good.to_row());
            let row = |ns, id| bench.store.get(&key(ns, id));
            assert_eq!(row(Namespace::Limits, "x"), Ok(kept));
            let aside = Ok(Some(vec![1, 0xff]));
            assert_eq!(row(Namespace::Quarantine, "13/x"), aside);
        }
    }

    #[test]
    fn a_row_of_a_newer_version_is_not_damaged() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let key = Key::new(&slot, Namespace::Limits, "x");
        bench.run(|cx| {
            cx.txn.put_row(key.clone(), vec![9]);
            Ok(())
        });
        bench.run(|cx| {
            let read = cx.txn.get_or_none::<BreakerRecord>(&slot, "x");
            assert!(matches!(read, Err(StoreError::Version { found: 9, .. })));
            assert_eq!(cx.txn.damaged(), 0);
            Ok(())
        });
        assert_eq!(bench.store.get(&key), Ok(Some(vec![9])));
    }

    #[test]
    fn a_row_of_zeros_is_damaged() {
        let read = BreakerRecord::from_row(&[0; 8]);
        assert!(matches!(read, Err(StoreError::Corrupt(_))));
    }

    const NS: Namespace = Namespace::Scratch;
    const NOTHING: [&str; 0] = [];

    fn slot() -> Scope {
        Scope::slot("a")
    }

    fn key(id: &str) -> Key {
        Key::new(&slot(), NS, id)
    }

    fn set(txn: &mut Txn<'_>, id: &str, row: Option<&str>) {
        match row {
            Some(row) => txn.put_row(key(id), row.into()),
            None => txn.delete(&slot(), NS, id),
        }
    }

    fn stored(ids: &[&str]) -> MemoryStore {
        let mut store = MemoryStore::default();
        let fence = store.acquire(&slot()).unwrap();
        let mut changes = Changes::default();
        for id in ids {
            changes.put(key(id), b"old".to_vec());
        }
        store.commit(&[(&changes, &fence)]).unwrap();
        store
    }

    /// Counts the rows that are asked for.
    struct Counting {
        store: MemoryStore,
        reads: Cell<usize>,
    }

    impl Reader for Counting {
        fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
            self.reads.set(self.reads.get() + 1);
            self.store.get(key)
        }

        fn scan(
            &self,
            scope: &Scope,
            ns: Namespace,
            prefix: &[u8],
            after: Option<&[u8]>,
            limit: usize,
        ) -> Result<Rows, StoreError> {
            self.store.scan(scope, ns, prefix, after, limit)
        }
    }
}
