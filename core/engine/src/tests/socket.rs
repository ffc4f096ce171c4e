//! Real sockets on the loopback interface.

use std::sync::mpsc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sendpath_protocol::event::DisconnectReason;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::rig::GUARD;
use crate::shard::Message;
use crate::socket::{Dial, Dialer, Inlet, SocketEvent, Writer};

#[test]
fn bytes_go_both_ways_and_nothing_else_comes_through() {
    let bench = Bench::new();
    let (mut server, path, headers) = bench.accept();
    assert_eq!(path, "/ws/chat");
    assert!(headers.contains(&("origin".into(), "https://web.whatsapp.com".into())));
    assert!(matches!(bench.event(), SocketEvent::Opened));
    bench.runtime.block_on(async {
        assert_eq!(next(&mut server).await, Frame::binary(&b"hello"[..]));
        server.send(Frame::text("noise")).await.unwrap();
        server.send(Frame::Ping(b"?"[..].into())).await.unwrap();
        server.send(Frame::binary(&b"bytes"[..])).await.unwrap();
        assert_eq!(next(&mut server).await, Frame::Pong(b"?"[..].into()));
    });
    assert_eq!(bench.bytes(), b"bytes");
    bench.writer.write(b"one".to_vec()).unwrap();
    bench.writer.write(b"two".to_vec()).unwrap();
    bench.runtime.block_on(async {
        assert_eq!(next(&mut server).await, Frame::binary(&b"one"[..]));
        assert_eq!(next(&mut server).await, Frame::binary(&b"two"[..]));
        server.close(None).await.unwrap();
    });
    assert!(matches!(
        bench.event(),
        SocketEvent::Ended(DisconnectReason::Network(_))
    ));
    assert!(bench.events.recv().is_err(), "the end is told once");
}

#[test]
fn dropping_the_writer_says_goodbye() {
    let bench = Bench::new();
    let (mut server, ..) = bench.accept();
    let Bench {
        writer,
        events,
        runtime,
        ..
    } = bench;
    drop(writer);
    runtime.block_on(async {
        assert_eq!(next(&mut server).await, Frame::binary(&b"hello"[..]));
        assert!(matches!(next(&mut server).await, Frame::Close(_)));
        assert!(server.next().await.is_none_or(|end| end.is_err()));
    });
    let told: Vec<_> = events.iter().collect();
    let last = told.into_iter().next_back();
    let Some(Message::Socket(_, _, SocketEvent::Ended(reason))) = last else {
        panic!("the end is told");
    };
    assert_eq!(reason, DisconnectReason::Stopped);
}

#[test]
fn reading_stops_while_the_shard_is_behind() {
    let bench = Bench::new();
    let (mut server, ..) = bench.accept();
    assert!(matches!(bench.event(), SocketEvent::Opened));
    let (behind, ahead) = (16, 4);
    bench.runtime.block_on(async {
        for n in 0..behind + ahead {
            server.send(Frame::binary(vec![n])).await.unwrap();
        }
        assert_eq!(next(&mut server).await, Frame::binary(&b"hello"[..]));
    });
    let mut kept: Vec<_> = (0..behind).map(|_| bench.event()).collect();
    // A frame that is written shows that the task goes round its loop without reading.
    bench.writer.write(b"turn".to_vec()).unwrap();
    let turn = bench.runtime.block_on(next(&mut server));
    assert_eq!(turn, Frame::binary(&b"turn"[..]));
    assert!(
        bench.events.try_recv().is_err(),
        "nothing read ahead of the permits"
    );
    kept.clear();
    for n in behind..behind + ahead {
        assert_eq!(bench.bytes(), [n]);
    }
}

#[test]
fn what_cannot_be_reached_ends_with_a_reason() {
    let runtime = Runtime::new().unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for url in [
        format!("ws://127.0.0.1:{closed}/"),
        "http://127.0.0.1/".into(),
        "not a url".into(),
    ] {
        let (_writer, events) = dial(&runtime, &url);
        let message = events.recv_timeout(GUARD.unwrap()).unwrap();
        let Message::Socket(7, 3, SocketEvent::Ended(DisconnectReason::Network(reason))) = message
        else {
            panic!("{url}");
        };
        assert!(!reason.is_empty());
    }
}

#[test]
fn a_server_without_tls_is_no_wss_server() {
    let runtime = Runtime::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let (_writer, events) = dial(&runtime, &url);
    let (mut stream, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let message = events.recv_timeout(GUARD.unwrap()).unwrap();
    assert!(matches!(
        message,
        Message::Socket(_, _, SocketEvent::Ended(DisconnectReason::Network(_)))
    ));
}

#[test]
fn a_stopped_runtime_ends_its_connections() {
    let Bench {
        runtime, events, ..
    } = Bench::new();
    runtime.shutdown_timeout(Duration::from_secs(5));
    let last = events.iter().last();
    assert!(matches!(
        last,
        Some(Message::Socket(_, _, SocketEvent::Ended(_)))
    ));
}

struct Bench {
    runtime: Runtime,
    listener: TcpListener,
    writer: Writer,
    events: mpsc::Receiver<Message>,
}

type Headers = Vec<(String, String)>;

impl Bench {
    /// Dials a listener on the loopback interface.
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}/ws/chat", listener.local_addr().unwrap());
        let (writer, events) = dial(&runtime, &url);
        Self {
            runtime,
            listener,
            writer,
            events,
        }
    }

    /// The server's side of the connection, the path and the headers it was asked for.
    fn accept(&self) -> (WebSocketStream<TcpStream>, String, Headers) {
        let mut seen = (String::new(), Headers::new());
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let look = |request: &Request, response: Response| {
            seen.0 = request.uri().path().into();
            let text = |(name, value): (&_, &_)| {
                let value: &tokio_tungstenite::tungstenite::http::HeaderValue = value;
                let name: &tokio_tungstenite::tungstenite::http::HeaderName = name;
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            seen.1 = request.headers().iter().map(text).collect();
            Ok(response)
        };
        let socket = self.runtime.block_on(async {
            let (stream, _) = self.listener.accept().await.unwrap();
            accept_hdr_async(stream, look).await.unwrap()
        });
        (socket, seen.0, seen.1)
    }

    fn event(&self) -> SocketEvent {
        match self.events.recv_timeout(GUARD.unwrap()).unwrap() {
            Message::Socket(7, 3, event) => event,
            _ => panic!("an event of this connection"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self.event() {
            SocketEvent::Bytes(bytes, _permit) => bytes,
            _ => panic!("bytes"),
        }
    }
}

fn dial(runtime: &Runtime, url: &str) -> (Writer, mpsc::Receiver<Message>) {
    let (shard, events) = mpsc::channel();
    let dialer = Dialer::new(runtime.handle().clone()).unwrap();
    let writer = dialer.dial(url, None, b"hello".to_vec(), Inlet::new(7, 3, shard));
    (writer, events)
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Frame {
    let frame = tokio::time::timeout(GUARD.unwrap(), socket.next());
    frame.await.unwrap().unwrap().unwrap()
}
