//! Tokens on the wire.
//!
//! ```text
//! <- <notification type="privacy_token" id from=user [sender_lid=..@lid] [t] [offline]>
//!      <tokens><token type="trusted_contact" t=unix [jid=target]> bytes </token> ..</tokens>
//! -> <iq xmlns="privacy" type="set" to="s.whatsapp.net">
//!      <tokens><token jid=account t=unix type="trusted_contact"/></tokens></iq>
//! <- <iq type="result"/>                                      without bytes
//! ```
//!
//! The issue gives the contact a token for writing to us. There is no request for a contact's
//! token (spec: token sources, issue IQ; whatsmeow, whatsapp-rust, Baileys).

use crate::jid::Jid;
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::time::UnixSeconds;
use crate::wap::{Content, Node};

/// Tokens read from one notification; the server was only seen to send one. More are left out.
pub const MAX_TOKENS: usize = 64;

/// Bytes of one token; real ones are tens of bytes. Longer ones are left out, so that nobody can
/// fill the store.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The one kind of token that is used.
const TRUSTED_CONTACT: &str = "trusted_contact";

/// A `privacy_token` notification.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notification {
    /// Who sent it: `from` without device.
    pub from: Option<PeerKey>,
    /// The sender's LID, when the server told it.
    pub sender_lid: Option<PeerKey>,
    /// The usable tokens in their order.
    pub tokens: Vec<Token>,
    /// What was left out.
    pub ignored: Ignored,
}

/// One usable `<token>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Opaque, not empty.
    pub bytes: SecretBytes,
    /// Above zero.
    pub t: UnixSeconds,
    /// For whom the token was issued: us. It never says who issued it.
    pub target: Option<PeerKey>,
}

/// Counts of tokens that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ignored {
    /// `t` missing, no number, zero or negative.
    pub bad_time: u64,
    /// No bytes.
    pub empty: u64,
    /// Over [`MAX_TOKEN_BYTES`], or behind the first [`MAX_TOKENS`].
    pub too_much: u64,
    /// Another type than `trusted_contact`.
    pub unknown_type: u64,
}

impl Notification {
    /// Reads a notification; whatever is odd in it is left out and counted.
    pub fn parse(node: &Node) -> Self {
        let mut notification = Self {
            from: node.address("from").as_ref().and_then(PeerKey::of),
            sender_lid: node
                .address("sender_lid")
                .filter(Jid::is_lid)
                .as_ref()
                .and_then(PeerKey::of),
            ..Self::default()
        };
        let tokens = node.find("tokens").map_or(&[][..], Node::nodes);
        for token in tokens.iter().filter(|child| child.tag == "token") {
            notification.take(token);
        }
        notification
    }

    /// Whose tokens these are: `sender_lid`, else the LID known for `from`, else `from`.
    /// `known` is what the LID map says about `from`.
    pub fn subject(&self, known: &Names) -> Names {
        match (&self.from, &self.sender_lid) {
            // The phone number known for `from` is not the one of `sender_lid`.
            (Some(PeerKey::Lid(_)), Some(lid)) if self.from != self.sender_lid => {
                Names::of(lid.clone())
            }
            _ => self
                .names()
                .fold(known.clone(), |names, peer| names.including(peer.clone())),
        }
    }

    /// The names that the notification itself states.
    pub fn names(&self) -> impl Iterator<Item = &PeerKey> {
        self.from.iter().chain(&self.sender_lid)
    }

    /// The pair of names that the notification itself states.
    pub fn mapping(&self) -> Option<(PeerKey, PeerKey)> {
        match (&self.from, &self.sender_lid) {
            (Some(pn @ PeerKey::Pn(_)), Some(lid)) => Some((pn.clone(), lid.clone())),
            _ => None,
        }
    }

    fn take(&mut self, token: &Node) {
        if !token.is("type", TRUSTED_CONTACT) {
            self.ignored.unknown_type += 1;
            return;
        }
        let Some(t) = token.number("t").filter(|t: &i64| *t > 0) else {
            self.ignored.bad_time += 1;
            return;
        };
        let bytes = match &token.content {
            Content::Bytes(bytes) if !bytes.is_empty() => bytes,
            _ => {
                self.ignored.empty += 1;
                return;
            }
        };
        if bytes.len() > MAX_TOKEN_BYTES || self.tokens.len() >= MAX_TOKENS {
            self.ignored.too_much += 1;
            return;
        }
        self.tokens.push(Token {
            bytes: SecretBytes::new(bytes.clone()),
            t: UnixSeconds(t),
            target: token.address("jid").as_ref().and_then(PeerKey::of),
        });
    }
}

/// The issue IQ, without its id. One token an IQ: more are not proven to be accepted.
pub fn issue_iq(target: &Jid, t: UnixSeconds) -> Node {
    let token = Node::new("token")
        .jid("jid", target.account())
        .num("t", t)
        .attr("type", TRUSTED_CONTACT);
    Node::new("iq")
        .attr("xmlns", "privacy")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("tokens").child(token))
}

