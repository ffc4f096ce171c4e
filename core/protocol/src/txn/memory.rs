//! A store in memory that can be told to fail: for tests, simulations and throw-away accounts.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};

/// Rows in a map, lost when dropped. Commits are atomic; failures can be injected.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Key, Vec<u8>>,
    fences: BTreeMap<Scope, u64>,
    commits: u64,
    fail_reads: Option<StoreError>,
    fail_next: Option<CommitFailure>,
}

/// How the next commit fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommitFailure {
    /// Nothing is written.
    Clean(StoreError),
    /// Everything is written, yet the caller is told it failed: an unknown result.
    AfterWrite(StoreError),
}

impl MemoryStore {
    /// Makes the next commit fail.
    pub fn fail_next_commit(&mut self, failure: CommitFailure) {
        self.fail_next = Some(failure);
    }

    /// Makes every read fail until called with `None`.
    pub fn fail_reads(&mut self, error: Option<StoreError>) {
        self.fail_reads = error;
    }

    /// Commits that succeeded.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn readable(&self) -> Result<(), StoreError> {
        self.fail_reads.clone().map_or(Ok(()), Err)
    }

    fn write(&mut self, changes: &[(&Changes, &Fence)]) {
        for (key, row) in changes.iter().flat_map(|(changes, _)| changes.iter()) {
            match row {
                Some(row) => self.rows.insert(key.clone(), row.to_vec()),
                None => self.rows.remove(key),
            };
        }
        self.commits += 1;
    }
}

impl Reader for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.readable()?;
        Ok(self.rows.get(key).cloned())
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.readable()?;
        Ok(keys.iter().map(|key| self.rows.get(key).cloned()).collect())
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.readable()?;
        let first = Key::new(
            scope,
            ns,
            after.filter(|after| *after > prefix).unwrap_or(prefix),
        );
        let rows = self
            .rows
            .range(first..)
            .take_while(|(key, _)| {
                key.scope == *scope && key.ns == ns && key.id.starts_with(prefix)
            })
            .filter(|(key, _)| after.is_none_or(|after| &*key.id > after))
            .take(limit);
        Ok(rows
            .map(|(key, row)| ((*key.id).into(), row.clone()))
            .collect())
    }
}

impl Store for MemoryStore {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        self.readable()?;
        let generation = self.fences.entry(scope.clone()).or_default();
        *generation += 1;
        Ok(Fence {
            scope: scope.clone(),
            generation: *generation,
        })
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        let newest = |fence: &Fence| self.fences.get(&fence.scope) == Some(&fence.generation);
        if !changes.iter().all(|(_, fence)| newest(fence)) {
            return Err(StoreError::Fenced);
        }
        match self.fail_next.take() {
            Some(CommitFailure::Clean(error)) => Err(error),
            Some(CommitFailure::AfterWrite(error)) => {
                self.write(changes);
                Err(error)
            }
            None => {
                self.write(changes);
                Ok(())
            }
        }
    }
}
