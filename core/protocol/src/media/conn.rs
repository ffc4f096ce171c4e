//! Which HTTP servers there are, and our ticket for them.
//!
//! ```text
//! <iq xmlns="w:m" type="set" to=server><media_conn/></iq>
//!   -> <media_conn auth ttl auth_ttl max_buckets>
//!        <host hostname type="primary|fallback" [fallback_hostname]><upload/><download>..</download></host>..
//! ```
//! Spec: "Media connection". Kept until `ttl`; primary hosts come first.

use crate::jid::Jid;
use crate::secret::SecretBytes;
use crate::time::{Millis, Mono};
use crate::wap::Node;

/// Hosts that are kept; the server names a handful.
const MOST_HOSTS: usize = 16;

/// The longest name of a host.
const MOST_NAME: usize = 255;

/// How long an answer without `ttl` holds, in seconds.
const SHORT_TTL: u64 = 300;

/// The longest that any answer holds, in seconds.
const LONG_TTL: u64 = 86_400;

/// The question.
pub fn query() -> Node {
    Node::new("iq")
        .attr("xmlns", "w:m")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("media_conn"))
}

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MediaConn {
    auth: SecretBytes,
    expires: Mono,
    hosts: Vec<Host>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Host {
    name: String,
    uploads: bool,
    downloads: bool,
}

impl MediaConn {
    /// Reads the answer that came at `now`; `None` when it names no host that can be asked.
    pub fn parse(answer: &Node, now: Mono) -> Option<Self> {
        let conn = answer.find("media_conn")?;
        let (mut primary, mut fallback) = (Vec::new(), Vec::new());
        for node in conn.all("host") {
            let side = |name: &str| node.find(name).is_some();
            let any = side("upload") || side("download");
            let host = |attribute| {
                let name = node.text(attribute)?;
                is_host(&name).then(|| Host {
                    name: name.into_owned(),
                    uploads: !any || side("upload"),
                    downloads: !any || side("download"),
                })
            };
            let list = match node.is("type", "fallback") {
                true => &mut fallback,
                false => &mut primary,
            };
            list.extend(host("hostname"));
            fallback.extend(host("fallback_hostname"));
        }
        let mut hosts: Vec<Host> = Vec::new();
        for host in primary.into_iter().chain(fallback) {
            if hosts.len() < MOST_HOSTS && hosts.iter().all(|known| known.name != host.name) {
                hosts.push(host);
            }
        }
        let seconds = |name| conn.number(name).and_then(|s: i64| u64::try_from(s).ok());
        let ttl = seconds("ttl").unwrap_or(SHORT_TTL);
        let ttl = ttl.min(seconds("auth_ttl").unwrap_or(ttl)).min(LONG_TTL);
        (!hosts.is_empty()).then(|| Self {
            auth: SecretBytes::new(conn.text("auth").unwrap_or_default().as_bytes().to_vec()),
            expires: now.plus(Millis::from_secs(ttl)),
            hosts,
        })
    }

    /// Whether it is not yet too old.
    pub fn holds(&self, now: Mono) -> bool {
        now < self.expires
    }

    /// Hosts to download from, in the order in which they are asked.
    pub fn downloads(&self) -> impl Iterator<Item = &str> {
        let hosts = self.hosts.iter().filter(|host| host.downloads);
        hosts.map(|host| &*host.name)
    }

    /// Hosts to upload to, in the order in which they are asked.
    pub fn uploads(&self) -> impl Iterator<Item = &str> {
        let hosts = self.hosts.iter().filter(|host| host.uploads);
        hosts.map(|host| &*host.name)
    }

    /// What we show to upload.
    pub const fn auth(&self) -> &SecretBytes {
        &self.auth
    }
}

/// Whether the text is a host's name, perhaps with a port: it must not change what a URL means.
fn is_host(name: &str) -> bool {
    let (name, port) = name.split_once(':').unwrap_or((name, "443"));
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(good) && port.parse::<u16>().is_ok()
}

/// How media servers are spoken to: as securely as the chat server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// In the clear, for tests.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// That of the media servers beside a chat server: `http` beside `ws`, `https` beside all else.
    pub fn beside(url: &str) -> Self {
        match url.starts_with("ws://") {
            true => Self::Http,
            false => Self::Https,
        }
    }

    /// The beginning of a URL.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(5_000);

    fn answer(hosts: impl IntoIterator<Item = Node>) -> Node {
        let conn = Node::new("media_conn")
            .attr("auth", "ticket")
            .attr("ttl", "100")
            .attr("auth_ttl", "60")
            .children(hosts);
        Node::new("iq").child(conn)
    }

    fn host(name: &'static str, kind: &'static str) -> Node {
        Node::new("host").attr("hostname", name).attr("type", kind)
    }

    fn names<'a>(hosts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        hosts.collect()
    }

    #[test]
    fn primary_hosts_come_first_and_each_once() {
        let hosts = [
            host("b.net", "fallback"),
            host("a.net", "primary").attr("fallback_hostname", "c.net"),
            host("a.net", "primary"),
        ];
        let conn = MediaConn::parse(&answer(hosts), NOW).unwrap();
        assert_eq!(names(conn.downloads()), ["a.net", "b.net", "c.net"]);
        assert_eq!(names(conn.uploads()), ["a.net", "b.net", "c.net"]);
        assert_eq!(conn.auth().expose(), b"ticket");
    }

    #[test]
    fn a_host_is_asked_for_what_it_offers() {
        let hosts = [
            host("up.net", "primary").child(Node::new("upload")),
            host("down.net", "primary").child(Node::new("download")),
        ];
        let conn = MediaConn::parse(&answer(hosts), NOW).unwrap();
        assert_eq!(names(conn.uploads()), ["up.net"]);
        assert_eq!(names(conn.downloads()), ["down.net"]);
    }

    #[test]
    fn it_holds_as_long_as_the_shorter_of_both_times() {
        let conn = MediaConn::parse(&answer([host("a.net", "primary")]), NOW).unwrap();
        assert!(conn.holds(Mono(64_999)));
        assert!(!conn.holds(Mono(65_000)));
    }

    #[test]
    fn names_that_would_change_the_url_are_no_hosts() {
        for name in [
            "",
            "a/b",
            "a@b.net",
            "a.net?x",
            "a net",
            "a.net:x",
            "a.net:80:80",
            "é.net",
        ] {
            assert_eq!(
                MediaConn::parse(&answer([host(name, "primary")]), NOW),
                None,
                "{name}"
            );
        }
        let local = MediaConn::parse(&answer([host("127.0.0.1:8080", "primary")]), NOW).unwrap();
        assert_eq!(names(local.uploads()), ["127.0.0.1:8080"]);
    }

    #[test]
    fn only_tests_speak_in_the_clear() {
        assert_eq!(Scheme::beside("ws://127.0.0.1:1/ws"), Scheme::Http);
        assert_eq!(
            Scheme::beside("wss://web.whatsapp.com/ws/chat"),
            Scheme::Https
        );
        assert_eq!(Scheme::beside(""), Scheme::Https);
    }
}
