//! Media servers: files by path, uploads by token.
//!
//! ```text
//! GET  /v/<name>?..&hash=<base64url of the file's SHA-256>&mms-type=<kind>
//! POST /mms/<kind>/<base64url of the file's SHA-256>?auth&token[&resume=1 | &file_offset=N]
//! ```
//! Source: spec 11. Files are stored as they came; the servers cannot read them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sendpath_protocol::wap::Node;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is wrong with a file that the phone uploads.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFault {
    /// A byte differs from what was announced.
    Changed,
    /// Its MAC is wrong, and it was announced like that.
    Forged,
    /// The servers have lost it.
    Lost,
    /// Its end is missing.
    Truncated,
}

/// Files and uploads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    /// `host:port` of this server.
    pub(crate) host: String,
    /// What uploads must show now; counts up when it is renewed.
    pub(crate) ticket: u32,
    /// Statuses that the next requests get.
    pub(crate) statuses: Vec<u16>,
    /// The next upload breaks off behind so many bytes.
    pub(crate) cut_after: Option<usize>,
    /// What was asked of us: method, kind and bytes of the body.
    pub(crate) requests: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<String, Vec<u8>>,
    last: u64,
}

/// An answer with its body.
pub(crate) type Answer = (u16, Vec<u8>);

impl Media {
    /// Stores a file; its path.
    pub(crate) fn store(&mut self, file: Vec<u8>) -> String {
        self.last += 1;
        let path = format!("/v/t62.{}", self.last);
        self.files.insert(path.clone(), file);
        format!("{path}?ccb=11-4&oh=01")
    }

    /// The stored file, for whoever wants to spoil or inspect it.
    pub(crate) fn file(&mut self, direct_path: &str) -> Option<&mut Vec<u8>> {
        let path = direct_path.split('?').next()?;
        self.files.get_mut(path)
    }

    pub(crate) fn lose(&mut self, direct_path: &str) {
        self.files
            .remove(direct_path.split('?').next().unwrap_or_default());
    }

    pub(crate) fn auth(&self) -> String {
        format!("model+{}/=", self.ticket)
    }

    /// The one host there is.
    pub(crate) fn conn(&self) -> Node {
        let host = |name: String, kind: &'static str| {
            Node::new("host")
                .attr("hostname", name)
                .attr("type", kind)
                .children([Node::new("upload"), Node::new("download")])
        };
        Node::new("media_conn")
            .attr("auth", self.auth())
            .attr("ttl", "3600")
            .attr("auth_ttl", "3600")
            .attr("max_buckets", "12")
            .child(host(self.host.clone(), "primary"))
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let kind = parameter(query, "mms-type").unwrap_or_default();
        self.requests.push(format!("GET {kind}"));
        if let Some(status) = self.status() {
            return (status, Vec::new());
        }
        if parameter(query, "hash").is_none() || kind.is_empty() {
            return (400, Vec::new());
        }
        match self.files.get(path) {
            Some(file) => (200, file.clone()),
            None => (404, Vec::new()),
        }
    }

    /// How much of an upload's body is taken before the connection breaks.
    pub(crate) fn taken(&mut self, length: usize) -> usize {
        match self.cut_after.filter(|cut| *cut < length) {
            Some(cut) => {
                self.cut_after = None;
                cut
            }
            None => length,
        }
    }

    /// A body came, perhaps not all of it; `None` when it broke off.
    pub(crate) fn post(&mut self, target: &str, body: &[u8], whole: bool) -> Option<Answer> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut names = path.split('/').skip(2);
        let (kind, token) = (names.next()?, names.next()?.to_owned());
        let resume = parameter(query, "resume").is_some();
        let what = if resume { "PROBE" } else { "POST" };
        self.requests.push(format!("{what} {kind} {}", body.len()));
        if let Some(status) = self.status() {
            return Some((status, Vec::new()));
        }
        let escaped = self
            .auth()
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        if parameter(query, "auth") != Some(&*escaped) {
            return Some((401, Vec::new()));
        }
        if parameter(query, "token") != Some(&*token) {
            return Some((400, Vec::new()));
        }
        let part = self.parts.entry(token.clone()).or_default();
        if resume {
            let answer = format!(r#"{{"resume":"{}"}}"#, part.len());
            return Some((200, answer.into_bytes()));
        }
        let offset = parameter(query, "file_offset").map_or(Some(0), |text| text.parse().ok())?;
        if offset > part.len() {
            return Some((416, Vec::new()));
        }
        part.truncate(offset);
        part.extend_from_slice(body);
        if !whole {
            return None;
        }
        if URL_SAFE_NO_PAD.encode(Sha256::digest(&*part)) != token {
            return Some((400, Vec::new()));
        }
        let file = self.parts.remove(&token).unwrap_or_default();
        let direct_path = self.store(file);
        let answer = format!(
            r#"{{"url":"https://media.invalid{direct_path}","direct_path":"{direct_path}","handle":"h{}"}}"#,
            self.last
        );
        Some((200, answer.into_bytes()))
    }

    fn status(&mut self) -> Option<u16> {
        (!self.statuses.is_empty()).then(|| self.statuses.remove(0))
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}
