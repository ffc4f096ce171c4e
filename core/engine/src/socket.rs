//! One WebSocket: bytes in, bytes out.
//!
//! A task owns the connection from dialling to its end, which it reports exactly once. It reads only
//! while the shard keeps up: the permit of each message comes back when the shard is done with it.

use std::sync::{Arc, mpsc};

use sendpath_protocol::config::UPGRADE_HEADERS;
use sendpath_protocol::event::DisconnectReason;
use sendpath_protocol::media::fetch::Fetch;
use sendpath_transport::{Network, Proxy};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc as frames};
use tokio::task::AbortHandle;

use crate::shard::{Message, SlotId};

/// Frames written ahead of the network; with more waiting the connection counts as dead.
const WRITE_AHEAD: usize = 1024;
/// Blobs fetched at once, over all accounts. Each costs a file and up to 1 MiB of memory.
const FETCHES: usize = 8;
/// The largest WebSocket message: a full Noise frame with its length, and some slack.
const LARGEST: usize = (1 << 24) + 1024;

/// Something that happens to a connection.
pub(crate) enum SocketEvent {
    Bytes(Vec<u8>, OwnedSemaphorePermit),
    /// The last one.
    Ended(DisconnectReason),
    Opened,
}

/// Opens connections.
pub(crate) trait Dial: Send {
    /// Starts to connect; `first` is the first message. Returns at once.
    fn dial(&self, url: &str, proxy: Option<Arc<Proxy>>, first: Vec<u8>, inlet: Inlet) -> Writer;

    /// Starts to get a blob, which ends with [`Message::Fetched`] unless the task is dropped.
    fn fetch(&self, fetch: Fetch, proxy: Option<Arc<Proxy>>, outlet: Outlet) -> Task;

    /// What uploads go through; `None` where no file goes.
    fn carrier(&self) -> Option<Dialer> {
        None
    }
}

/// The way of a blob into the shard.
pub(crate) struct Outlet {
    pub(crate) slot: SlotId,
    pub(crate) shard: mpsc::Sender<Message>,
}

/// Work that ends with whoever wants it.
pub(crate) struct Task(pub(crate) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The way of a connection's events into the shard.
pub(crate) struct Inlet {
    pub(crate) slot: SlotId,
    pub(crate) connection: u64,
    pub(crate) shard: mpsc::Sender<Message>,
    ended: Option<DisconnectReason>,
}

impl Inlet {
    pub(crate) fn new(slot: SlotId, connection: u64, shard: mpsc::Sender<Message>) -> Self {
        Self {
            slot,
            connection,
            shard,
            ended: None,
        }
    }

    fn end(mut self, reason: DisconnectReason) {
        self.ended.replace(reason);
    }

    pub(crate) fn tell(&self, event: SocketEvent) {
        let message = Message::Socket(self.slot, self.connection, event);
        // A shard that is gone has nothing to hear.
        let _ = self.shard.send(message);
    }
}

/// The end is told however the task ends.
impl Drop for Inlet {
    fn drop(&mut self) {
        let reason = self.ended.take();
        self.tell(SocketEvent::Ended(
            reason.unwrap_or_else(|| network("the connection's task was stopped")),
        ));
    }
}

/// Where frames go; dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Writer(pub(crate) frames::Sender<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> (Self, frames::Receiver<Vec<u8>>) {
        let (sender, receiver) = frames::channel(WRITE_AHEAD);
        (Self(sender), receiver)
    }

    pub(crate) fn write(&self, frame: Vec<u8>) -> Result<(), DisconnectReason> {
        self.0
            .try_send(frame)
            .map_err(|_| network("the connection does not take any more data"))
    }
}

/// Connects for real.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) runtime: Handle,
    pub(crate) network: Network,
    /// Leave to fetch a blob.
    fetches: Arc<Semaphore>,
}

impl Dialer {
    /// `None` when the TLS provider lacks what TLS needs.
    pub(crate) fn new(runtime: Handle) -> Option<Self> {
        Some(Self {
            runtime,
            network: Network::new()?,
            fetches: Arc::new(Semaphore::new(FETCHES)),
        })
    }
}

impl Dial for Dialer {
    fn dial(&self, url: &str, proxy: Option<Arc<Proxy>>, first: Vec<u8>, inlet: Inlet) -> Writer {
        let (writer, outgoing) = Writer::new();
        let (url, through) = (url.to_owned(), self.network.through(proxy));
        self.runtime.spawn(async move {
            let opened = through.websocket(&url, UPGRADE_HEADERS, LARGEST).await;
            let ended = match opened {
                Ok(socket) => {
                    inlet.tell(SocketEvent::Opened);
                    let hear = |bytes, permit| inlet.tell(SocketEvent::Bytes(bytes, permit));
                    socket.converse(first, outgoing, hear).await
                }
                Err(error) => Err(error),
            };
            inlet.end(ended.map_or_else(network, |()| DisconnectReason::Stopped));
        });
        writer
    }

    fn fetch(&self, fetch: Fetch, proxy: Option<Arc<Proxy>>, outlet: Outlet) -> Task {
        let (network, fetches) = (self.network.through(proxy), self.fetches.clone());
        let task = self.runtime.spawn(async move {
            // Never closed, so never an error.
            let _leave = fetches.acquire_owned().await;
            let end = network.download(fetch.download).await;
            let message = Message::Fetched(outlet.slot, fetch.id, end);
            // A shard that is gone has nothing to hear.
            let _ = outlet.shard.send(message);
        });
        Task(task.abort_handle())
    }

    fn carrier(&self) -> Option<Self> {
        Some(self.clone())
    }
}

fn network(reason: impl ToString) -> DisconnectReason {
    DisconnectReason::Network(reason.to_string())
}
