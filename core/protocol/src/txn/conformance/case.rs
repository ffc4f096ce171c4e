//! The place where one check works.

use super::{NS, Open};
use crate::error::StoreError;
use crate::txn::{Changes, Fence, Key, Rows, Scope, Store};

/// One store, one acquired scope without rows in [`NS`].
pub(super) struct Case {
    pub(super) store: Box<dyn Store>,
    pub(super) scope: Scope,
    pub(super) fence: Fence,
}

impl Case {
    pub(super) fn new(open: &mut Open<'_>, name: &str) -> Result<Self, StoreError> {
        let scope = Scope::slot(&format!("conformance-{name}"));
        let mut store = open()?;
        let fence = store.acquire(&scope)?;
        let mut case = Self {
            store,
            scope,
            fence,
        };
        let old = case.scan(b"", None, usize::MAX)?;
        case.write(|scope, changes| {
            for (id, _) in old {
                changes.delete(Key::new(scope, NS, id));
            }
        })?;
        Ok(case)
    }

    pub(super) fn write(
        &mut self,
        fill: impl FnOnce(&Scope, &mut Changes),
    ) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        fill(&self.scope, &mut changes);
        self.store.commit(&[(&changes, &self.fence)])
    }

    pub(super) fn put(&mut self, rows: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
        self.write(|scope, changes| {
            for (id, row) in rows {
                changes.put(Key::new(scope, NS, id), row.to_vec());
            }
        })
    }

    pub(super) fn row(&self, id: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(&Key::new(&self.scope, NS, id))
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.store.scan(&self.scope, NS, prefix, after, limit)
    }

    pub(super) fn ids(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self.scan(prefix, after, limit)?;
        Ok(rows.into_iter().map(|(id, _)| id.into_vec()).collect())
    }
}
