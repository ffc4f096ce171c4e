//! One WebSocket: bytes in, bytes out.
//!
//! A task owns the connection from dialling to its end, which it reports exactly once. It reads
//! only while the shard keeps up: each message needs a permit that comes back when the shard is
//! done with it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sendpath_protocol::config::{ServerConfig, UPGRADE_HEADERS};
use sendpath_protocol::event::DisconnectReason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc as frames};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::shard::{Message, SlotId};

/// Time for name lookup, TCP, TLS and upgrade together, and again for a write that is stuck.
const LIMIT: Duration = Duration::from_secs(20);
/// Time for saying goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// WebSocket messages read ahead of the shard. More costs memory for each account under load.
const READ_AHEAD: usize = 16;
/// Frames written ahead of the network; with more waiting the connection counts as dead.
const WRITE_AHEAD: usize = 1024;
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
    fn dial(&self, server: &ServerConfig, first: Vec<u8>, inlet: Inlet) -> Writer;
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

/// Dials over TCP and TLS.
pub(crate) struct Dialer {
    runtime: Handle,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    /// `None` when the TLS provider lacks what TLS needs.
    pub(crate) fn new(runtime: Handle) -> Option<Self> {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Self {
            runtime,
            tls: Arc::new(tls),
        })
    }
}

impl Dial for Dialer {
    fn dial(&self, server: &ServerConfig, first: Vec<u8>, inlet: Inlet) -> Writer {
        let (writer, outgoing) = Writer::new();
        let (url, tls) = (server.url.clone(), self.tls.clone());
        self.runtime.spawn(async move {
            let ended = connect(&url, tls, first, &inlet, outgoing).await;
            inlet.end(ended);
        });
        writer
    }
}

async fn connect(
    url: &str,
    tls: Arc<ClientConfig>,
    first: Vec<u8>,
    inlet: &Inlet,
    outgoing: frames::Receiver<Vec<u8>>,
) -> DisconnectReason {
    let Some((request, host, port)) = upgrade(url) else {
        return network("the server's URL is not ws://host[:port]/path or wss://..");
    };
    let secure = request.uri().scheme_str() == Some("wss");
    let opened = timeout(LIMIT, async {
        let tcp = TcpStream::connect((&*host, port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Duplex> = if secure {
            let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
            Box::new(TlsConnector::from(tls).connect(name, tcp).await?)
        } else {
            Box::new(tcp)
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        client_async_with_config(request, stream, Some(config)).await
    });
    match opened.await {
        Err(_) => network("no connection within 20 seconds"),
        Ok(Err(error)) => network(error),
        Ok(Ok((socket, _response))) => converse(socket, first, inlet, outgoing).await,
    }
}

/// The upgrade request, the host and the port.
fn upgrade(url: &str) -> Option<(Request<()>, String, u16)> {
    let mut request = url.into_client_request().ok()?;
    for (name, value) in UPGRADE_HEADERS {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(*name, value);
    }
    let uri = request.uri();
    let port = match uri.scheme_str()? {
        "ws" => uri.port_u16().unwrap_or(80),
        "wss" => uri.port_u16().unwrap_or(443),
        _ => return None,
    };
    // An IPv6 address stands in brackets in a URL and nowhere else.
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    Some((request, host, port))
}

/// Reads and writes until one side ends it.
async fn converse(
    mut socket: WebSocketStream<Box<dyn Duplex>>,
    first: Vec<u8>,
    inlet: &Inlet,
    mut outgoing: frames::Receiver<Vec<u8>>,
) -> DisconnectReason {
    inlet.tell(SocketEvent::Opened);
    let permits = Arc::new(Semaphore::new(READ_AHEAD));
    let mut next = Some(first);
    loop {
        if let Some(frame) = next.take() {
            match timeout(LIMIT, socket.send(Frame::Binary(frame.into()))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return network(error),
                Err(_) => return network("a write was stuck for 20 seconds"),
            }
        }
        tokio::select! {
            frame = outgoing.recv() => match frame {
                Some(frame) => next = Some(frame),
                None => {
                    // Whether the other side hears it or not, this is the end.
                    let _ = timeout(GOODBYE, socket.close(None)).await;
                    return DisconnectReason::Stopped;
                }
            },
            message = read(&mut socket, &permits) => match message {
                Ok(Some((bytes, permit))) => inlet.tell(SocketEvent::Bytes(bytes, permit)),
                Ok(None) => return network("the server closed the connection"),
                Err(error) => return network(error),
            },
        }
    }
}

/// The next binary message; text is ignored, pings are answered by the library as it reads on.
async fn read(
    socket: &mut WebSocketStream<Box<dyn Duplex>>,
    permits: &Arc<Semaphore>,
) -> Result<Option<(Vec<u8>, OwnedSemaphorePermit)>, Error> {
    let Ok(permit) = permits.clone().acquire_owned().await else {
        return Ok(None);
    };
    while let Some(message) = socket.next().await {
        match message? {
            Frame::Binary(bytes) => return Ok(Some((bytes.into(), permit))),
            Frame::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

fn network(reason: impl ToString) -> DisconnectReason {
    DisconnectReason::Network(reason.to_string())
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}
