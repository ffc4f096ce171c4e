//! What the server noticed: broken rules, requests it does not know, and everything a test may ask.

use std::collections::{BTreeMap, VecDeque};

use sendpath_protocol::wap::Node;
use serde::{Deserialize, Serialize};

const MAX_STANZAS: usize = 20_000;

/// A rule of the protocol that a client broke.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Violation {
    /// Phone number of the account, if it was known by then.
    pub account: Option<String>,
    /// Name of the rule, in snake case.
    pub rule: String,
    /// What was seen.
    pub detail: String,
}

/// A message as a model device (or the account's own phone) got it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Received {
    /// Phone number of the receiving person.
    pub peer: String,
    /// Its device.
    pub device: u16,
    /// The sending device.
    pub from: String,
    /// Message id.
    pub id: String,
    /// `pkmsg` or `msg`.
    pub kind: String,
    /// The text, when the message has one.
    pub text: Option<String>,
    /// Chat named by a DeviceSentMessage (own devices only).
    pub destination: Option<String>,
    /// Ratchet counter of the ciphertext.
    pub counter: u32,
    /// One-time prekey of ours that it used.
    pub prekey_id: Option<u32>,
    /// Value of `count` on a resent ciphertext.
    pub retry: Option<u32>,
    /// Whether this device had this message before.
    pub duplicate: bool,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// A message stanza and what the server answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Judged {
    /// Phone number of the sending account.
    pub account: String,
    /// Its device.
    pub device: u16,
    /// Message id.
    pub id: String,
    /// The `to` attribute.
    pub to: String,
    /// The `type` attribute.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The `mediatype` of its first ciphertext.
    pub mediatype: Option<String>,
    /// The `edit` attribute.
    pub edit: Option<String>,
    /// `tctoken` bytes in hex.
    pub tctoken: Option<String>,
    /// `cstoken` bytes in hex.
    pub cstoken: Option<String>,
    /// `error` of the ack; absent when accepted.
    pub error: Option<u16>,
    /// The same bytes came before and were accepted: not delivered again.
    pub resend: bool,
}

/// A token that a client issued to a contact.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Issued {
    /// Phone number of the issuing account.
    pub account: String,
    /// The `jid` attribute, as written.
    pub jid: String,
    /// Phone number of the person behind it, if there is one.
    pub peer: Option<String>,
    /// The `t` attribute.
    pub t: i64,
}

/// A receipt that a client sent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReceiptSeen {
    /// Phone number of the sending account.
    pub account: String,
    /// Message id.
    pub id: String,
    /// The `to` attribute.
    pub to: String,
    /// The `type` attribute.
    pub kind: Option<String>,
    /// `count` of a retry receipt.
    pub count: Option<u32>,
}

/// Everything noticed since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) violations: Vec<Violation>,
    pub(crate) unexpected: Vec<String>,
    pub(crate) received: Vec<Received>,
    pub(crate) judged: Vec<Judged>,
    pub(crate) issued: Vec<Issued>,
    pub(crate) receipts: Vec<ReceiptSeen>,
    pub(crate) heard: VecDeque<Node>,
    pub(crate) iqs: BTreeMap<(String, String), u64>,
    pub(crate) frames: BTreeMap<String, u64>,
    pub(crate) logins: u64,
    /// Client payloads in the order of connections, in hex.
    pub(crate) payloads: Vec<String>,
    /// Routing prefixes that clients connected with, in hex.
    pub(crate) routing: Vec<String>,
}

impl Journal {
    pub(crate) fn violation(
        &mut self,
        account: Option<String>,
        rule: &str,
        detail: impl Into<String>,
    ) {
        self.violations.push(Violation {
            account,
            rule: rule.into(),
            detail: detail.into(),
        });
    }

    pub(crate) fn hear(&mut self, account: Option<String>, node: &Node) {
        *self.frames.entry(account.unwrap_or_default()).or_default() += 1;
        if self.heard.len() == MAX_STANZAS {
            self.heard.pop_front();
        }
        self.heard.push_back(node.clone());
    }
}
