//! A proxy as hosts write it.
//!
//! ```text
//! http://[user:password@]host[:port]      HTTP CONNECT, port 8080
//! socks5://[user:password@]host[:port]    SOCKS5, port 1080; socks5h:// is the same
//! ```
//! The proxy looks names up in both cases: a lookup of our own would show what we connect to.

mod connect;
mod socks5;

use std::io;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// Where connections go through.
#[derive(Clone, Eq, PartialEq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    login: Option<Login>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Connect,
    Socks5,
}

#[derive(Clone, Eq, PartialEq)]
struct Login {
    user: String,
    password: Zeroizing<String>,
}

/// The text names no proxy that we can use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a proxy is http://, socks5:// or socks5h://[user:password@]host[:port]")]
pub struct BadProxy;

impl Proxy {
    /// A connection to `host` through the proxy.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect((&*self.host, self.port)).await?;
        let login = self.login.as_ref();
        match self.kind {
            Kind::Connect => connect::ask(&mut stream, login, host, port).await?,
            Kind::Socks5 => socks5::ask(&mut stream, login, host, port).await?,
        }
        Ok(stream)
    }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let (scheme, rest) = text.split_once("://").ok_or(BadProxy)?;
        let (kind, usual) = match scheme {
            "http" => (Kind::Connect, 8080),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(BadProxy),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(Login::parse(login)?), place),
            None => (None, rest),
        };
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address are in brackets.
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| BadProxy)?)
            }
            _ => (place, usual),
        };
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(address) => address,
            None if host.contains(':') => return Err(BadProxy),
            None => host,
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
        if host.is_empty() || port == 0 || !host.bytes().all(good) {
            return Err(BadProxy);
        }
        Ok(Self {
            kind,
            host: host.to_owned(),
            port,
            login,
        })
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, BadProxy> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let decoded = |text| percent_decode_str(text).decode_utf8().map_err(|_| BadProxy);
        let (user, password) = (decoded(user)?.into_owned(), decoded(password)?.into_owned());
        // The limits of SOCKS5; for HTTP the user's name must have no colon.
        let fits = (1..=255).contains(&user.len()) && password.len() <= 255;
        if !fits || user.contains(':') {
            return Err(BadProxy);
        }
        let password = Zeroizing::new(password);
        Ok(Self { user, password })
    }
}

impl core::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let login = if self.login.is_some() {
            ", with login"
        } else {
            ""
        };
        write!(f, "Proxy({:?}{login})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Proxy {
        text.parse().unwrap()
    }

    #[test]
    fn both_kinds_are_read_with_their_usual_ports() {
        let connect = proxy("http://proxy.example/");
        assert_eq!(
            (connect.kind, &*connect.host, connect.port),
            (Kind::Connect, "proxy.example", 8080)
        );
        for text in ["socks5://10.0.0.1", "socks5h://10.0.0.1:1080"] {
            let socks = proxy(text);
            assert_eq!(
                (socks.kind, &*socks.host, socks.port),
                (Kind::Socks5, "10.0.0.1", 1080)
            );
        }
        let six = proxy("http://[::1]:3128");
        assert_eq!((&*six.host, six.port), ("::1", 3128));
    }

    #[test]
    fn a_login_may_hold_any_character() {
        let login = proxy("socks5://us%40er:p%3Aa%2Fss@host:1").login.unwrap();
        assert_eq!((&*login.user, login.password.as_str()), ("us@er", "p:a/ss"));
        let login = proxy("http://user@host").login.unwrap();
        assert_eq!((&*login.user, login.password.as_str()), ("user", ""));
    }

    #[test]
    fn anything_else_is_no_proxy() {
        for text in [
            "",
            "host:80",
            "https://host",
            "http://",
            "http://host:0",
            "http://host:99999",
            "http://::1",
            "http://ho st",
            "http://host/path",
            "http://:pass@host",
            "socks4://host",
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(BadProxy), "{text}");
        }
        let long = format!("http://{}@host", "u".repeat(256));
        assert_eq!(long.parse::<Proxy>(), Err(BadProxy));
    }

    #[test]
    fn neither_address_nor_login_is_printed() {
        let text = format!("{:?}", proxy("http://user:secret@proxy.example"));
        assert_eq!(text, "Proxy(Connect, with login)");
    }
}
