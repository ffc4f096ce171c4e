//! The engine.

use std::sync::Arc;

use sendpath::facade;

use crate::account::{Account, AccountConfig};
use crate::error::NativeError;

/// A set of accounts on one store.
#[derive(uniffi::Object)]
pub struct Engine(facade::Engine);

#[uniffi::export]
impl Engine {
    /// Opens the store under `uri` and starts the threads. Blocks.
    #[uniffi::constructor]
    pub fn open(uri: String) -> Result<Arc<Self>, NativeError> {
        let config = facade::EngineConfig {
            store: facade::StoreSpec::Uri(uri),
        };
        Ok(Arc::new(Self(facade::Engine::open(config)?)))
    }

    /// Opens the account that the host calls `name`. Blocks.
    pub fn account(
        &self,
        name: String,
        config: AccountConfig,
    ) -> Result<Arc<Account>, NativeError> {
        let account = self.0.account(&name, config.try_into()?)?;
        Ok(Arc::new(Account(account)))
    }

    /// Closes every account and the store and joins all threads. Blocks; a second call does
    /// nothing. Not called `close`: generated Kotlin objects have a method of that name.
    pub fn shutdown(&self) -> Result<(), NativeError> {
        Ok(self.0.close()?)
    }
}