/// `<tctoken>`, a child of `<message>` behind everything but `<ctwa_attribution>`.
pub fn tctoken(bytes: &SecretBytes) -> Node {
    Node::new("tctoken").bytes(bytes.expose())
}

/// `<cstoken>`, in the same place; never both.
pub fn cstoken(bytes: &[u8; 32]) -> Node {
    Node::new("cstoken").bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(t: &'static str) -> Node {
        Node::new("token")
            .attr("type", TRUSTED_CONTACT)
            .attr("t", t)
    }

    fn notification(tokens: impl IntoIterator<Item = Node>) -> Node {
        Node::new("notification")
            .attr("type", "privacy_token")
            .jid("from", Jid::pn("4915550001"))
            .child(Node::new("tokens").children(tokens))
    }

    #[test]
    fn tokens_keep_their_order_and_bad_ones_are_counted() {
        let read = Notification::parse(&notification([
            token("1786000000").bytes(b"one"),
            token("abc").bytes(b"x"),
            token("0").bytes(b"x"),
            token("-4").bytes(b"x"),
            Node::new("token").attr("type", TRUSTED_CONTACT).bytes(b"x"),
            token("5"),
            token("5").bytes(b""),
            Node::new("token")
                .attr("type", "other")
                .attr("t", "5")
                .bytes(b"x"),
            Node::new("tok").attr("t", "5"),
            token("5").bytes(vec![0; 16_385]),
            token("1786000001").bytes(b"two"),
            token("5").bytes(vec![0; 16_384]),
        ]));
        let bytes: Vec<_> = read.tokens.iter().map(|t| t.bytes.expose()).collect();
        assert_eq!(bytes, [&b"one"[..], b"two", &[0; 16_384]]);
        assert_eq!(
            read.ignored,
            Ignored {
                bad_time: 4,
                empty: 2,
                too_much: 1,
                unknown_type: 1
            }
        );
    }

    #[test]
    fn no_notification_holds_more_than_the_limit() {
        let read = Notification::parse(&notification(vec![token("5").bytes(b"x"); MAX_TOKENS + 3]));
        assert_eq!((read.tokens.len(), read.ignored.too_much), (MAX_TOKENS, 3));
    }

    #[test]
    fn a_notification_without_tokens_is_empty() {
        for node in [
            Node::new("notification"),
            Node::new("notification").bytes(b"x"),
            Node::new("notification").attr("from", "not a jid @"),
        ] {
            assert_eq!(Notification::parse(&node), Notification::default());
        }
    }

    #[test]
    fn the_subject_is_the_stated_lid_before_the_known_one_before_the_number() {
        let peer = |text: &str| PeerKey::of(&text.parse().unwrap());
        let known = Names {
            lid: peer("2@lid"),
            pn: None,
        };
        let plain = Notification::parse(&notification([]));
        assert_eq!(plain.subject(&known).canonical(), peer("2@lid").as_ref());
        let unknown = plain.subject(&Names::default());
        assert_eq!(
            unknown.canonical(),
            peer("4915550001@s.whatsapp.net").as_ref()
        );
        assert_eq!(plain.mapping(), None);

        let stated = Notification::parse(&notification([]).attr("sender_lid", "1:4@lid"));
        assert_eq!(stated.subject(&known).canonical(), peer("1@lid").as_ref());
        assert_eq!(
            stated.mapping(),
            peer("4915550001@s.whatsapp.net").zip(peer("1@lid"))
        );

        let other = notification([]).jid("from", Jid::lid("2"));
        let other = Notification::parse(&other.attr("sender_lid", "1@lid"));
        let both = Names::pair(
            peer("2@lid").unwrap(),
            peer("4915550001@s.whatsapp.net").unwrap(),
        );
        assert_eq!(other.subject(&both), Names::of(peer("1@lid").unwrap()));

        let no_lid = Notification::parse(&notification([]).attr("sender_lid", "1@s.whatsapp.net"));
        assert_eq!(no_lid.sender_lid, None);
    }

    #[test]
    fn the_issue_names_the_bare_account() {
        let iq = issue_iq(
            &"7:99@hosted.lid".parse().unwrap(),
            UnixSeconds(1_785_974_400),
        );
        let token = iq
            .find("tokens")
            .and_then(|tokens| tokens.find("token"))
            .unwrap();
        assert_eq!(token.address("jid"), Some(Jid::lid("7")));
        assert!(token.is("t", "1785974400") && token.is("type", "trusted_contact"));
        assert!(iq.is("to", "s.whatsapp.net") && iq.is("type", "set") && iq.is("xmlns", "privacy"));
        assert_eq!((iq.value("id"), &token.content), (None, &Content::None));
    }
}
