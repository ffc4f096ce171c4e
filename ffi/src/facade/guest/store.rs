//! A store that several guests share: each takes it for one step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sendpath_engine::StoreSpec;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Key, Namespace, Reader, Rows, Scope, Store};
use sendpath_storage::OpenError;

use crate::facade::error::Error;
use crate::facade::runtime;
use crate::facade::status::Status;

/// An open store for guests. Clones are the same store; it closes with the last of them and of its
/// guests.
#[derive(Clone)]
pub struct GuestStore(Arc<Mutex<Box<dyn Store + Send>>>);

impl GuestStore {
    /// Opens the store.
    ///
    /// # Errors
    /// What the store says; `InvalidArgument` for a URI that names none; `WouldDeadlock`.
    pub fn open(spec: StoreSpec) -> Result<Self, Error> {
        runtime::may_block()?;
        let store = match spec {
            StoreSpec::Custom(store) => store,
            StoreSpec::Uri(uri) => sendpath_storage::open(&uri).map_err(|error| match error {
                OpenError::Store(error) => error.into(),
                other => Error::new(Status::InvalidArgument, other.to_string()),
            })?,
            _ => return Err(Error::new(Status::Bug, "a store of an unknown kind")),
        };
        Ok(Self(Arc::new(Mutex::new(store))))
    }

    /// The store, for one step. A panic in it has not changed it half: commits are atomic.
    pub(super) fn lock(&self) -> MutexGuard<'_, Box<dyn Store + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the store only if something is read.
impl Reader for GuestStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.lock().get(key)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.lock().get_many(keys)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.lock().scan(scope, ns, prefix, after, limit)
    }
}
