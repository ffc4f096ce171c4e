//! What hosts hold of a store and everything in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use sendpath_handoff::{Closed, Shared};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::error::{ApiMisuse, Fault, StoreError};
use sendpath_protocol::media::fetch::FetchError;
use sendpath_protocol::media::upload::UploadError;
use sendpath_protocol::request::RequestError;
use sendpath_protocol::session::SessionConfig;
use sendpath_protocol::txn::Store;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::account::{Account, AccountConfig};
use crate::clock::{Clock, SystemClock};
use crate::machine::{OPEN, Open};
use crate::shard::{Message, Opening, Shard};
use crate::socket::{Dial, Dialer};

/// How to open an [`Engine`].
#[non_exhaustive]
pub struct EngineConfig {
    /// Where state lives.
    pub store: StoreSpec,
    /// Runs the sockets; `None` for a runtime of its own. A given one must outlive the engine.
    pub runtime: Option<Handle>,
    /// `None` for the operating system's.
    pub clock: Option<Arc<dyn Clock>>,
}

impl EngineConfig {
    /// The usual settings with this store.
    pub const fn new(store: StoreSpec) -> Self {
        Self {
            store,
            runtime: None,
            clock: None,
        }
    }
}

/// Where an engine's state lives.
#[non_exhaustive]
pub enum StoreSpec {
    /// A store of the host.
    Custom(Box<dyn Store + Send>),
    /// A store named as for [`sendpath_storage::open`].
    Uri(String),
}

