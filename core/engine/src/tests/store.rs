//! A store that can be made to fail.

use std::sync::{Arc, Mutex, MutexGuard};

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{
    Changes, Fence, Key, MemoryStore, Namespace, Reader, Rows, Scope, Store,
};

/// A store in memory that the test keeps a hand on.
#[derive(Clone, Default)]
pub(super) struct SharedStore(Arc<Mutex<(MemoryStore, Option<StoreError>)>>);

impl SharedStore {
    fn lock(&self) -> MutexGuard<'_, (MemoryStore, Option<StoreError>)> {
        self.0.lock().unwrap()
    }

    /// Every commit fails from now on, or works again.
    pub(super) fn break_commits(&self, error: Option<StoreError>) {
        self.lock().1 = error;
    }

    pub(super) fn commits(&self) -> u64 {
        self.lock().0.commits()
    }
}

impl Reader for SharedStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.lock().0.get(key)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.lock().0.scan(scope, ns, prefix, after, limit)
    }
}

impl Store for SharedStore {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        self.lock().0.acquire(scope)
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        match inner.1.clone() {
            Some(error) => Err(error),
            None => inner.0.commit(changes),
        }
    }
}
