//! What the server and the phone tell us about contacts and about ourselves.

use std::collections::BTreeMap;

use crate::abprops;
use crate::account::{Account, adopt};
use crate::error::{Fault, StoreError};
use crate::event::Event;
use crate::history::{self, Blob, HistoryError, HistoryReport};
use crate::jid::Jid;
use crate::lidmap::{self, Learned, Mapping};
use crate::mex::Update;
use crate::nct;
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::tctoken::journal;
use crate::tctoken::stanza::Notification;
use crate::tctoken::timeline::What;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Scope, Txn};
use crate::wap::Node;

/// How often it is noted that a contact wrote, in seconds: every message would cost a row.
const A_DAY: i64 = 86_400;

/// Contacts that wrote since the start of this process, with the server time that was noted; bounded,
/// so that a busy account forgets some and finds them in their timelines.
#[derive(Debug, Default)]
pub struct Heard(BTreeMap<PeerKey, UnixSeconds>);

impl Heard {
    const MOST: usize = 4096;

    fn add(&mut self, peer: PeerKey, t: UnixSeconds) {
        if self.0.len() >= Self::MOST && !self.0.contains_key(&peer) {
            self.0.pop_first();
        }
        self.0.insert(peer, t);
    }

    /// When the contact wrote last, if it is remembered.
    pub(super) fn last(&self, peer: &PeerKey) -> Option<UnixSeconds> {
        self.0.get(peer).copied()
    }
}

