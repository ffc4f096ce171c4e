//! What a backend is: ordered key-value with an atomic, durable, fenced commit.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::txn::{Key, Namespace, Scope};

/// Rows of a scan: `(id, row)` in the order of ids.
pub type Rows = Vec<(Box<[u8]>, Vec<u8>)>;

/// Reads of committed state.
pub trait Reader {
    /// The row under `key`.
    ///
    /// # Errors
    /// Any [`StoreError`] of the backend.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows under `keys`, in their order; a key may come twice. For backends that answer many
    /// keys faster than one after the other.
    ///
    /// # Errors
    /// Any [`StoreError`] of the backend.
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Up to `limit` rows whose id starts with `prefix` and is greater than `after`, in id order.
    ///
    /// # Errors
    /// Any [`StoreError`] of the backend.
    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError>;
}

/// A backend.
pub trait Store: Reader {
    /// Opens `scope` for writing and fences off every earlier opener.
    ///
    /// # Errors
    /// Any [`StoreError`] of the backend.
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError>;

    /// Writes everything in `changes` or nothing; durable when it returns `Ok`. Each element is
    /// written only if its fence is still the newest of its scope.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if a fence is stale, else what the backend says. After an error of
    /// unknown result the rows are either all written or all as before.
    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError>;
}

/// The right to write for one slot, until somebody else acquires it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fence {
    /// The slot.
    pub scope: Scope,
    /// Counts acquisitions of the scope, from 1.
    pub generation: u64,
}

/// The writes of one step: the last one for a key wins, so a batch has no duplicates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes(BTreeMap<Key, Option<Vec<u8>>>);

impl Changes {
    /// Sets a row.
    pub fn put(&mut self, key: Key, row: Vec<u8>) {
        self.0.insert(key, Some(row));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key) {
        self.0.insert(key, None);
    }

    /// The pending write of `key`: outer `None` when there is none, inner `None` for a removal.
    pub fn pending(&self, key: &Key) -> Option<Option<&[u8]>> {
        self.0.get(key).map(|row| row.as_deref())
    }

    /// The first key from `key` on that is written.
    pub(super) fn next_from(&self, key: &Key) -> Option<&Key> {
        self.0.range(key..).next().map(|(key, _)| key)
    }

    /// All writes in key order; `None` is a removal.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Option<&[u8]>)> {
        self.0.iter().map(|(key, row)| (key, row.as_deref()))
    }

    /// The writes of one scope and kind to ids that start with `prefix`, in id order.
    pub fn within<'a>(
        &'a self,
        scope: &'a Scope,
        ns: Namespace,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a Key, Option<&'a [u8]>)> {
        let first = Key::new(scope, ns, prefix);
        self.0
            .range(first..)
            .take_while(move |(key, _)| {
                key.scope == *scope && key.ns == ns && key.id.starts_with(prefix)
            })
            .map(|(key, row)| (key, row.as_deref()))
    }

    /// Nothing to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of writes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
