//! The mailbox of a linked device: a stanza stays until the client answers it.
//!
//! Source: spec 6.5 and 10.7. What was not answered on one connection comes again on the next with
//! `offline`, in the old order.

use std::collections::{BTreeMap, VecDeque};

use sendpath_protocol::wap::Node;

/// Stanzas that wait for a client, and what became of earlier ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox {
    items: VecDeque<Item>,
    history: BTreeMap<StanzaKey, Deliveries>,
    offline_sent: usize,
}

/// What an answer names: tag, id and where the stanza came from.
type StanzaKey = (String, String, String);

#[derive(Clone, Debug)]
struct Item {
    node: Node,
    sent: bool,
    offline: bool,
}

#[derive(Clone, Debug, Default)]
struct Deliveries {
    times: u32,
    acks: u32,
    receipts: u32,
}

/// How a client answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AnswerKind {
    Ack,
    Receipt,
}

/// What an answer did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answered {
    /// More answers of this kind than deliveries.
    Again,
    /// The stanza is consumed (or was, by an answer of the other kind).
    Consumed,
    /// The answer goes to another address than the stanza came from.
    Misdirected { expected: String },
    /// No such stanza was ever delivered.
    Unknown,
}

impl Mailbox {
    /// Puts a stanza at the end. It is returned when it must be written right now, which needs a
    /// connection and no backlog in front of it.
    pub(crate) fn post(&mut self, node: Node, connected: bool) -> Option<Node> {
        let now = connected && self.items.iter().all(|item| item.sent);
        self.items.push_back(Item {
            node,
            sent: now,
            offline: !now,
        });
        let node = self.items.back().filter(|item| item.sent)?.node.clone();
        self.delivered(&node);
        Some(node)
    }

    /// A new connection: everything unanswered is due again.
    pub(crate) fn rewind(&mut self) {
        self.offline_sent = 0;
        for item in &mut self.items {
            item.sent = false;
            item.offline = true;
        }
    }

    /// Up to `limit` stanzas of the backlog, marked as sent.
    pub(crate) fn batch(&mut self, limit: usize) -> Vec<Node> {
        let mut batch = Vec::new();
        for item in self.items.iter_mut().filter(|item| !item.sent).take(limit) {
            item.sent = true;
            self.offline_sent += 1;
            let node = item.node.clone();
            batch.push(if item.offline {
                node.num("offline", self.offline_sent)
            } else {
                node
            });
        }
        for node in &batch {
            self.delivered(node);
        }
        batch
    }

    /// Stanzas of the backlog that were sent on this connection.
    pub(crate) const fn offline_sent(&self) -> usize {
        self.offline_sent
    }

    /// Stanzas not yet written on this connection, with that tag (`None`: all).
    pub(crate) fn backlog(&self, tag: Option<&str>) -> usize {
        self.items
            .iter()
            .filter(|item| !item.sent && tag.is_none_or(|tag| item.node.tag == tag))
            .count()
    }

    /// `tag id` of stanzas that were written and not answered.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        let sent = self.items.iter().filter(|item| item.sent);
        sent.map(|item| {
            let id = item.node.text("id").unwrap_or_default();
            format!("{} {id}", item.node.tag)
        })
        .collect()
    }

    /// Takes an answer to the stanza with `tag` and `id`, addressed to `to`.
    pub(crate) fn answer(&mut self, kind: AnswerKind, tag: &str, id: &str, to: &str) -> Answered {
        let key = (tag.into(), id.into(), to.into());
        let Some(past) = self.history.get_mut(&key) else {
            let mut others = self
                .history
                .keys()
                .filter(|(t, i, _)| (&**t, &**i) == (tag, id));
            return others
                .next()
                .map_or(Answered::Unknown, |(_, _, from)| Answered::Misdirected {
                    expected: from.clone(),
                });
        };
        let count = match kind {
            AnswerKind::Ack => &mut past.acks,
            AnswerKind::Receipt => &mut past.receipts,
        };
        *count += 1;
        let again = *count > past.times;
        let answered = |item: &Item| item.sent && stanza_key(&item.node) == key;
        if let Some(position) = self.items.iter().position(answered) {
            self.items.remove(position);
        }
        if again {
            Answered::Again
        } else {
            Answered::Consumed
        }
    }

    fn delivered(&mut self, node: &Node) {
        self.history.entry(stanza_key(node)).or_default().times += 1;
    }
}

fn stanza_key(node: &Node) -> StanzaKey {
    let text = |name| node.text(name).unwrap_or_default().into_owned();
    (node.tag.to_string(), text("id"), text("from"))
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::jid::Jid;

    use super::*;

    fn stanza(id: &'static str) -> Node {
        Node::new("message")
            .attr("id", id)
            .jid("from", Jid::lid("7"))
    }

    #[test]
    fn an_unanswered_stanza_comes_again_and_an_answered_one_does_not() {
        let mut mailbox = Mailbox::default();
        assert!(mailbox.post(stanza("a"), true).is_some());
        assert!(mailbox.post(stanza("b"), true).is_some());
        let answer = mailbox.answer(AnswerKind::Receipt, "message", "a", "7@lid");
        assert_eq!(answer, Answered::Consumed);
        assert_eq!(mailbox.unanswered(), ["message b"]);
        mailbox.rewind();
        let again = mailbox.batch(10);
        assert_eq!(again.len(), 1);
        assert!(again[0].is("id", "b") && again[0].is("offline", "1"));
    }

    #[test]
    fn a_receipt_and_an_ack_are_tolerated_but_two_acks_are_not() {
        let mut mailbox = Mailbox::default();
        mailbox.post(stanza("a"), true);
        let mut answer = |kind| mailbox.answer(kind, "message", "a", "7@lid");
        assert_eq!(answer(AnswerKind::Receipt), Answered::Consumed);
        assert_eq!(answer(AnswerKind::Ack), Answered::Consumed);
        assert_eq!(answer(AnswerKind::Ack), Answered::Again);
    }

    #[test]
    fn nothing_overtakes_the_backlog() {
        let mut mailbox = Mailbox::default();
        assert!(mailbox.post(stanza("a"), false).is_none());
        assert!(mailbox.post(stanza("b"), true).is_none());
        let ids: Vec<_> = mailbox.batch(10);
        assert!(ids[0].is("id", "a") && ids[1].is("id", "b"));
        assert!(mailbox.post(stanza("c"), true).is_some());
    }

    #[test]
    fn an_answer_to_somebody_else_is_noticed() {
        let mut mailbox = Mailbox::default();
        mailbox.post(stanza("a"), true);
        assert_eq!(
            mailbox.answer(AnswerKind::Ack, "message", "a", "8@lid"),
            Answered::Misdirected {
                expected: "7@lid".into()
            }
        );
        assert_eq!(
            mailbox.answer(AnswerKind::Ack, "message", "x", "7@lid"),
            Answered::Unknown
        );
    }
}
