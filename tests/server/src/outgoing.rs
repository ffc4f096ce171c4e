//! A `<message>` from a client, taken apart and checked for its grammar.
//!
//! Source: spec 8.6 and 8.9, tokens spec 4.1. What breaks the grammar is refused with 479, a mix of
//! namespaces with 400.

use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::wap::Node;

/// A parsed message stanza.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) to: Jid,
    pub(crate) form: Form,
    pub(crate) kind: String,
    pub(crate) edit: Option<String>,
    /// The attributes of `<meta>`, as `key=value`.
    pub(crate) meta: String,
    pub(crate) sealed: Vec<Enc>,
    pub(crate) tctoken: Option<Vec<u8>>,
    pub(crate) cstoken: Option<Vec<u8>>,
    pub(crate) device_identity: Option<Vec<u8>>,
}

/// The three shapes of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// To a person, with `<participants>` (or a bare `<enc>` for its phone).
    Chat,
    /// To the own phone, `category="peer"`.
    Peer,
    /// A resend to one device after its retry receipt.
    Retry,
}

/// One ciphertext and who it is for.
#[derive(Clone, Debug)]
pub(crate) struct Enc {
    pub(crate) to: Jid,
    pub(crate) kind: String,
    pub(crate) count: Option<u32>,
    pub(crate) mediatype: Option<String>,
    pub(crate) decrypt_fail: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// Why a stanza is refused: the ack's code and the rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(code: u16, rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            rule,
            detail: detail.into(),
        }
    }

    fn smax(rule: &'static str, detail: impl Into<String>) -> Self {
        Self::new(479, rule, detail)
    }
}

impl Outgoing {
    /// Every ciphertext of a stanza, whatever else is wrong with it.
    pub(crate) fn ciphertexts(node: &Node) -> Vec<(String, Vec<u8>)> {
        let listed = node.find("participants").into_iter().flat_map(Node::nodes);
        let encs = listed.chain([node]).flat_map(|to| to.all("enc"));
        encs.map(|enc| {
            let kind = enc.text("type").unwrap_or_default().into_owned();
            (kind, enc.payload().unwrap_or_default().to_vec())
        })
        .collect()
    }

    /// Reads a stanza that has an id.
    pub(crate) fn parse(node: &Node) -> Result<Self, Refusal> {
        let missing = |name: &str| Refusal::smax("message_attribute", format!("no {name}"));
        let id = node.text("id").ok_or_else(|| missing("id"))?.into_owned();
        let to = node.address("to").ok_or_else(|| missing("to"))?;
        let kind = node.text("type").ok_or_else(|| missing("type"))?;
        if matches!(
            to.server_part(),
            Server::Group | Server::Broadcast | Server::Newsletter
        ) {
            if node.find("tctoken").is_some() || node.find("cstoken").is_some() {
                return Err(Refusal::smax("token_misplaced", "not a one-to-one chat"));
            }
            return Err(Refusal::new(404, "unknown_chat", to.reveal()));
        }
        if !to.is_user() {
            return Err(Refusal::smax("message_attribute", "to is no user"));
        }
        for name in ["phash", "addressing_mode"] {
            if node.value(name).is_some() {
                return Err(Refusal::smax(
                    "message_attribute",
                    format!("{name} on a chat"),
                ));
            }
        }
        let form = form(node, &to)?;
        if form == Form::Peer {
            check_peer(node, &to)?;
        }
        let outgoing = Self {
            sealed: encs(node, &to)?,
            tctoken: token(node, "tctoken")?,
            cstoken: token(node, "cstoken")?,
            device_identity: node
                .find("device-identity")
                .and_then(Node::payload)
                .map(<[u8]>::to_vec),
            kind: kind.into_owned(),
            edit: node.text("edit").map(Into::into),
            meta: node.find("meta").map(meta).unwrap_or_default(),
            id,
            to,
            form,
        };
        outgoing.check_tokens()?;
        outgoing.check_namespace()?;
        Ok(outgoing)
    }

