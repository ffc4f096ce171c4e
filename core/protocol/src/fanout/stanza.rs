//! The message stanza, children in the order of the web client.
//!
//! ```text
//! <message id to type [edit] [peer_recipient_pn]>
//!   <participants>
//!     <to jid><enc v="2" type="pkmsg|msg" [mediatype] [decrypt-fail]>..</enc></to>..
//!   </participants>
//!   [<device-identity>]                      if any enc is a pkmsg
//!   [<meta>]                                 if the content has something to say
//!   [<reporting><reporting_token v="2">]     if the host wants it
//!   [<tctoken> | <cstoken>]                  last
//! </message>
//! ```
//! Source: spec "Stanza" of a 1:1 message. Everything in one stanza is in one namespace.

use crate::content::{Edit, Shape};
use crate::jid::Jid;
use crate::signal::{Ciphertext, EncType};
use crate::tctoken::Attach;
use crate::verdict::MessageId;
use crate::wap::Node;

/// What a 1:1 message stanza is made of.
pub struct MessageStanza<'a> {
    /// Message id.
    pub id: &'a MessageId,
    /// Recipient account, in the stanza's namespace.
    pub to: &'a Jid,
    /// What the content says about itself.
    pub shape: &'a Shape,
    /// The recipient's phone number, when `to` is a LID and it is known.
    pub pn: Option<&'a Jid>,
    /// One ciphertext a device.
    pub devices: Vec<(Jid, Ciphertext)>,
    /// Our signed device identity, account key included.
    pub device_identity: &'a [u8],
    /// What lets the recipient report the message.
    pub reporting: Option<[u8; 16]>,
    /// What opens the chat.
    pub attach: &'a Attach,
}

/// Builds the stanza.
pub fn message(parts: MessageStanza<'_>) -> Node {
    let starts_session = parts
        .devices
        .iter()
        .any(|(_, enc)| enc.kind == EncType::Pkmsg);
    let shape = parts.shape;
    let to_device = |(jid, enc)| {
        let enc = shape.enc(ciphertext(enc));
        Node::new("to").jid("jid", jid).child(enc)
    };
    let mut stanza = Node::new("message")
        .attr("id", parts.id.as_str().to_owned())
        .jid("to", parts.to.clone())
        .attr("type", shape.kind.as_str())
        .maybe("edit", shape.edit.map(Edit::as_str))
        .maybe_jid("peer_recipient_pn", parts.pn.cloned())
        .child(Node::new("participants").children(parts.devices.into_iter().map(to_device)));
    if starts_session {
        stanza.push(Node::new("device-identity").bytes(parts.device_identity));
    }
    if let Some(meta) = shape.meta_node() {
        stanza.push(meta);
    }
    if let Some(token) = parts.reporting {
        stanza.push(reporting(token));
    }
    if let Some(token) = parts.attach.node() {
        stanza.push(token);
    }
    stanza
}

/// What an answer to a retry receipt is made of: the message again, for one device.
pub struct ResendStanza<'a> {
    /// Id of the message that could not be read.
    pub id: &'a MessageId,
    /// The device that asked.
    pub to: &'a Jid,
    /// The receipt, whose `participant` and `recipient` are copied.
    pub receipt: &'a Node,
    /// The `t` of the receipt's `<retry>`.
    pub t: Option<i64>,
    /// Which attempt this is, from 1.
    pub count: u32,
    /// What the content says about itself.
    pub shape: &'a Shape,
    /// The message, encrypted anew for that device.
    pub enc: Ciphertext,
    /// Our signed device identity.
    pub device_identity: &'a [u8],
    /// What opens the chat, valid now.
    pub attach: &'a Attach,
}

/// Builds the resend: a direct `<enc count>` without participants.
pub fn resend(parts: ResendStanza<'_>) -> Node {
    let starts_session = parts.enc.kind == EncType::Pkmsg;
    let mut stanza = Node::new("message")
        .attr("id", parts.id.as_str().to_owned())
        .jid("to", parts.to.clone())
        .attr("type", parts.shape.kind.as_str())
        .maybe("edit", parts.shape.edit.map(Edit::as_str))
        .attr("device_fanout", "false")
        .maybe("t", parts.t.map(|t| t.to_string()))
        .maybe_jid("participant", parts.receipt.address("participant"))
        .maybe_jid("recipient", parts.receipt.address("recipient"))
        .child(
            parts
                .shape
                .enc(ciphertext(parts.enc))
                .num("count", parts.count),
        );
    if starts_session {
        stanza.push(Node::new("device-identity").bytes(parts.device_identity));
    }
    if let Some(token) = parts.attach.node() {
        stanza.push(token);
    }
    stanza
}

/// What lets a recipient report the message.
pub(super) fn reporting(token: [u8; 16]) -> Node {
    let token = Node::new("reporting_token").attr("v", "2").bytes(token);
    Node::new("reporting").child(token)
}

/// One `<enc>`.
pub fn ciphertext(enc: Ciphertext) -> Node {
    Node::new("enc")
        .attr("v", "2")
        .attr("type", enc.kind.as_str())
        .bytes(enc.bytes)
}