impl Account {
    /// A notification of the server; false when it is of no concern here. The caller answers it
    /// with the effects of this step.
    ///
    /// # Errors
    /// What the store says.
    pub fn notification(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        node: &Node,
        now: UnixSeconds,
    ) -> Result<bool, Fault> {
        match node.text("type").as_deref() {
            Some("mex") => self.pushed(cx, node, now),
            Some("server") if abprops::is_update(node) => {
                self.props.notified();
                self.ask_props(cx, now);
                Ok(true)
            }
            Some("privacy_token") => {
                self.tokens_arrived(cx, slot, Notification::parse(node), now)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn pushed(&mut self, cx: &mut Cx<'_>, node: &Node, now: UnixSeconds) -> Result<bool, Fault> {
        let Some(update) = Update::parse(node) else {
            return Ok(false);
        };
        self.timelock.pushed(cx, &update, now);
        self.capping.pushed(cx, &update, now);
        if let Some((old, new)) = adopt::lid_change(&update) {
            self.tokens.lid_changed(cx, &old, &new, now)?;
        }
        Ok(true)
    }

    /// Tokens that contacts gave us, and copies of what our other devices issued.
    ///
    /// # Errors
    /// What the store says.
    pub fn tokens_arrived(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        notification: Notification,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let known = match &notification.from {
            Some(from) => lidmap::resolve(&cx.txn, self.scope(), from)?,
            None => Names::default(),
        };
        let received = self.tokens.receive(cx, notification, &known, now)?;
        if let Some((pn, lid)) = received.mapping
            && let Some(pair) = Mapping::of(&pn.jid(), &lid.jid())
        {
            self.learn(cx, slot, &pair)?;
        }
        if let Some(peer) = received.fresh {
            let names = lidmap::resolve(&cx.txn, self.scope(), &peer)?;
            self.may_retry(cx, &names)?;
            self.renew(&cx.txn, &names, now)?;
        }
        Ok(())
    }

    /// Stores a pair of PN and LID and lets everything keyed by either follow; `slot` holds the
    /// device's sessions, which move too.
    ///
    /// # Errors
    /// What the store says.
    pub fn learn(&mut self, cx: &mut Cx<'_>, slot: &Scope, pair: &Mapping) -> Result<(), Fault> {
        let learned = lidmap::learn(cx, self.tokens.scope(), slot, pair)?;
        if learned != Learned::Known {
            self.tokens.mapping_learned(cx, &pair.pn(), &pair.lid())?;
        }
        Ok(())
    }

    /// [`Account::learn`] for many pairs, with few reads.
    ///
    /// # Errors
    /// What the store says.
    pub fn learn_all(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        pairs: &[Mapping],
    ) -> Result<(), Fault> {
        let learned = lidmap::learn_all(cx, self.tokens.scope(), slot, pairs)?;
        let new = pairs.iter().zip(learned);
        for (pair, _) in new.filter(|(_, learned)| *learned != Learned::Known) {
            self.tokens.mapping_learned(cx, &pair.pn(), &pair.lid())?;
        }
        Ok(())
    }

    /// The keys of a contact's primary device are new.
    ///
    /// # Errors
    /// What the store says.
    pub fn identity_changed(
        &mut self,
        cx: &mut Cx<'_>,
        jid: &Jid,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let Some(peer) = PeerKey::of(jid).filter(|_| jid.device_part() == 0) else {
            return Ok(());
        };
        let names = lidmap::resolve(&cx.txn, self.scope(), &peer)?;
        let due = self.tokens.identity_changed(cx, jid, &names, now);
        self.issue(due);
        self.tokens
            .note(cx, jid, &names, What::IdentityChanged, now);
        if let Some(peer) = names.canonical() {
            cx.effect(Event::IdentityChanged { peer: peer.clone() });
        }
        Ok(())
    }

    /// A history sync as downloaded or inflated: pairs, salt and tokens. The inner error is for a
    /// blob that cannot be read; nothing has changed then.
    ///
    /// # Errors
    /// What the store says.
    pub fn history(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        blob: &Blob<'_>,
        now: UnixSeconds,
    ) -> Result<Result<HistoryReport, HistoryError>, Fault> {
        let applied = history::apply(cx, &mut self.tokens, slot, blob, now)?;
        self.all_may_retry(cx, now)?;
        Ok(applied)
    }

    /// A device of ours was linked to the account just now. If the account was linked here before,
    /// that is told with every contact: its tokens were received by another device.
    ///
    /// # Errors
    /// What the store says.
    pub fn linked(&self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        if adopt::is_known(&cx.txn, self.scope())? {
            journal::note_account(cx, self.scope(), What::Relinked, now)?;
        }
        Ok(())
    }

    /// App state says something about the salt of cstokens. The next message uses it.
    ///
    /// # Errors
    /// What the store says.
    pub fn salt_changed(&mut self, cx: &mut Cx<'_>, mutation: nct::Mutation) -> Result<(), Fault> {
        nct::apply(cx, self.scope(), mutation)?;
        Ok(())
    }

    /// All of app state was read, and there is no salt in it.
    ///
    /// # Errors
    /// What the store says.
    pub fn salt_absent(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        nct::absent(cx, self.scope())?;
        Ok(())
    }

    /// A host that fetches the AB props itself has these values, as pairs of code and value.
    pub fn feed_props(&mut self, cx: &mut Cx<'_>, values: &[(u32, String)], now: UnixSeconds) {
        let values = values.iter().map(|(code, value)| (*code, value.as_str()));
        if self.props.feed(cx, values, now) {
            self.props_changed();
        }
    }

    /// A contact wrote to us.
    ///
    /// # Errors
    /// What the store says.
    pub fn wrote(&mut self, cx: &mut Cx<'_>, from: &Jid, now: UnixSeconds) -> Result<(), Fault> {
        let names = self.names(&cx.txn, from)?;
        let Some(peer) = names.canonical() else {
            return Ok(());
        };
        let noted = self.heard_last(&cx.txn, &names)?;
        if noted.is_none_or(|last| now.since(last) >= A_DAY) {
            self.tokens.note(cx, from, &names, What::Wrote, now);
            self.heard.add(peer.clone(), now);
        }
        Ok(())
    }

    /// When the contact wrote last, give or take a day; `None` when it never did or the timeline
    /// does not go back that far.
    pub(super) fn heard_last(
        &self,
        txn: &Txn<'_>,
        names: &Names,
    ) -> Result<Option<UnixSeconds>, StoreError> {
        let Some(peer) = names.canonical() else {
            return Ok(None);
        };
        if let Some(last) = self.heard.last(peer) {
            return Ok(Some(last));
        }
        let timeline = journal::load(txn, self.scope(), names)?;
        let mut wrote = timeline.entries().iter().rev();
        let wrote = wrote.find(|entry| entry.what == What::Wrote);
        Ok(wrote.map(|entry| entry.last))
    }

    /// The host's library issued our token to a contact at `t` by itself.
    ///
    /// # Errors
    /// What the store says.
    pub fn issued_elsewhere(
        &mut self,
        cx: &mut Cx<'_>,
        names: &Names,
        t: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        self.tokens.issued_elsewhere(cx, names, t, now)
    }

    /// Whether `token` is the stored one of the contact.
    ///
    /// # Errors
    /// What the store says.
    pub fn holds(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
        token: &SecretBytes,
    ) -> Result<bool, StoreError> {
        self.tokens.holds(txn, names, token)
    }

    /// Both names of whoever is behind `jid`, as far as they are known.
    ///
    /// # Errors
    /// What the store says.
    pub fn names(&self, txn: &Txn<'_>, jid: &Jid) -> Result<Names, StoreError> {
        match PeerKey::of(jid) {
            Some(peer) => lidmap::resolve(txn, self.scope(), &peer),
            None => Ok(Names::default()),
        }
    }
}
