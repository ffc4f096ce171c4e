//! What the server answers, and conditions it can wait for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{Issued, Judged, ReceiptSeen, Received, Violation};
use crate::nodejson::NodeJson;

/// What to wait for. Counts are "at least".
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "every condition is explained in README.md")]
pub enum Condition {
    Answered {
        #[serde(default)]
        account: Option<String>,
    },
    Connected {
        #[serde(default)]
        account: Option<String>,
    },
    Disconnected {
        #[serde(default)]
        account: Option<String>,
    },
    Iq {
        kind: String,
        count: u64,
    },
    Issued {
        #[serde(default)]
        peer: Option<String>,
        count: usize,
    },
    Linked {
        count: usize,
    },
    Logins {
        count: u64,
    },
    Messages {
        count: usize,
    },
    Pairing,
    Receipts {
        #[serde(default)]
        kind: Option<String>,
        count: usize,
    },
    Received {
        #[serde(default)]
        peer: Option<String>,
        #[serde(default)]
        text: Option<String>,
        count: usize,
    },
    Violations {
        count: usize,
    },
}

/// What the server says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[expect(missing_docs, reason = "every reply is explained in README.md")]
pub enum Reply {
    Code {
        code: String,
    },
    Count {
        count: usize,
    },
    Device {
        device: u16,
    },
    Done,
    Error {
        message: String,
    },
    Heard {
        stanzas: Vec<NodeJson>,
    },
    Issued {
        issued: Vec<Issued>,
    },
    Linked {
        jid: String,
        lid: String,
        device: u16,
    },
    Messages {
        messages: Vec<Judged>,
    },
    Receipts {
        receipts: Vec<ReceiptSeen>,
    },
    Received {
        messages: Vec<Received>,
    },
    Sent {
        id: String,
    },
    Stats {
        frames: u64,
        logins: u64,
        connected: bool,
        prekeys: usize,
        iqs: BTreeMap<String, u64>,
    },
    Texts {
        texts: Vec<String>,
    },
    Token {
        bytes: String,
        t: i64,
    },
    Violations {
        violations: Vec<Violation>,
    },
    Waited {
        met: bool,
    },
}

impl Reply {
    pub(crate) fn error(error: impl ToString) -> Self {
        Self::Error {
            message: error.to_string(),
        }
    }
}
