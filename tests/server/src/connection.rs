//! One WebSocket: handshake, then stanzas both ways until somebody ends it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::wap::{self, Node};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::framing::{Deframer, frame};
use crate::noise::{Cipher, Handshaken, Responder};
use crate::pairing::Candidate;
use crate::people::ClientId;
use crate::server::Shared;

/// Numbers connections in the order of their handshakes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// What the server knows about an open connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) out: UnboundedSender<Out>,
    pub(crate) phase: Phase,
    /// The end of the offline queue was announced.
    pub(crate) drained: bool,
    pub(crate) iq_ids: std::collections::BTreeSet<String>,
}

/// How far a connection is.
#[derive(Clone)]
pub(crate) enum Phase {
    /// Refused or ended; whatever comes is ignored.
    Ended,
    /// Logged in.
    Online(ClientId),
    /// Registered, not linked yet.
    Pairing(Box<Candidate>),
}

/// What a connection's task is told to do.
pub(crate) enum Out {
    /// Close politely, behind everything that was written.
    Close,
    /// Cut the connection.
    Cut,
    /// Write a stanza.
    Stanza(Node),
}

type Socket = WebSocketStream<TcpStream>;

/// How long a client may take to close after a stanza that ends the stream.
const FAREWELL: Duration = Duration::from_millis(300);

/// Serves one client to its end.
pub(crate) async fn serve(mut socket: Socket, shared: Shared) {
    let mut deframer = Deframer::default();
    let Some(done) = handshake(&mut socket, &mut deframer, &shared).await else {
        // A client that leaves during the handshake needs no farewell.
        let _ = socket.close(None).await;
        return;
    };
    let Handshaken {
        mut incoming,
        mut outgoing,
        client_static,
        payload,
    } = done;
    if let Some(routing) = deframer.routing() {
        let routing = hex::encode(routing);
        shared.with(|world| world.journal.routing.push(routing));
    }
    let (sender, mut receiver) = unbounded_channel();
    let id = shared.with(|world| world.connected(sender, client_static, &payload));
    loop {
        while let Ok(Some(sealed)) = deframer.next() {
            let Ok(plain) = incoming.open(&sealed, &[]) else {
                shared.with(|world| world.violation(id, "undecryptable_frame", ""));
                shared.with(|world| world.disconnected(id));
                return;
            };
            shared.with(|world| world.frame(id, &plain));
        }
        let go_on = tokio::select! {
            bytes = read(&mut socket) => bytes.map(|bytes| deframer.push(&bytes)).is_some(),
            out = receiver.recv() => match out {
                Some(Out::Stanza(node)) => write(&mut socket, &mut outgoing, &node).await,
                Some(Out::Close) => {
                    shared.with(|world| world.disconnected(id));
                    farewell(&mut socket).await;
                    return;
                }
                Some(Out::Cut) | None => false,
            },
        };
        if !go_on {
            break;
        }
    }
    shared.with(|world| world.disconnected(id));
}

/// Lets the client act on the last stanza and close first. A real close is at least a round trip
/// behind that stanza; one that comes with it makes clients drop the stanza unread.
async fn farewell(socket: &mut Socket) {
    let client_closes = async { while read(socket).await.is_some() {} };
    // Either way it is time to go.
    let _ = tokio::time::timeout(FAREWELL, client_closes).await;
    let _ = socket.close(None).await;
}

async fn handshake(
    socket: &mut Socket,
    deframer: &mut Deframer,
    shared: &Shared,
) -> Option<Handshaken> {
    let hello = next_frame(socket, deframer).await?;
    let started = shared.with(|world| {
        let ephemeral = KeyPair::generate(&mut world.rng);
        let now = world.now();
        let chain = world.authority.chain(&mut world.rng, now, world.cert_fault);
        Responder::hello(&hello, ephemeral, world.authority.static_key(), &chain)
    });
    let (responder, answer) = match started {
        Ok(started) => started,
        Err(error) => {
            let detail = format!("hello: {error:?}");
            shared.with(|world| world.journal.violation(None, "handshake", detail));
            return None;
        }
    };
    send(socket, frame(&answer)?).await.then_some(())?;
    let finish = next_frame(socket, deframer).await?;
    match responder.finish(&finish) {
        Ok(done) => Some(done),
        Err(error) => {
            let detail = format!("finish: {error:?}");
            shared.with(|world| world.journal.violation(None, "handshake", detail));
            None
        }
    }
}

async fn next_frame(socket: &mut Socket, deframer: &mut Deframer) -> Option<Vec<u8>> {
    loop {
        if let Some(frame) = deframer.next().ok()? {
            return Some(frame);
        }
        let bytes = read(socket).await?;
        deframer.push(&bytes);
    }
}

/// The next binary message; `None` at the end of the connection.
async fn read(socket: &mut Socket) -> Option<Vec<u8>> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(bytes) => return Some(bytes.to_vec()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn write(socket: &mut Socket, outgoing: &mut Cipher, node: &Node) -> bool {
    let sealed = outgoing.seal(&wap::encode(node), &[]);
    match sealed.ok().as_deref().and_then(frame) {
        Some(framed) => send(socket, framed).await,
        None => false,
    }
}

async fn send(socket: &mut Socket, bytes: Vec<u8>) -> bool {
    socket.send(Message::Binary(bytes.into())).await.is_ok()
}
