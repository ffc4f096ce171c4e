//! The one answer that every inbound stanza with an id gets.
//!
//! ```text
//! <ack class="<tag>" id to=<from> [participant] [recipient] [type] [from=<own device>] [error]/>
//! <receipt id to=<from> [participant] [recipient] [type]/>
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
}

/// The plain answer to `stanza`; `None` when it has no id or sender and so expects none.
pub fn ack(stanza: &Node) -> Option<Node> {
    let mut ack = Node::new("ack")
        .attr("class", stanza.tag.clone())
        .attr("id", stanza.text("id")?.into_owned())
        .jid("to", stanza.address("from")?);
    for key in ["participant", "recipient"] {
        ack = ack.maybe_jid(key, stanza.address(key));
    }
    if stanza.tag != "message" {
        ack = ack.maybe("type", stanza.text("type").map(|kind| kind.into_owned()));
    }
    Some(ack)
}

/// The answer to a message that needs no receipt: it also names our own device.
pub fn message_ack(stanza: &Node, own: &Jid) -> Option<Node> {
    let kind = stanza.text("type").map(|kind| kind.into_owned());
    Some(ack(stanza)?.maybe("type", kind).jid("from", own.clone()))
}

/// The answer that refuses `stanza`.
pub fn nack(stanza: &Node, why: Nack) -> Option<Node> {
    Some(ack(stanza)?.num("error", why as u16))
}

/// The delivery receipt of a message that is now durable here.
///
/// `own` is our account in the forms we know: a message of our own other device has a `recipient`
/// and is answered with `type="sender"`; a peer message with `type="peer_msg"`. A message from
/// others is answered without a type if we are `available`, else with `type="inactive"`.
pub fn delivery(message: &Node, from_me: bool, available: bool) -> Option<Node> {
    let kind = if message.is("category", "peer") {
        Some("peer_msg")
    } else if from_me {
        Some("sender")
    } else {
        (!available).then_some("inactive")
    };
    let receipt = Node::new("receipt")
        .attr("id", message.text("id")?.into_owned())
        .jid("to", message.address("from")?)
        .maybe("type", kind)
        .maybe_jid("participant", message.address("participant"));
    Some(match from_me {
        true => receipt.maybe_jid("recipient", message.address("recipient")),
        false => receipt,
    })
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
        let nack = nack(&notification(), Nack::UnrecognizedStanza).unwrap();
        assert!(nack.is("error", "488"));
    }

    #[test]
    fn receipts_tell_apart_others_own_devices_and_peer_messages() {
        let message = Node::new("message")
            .attr("id", "A")
            .jid("from", Jid::device("1", 2, Server::Lid));
        assert!(
            delivery(&message, false, false)
                .unwrap()
                .is("type", "inactive")
        );
        assert_eq!(delivery(&message, false, true).unwrap().value("type"), None);
        let own = message.clone().jid("recipient", Jid::lid("9"));
        let receipt = delivery(&own, true, true).unwrap();
        assert!(receipt.is("type", "sender") && receipt.is("recipient", "9@lid"));
        assert!(
            delivery(&message.attr("category", "peer"), true, true)
                .unwrap()
                .is("type", "peer_msg")
        );
    }
}