/// Why a call was not carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An account of this name is open in this engine.
    #[error("an account of this name is already open")]
    AlreadyOpen,
    /// The engine or the account is closed.
    #[error("closed")]
    Closed,
    /// A download failed.
    #[error(transparent)]
    Download(#[from] FetchError),
    /// The store failed or a bug of ours was met.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The process is a fork of the one that opened the engine; threads do not survive a fork.
    #[error("the engine was opened before a fork; open one in this process")]
    Forked,
    /// The call itself is wrong.
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
    /// A request ended without a reply.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The operating system gave no thread, runtime, descriptor or randomness.
    #[error("the operating system refused: {0}")]
    System(String),
    /// An upload failed.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The URI names no store.
    #[error("{0}")]
    Uri(String),
    /// A blocking call from the engine's own thread, such as from a host's store.
    #[error("this call would wait for the thread it is made on")]
    WouldDeadlock,
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Closed> for EngineError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// One store, one thread that owns it, and the accounts in it. Dropping it closes it.
pub struct Engine {
    core: Arc<Core>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What an engine and its accounts share.
pub(crate) struct Core {
    pub(crate) shard: Sender<Message>,
    pub(crate) clock: Arc<dyn Clock>,
    thread: ThreadId,
    process: u32,
    last_op: AtomicU64,
    /// `None` where no file goes.
    pub(crate) carrier: Option<Dialer>,
}

impl Engine {
    /// Opens the store and starts the engine's thread.
    ///
    /// # Errors
    /// What the store says, [`EngineError::Uri`], [`EngineError::System`].
    pub fn open(config: EngineConfig) -> Result<Self, EngineError> {
        let (handle, own) = match config.runtime {
            Some(handle) => (handle, None),
            None => {
                let own = own_runtime()?;
                (own.handle().clone(), Some(own))
            }
        };
        let dialer = Box::new(Dialer::new(handle).ok_or_else(|| system("no TLS"))?);
        Self::start(config.store, config.clock, own, dialer, OPEN)
    }

    pub(crate) fn start(
        store: StoreSpec,
        clock: Option<Arc<dyn Clock>>,
        own: Option<Runtime>,
        dialer: Box<dyn Dial>,
        open: Open,
    ) -> Result<Self, EngineError> {
        let store = match store {
            StoreSpec::Custom(store) => store,
            StoreSpec::Uri(uri) => open_store(&uri)?,
        };
        let clock = match clock {
            Some(clock) => clock,
            None => Arc::new(SystemClock::start().ok_or_else(|| system("no randomness"))?),
        };
        let carrier = dialer.carrier();
        let (shard, messages) = mpsc::channel();
        let (inbox, shard_clock) = (shard.clone(), clock.clone());
        // Sessions are made on the thread that runs them and never leave it.
        let thread = thread::Builder::new()
            .name("sendpath".into())
            .spawn(move || {
                Shard::new(store, shard_clock, dialer, open, inbox).run(&messages);
                // Every completion is delivered by now; sockets may say goodbye.
                if let Some(runtime) = own {
                    runtime.shutdown_timeout(Duration::from_secs(1));
                }
            });
        let thread = thread.map_err(system)?;
        let wake = shard.clone();
        clock.subscribe(Box::new(move || drop(wake.send(Message::Wake))));
        let core = Core {
            shard,
            clock,
            thread: thread.thread().id(),
            process: std::process::id(),
            last_op: AtomicU64::new(0),
            carrier,
        };
        Ok(Self {
            core: Arc::new(core),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Opens the account in the slot `name`; its keys are made when it is new. Blocks for a commit.
    ///
    /// # Errors
    /// [`ApiMisuse::BadAccountName`], [`EngineError::AlreadyOpen`], [`EngineError::Closed`],
    /// [`EngineError::Forked`], what the store says.
    pub fn account(&self, name: &str, config: AccountConfig) -> Result<Account, EngineError> {
        self.core.enter_blocking()?;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(good) {
            return Err(ApiMisuse::BadAccountName.into());
        }
        let (shared, proxy) = (
            Shared::new(config.event_capacity),
            config.proxy.map(Arc::new),
        );
        let (reply, opened) = mpsc::sync_channel(1);
        let opening = Opening {
            name: name.into(),
            config: SessionConfig {
                server: config.server,
                device: config.device,
                account: config.settings,
            },
            proxy: proxy.clone(),
            shared: shared.clone(),
            reply,
        };
        self.core.tell(Message::Open(Box::new(opening)))?;
        let slot = opened.recv().map_err(|_| EngineError::Closed)??;
        let core = self.core.clone();
        Ok(Account::new(core, slot, shared, proxy, config.max_pending))
    }

    /// Closes every account and ends the thread: every operation completes, every waiter wakes.
    /// Blocks until that is done; calling it again does nothing.
    ///
    /// # Errors
    /// [`EngineError::Forked`], [`EngineError::WouldDeadlock`].
    pub fn close(&self) -> Result<(), EngineError> {
        self.core.enter_blocking()?;
        // Nobody to tell means it is closed.
        let _ = self.core.tell(Message::Shutdown);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Fault::Bug("the engine's thread panicked").into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // In a fork, or on its own thread, there is nothing to wait for.
        if self.close() == Err(EngineError::WouldDeadlock) {
            let _ = self.core.tell(Message::Shutdown);
        }
    }
}

impl Core {
    pub(crate) fn enter(&self) -> Result<(), EngineError> {
        if std::process::id() == self.process {
            Ok(())
        } else {
            Err(EngineError::Forked)
        }
    }

    pub(crate) fn enter_blocking(&self) -> Result<(), EngineError> {
        self.enter()?;
        if thread::current().id() == self.thread {
            return Err(EngineError::WouldDeadlock);
        }
        Ok(())
    }

    pub(crate) fn tell(&self, message: Message) -> Result<(), EngineError> {
        self.shard.send(message).map_err(|_| EngineError::Closed)
    }

    pub(crate) fn op(&self) -> OpId {
        OpId(self.last_op.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

fn open_store(uri: &str) -> Result<Box<dyn Store + Send>, EngineError> {
    sendpath_storage::open(uri).map_err(|error| match error {
        sendpath_storage::OpenError::Store(error) => error.into(),
        other => EngineError::Uri(other.to_string()),
    })
}

fn own_runtime() -> Result<Runtime, EngineError> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("sendpath-net")
        .enable_io()
        .enable_time()
        .build()
        .map_err(system)
}

pub(crate) fn system(error: impl ToString) -> EngineError {
    EngineError::System(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::SendOptions;

    #[test]
    fn every_call_in_a_fork_says_so_and_waits_for_nothing() {
        let config = EngineConfig::new(StoreSpec::Uri("memory:".into()));
        let mut engine = Engine::open(config).unwrap();
        // What the child of a fork has: another process number, and no thread to join.
        let thread = engine.thread.get_mut().unwrap().take();
        let core = Arc::get_mut(&mut engine.core).unwrap();
        core.process = core.process.wrapping_add(1);
        let shared = Shared::new(1);
        let account = Account::new(engine.core.clone(), 1, shared, None, 1);
        let forked = EngineError::Forked;
        assert_eq!(
            engine.account("a", AccountConfig::default()).err(),
            Some(forked.clone())
        );
        assert_eq!(account.connect(), Err(forked.clone()));
        assert_eq!(account.disconnect(), Err(forked.clone()));
        assert_eq!(account.logout(true), Err(forked.clone()));
        let sent = account.send_text("1", "x", SendOptions::default());
        assert_eq!(sent.err(), Some(forked.clone()));
        assert_eq!(account.next_event(None), Err(forked.clone()));
        assert_eq!(account.status().err(), Some(forked.clone()));
        assert_eq!(account.close(), Err(forked.clone()));
        assert_eq!(engine.close(), Err(forked));
        drop(account);
        // This process is no child and has the thread still.
        engine.core.tell(Message::Shutdown).unwrap();
        thread.unwrap().join().unwrap();
    }
}