    fn check_tokens(&self) -> Result<(), Refusal> {
        let any = self.tctoken.is_some() || self.cstoken.is_some();
        if any && self.form == Form::Peer {
            return Err(Refusal::smax("token_misplaced", "peer message"));
        }
        if self.tctoken.is_some() && self.cstoken.is_some() {
            return Err(Refusal::smax("token_shape", "tctoken and cstoken"));
        }
        if self.cstoken.as_ref().is_some_and(|bytes| bytes.len() != 32) {
            return Err(Refusal::smax("token_shape", "cstoken is not 32 bytes"));
        }
        Ok(())
    }

    fn check_namespace(&self) -> Result<(), Refusal> {
        let mixed = self
            .sealed
            .iter()
            .find(|enc| enc.to.is_lid() != self.to.is_lid());
        if let Some(enc) = mixed {
            let detail = format!("to={} participant={}", self.to.reveal(), enc.to.reveal());
            return Err(Refusal::new(400, "mixed_namespaces", detail));
        }
        let mut devices: Vec<&Jid> = self.sealed.iter().map(|enc| &enc.to).collect();
        devices.sort_unstable();
        if let Some(pair) = devices.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Refusal::new(400, "participant_twice", pair[0].reveal()));
        }
        Ok(())
    }

    /// Whether the message came with a one-time-key ciphertext.
    pub(crate) fn has_pkmsg(&self) -> bool {
        self.sealed.iter().any(|enc| enc.kind == "pkmsg")
    }
}

fn form(node: &Node, to: &Jid) -> Result<Form, Refusal> {
    if node.is("category", "peer") {
        return Ok(Form::Peer);
    }
    let resent = node
        .find("enc")
        .is_some_and(|enc| enc.value("count").is_some());
    if resent {
        return Ok(Form::Retry);
    }
    if to.device_part() != 0 {
        return Err(Refusal::smax("message_attribute", "to has a device"));
    }
    Ok(Form::Chat)
}

/// A message to the own phone: by number, with its priority and its `<meta>`.
fn check_peer(node: &Node, to: &Jid) -> Result<(), Refusal> {
    let priority = node.text("push_priority").unwrap_or_default();
    let meta = node.find("meta");
    if !to.is_pn() || to.device_part() != 0 {
        return Err(Refusal::smax(
            "peer_message",
            "not to the number of the phone",
        ));
    }
    if !matches!(&*priority, "high" | "high_force") {
        return Err(Refusal::smax(
            "peer_message",
            format!("push_priority {priority}"),
        ));
    }
    if meta.is_none_or(|meta| !meta.is("appdata", "default")) {
        return Err(Refusal::smax("peer_message", "no <meta appdata>"));
    }
    Ok(())
}

fn encs(node: &Node, to: &Jid) -> Result<Vec<Enc>, Refusal> {
    let mut encs = Vec::new();
    for participant in node.find("participants").map_or(&[][..], Node::nodes) {
        let jid = participant
            .address("jid")
            .ok_or_else(|| Refusal::smax("participants", "a <to> without jid"))?;
        encs.push(enc(participant.find("enc"), jid)?);
    }
    if let Some(bare) = node.find("enc") {
        encs.push(enc(Some(bare), to.clone())?);
    }
    if encs.is_empty() {
        return Err(Refusal::smax("participants", "no ciphertext at all"));
    }
    Ok(encs)
}

fn enc(node: Option<&Node>, to: Jid) -> Result<Enc, Refusal> {
    let node = node.ok_or_else(|| Refusal::smax("enc", "a <to> without enc"))?;
    let kind = node.text("type").unwrap_or_default().into_owned();
    if !node.is("v", "2") || !matches!(&*kind, "msg" | "pkmsg") {
        let detail = format!("v={:?} type={kind}", node.text("v"));
        return Err(Refusal::smax("enc", detail));
    }
    let bytes = node.payload().unwrap_or_default();
    if bytes.is_empty() {
        return Err(Refusal::smax("enc", "no bytes"));
    }
    Ok(Enc {
        to,
        kind,
        count: node.number("count"),
        mediatype: node.text("mediatype").map(Into::into),
        decrypt_fail: node.text("decrypt-fail").map(Into::into),
        bytes: bytes.to_vec(),
    })
}

