//! Whose presence we follow and whose picture we ask for, and with which token.
//!
//! ```text
//! -> <presence type="subscribe" to><tctoken>..</tctoken></presence>
//! <- <presence from [type="unavailable"] [last="<unix s>"|"deny"]/>
//! ```
//! A new token of a contact that we follow renews the subscription, as WhatsApp Web does (spec:
//! "privacy_token notification", side effects). Subscriptions end with the connection.

use crate::account::Account;
use crate::error::StoreError;
use crate::event::Event;
use crate::jid::Jid;
use crate::peer::Names;
use crate::tctoken::gated;
use crate::tctoken::policy::{Class, class};
use crate::time::UnixSeconds;
use crate::txn::Txn;
use crate::wap::Node;

/// Contacts that are followed at a time; more are subscribed to, but not again with a new token.
const MOST: usize = 1_024;

impl Account {
    /// The stanza that subscribes to the presence of `to`; `None` unless it is a contact. It is
    /// renewed by [`Account::take_stanzas`] while the connection lasts.
    ///
    /// # Errors
    /// What the store says.
    pub fn subscribe(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        now: UnixSeconds,
    ) -> Result<Option<Node>, StoreError> {
        if class(to, self.own()) != Class::Contact {
            return Ok(None);
        }
        let names = self.names(txn, to)?;
        if let Some(peer) = names.canonical().filter(|_| self.followed.len() < MOST) {
            self.followed.insert(peer.clone());
        }
        let token = self.tokens.token_for(txn, to, &names, now);
        Ok(Some(gated::presence_subscribe(to, token.as_ref())))
    }

    /// The question for the picture of `of`, without an id; with its token if it is a contact that
    /// gave us one. `known` is the id of the picture we have.
    ///
    /// # Errors
    /// What the store says.
    pub fn picture_query(
        &mut self,
        txn: &Txn<'_>,
        of: &Jid,
        size: gated::Picture,
        known: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Node, StoreError> {
        let names = self.names(txn, of)?;
        let token = self.tokens.token_for(txn, of, &names, now);
        let gates = self.props.gates();
        Ok(gated::picture_get(of, size, known, token.as_ref(), &gates))
    }

    /// Stanzas to send now that expect no answer.
    pub fn take_stanzas(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.stanzas)
    }

    /// A new token of a contact: follow it again, by LID if that is known.
    pub(super) fn renew(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let both = [&names.lid, &names.pn];
        let followed = both
            .into_iter()
            .flatten()
            .any(|peer| self.followed.contains(peer));
        if let Some(peer) = names.canonical().filter(|_| followed && self.online) {
            let stanza = self.subscribe(txn, &peer.jid(), now)?;
            self.stanzas.extend(stanza);
        }
        Ok(())
    }
}

/// What a `<presence>` says; `None` unless it is about a person.
pub fn presence(node: &Node) -> Option<Event> {
    let from = node.address("from").filter(Jid::is_user)?;
    Some(Event::Presence {
        from: from.account(),
        available: !node.is("type", "unavailable"),
        last_seen: node.number("last").map(UnixSeconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Settings};
    use crate::peer::PeerKey;
    use crate::secret::SecretBytes;
    use crate::tctoken::policy::Own;
    use crate::tctoken::stanza::{Notification, Token};
    use crate::testkit::Bench;

    const NOW: UnixSeconds = UnixSeconds(1_790_000_000);
    const LID: &str = "100000000000001";

    fn account(bench: &mut Bench) -> Account {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            let own = Own::new(Some(&Jid::lid("9")), None).unwrap();
            let mut account = Account::load(cx, &slot, own, Settings::default())?.unwrap();
            account.connected(cx, NOW);
            Ok(account)
        })
    }

    fn gives(bench: &mut Bench, account: &mut Account, bytes: &str) -> Vec<Option<Vec<u8>>> {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            let token = Token {
                bytes: SecretBytes::new(bytes.into()),
                t: NOW,
                target: None,
            };
            let notification = Notification {
                from: PeerKey::of(&Jid::lid(LID)),
                tokens: vec![token],
                ..Notification::default()
            };
            account.tokens_arrived(cx, &slot, notification, NOW)
        });
        let token = |node: &Node| Some(node.find("tctoken")?.payload()?.to_vec());
        account.take_stanzas().iter().map(token).collect()
    }

    #[test]
    fn scenario_35_a_new_token_renews_a_subscription_once() {
        let mut bench = Bench::new(1);
        let mut account = account(&mut bench);
        assert_eq!(gives(&mut bench, &mut account, "first"), []);
        let to = Jid::lid(LID);
        let first = bench
            .run(|cx| Ok(account.subscribe(&cx.txn, &to, NOW)?))
            .unwrap();
        assert_eq!(first.find("tctoken").unwrap().payload().unwrap(), b"first");
        assert_eq!(
            gives(&mut bench, &mut account, "second"),
            [Some(b"second".to_vec())]
        );
        assert_eq!(gives(&mut bench, &mut account, "second"), []);
        account.disconnected();
        assert_eq!(gives(&mut bench, &mut account, "third"), []);
    }

    #[test]
    fn only_contacts_are_followed() {
        let mut bench = Bench::new(1);
        let mut account = account(&mut bench);
        for to in ["9@lid", "1@g.us", "status@broadcast", "0@s.whatsapp.net"] {
            let to: Jid = to.parse().unwrap();
            let none = bench.run(|cx| Ok(account.subscribe(&cx.txn, &to, NOW)?));
            assert_eq!(none, None, "{to:?}");
        }
    }

    #[test]
    fn a_presence_says_who_came_or_went() {
        let node = Node::new("presence")
            .jid("from", Jid::lid(LID))
            .attr("type", "unavailable")
            .attr("last", "deny");
        assert_eq!(
            presence(&node),
            Some(Event::Presence {
                from: Jid::lid(LID),
                available: false,
                last_seen: None
            })
        );
        assert_eq!(presence(&Node::new("presence")), None);
    }
}
