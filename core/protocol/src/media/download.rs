//! How a blob is asked for, and what the answers of the servers mean.
//!
//! ```text
//! GET https://<host><directPath>&hash=<base64url fileEncSha256>&mms-type=<kind>&__wa-mms=
//! ```
//! Spec: "Download". A passing failure (network, 5xx, 429) goes on with the next host, five times at
//! most and from the second round on with growing pauses; 403, 404 and 410 are the end. A file that comes
//! damaged is asked for at each host, and twice at least.

use crate::media::decrypt::{Damage, Decryptor, Expected};
use crate::media::fetch::FetchError;
use crate::media::ticket::Ticket;
use crate::media::{MediaKind, base64url};
use crate::pb;
use crate::secret::Secret;
use crate::time::Millis;

/// How often servers are asked for one blob; once for each host if these are more.
const ASKED: u32 = 5;

/// The first pause. It doubles each time.
const PAUSE: Millis = Millis::from_secs(1);

/// The longest pause, also if a server asks for more.
const LONGEST_PAUSE: Millis = Millis::from_secs(60);

/// Longer paths are none.
const MOST_PATH: usize = 4096;

/// A blob as a message or a notification speaks of it.
#[derive(Clone, Eq, PartialEq)]
pub struct Reference {
    kind: MediaKind,
    direct_path: String,
    media_key: Secret<32>,
    file_enc_sha256: [u8; 32],
    file_sha256: Option<[u8; 32]>,
}

impl Reference {
    /// `None` when a part is missing or cannot be right.
    pub fn new(
        kind: MediaKind,
        direct_path: &str,
        media_key: &[u8],
        file_enc_sha256: &[u8],
        file_sha256: Option<&[u8]>,
    ) -> Option<Self> {
        let good = direct_path.starts_with('/')
            && direct_path.len() <= MOST_PATH
            && direct_path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        good.then_some(())?;
        let file_sha256 = match file_sha256.filter(|hash| !hash.is_empty()) {
            Some(hash) => Some(hash.try_into().ok()?),
            None => None,
        };
        Some(Self {
            kind,
            direct_path: direct_path.into(),
            media_key: Secret::from_slice(media_key)?,
            file_enc_sha256: file_enc_sha256.try_into().ok()?,
            file_sha256,
        })
    }

    /// Of a part of the history.
    pub fn history(notification: &pb::HistorySyncNotification) -> Option<Self> {
        Self::new(
            MediaKind::History,
            notification.direct_path.as_deref()?,
            notification.media_key.as_deref()?,
            notification.file_enc_sha256.as_deref()?,
            notification.file_sha256.as_deref(),
        )
    }

    /// Of app state that did not fit into its answer.
    pub fn app_state(blob: &pb::ExternalBlobReference) -> Option<Self> {
        Self::new(
            MediaKind::AppState,
            blob.direct_path.as_deref()?,
            blob.media_key.as_deref()?,
            blob.file_enc_sha256.as_deref()?,
            blob.file_sha256.as_deref(),
        )
    }

    /// The same blob at another place.
    #[must_use]
    pub fn moved(&self, direct_path: &str) -> Option<Self> {
        let hash = self.file_sha256.as_ref().map(<[u8; 32]>::as_slice);
        let key = self.media_key.expose();
        Self::new(self.kind, direct_path, key, &self.file_enc_sha256, hash)
    }

    /// The key it is encrypted under.
    pub const fn media_key(&self) -> &Secret<32> {
        &self.media_key
    }

    /// How it is got from the hosts of `ticket`. A file of more than `most` bytes is not taken.
    pub fn download(&self, ticket: &Ticket, most: u64) -> Download {
        let url = |host: &String| {
            let joint = if self.direct_path.contains('?') {
                '&'
            } else {
                '?'
            };
            format!(
                "{}{host}{}{joint}hash={}&mms-type={}&__wa-mms=",
                ticket.scheme.prefix(),
                self.direct_path,
                base64url(&self.file_enc_sha256),
                self.kind.name(),
            )
        };
        Download {
            urls: ticket.downloads.iter().map(url).collect(),
            reference: self.clone(),
            most,
        }
    }
}

impl core::fmt::Debug for Reference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Reference({:?})", self.kind)
    }
}

