//! How a blob is brought to the servers, and what their answers mean.
//!
//! ```text
//! POST https://<host>/mms/<kind>/<token>?auth=<auth>&token=<token>     token = base64url(fileEncSha256)
//!   200 {"url":"..","direct_path":"..","handle":"..","object_id":".."}
//! from 5 MiB on:  ..&resume=1        without a body -> {"resume":"complete" | "<offset>", ..}
//!                 ..&file_offset=N   the rest of the file
//! ```
//! Spec: "Upload". Passing failures (network, 5xx, 429) go on with the next host, and with what it has
//! of a large file; 401 and 403 take a new ticket once.

use serde_json::Value;

use crate::content::draft::Blob;
use crate::media::encrypt::Sealed;
use crate::media::ticket::Ticket;
use crate::media::{MediaKind, base64url};
use crate::secret::Secret;
use crate::time::{Millis, UnixSeconds};

/// Headers of an upload, as the web client sends them.
pub const HEADERS: &[(&str, &str)] = &[
    ("Origin", "https://web.whatsapp.com"),
    ("Referer", "https://web.whatsapp.com/"),
    ("Content-Type", "application/octet-stream"),
];

/// Answers are shorter; of longer ones nothing is read.
pub const MOST_ANSWER: usize = 64 << 10;

/// Files of that many bytes and more are continued where they broke off.
const RESUMED_FROM: u64 = 5 << 20;

/// How often servers are asked for one upload; once for each host if these are more.
const ASKED: u32 = 6;

/// The first pause. It doubles each time.
const PAUSE: Millis = Millis::from_secs(1);

/// The longest pause, also if a server asks for more.
const LONGEST_PAUSE: Millis = Millis::from_secs(60);

/// A blob that is on the servers: what a message says about it.
#[derive(Clone, Eq, PartialEq)]
pub struct Uploaded {
    /// Its kind.
    pub kind: MediaKind,
    /// `url` of the message.
    pub url: String,
    /// `directPath` of the message.
    pub direct_path: String,
    /// `mediaKey` of the message.
    pub media_key: Secret<32>,
    /// When that key was made.
    pub keyed_at: UnixSeconds,
    /// Hashes and lengths.
    pub sealed: Sealed,
    /// The server's handle, which a channel needs; `None` for most uploads.
    pub handle: Option<String>,
    /// The server's number of the object, if it told one.
    pub object_id: Option<String>,
}

impl From<Uploaded> for Blob {
    /// What a message of any kind says about the file.
    fn from(uploaded: Uploaded) -> Self {
        Self {
            url: uploaded.url,
            direct_path: uploaded.direct_path,
            media_key: uploaded.media_key,
            keyed_at: Some(uploaded.keyed_at),
            sha256: uploaded.sealed.file_sha256,
            enc_sha256: uploaded.sealed.file_enc_sha256,
            length: uploaded.sealed.file_length,
        }
    }
}

impl core::fmt::Debug for Uploaded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Uploaded({:?}, {} bytes)",
            self.kind, self.sealed.file_length
        )
    }
}

/// Why an upload failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// There is no connection to ask for the hosts.
    #[error("not connected")]
    NotConnected,
    /// The bytes to upload could not be read, or there was no room for the encrypted file.
    #[error("reading or keeping the file: {0}")]
    File(String),
    /// The servers do not take it; the last HTTP status.
    #[error("the servers refuse: HTTP {0}")]
    Refused(u16),
    /// A server said 200 and nothing of use.
    #[error("a server's answer cannot be read")]
    Strange,
    /// No server could be reached.
    #[error("not reached: {0}")]
    Unreachable(String),
}

/// One upload.
#[derive(Debug)]
pub struct Upload {
    ticket: Ticket,
    kind: MediaKind,
    media_key: Secret<32>,
    keyed_at: UnixSeconds,
    sealed: Sealed,
    asked: u32,
    renewed: bool,
    /// How much of the file the host has; `None` before it was asked.
    there: Option<u64>,
}

/// The request to make now.
#[derive(Clone, Eq, PartialEq)]
pub struct Ask {
    /// Its URL; our leave is in it.
    pub url: String,
    /// The body is the file from this byte on; `None` for no body.
    pub from: Option<u64>,
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Ask(from {:?})", self.from)
    }
}

/// What comes after an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// The next request, after a pause.
    Ask(Millis),
    /// The file is there.
    Done(Uploaded),
    /// It will not be.
    Failed(UploadError),
    /// [`Upload::renew`] with a new ticket, then the next request.
    Renew,
}

