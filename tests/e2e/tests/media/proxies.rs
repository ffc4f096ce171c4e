//! Two small proxies on loopback that remember where they were asked to go.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that wants the login `user`/`p@ss`. It ends with the test.
pub(crate) struct TestProxy {
    address: SocketAddr,
    scheme: &'static str,
    targets: Arc<Mutex<Vec<String>>>,
}

type Ask = fn(&mut TcpStream) -> io::Result<Option<String>>;

impl TestProxy {
    pub(crate) fn connect() -> Self {
        Self::start("http", ask_connect)
    }

    pub(crate) fn socks5() -> Self {
        Self::start("socks5", ask_socks5)
    }

    fn start(scheme: &'static str, ask: Ask) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let targets = Arc::new(Mutex::new(Vec::new()));
        let seen = targets.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, seen) = (client.unwrap(), seen.clone());
                thread::spawn(move || {
                    if let Ok(Some(target)) = ask(&mut client) {
                        seen.lock().unwrap().push(target.clone());
                        // Either side may go at any moment.
                        let _ = relay(client, &target);
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            targets,
        }
    }

    pub(crate) fn url(&self, password: &str) -> String {
        format!("{}://user:{password}@{}", self.scheme, self.address)
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

fn relay(mut client: TcpStream, target: &str) -> io::Result<()> {
    let mut server = TcpStream::connect(target)?;
    let (mut back, mut forth) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut back, &mut forth);
        let _ = forth.shutdown(Shutdown::Write);
    });
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)
}

fn ask_connect(client: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    // user:p@ss
    if !head.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n") {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")?;
        return Ok(None);
    }
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    Ok(head.split(' ').nth(1).map(str::to_owned))
}

fn ask_socks5(client: &mut TcpStream) -> io::Result<Option<String>> {
    assert_eq!(read::<4>(client)?, [5, 2, 0, 2]);
    client.write_all(&[5, 2])?;
    let [version, length] = read::<2>(client)?;
    assert_eq!((version, length), (1, 4));
    let user = read::<4>(client)?;
    let [length] = read::<1>(client)?;
    let mut password = vec![0; usize::from(length)];
    client.read_exact(&mut password)?;
    let good = &user == b"user" && password == b"p@ss";
    client.write_all(&[1, u8::from(!good)])?;
    if !good {
        return Ok(None);
    }
    assert_eq!(read::<4>(client)?, [5, 1, 0, 1]);
    let [a, b, c, d] = read::<4>(client)?;
    let port = u16::from_be_bytes(read::<2>(client)?);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(Some(format!("{a}.{b}.{c}.{d}:{port}")))
}

fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}
