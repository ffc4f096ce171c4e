//! One HTTP/1.1 exchange on a connection of its own: streamed both ways, no redirects.
//!
//! A redirect is an answer like any other: whoever follows it lets one server send our files to
//! another.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::dial::Network;

/// How long nothing may move.
const STALL: Duration = Duration::from_secs(30);

/// What is sent: so many bytes, in pieces that come from elsewhere.
pub(crate) struct Outgoing {
    pub(crate) length: u64,
    pub(crate) pieces: Option<mpsc::Receiver<io::Result<Bytes>>>,
}

impl Outgoing {
    pub(crate) const fn nothing() -> Self {
        Self {
            length: 0,
            pieces: None,
        }
    }
}

/// An answer whose body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Seconds.
    pub(crate) retry_after: Option<u64>,
    body: Incoming,
    _connection: Connection,
}

impl Answer {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let frame = match timeout(STALL, self.body.frame()).await {
                Ok(Some(frame)) => frame.map_err(io::Error::other)?,
                Ok(None) => return Ok(None),
                Err(_) => return Err(stalled()),
            };
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    /// The body as a whole, if it is not longer than `most` bytes.
    pub(crate) async fn whole(mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > most {
                return Err(io::Error::other("the answer is too long"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}

impl Network {
    /// Asks and waits for the head of the answer, as long as anything moves.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: Outgoing,
    ) -> io::Result<Answer> {
        let uri: Uri = url.parse().map_err(|_| bad_url())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad_url()),
        };
        let authority = uri.authority().ok_or_else(bad_url)?.clone();
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']);
        let stream = self.dial(host, port, secure).await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
        let connection = Connection(tokio::spawn(async move {
            // Its end shows in the answer.
            let _ = connection.await;
        }));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
        let moved = Arc::new(AtomicU64::new(0));
        let length = body.length;
        let pieces = body.pieces;
        let sends = method == Method::POST;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host);
        if sends {
            request = request.header(CONTENT_LENGTH, length);
        }
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            request = request.header(
                HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?,
                value,
            );
        }
        let body = Sending {
            left: length,
            pieces,
            moved: moved.clone(),
        };
        let request = request.body(body).map_err(io::Error::other)?;
        let response = while_moving(sender.send_request(request), &moved).await?;
        Ok(answer(response, connection))
    }
}

fn answer(response: Response<Incoming>, connection: Connection) -> Answer {
    let number = |name| {
        let value: &HeaderValue = response.headers().get(name)?;
        value.to_str().ok()?.trim().parse().ok()
    };
    Answer {
        status: response.status().as_u16(),
        retry_after: number(RETRY_AFTER),
        body: response.into_body(),
        _connection: connection,
    }
}

/// Waits for the answer until nothing was sent for too long.
async fn while_moving<T>(
    answer: impl Future<Output = hyper::Result<T>>,
    moved: &AtomicU64,
) -> io::Result<T> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let before = moved.load(Ordering::Relaxed);
        match timeout(STALL, &mut answer).await {
            Ok(answer) => return answer.map_err(io::Error::other),
            Err(_) if moved.load(Ordering::Relaxed) == before => return Err(stalled()),
            Err(_) => {}
        }
    }
}

/// The task that moves a connection's bytes; it ends with whoever waits for the answer.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of a request.
struct Sending {
    left: u64,
    pieces: Option<mpsc::Receiver<io::Result<Bytes>>>,
    moved: Arc<AtomicU64>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(pieces) = &mut self.pieces else {
            return Poll::Ready(None);
        };
        pieces.poll_recv(cx).map(|piece| {
            let frame = piece?.map(|piece| {
                let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                self.left = self.left.saturating_sub(length);
                self.moved.fetch_add(length, Ordering::Relaxed);
                Frame::data(piece)
            });
            Some(frame)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn stalled() -> io::Error {
    io::Error::other("nothing moved for 30 seconds")
}

fn bad_url() -> io::Error {
    io::Error::other("not a URL of a media server")
}
