//! Coarse rows: the interface of hosts whose library asks its store for rows and writes rows back.
//!
//! whatsmeow reads a row before a send and attaches its token if the row's time lies in its own
//! window of four weeks. So the time it gets is not the token's: it is "now" for a token that may be
//! attached, and none for one that may not. It writes back what it read, with only the sender's
//! time changed; such a write says nothing about the token (spec: "guest mode on an unpatched
//! whatsmeow").

use std::collections::BTreeMap;

use crate::error::{Fault, StoreError};
use crate::guest::{Guest, Row, RowPut};
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::nct;
use crate::peer::PeerKey;
use crate::secret::SecretBytes;
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::tctoken::stanza::{Notification, Token};
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Reader, Txn};

/// Stands for "no token, but a row", because such hosts skip rows without token bytes. It is never
/// attached: its row has no time.
pub const PLACEHOLDER: &[u8] = b"sendpath:none";

/// How long a host that issues by itself may take until its issue is not expected any more.
const CLAIM: Millis = Millis::from_secs(60);

/// Contacts whose rows are remembered as handed out.
const MOST: usize = 4_096;

/// Values that were made up for rows, so that they are known again when they are written back.
#[derive(Debug, Default)]
pub(super) struct Handed(BTreeMap<PeerKey, Made>);

#[derive(Clone, Copy, Debug, Default)]
struct Made {
    t: Option<UnixSeconds>,
    sender: Option<UnixSeconds>,
    claimed: Option<Mono>,
}

impl Handed {
    fn of(&self, peer: &PeerKey) -> Made {
        self.0.get(peer).copied().unwrap_or_default()
    }

    fn set(&mut self, peer: PeerKey, made: Made) {
        if self.0.len() >= MOST && !self.0.contains_key(&peer) {
            self.0.pop_first();
        }
        self.0.insert(peer, made);
    }
}

impl Guest {
    /// The row of a contact as the host's library must see it to do the right thing; `None` when
    /// nothing is known and the host may issue as for a new contact.
    ///
    /// # Errors
    /// What the store says.
    pub fn row(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        peer: &Jid,
    ) -> Result<Option<Row>, StoreError> {
        let server = self.clock.unix(now);
        let plan = self.plan(
            now,
            reader,
            peer,
            MessageKind::Content,
            RecipientHint::Ordinary,
        );
        let txn = Txn::reading(reader);
        let names = self.account.names(&txn, peer)?;
        let Some(key) = names.canonical().cloned() else {
            return Ok(None);
        };
        let ours = self.account.issued_at(&txn, &names)?;
        let mut made = self.rows.of(&key);
        let sender_t = self.sender_time(now, ours, &mut made);
        let (token, t) = match plan.attach {
            Attach::Tctoken { bytes, .. } if plan.refusal.is_none() => (Some(bytes), Some(server)),
            _ => (None, None),
        };
        made.t = t;
        self.rows.set(key, made);
        if token.is_none() && sender_t.is_none() {
            return Ok(None);
        }
        let placeholder = || SecretBytes::new(PLACEHOLDER.to_vec());
        Ok(Some(Row {
            token: token.unwrap_or_else(placeholder),
            t,
            sender_t,
        }))
    }

    /// The salt as the host's library must see it: `None` when no cstoken may be sent.
    ///
    /// # Errors
    /// What the store says.
    pub fn salt_row(&self, reader: &dyn Reader) -> Result<Option<SecretBytes>, StoreError> {
        if !self.account.cstoken_allowed() {
            return Ok(None);
        }
        nct::salt(&Txn::reading(reader), self.account.scope())
    }

    /// The sender's time that makes the host's library issue exactly when an issue is due: once,
    /// and never when the guest issues by itself.
    fn sender_time(
        &self,
        now: Now,
        ours: Option<UnixSeconds>,
        made: &mut Made,
    ) -> Option<UnixSeconds> {
        let server = self.clock.unix(now);
        if !self.account.must_issue(ours, server) {
            return ours;
        }
        let claimed = made.claimed.is_some_and(|at| now.mono.since(at) < CLAIM);
        if self.config.host_issues && !claimed {
            made.claimed = Some(now.mono);
            made.sender = None;
            return ours;
        }
        made.sender = Some(server);
        made.sender
    }

    pub(super) fn row_put(&mut self, cx: &mut Cx<'_>, put: &RowPut) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.cache.clear();
        let names = self.account.names(&cx.txn, &put.peer)?;
        let Some(key) = names.canonical().cloned() else {
            self.ignored += 1;
            return Ok(());
        };
        let made = self.rows.of(&key);
        let row = &put.row;
        let is_ours = row.token.expose() == PLACEHOLDER || (row.t.is_some() && row.t == made.t);
        if let (false, false, Some(t)) = (is_ours, row.token.is_empty(), row.t) {
            let token = Token {
                bytes: row.token.clone(),
                t,
                target: None,
            };
            let notification = Notification {
                from: PeerKey::of(&put.peer),
                tokens: vec![token],
                ..Notification::default()
            };
            self.received(cx, notification)?;
        }
        if let Some(t) = row.sender_t.filter(|t| Some(*t) != made.sender) {
            self.account.issued_elsewhere(cx, &names, t, now)?;
            let done = Made {
                claimed: None,
                ..made
            };
            self.rows.set(key, done);
        }
        Ok(())
    }
}