fn meta(node: &Node) -> String {
    let attrs = node.attrs.iter();
    let attrs = attrs.map(|(key, _)| format!("{key}={}", node.text(key).unwrap_or_default()));
    attrs.collect::<Vec<_>>().join(" ")
}

fn token(node: &Node, tag: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let inside = |part: &Node| part.nodes().iter().any(|child| child.tag == tag);
    if node.nodes().iter().any(inside) {
        return Err(Refusal::smax("token_misplaced", "not a child of <message>"));
    }
    let mut tokens = node.all(tag);
    let Some(token) = tokens.next() else {
        return Ok(None);
    };
    let bytes = token.payload().unwrap_or_default();
    if bytes.is_empty() || !token.attrs.is_empty() || tokens.next().is_some() {
        return Err(Refusal::smax("token_shape", tag));
    }
    Ok(Some(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(to: &str, participant: &str) -> Node {
        let enc = Node::new("enc")
            .attr("v", "2")
            .attr("type", "msg")
            .bytes([0x33, 1]);
        let to_node = Node::new("to")
            .jid("jid", participant.parse().unwrap())
            .child(enc);
        Node::new("message")
            .attr("id", "A")
            .attr("type", "text")
            .jid("to", to.parse().unwrap())
            .child(Node::new("participants").child(to_node))
    }

    fn code(node: &Node) -> Option<(u16, &'static str)> {
        let refusal = Outgoing::parse(node).err()?;
        Some((refusal.code, refusal.rule))
    }

    #[test]
    fn one_namespace_in_one_stanza() {
        assert_eq!(code(&message("7@lid", "7:3@lid")), None);
        let mixed = message("7@lid", "49@s.whatsapp.net");
        assert_eq!(code(&mixed), Some((400, "mixed_namespaces")));
    }

    #[test]
    fn tokens_have_one_place_and_one_shape() {
        let token = || Node::new("tctoken").bytes([1, 2]);
        let chat = || message("7@lid", "7@lid");
        assert_eq!(code(&chat().child(token())), None);
        let both = chat()
            .child(token())
            .child(Node::new("cstoken").bytes([0; 32]));
        assert_eq!(code(&both), Some((479, "token_shape")));
        let stamped = chat().child(token().attr("t", "1"));
        assert_eq!(code(&stamped), Some((479, "token_shape")));
        let peer = message("7@s.whatsapp.net", "7@s.whatsapp.net")
            .attr("category", "peer")
            .attr("push_priority", "high")
            .child(Node::new("meta").attr("appdata", "default"));
        assert_eq!(code(&peer), None);
        assert_eq!(code(&peer.child(token())), Some((479, "token_misplaced")));
        let lid = chat().attr("category", "peer");
        assert_eq!(code(&lid), Some((479, "peer_message")));
        let group = message("7@g.us", "7@lid").child(token());
        assert_eq!(code(&group), Some((479, "token_misplaced")));
        let short = chat().child(Node::new("cstoken").bytes([0; 31]));
        assert_eq!(code(&short), Some((479, "token_shape")));
    }

    #[test]
    fn the_grammar_is_checked() {
        let mut untyped = message("7@lid", "7@lid");
        untyped.attrs.retain(|(key, _)| key != "type");
        assert_eq!(code(&untyped), Some((479, "message_attribute")));
        let empty = message("7@lid", "7@lid").children([]);
        assert_eq!(code(&empty), Some((479, "participants")));
        let mut twice = message("7@lid", "7@lid");
        let again = message("7@lid", "7@lid")
            .find("participants")
            .unwrap()
            .nodes()[0]
            .clone();
        if let sendpath_protocol::wap::Content::Nodes(nodes) = &mut twice.content {
            nodes[0].push(again);
        }
        assert_eq!(code(&twice), Some((400, "participant_twice")));
    }
}
