//! A WebSocket: binary messages in, binary messages out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::dial::{Network, Stream};

/// Time for the upgrade once connected, and again for a write that is stuck.
const LIMIT: Duration = Duration::from_secs(20);

/// Time for saying goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Messages read ahead of whoever hears them. More costs memory for each connection under load.
const READ_AHEAD: usize = 16;

/// Bytes read from the system at once. All of it is touched for every read and stays with the
/// connection; less costs calls for what is longer than an ordinary message.
const READ_BUFFER: usize = 4 << 10;

/// An open WebSocket.
pub struct Socket(WebSocketStream<Stream>);

impl Network {
    /// Connects to `ws://..` or `wss://..`. Messages of more than `largest` bytes end the connection.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn websocket(
        &self,
        url: &str,
        headers: &[(&'static str, &'static str)],
        largest: usize,
    ) -> io::Result<Socket> {
        let (request, target) = upgrade(url, headers).ok_or_else(|| {
            io::Error::other("the server's URL is not ws://host[:port]/path or wss://..")
        })?;
        let stream = self.dial(&target.host, target.port, target.secure).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        match timeout(
            LIMIT,
            client_async_with_config(request, stream, Some(config)),
        )
        .await
        {
            Ok(Ok((socket, _response))) => Ok(Socket(socket)),
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => Err(io::Error::other("no upgrade within 20 seconds")),
        }
    }
}

impl Socket {
    /// Writes `first` and then what comes from `outgoing`, and hands on what it reads, until one side
    /// ends it. It reads only while permits are left: each message takes one along.
    ///
    /// # Errors
    /// How it ended, unless `outgoing` was closed.
    pub async fn converse(
        mut self,
        first: Vec<u8>,
        mut outgoing: mpsc::Receiver<Vec<u8>>,
        mut hear: impl FnMut(Vec<u8>, OwnedSemaphorePermit),
    ) -> io::Result<()> {
        let permits = Arc::new(Semaphore::new(READ_AHEAD));
        let mut next = Some(first);
        loop {
            if let Some(frame) = next.take() {
                match timeout(LIMIT, self.0.send(Message::Binary(frame.into()))).await {
                    Ok(sent) => sent.map_err(io::Error::other)?,
                    Err(_) => return Err(io::Error::other("a write was stuck for 20 seconds")),
                }
            }
            tokio::select! {
                frame = outgoing.recv() => match frame {
                    Some(frame) => next = Some(frame),
                    None => {
                        // Whether the other side hears it or not, this is the end.
                        let _ = timeout(GOODBYE, self.0.close(None)).await;
                        return Ok(());
                    }
                },
                message = self.read(&permits) => match message.map_err(io::Error::other)? {
                    Some((bytes, permit)) => hear(bytes, permit),
                    None => return Err(io::Error::other("the server closed the connection")),
                },
            }
        }
    }

    /// The next binary message; text is ignored, pings are answered by the library as it reads on.
    async fn read(
        &mut self,
        permits: &Arc<Semaphore>,
    ) -> Result<Option<(Vec<u8>, OwnedSemaphorePermit)>, Error> {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return Ok(None);
        };
        while let Some(message) = self.0.next().await {
            match message? {
                Message::Binary(bytes) => return Ok(Some((bytes.into(), permit))),
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }
}

struct Target {
    host: String,
    port: u16,
    secure: bool,
}

fn upgrade(url: &str, headers: &[(&'static str, &'static str)]) -> Option<(Request<()>, Target)> {
    let mut request = url.into_client_request().ok()?;
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(*name, value);
    }
    let uri = request.uri();
    let (secure, usual) = match uri.scheme_str()? {
        "ws" => (false, 80),
        "wss" => (true, 443),
        _ => return None,
    };
    let target = Target {
        // An IPv6 address stands in brackets in a URL and nowhere else.
        host: uri.host()?.trim_matches(['[', ']']).to_owned(),
        port: uri.port_u16().unwrap_or(usual),
        secure,
    };
    Some((request, target))
}