impl Upload {
    /// Starts to upload what was encrypted under a key that was made at `keyed_at`.
    pub fn new(
        ticket: Ticket,
        kind: MediaKind,
        media_key: Secret<32>,
        keyed_at: UnixSeconds,
        sealed: Sealed,
    ) -> Self {
        let mut upload = Self {
            ticket,
            kind,
            media_key,
            keyed_at,
            sealed,
            asked: 0,
            renewed: false,
            there: None,
        };
        upload.forget_progress();
        upload
    }

    /// The request to make now; `None` when no host takes uploads.
    pub fn ask(&self) -> Option<Ask> {
        let count = u32::try_from(self.ticket.uploads.len()).unwrap_or(u32::MAX);
        let at = usize::try_from(self.asked.checked_rem(count)?).ok()?;
        let host = self.ticket.uploads.get(at)?;
        let auth = escaped(self.ticket.auth.expose());
        let token = base64url(&self.sealed.file_enc_sha256);
        let (scheme, kind) = (self.ticket.scheme.prefix(), self.kind.name());
        let extra = match self.there {
            None => "&resume=1".to_owned(),
            Some(0) => String::new(),
            Some(offset) => format!("&file_offset={offset}"),
        };
        Some(Ask {
            url: format!("{scheme}{host}/mms/{kind}/{token}?auth={auth}&token={token}{extra}"),
            from: self.there,
        })
    }

    /// A server answered.
    pub fn answered(&mut self, status: u16, retry_after: Option<u64>, body: &[u8]) -> Next {
        match status {
            200 => self.accepted(body),
            401 | 403 if !self.renewed => {
                self.renewed = true;
                Next::Renew
            }
            408 | 429 | 500.. => self.again(UploadError::Refused(status), retry_after),
            // It has forgotten what it had.
            416 if self.there.is_some_and(|there| there > 0) => {
                self.again(UploadError::Refused(status), None)
            }
            _ => Next::Failed(UploadError::Refused(status)),
        }
    }

    /// The connection failed.
    pub fn failed(&mut self, why: String) -> Next {
        self.again(UploadError::Unreachable(why), None)
    }

    /// Goes on with a new ticket.
    pub fn renew(&mut self, ticket: Ticket) {
        self.ticket = ticket;
        self.forget_progress();
    }

    fn accepted(&mut self, body: &[u8]) -> Next {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| Some(answer.get(name)?.as_str()?.to_owned());
        if self.there.is_none() {
            let there = answer.get("resume").and_then(|resume| {
                let number = resume.as_str().map(|text| text.parse().ok());
                number.unwrap_or_else(|| resume.as_u64())
            });
            let complete = text("resume").is_some_and(|resume| resume == "complete");
            if !complete {
                self.there = Some(
                    there
                        .filter(|there| *there < self.sealed.enc_length)
                        .unwrap_or(0),
                );
                return Next::Ask(Millis(0));
            }
        }
        let named = |name| text(name).filter(|text| !text.is_empty());
        let path = named("direct_path").filter(|path| path.starts_with('/'));
        match (named("url"), path) {
            (Some(url), Some(direct_path)) => Next::Done(Uploaded {
                kind: self.kind,
                url,
                direct_path,
                media_key: self.media_key.clone(),
                keyed_at: self.keyed_at,
                sealed: self.sealed.clone(),
                handle: named("handle"),
                object_id: named("object_id"),
            }),
            _ => self.again(UploadError::Strange, None),
        }
    }

    fn again(&mut self, error: UploadError, retry_after: Option<u64>) -> Next {
        let hosts = u32::try_from(self.ticket.uploads.len()).unwrap_or(u32::MAX);
        self.asked += 1;
        if self.asked >= ASKED.max(hosts) {
            return Next::Failed(error);
        }
        self.forget_progress();
        let round = self.asked.checked_sub(hosts);
        let pause = round.map_or(0, |round| PAUSE.0 << round.min(8));
        let wanted = retry_after.map_or(0, |seconds| seconds.saturating_mul(1000));
        Next::Ask(Millis(pause.max(wanted)).min(LONGEST_PAUSE))
    }

    /// The next host is asked what it has, if the file is worth the question.
    fn forget_progress(&mut self) {
        self.there = (self.sealed.enc_length < RESUMED_FROM).then_some(0);
    }
}

