//! HTTP CONNECT (RFC 9110 section 9.3.6).

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Login;

/// The longest answer that is read.
const MOST_ANSWER: usize = 16 << 10;

pub(super) async fn ask(
    stream: &mut TcpStream,
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> io::Result<()> {
    // An IPv6 address stands in brackets here.
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(login) = login {
        let pair = format!("{}:{}", login.user, *login.password);
        request.push_str(&format!(
            "Proxy-Authorization: Basic {}\r\n",
            STANDARD.encode(pair)
        ));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let answer = answer(stream).await?;
    let status = answer
        .split(|byte| *byte == b' ')
        .nth(1)
        .unwrap_or_default();
    match status {
        [b'2', _, _] => Ok(()),
        b"407" => Err(io::Error::other("the proxy wants another login")),
        other => {
            let status = String::from_utf8_lossy(other.get(..3).unwrap_or_default()).into_owned();
            Err(io::Error::other(format!(
                "the proxy refuses: HTTP {status}"
            )))
        }
    }
}

/// The head of the answer. Byte by byte: what follows it is not the proxy's any more.
async fn answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MOST_ANSWER {
            return Err(io::Error::other("the proxy's answer has no end"));
        }
        answer.push(stream.read_u8().await?);
    }
    Ok(answer)
}
