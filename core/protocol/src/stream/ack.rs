//! The one answer that every inbound stanza with an id gets.
//!
//! ```text
//! <ack class="<tag>" id to=<from> [participant] [recipient] [type] [from=<own device>] [error]>
//!   [<meta failure_reason/>]
//! </ack>
//! <receipt id to=<from> [participant] [recipient] [type] [context]>[<list><item id/>..</list>]</receipt>
//! ```
//! Source: spec "Receipts we send" and "Acks we owe". A delivery receipt consumes a message, so a
//! message gets either a receipt or an ack, never none.

use crate::jid::Jid;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Why we refuse a stanza; the number goes into the `error` attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Nack {
    /// The stanza cannot be read.
    ParsingError = 487,
    /// The top-level element is unknown.
    UnrecognizedStanza = 488,
    /// The decrypted protobuf cannot be read.
    InvalidProtobuf = 491,
    /// A bot's answer, and the secret of the message it answers is not known here.
    MissingSecret = 495,
}

/// The plain answer to `stanza`; `None` when it has no id or sender and so expects none.
pub fn ack(stanza: &Node) -> Option<Node> {
    let from = stanza.address("from")?;
    // Of a receipt, only somebody else than the sender is named.
    let named = |who: &Jid| stanza.tag != "receipt" || *who != from;
    let ack = Node::new("ack")
        .attr("class", stanza.tag.clone())
        .attr("id", stanza.text("id")?.into_owned())
        .jid("to", from.clone())
        .maybe_jid("participant", stanza.address("participant").filter(named))
        .maybe_jid("recipient", stanza.address("recipient"));
    Some(ack.maybe("type", stanza.text("type").map(|kind| kind.into_owned())))
}

/// The answer to a message that needs no receipt: it also names our own device.
pub fn message_ack(stanza: &Node, own: &Jid) -> Option<Node> {
    Some(ack(stanza)?.jid("from", own.clone()))
}

/// `answer` as a refusal.
pub fn refusing(answer: Node, why: Nack) -> Node {
    let refusal = answer.num("error", why as u16);
    match why {
        Nack::InvalidProtobuf => refusal.child(Node::new("meta").attr("failure_reason", "decode")),
        _ => refusal,
    }
}

/// What the delivery receipt of a message says beside the message's id: those that say the same can
/// be one receipt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivery {
    to: Jid,
    participant: Option<Jid>,
    recipient: Option<Jid>,
    kind: Option<&'static str>,
    context: Option<&'static str>,
}

impl Delivery {
    /// The receipt that a message gets; `None` when it does not say who sent it.
    ///
    /// `from_me`: another device of our account sent it. `available`: we have announced that we are
    /// there; otherwise the receipt tells that nobody looks at the message now.
    pub fn of(message: &Node, from_me: bool, available: bool) -> Option<Self> {
        let to = message.address("from")?;
        if message.is("category", "peer") {
            return Some(Self::peer(to));
        }
        let kind = match (from_me, available) {
            (true, _) => Some("sender"),
            (false, true) => None,
            (false, false) => Some("inactive"),
        };
        Some(Self {
            participant: message.address("participant"),
            recipient: message.address("recipient").filter(|_| from_me),
            kind,
            context: to.is_status().then_some("status"),
            to,
        })
    }

    /// The receipt of a message between devices of one account.
    pub const fn peer(to: Jid) -> Self {
        Self {
            to,
            participant: None,
            recipient: None,
            kind: Some("peer_msg"),
            context: None,
        }
    }

    /// The device that sent the message.
    pub fn sender(&self) -> &Jid {
        self.participant.as_ref().unwrap_or(&self.to)
    }

    /// The receipt for these messages; `None` without any.
    pub fn receipt(&self, ids: &[MessageId]) -> Option<Node> {
        let (first, more) = ids.split_first()?;
        let mut receipt = Node::new("receipt")
            .attr("id", first.as_str().to_owned())
            .jid("to", self.to.clone())
            .maybe("type", self.kind)
            .maybe_jid("participant", self.participant.clone())
            .maybe_jid("recipient", self.recipient.clone())
            .maybe("context", self.context);
        if !more.is_empty() {
            let item = |id: &MessageId| Node::new("item").attr("id", id.as_str().to_owned());
            receipt.push(Node::new("list").children(more.iter().map(item)));
        }
        Some(receipt)
    }
}

/// The messages that a receipt is about.
pub fn receipt_ids(receipt: &Node) -> Vec<MessageId> {
    let listed = receipt.find("list").map(Node::nodes).unwrap_or_default();
    let more = listed.iter().filter_map(|item| item.text("id"));
    let ids = receipt.text("id").into_iter().chain(more);
    ids.filter_map(|id| MessageId::parse(&id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::Server;

    fn notification() -> Node {
        Node::new("notification")
            .attr("id", "7")
            .jid("from", Jid::lid("42"))
            .attr("type", "privacy_token")
    }

    #[test]
    fn a_notification_is_acked_with_its_type() {
        let ack = ack(&notification()).unwrap();
        assert!(ack.is("class", "notification") && ack.is("type", "privacy_token"));
        assert!(ack.is("id", "7") && ack.is("to", "42@lid"));
    }

    #[test]
    fn a_stanza_without_id_or_sender_expects_no_answer() {
        assert_eq!(ack(&Node::new("ib")), None);
        assert_eq!(ack(&Node::new("presence").jid("from", Jid::lid("1"))), None);
    }

    #[test]
    fn a_refusal_carries_its_number() {
        let nack = refusing(ack(&notification()).unwrap(), Nack::UnrecognizedStanza);
        assert!(nack.is("error", "488") && nack.find("meta").is_none());
    }

    #[test]
    fn receipts_that_say_the_same_become_one() {
        let message = |id: &'static str| {
            let from = Jid::device("1", 2, Server::Lid);
            Node::new("message").attr("id", id).jid("from", from)
        };
        let [one, two] = ["A", "B"].map(|id| Delivery::of(&message(id), false, false).unwrap());
        assert_eq!(one, two);
        assert_ne!(
            Some(&one),
            Delivery::of(&message("C"), false, true).as_ref()
        );
        let ids = ["A", "B"].map(|id| MessageId::parse(id).unwrap());
        let receipt = one.receipt(&ids).unwrap();
        assert!(receipt.is("id", "A") && receipt.is("type", "inactive"));
        assert_eq!(receipt_ids(&receipt), ids);
        assert_eq!(one.receipt(&[]), None);
    }
}