/// As a value in a query.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::conn::{MediaConn, Scheme};
    use crate::time::Mono;
    use crate::wap::Node;

    const DONE: &[u8] = br#"{"url":"https://a.net/v/1","direct_path":"/v/1","handle":"h"}"#;

    fn ticket(auth: &'static str, hosts: &[&'static str]) -> Ticket {
        let hosts = hosts
            .iter()
            .map(|host| Node::new("host").attr("hostname", *host));
        let conn = Node::new("media_conn").attr("auth", auth).children(hosts);
        let conn = MediaConn::parse(&Node::new("iq").child(conn), Mono(0)).unwrap();
        Ticket::of(&conn, Scheme::Https)
    }

    fn upload(bytes: u64) -> Upload {
        let sealed = Sealed {
            file_sha256: [1; 32],
            file_enc_sha256: [0; 32],
            file_length: bytes,
            enc_length: bytes,
            sidecar: None,
        };
        let ticket = ticket("a/b=", &["a.net", "b.net"]);
        let key = Secret::new([2; 32]);
        Upload::new(ticket, MediaKind::Sticker, key, UnixSeconds(5), sealed)
    }

    fn url(upload: &Upload) -> String {
        upload.ask().unwrap().url
    }

    #[test]
    fn a_small_file_is_sent_at_once() {
        let mut upload = upload(100);
        let token = "A".repeat(43);
        let expected = format!("https://a.net/mms/image/{token}?auth=a%2Fb%3D&token={token}");
        let ask = upload.ask().unwrap();
        assert_eq!((ask.url, ask.from), (expected, Some(0)));
        let Next::Done(uploaded) = upload.answered(200, None, DONE) else {
            panic!("it is done");
        };
        assert_eq!(
            (&*uploaded.url, &*uploaded.direct_path),
            ("https://a.net/v/1", "/v/1")
        );
        assert_eq!(
            (uploaded.handle.as_deref(), uploaded.object_id),
            (Some("h"), None)
        );
        assert_eq!(uploaded.media_key, Secret::new([2; 32]));
    }

    #[test]
    fn a_large_file_goes_on_where_it_broke_off() {
        let mut upload = upload(RESUMED_FROM);
        assert!(url(&upload).ends_with("&resume=1"));
        assert_eq!(upload.ask().unwrap().from, None);
        assert_eq!(
            upload.answered(200, None, br#"{"resume":"0"}"#),
            Next::Ask(Millis(0))
        );
        assert_eq!(upload.ask().unwrap().from, Some(0));
        assert_eq!(upload.failed("cut".into()), Next::Ask(Millis(0)));
        let ask = upload.ask().unwrap();
        assert!(ask.url.starts_with("https://b.net/") && ask.from.is_none());
        assert_eq!(
            upload.answered(200, None, br#"{"resume":"777"}"#),
            Next::Ask(Millis(0))
        );
        let ask = upload.ask().unwrap();
        assert!(ask.url.ends_with("&file_offset=777"));
        assert_eq!(ask.from, Some(777));
        assert!(matches!(upload.answered(200, None, DONE), Next::Done(_)));
    }

    #[test]
    fn a_file_that_is_there_is_not_sent_again() {
        let mut upload = upload(RESUMED_FROM);
        let answer = br#"{"resume":"complete","url":"u","direct_path":"/d"}"#;
        assert!(matches!(upload.answered(200, None, answer), Next::Done(_)));
    }

    #[test]
    fn an_offset_behind_the_end_means_from_the_beginning() {
        for answer in [
            &br#"{"resume":"99999999"}"#[..],
            b"{}",
            b"nothing",
            br#"{"resume":-1}"#,
        ] {
            let mut upload = upload(RESUMED_FROM);
            assert_eq!(upload.answered(200, None, answer), Next::Ask(Millis(0)));
            assert_eq!(upload.ask().unwrap().from, Some(0));
        }
    }

    #[test]
    fn a_stale_ticket_is_renewed_once() {
        let mut upload = upload(100);
        assert_eq!(upload.answered(401, None, b""), Next::Renew);
        upload.renew(ticket("new", &["c.net"]));
        assert!(url(&upload).starts_with("https://c.net/mms/image/"));
        assert!(url(&upload).contains("?auth=new&"));
        let end = upload.answered(403, None, b"");
        assert_eq!(end, Next::Failed(UploadError::Refused(403)));
    }

    #[test]
    fn passing_failures_go_round_the_hosts_and_end() {
        let mut upload = upload(100);
        let mut pauses = Vec::new();
        let end = loop {
            match upload.answered(503, None, b"") {
                Next::Ask(pause) => pauses.push(pause.0),
                other => break other,
            }
        };
        assert_eq!(pauses, [0, 1000, 2000, 4000, 8000]);
        assert_eq!(end, Next::Failed(UploadError::Refused(503)));
        let mut strict = self::upload(100);
        let end = strict.answered(400, None, b"");
        assert_eq!(end, Next::Failed(UploadError::Refused(400)));
    }

    #[test]
    fn an_answer_without_a_path_is_no_success() {
        let mut upload = upload(100);
        let answer = br#"{"url":"u","direct_path":""}"#;
        assert_eq!(upload.answered(200, None, answer), Next::Ask(Millis(0)));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let upload = upload(100);
        let text = format!("{upload:?} {:?}", upload.ask());
        assert!(!text.contains("a/b") && !text.contains("AAAA"), "{text}");
    }
}