/// A download that can begin.
#[derive(Clone, Eq, PartialEq)]
pub struct Download {
    urls: Vec<String>,
    reference: Reference,
    most: u64,
}

impl Download {
    /// Opens the file. Each try needs one of its own.
    pub fn decryptor(&self) -> Decryptor {
        let Reference {
            kind,
            media_key,
            file_enc_sha256,
            file_sha256,
            ..
        } = &self.reference;
        let expected = Expected {
            file_enc_sha256: *file_enc_sha256,
            file_sha256: *file_sha256,
            most: self.most,
        };
        Decryptor::new(media_key, *kind, expected)
    }

    /// Starts to ask.
    pub const fn tries(&self) -> Tries<'_> {
        Tries {
            urls: self.urls.as_slice(),
            asked: 0,
        }
    }
}

impl core::fmt::Debug for Download {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Download({:?}, {} hosts)",
            self.reference,
            self.urls.len()
        )
    }
}

/// Which host is asked when.
#[derive(Debug)]
pub struct Tries<'a> {
    urls: &'a [String],
    asked: u32,
}

/// What went wrong with one try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The file was read to its end and is bad, or it is too long.
    Damaged(Damage),
    /// The connection failed, or went quiet.
    Network(String),
    /// Any status but 200; and the seconds of `Retry-After`.
    Status(u16, Option<u64>),
}

