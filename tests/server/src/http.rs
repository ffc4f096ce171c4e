//! One port for all: WebSocket upgrades, media, and admin requests for harnesses in other languages.
//!
//! ```text
//! POST /admin/mock-phone/scan-qr   body: the QR text        answer: JSON reply of `scan_qr`
//! POST /admin/control              body: a JSON command     answer: its JSON reply
//! GET /v/.., POST /mms/..          media                    `media`
//! ```

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use crate::command::Command;
use crate::connection;
use crate::reply::Reply;
use crate::server::Shared;

const MAX_REQUEST: usize = 1 << 20;
const ORIGIN: &str = "https://web.whatsapp.com";

/// Looks at the first bytes and serves what they ask for.
pub(crate) async fn greet(stream: TcpStream, shared: Shared) {
    let mut start = [0; 7];
    loop {
        match stream.peek(&mut start).await {
            Ok(n) if n >= start.len() => break,
            Ok(0) | Err(_) => return,
            Ok(_) => tokio::task::yield_now().await,
        }
    }
    match &start {
        b"POST /m" => return upload(stream, shared).await,
        b"GET /v/" => return download(stream, shared).await,
        _ if start.starts_with(b"POST ") => return admin(stream, shared).await,
        _ => {}
    }
    if let Ok(socket) = accept_hdr_async(stream, Upgrade(shared.clone())).await {
        connection::serve(socket, shared).await;
    }
}

/// Notes what is missing in an upgrade request.
struct Upgrade(Shared);

impl tokio_tungstenite::tungstenite::handshake::server::Callback for Upgrade {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let origin = request.headers().get("Origin");
        if origin.is_none_or(|origin| origin != ORIGIN) {
            let detail = format!("Origin is {origin:?}");
            self.0
                .with(|world| world.journal.violation(None, "missing_origin", detail));
        }
        Ok(response)
    }
}

async fn admin(mut stream: TcpStream, shared: Shared) {
    let Some((path, body)) = read_request(&mut stream).await else {
        return;
    };
    let reply = match path.as_str() {
        "/admin/mock-phone/scan-qr" => Some(Command::scan_qr(body.trim())),
        "/admin/control" => match serde_json::from_str(&body) {
            Ok(command) => Some(command),
            Err(error) => return respond(&mut stream, 400, &Reply::error(error)).await,
        },
        _ => None,
    };
    let Some(command) = reply else {
        return respond(&mut stream, 404, &Reply::error("no such path")).await;
    };
    // Waiting blocks a thread, so it must not be one that serves connections.
    let reply = tokio::task::spawn_blocking(move || shared.control(command)).await;
    let reply = reply.unwrap_or_else(Reply::error);
    let status = if matches!(reply, Reply::Error { .. }) {
        409
    } else {
        200
    };
    respond(&mut stream, status, &reply).await;
}

async fn download(mut stream: TcpStream, shared: Shared) {
    if let Some((head, _)) = read_head(&mut stream).await
        && let Some(target) = head.split(' ').nth(1)
    {
        let (status, body) = shared.with(|world| world.media.get(target));
        write_out(&mut stream, status, "application/octet-stream", &body).await;
    }
}

async fn upload(mut stream: TcpStream, shared: Shared) {
    let Some((head, mut body)) = read_head(&mut stream).await else {
        return;
    };
    let (Some(target), Some(length)) = (head.split(' ').nth(1), content_length(&head)) else {
        return;
    };
    if !head
        .to_ascii_lowercase()
        .contains(&format!("\norigin: {ORIGIN}\r"))
    {
        let detail = "an upload without Origin";
        shared.with(|world| world.journal.violation(None, "missing_origin", detail));
    }
    let taken = shared.with(|world| world.media.taken(length));
    while body.len() < taken {
        if !matches!(stream.read_buf(&mut body).await, Ok(1..)) {
            break;
        }
    }
    body.truncate(taken);
    let whole = body.len() == length;
    let answer = shared.with(|world| world.media.post(target, &body, whole));
    if let Some((status, body)) = answer {
        write_out(&mut stream, status, "application/json", &body).await;
    }
}

/// The head of a request, and what of its body came with it.
async fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, body));
        }
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 || bytes.len() > MAX_REQUEST {
            return None;
        }
    }
}

fn content_length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(Some(0), |(_, value)| value.trim().parse().ok())
}

async fn write_out(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A client that hangs up before the answer does not want it.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.shutdown().await;
}

/// Path and body of a request; `None` when it is too long, broken or cut off.
async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parse_request(&bytes) {
            return Some(request);
        }
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 || bytes.len() > MAX_REQUEST {
            return None;
        }
    }
}

fn parse_request(bytes: &[u8]) -> Option<(String, String)> {
    let text = core::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let path = head.split(' ').nth(1)?;
    Some((path.into(), body.get(..content_length(head)?)?.into()))
}

async fn respond(stream: &mut TcpStream, status: u16, reply: &Reply) {
    let body = serde_json::to_string(reply).unwrap_or_default();
    write_out(stream, status, "application/json", body.as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_complete_when_its_body_is() {
        let request = b"POST /admin/control HTTP/1.1\r\ncontent-LENGTH: 4\r\n\r\nbody";
        assert_eq!(
            parse_request(request),
            Some(("/admin/control".into(), "body".into()))
        );
        assert_eq!(parse_request(&request[..request.len() - 1]), None);
    }
}
