//! The engine as foreign hosts see it: one store, one small runtime, many accounts.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sendpath_engine as core;
use tokio::runtime::{Handle, Runtime};

use super::account::{Account, AccountConfig, AccountInner};
use super::error::Error;
use super::runtime::{self, Home};

/// Threads that run sockets and callbacks; sessions have the engine's own shard threads.
const WORKER_THREADS: usize = 1;

/// How long a close waits for tasks that only have to notice that they are over.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What an engine is opened with.
pub struct EngineConfig {
    /// Where state is kept.
    pub store: core::StoreSpec,
}

/// A set of accounts on one store. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

pub(super) struct EngineInner {
    core: core::Engine,
    home: Home,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    accounts: Mutex<Vec<Weak<AccountInner>>>,
}

impl Engine {
    /// Opens the store and starts the threads.
    ///
    /// # Errors
    /// What the store says; `Runtime` when the system gives no threads.
    pub fn open(config: EngineConfig) -> Result<Self, Error> {
        runtime::may_block()?;
        let runtime = runtime::start(WORKER_THREADS)?;
        let handle = runtime.handle().clone();
        let mut settings = core::EngineConfig::new(config.store);
        settings.runtime = Some(handle.clone());
        let core = core::Engine::open(settings)?;
        Ok(Self(Arc::new(EngineInner {
            core,
            home: Home::here(),
            handle,
            runtime: Mutex::new(Some(runtime)),
            accounts: Mutex::new(Vec::new()),
        })))
    }

    /// Opens the account that the host calls `name`; it stays offline until
    /// [`Account::connect`].
    ///
    /// # Errors
    /// `BadAccountName`, `AlreadyOpen`, `Closed`, or what the store says.
    pub fn account(&self, name: &str, config: AccountConfig) -> Result<Account, Error> {
        self.0.home.check()?;
        runtime::may_block()?;
        let core = self.0.core.account(name, config.into())?;
        let account = Account::start(core, self.0.home, self.0.handle.clone());
        let mut accounts = self.accounts();
        accounts.retain(|known| known.strong_count() > 0);
        accounts.push(account.downgrade());
        Ok(account)
    }

    /// Closes every account and the store and joins all threads. A second call does nothing.
    ///
    /// # Errors
    /// `WouldDeadlock` in a callback; `Forked` in a child process.
    pub fn close(&self) -> Result<(), Error> {
        self.0.home.check()?;
        runtime::may_block()?;
        let accounts = std::mem::take(&mut *self.accounts());
        for account in accounts.iter().filter_map(Weak::upgrade) {
            account.close()?;
        }
        self.0.core.close()?;
        let runtime = self.0.take_runtime();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(SHUTDOWN);
        }
        Ok(())
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, Vec<Weak<AccountInner>>> {
        let accounts = self.0.accounts.lock();
        accounts.unwrap_or_else(PoisonError::into_inner)
    }
}

impl EngineInner {
    fn take_runtime(&self) -> Option<Runtime> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.take()
    }
}

impl Drop for EngineInner {
    fn drop(&mut self) {
        let Some(runtime) = self.take_runtime() else {
            return;
        };
        if self.home.check().is_ok() {
            runtime.shutdown_background();
        } else {
            // The threads exist only in the parent; waiting for them would never end.
            std::mem::forget(runtime);
        }
    }
}