impl<'a> Tries<'a> {
    /// The URL to ask now; `None` when no host is known.
    pub fn url(&self) -> Option<&'a str> {
        let at = usize::try_from(self.asked.checked_rem(self.hosts())?).ok()?;
        self.urls.get(at).map(String::as_str)
    }

    /// That failed: how long to wait before the next try.
    ///
    /// # Errors
    /// Why there is no next try.
    pub fn failed(&mut self, failure: Failure) -> Result<Millis, FetchError> {
        let mut wanted = None;
        let error = match failure {
            Failure::Status(status @ (403 | 404 | 410), _) => return Err(FetchError::Gone(status)),
            Failure::Status(status, after) => {
                wanted = after;
                FetchError::Refused(status)
            }
            // Another host may have the whole file, or this one sends it whole the next time.
            Failure::Damaged(damage @ (Damage::FileHash | Damage::Length)) => {
                self.asked += 1;
                let most = self.hosts().max(2);
                let again = self.asked < most;
                return if again {
                    Ok(Millis(0))
                } else {
                    Err(damage.into())
                };
            }
            Failure::Damaged(damage) => return Err(damage.into()),
            Failure::Network(why) => FetchError::Unreachable(why),
        };
        let hosts = self.hosts();
        self.asked += 1;
        if self.asked >= ASKED.max(hosts) {
            return Err(error);
        }
        let round = self.asked.checked_sub(hosts);
        let pause = round.map_or(0, |round| PAUSE.0 << round.min(8));
        let wanted = wanted.map_or(0, |seconds| seconds.saturating_mul(1000));
        Ok(Millis(pause.max(wanted)).min(LONGEST_PAUSE))
    }

    fn hosts(&self) -> u32 {
        u32::try_from(self.urls.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::conn::{MediaConn, Scheme};
    use crate::time::Mono;
    use crate::wap::Node;

    fn ticket(hosts: &[&'static str], scheme: Scheme) -> Ticket {
        let hosts = hosts
            .iter()
            .map(|host| Node::new("host").attr("hostname", *host));
        let answer = Node::new("iq").child(Node::new("media_conn").children(hosts));
        Ticket::of(&MediaConn::parse(&answer, Mono(0)).unwrap(), scheme)
    }

    fn reference(path: &str) -> Option<Reference> {
        Reference::new(MediaKind::History, path, &[1; 32], &[255; 32], None)
    }

    fn download(hosts: &[&'static str]) -> Download {
        let reference = reference("/v/t62?ccb=1").unwrap();
        reference.download(&ticket(hosts, Scheme::Https), 100)
    }

    #[test]
    fn the_url_has_the_path_the_hash_and_the_kind() {
        let hash = format!("{}8", "_".repeat(42));
        let expected =
            format!("https://a.net/v/t62?ccb=1&hash={hash}&mms-type=md-msg-hist&__wa-mms=");
        assert_eq!(download(&["a.net"]).tries().url(), Some(&*expected));
        let plain = reference("/v/t62").unwrap();
        let plain = plain.download(&ticket(&["a.net"], Scheme::Http), 100);
        let expected = format!("http://a.net/v/t62?hash={hash}&mms-type=md-msg-hist&__wa-mms=");
        assert_eq!(plain.tries().url(), Some(&*expected));
    }

    #[test]
    fn a_path_that_would_lead_elsewhere_is_refused() {
        for path in [
            "",
            "v/t62",
            "@evil.net/v",
            ".evil.net/",
            ":80/v",
            "/v t",
            "/v\r\nX: y",
            "/v#x",
        ] {
            assert_eq!(reference(path), None, "{path}");
        }
        assert_eq!(reference(&format!("/{}", "x".repeat(MOST_PATH))), None);
    }

    #[test]
    fn keys_and_hashes_of_other_lengths_are_refused() {
        let with = |key: &[u8], file: &[u8], plain| {
            Reference::new(MediaKind::Image, "/v", key, file, plain)
        };
        assert!(with(&[1; 32], &[2; 32], Some(&[])).is_some());
        assert!(with(&[1; 31], &[2; 32], None).is_none());
        assert!(with(&[1; 32], &[2; 33], None).is_none());
        assert!(with(&[1; 32], &[2; 32], Some(&[3; 31])).is_none());
    }

    #[test]
    fn each_host_is_asked_at_once_and_then_with_pauses() {
        let download = download(&["a.net", "b.net"]);
        let mut tries = download.tries();
        let mut seen = Vec::new();
        let error = loop {
            let host = tries.url().unwrap()[8..].chars().next().unwrap();
            match tries.failed(Failure::Network("x".into())) {
                Ok(pause) => seen.push((host, pause.0)),
                Err(error) => break error,
            }
        };
        assert_eq!(seen, [('a', 0), ('b', 1000), ('a', 2000), ('b', 4000)]);
        assert_eq!(error, FetchError::Unreachable("x".into()));
    }

    #[test]
    fn what_the_servers_do_not_have_is_asked_for_once() {
        for status in [403, 404, 410] {
            let download = download(&["a.net", "b.net"]);
            let end = download.tries().failed(Failure::Status(status, None));
            assert_eq!(end, Err(FetchError::Gone(status)));
        }
    }

    #[test]
    fn a_server_may_ask_for_time_but_not_for_ever() {
        let download = download(&["a.net", "b.net"]);
        let mut tries = download.tries();
        assert_eq!(
            tries.failed(Failure::Status(429, Some(7))),
            Ok(Millis(7_000))
        );
        assert_eq!(
            tries.failed(Failure::Status(503, Some(9_999))),
            Ok(LONGEST_PAUSE)
        );
    }

    #[test]
    fn a_file_that_was_cut_is_asked_for_elsewhere_and_a_forged_one_is_not() {
        let download = download(&["a.net", "b.net"]);
        let mut tries = download.tries();
        assert_eq!(
            tries.failed(Failure::Damaged(Damage::Length)),
            Ok(Millis(0))
        );
        let cut = tries.failed(Failure::Damaged(Damage::Length));
        assert_eq!(cut, Err(FetchError::Damaged(Damage::Length)));
        let mut tries = download.tries();
        let forged = tries.failed(Failure::Damaged(Damage::Mac));
        assert_eq!(forged, Err(FetchError::Damaged(Damage::Mac)));
    }

    #[test]
    fn without_hosts_there_is_nothing_to_ask() {
        let reference = reference("/v").unwrap();
        let upload_only = Node::new("host")
            .attr("hostname", "a.net")
            .child(Node::new("upload"));
        let answer = Node::new("iq").child(Node::new("media_conn").child(upload_only));
        let conn = MediaConn::parse(&answer, Mono(0)).unwrap();
        let download = reference.download(&Ticket::of(&conn, Scheme::Https), 1);
        assert_eq!(download.tries().url(), None);
    }

    #[test]
    fn nothing_of_a_reference_is_printed() {
        let text = format!("{:?}", download(&["a.net"]));
        assert_eq!(text, "Download(Reference(History), 1 hosts)");
    }
}
