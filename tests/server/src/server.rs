//! The running server: a runtime of its own, the listener, and the lock around the world.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::command::Command;
use crate::config::Config;
use crate::http;
use crate::reply::Reply;
use crate::world::World;

/// A server on a loopback port, with its own thread. It ends when dropped.
pub struct ModelServer {
    shared: Shared,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl ModelServer {
    /// Binds and serves.
    ///
    /// # Errors
    /// The address is not a loopback address, or the system refuses it.
    pub fn start(config: Config) -> io::Result<Self> {
        if !config.listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the model server listens on loopback addresses only",
            ));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Shared(Arc::new(Inner {
            world: Mutex::new(World::new(&config)),
            changed: Condvar::new(),
        }));
        shared.with(|world| world.media.host = address.to_string());
        let serving = shared.clone();
        runtime.spawn(async move {
            // A listener that cannot be registered is noticed by the first client.
            if let Ok(listener) = TcpListener::from_std(listener) {
                accept(listener, serving).await;
            }
        });
        Ok(Self {
            shared,
            address,
            runtime: Some(runtime),
        })
    }

    /// `ws://127.0.0.1:<port>/ws/chat`.
    pub fn url(&self) -> String {
        format!("ws://{}/ws/chat", self.address)
    }

    /// `http://127.0.0.1:<port>`, for the admin requests.
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The root key that clients must trust: 32 bytes, raw X25519.
    pub fn root_key(&self) -> [u8; 32] {
        self.shared.with(|world| world.authority.root_key())
    }

    /// Obeys a command. `WaitFor` blocks the calling thread, all others return at once.
    pub fn control(&self, command: Command) -> Reply {
        self.shared.control(command)
    }

    /// As [`ModelServer::control`], with a JSON line in and out.
    pub fn control_json(&self, line: &str) -> String {
        let reply = match serde_json::from_str(line) {
            Ok(command) => self.control(command),
            Err(error) => Reply::error(error),
        };
        serde_json::to_string(&reply).unwrap_or_default()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The world, shared by all connections.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    world: Mutex<World>,
    changed: Condvar,
}

impl Shared {
    /// Works on the world; whoever waits for a condition looks again afterwards.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.0.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut world);
        drop(world);
        self.0.changed.notify_all();
        result
    }

    pub(crate) fn control(&self, command: Command) -> Reply {
        match command {
            Command::WaitFor {
                condition,
                timeout_ms,
            } => self.wait(timeout_ms, |world| world.holds(&condition)),
            command => self.with(|world| world.obey(command)),
        }
    }

    fn wait(&self, timeout_ms: u64, holds: impl Fn(&World) -> Result<bool, String>) -> Reply {
        let world = self.0.world.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = Duration::from_millis(timeout_ms);
        let waited = self
            .0
            .changed
            .wait_timeout_while(world, timeout, |world| holds(world) == Ok(false));
        let (world, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match holds(&world) {
            Ok(met) => Reply::Waited { met },
            Err(message) => Reply::Error { message },
        }
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(http::greet(stream, shared.clone()));
    }
}
