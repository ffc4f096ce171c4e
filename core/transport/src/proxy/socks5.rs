//! SOCKS5 (RFC 1928) with a login (RFC 1929) if there is one.
//!
//! ```text
//! 05 n methods        -> 05 method          00 none, 02 login
//! 01 user password    -> 01 00
//! 05 01 00 address    -> 05 00 00 address
//! address = 01 IPv4 | 03 length name | 04 IPv6, then the port
//! ```

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Login;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(super) async fn ask(
    stream: &mut TcpStream,
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> io::Result<()> {
    let methods: &[u8] = match login {
        Some(_) => &[VERSION, 2, NO_LOGIN, LOGIN],
        None => &[VERSION, 1, NO_LOGIN],
    };
    stream.write_all(methods).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    match (chosen, login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, LOGIN], Some(login)) => log_in(stream, login).await?,
        ([VERSION, _], _) => return Err(io::Error::other("the proxy wants another login")),
        _ => return Err(strange()),
    }
    let mut request = vec![VERSION, CONNECT, 0];
    put_address(&mut request, host)?;
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).await?;
    let [version, code, _, kind] = reply;
    if version != VERSION {
        return Err(strange());
    }
    if code != 0 {
        return Err(refusal(code));
    }
    // Where the proxy connects from is of no interest, but it has to be read.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(stream.read_u8().await?),
        _ => return Err(strange()),
    };
    let mut bound = vec![0; length + 2];
    stream.read_exact(&mut bound).await?;
    Ok(())
}

async fn log_in(stream: &mut TcpStream, login: &Login) -> io::Result<()> {
    let mut request = zeroize::Zeroizing::new(vec![1]);
    for part in [login.user.as_bytes(), login.password.as_bytes()] {
        request.push(u8::try_from(part.len()).map_err(io::Error::other)?);
        request.extend_from_slice(part);
    }
    stream.write_all(&request).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    match answer {
        [_, 0] => Ok(()),
        _ => Err(io::Error::other("the proxy wants another login")),
    }
}

fn put_address(request: &mut Vec<u8>, host: &str) -> io::Result<()> {
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(NAME);
            request.push(u8::try_from(host.len()).map_err(io::Error::other)?);
            request.extend(host.as_bytes());
        }
    }
    Ok(())
}

fn refusal(code: u8) -> io::Error {
    let why = match code {
        2 => "not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "too far away",
        _ => "failure",
    };
    io::Error::other(format!("the proxy refuses: {why} ({code})"))
}

fn strange() -> io::Error {
    io::Error::other("the proxy does not speak SOCKS5")
}
