//! One message: what it carries, whether it may leave, and how it ended.

use crate::account::Account;
use crate::error::{Fault, StoreError};
use crate::jid::Jid;
use crate::limits::gate::{Gate, RecipientHint, gate};
use crate::limits::timelock;
use crate::peer::Names;
use crate::tctoken::policy::{Freshness, MessageKind, class};
use crate::tctoken::timeline::What;
use crate::tctoken::{Attach, AttachRecord};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Txn};
use crate::verdict::{Attached, Cause, MessageId, Refusal};

/// The decision for a message at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Both names of the recipient, as far as they are known.
    pub names: Names,
    /// What the stanza carries.
    pub attach: Attach,
    /// Why it must not leave; nothing is asked and nothing is sent then.
    pub refusal: Option<Refusal>,
}

/// A message that was handed to the connection.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The wire recipient.
    pub to: &'a Jid,
    /// Its names, from the plan.
    pub names: &'a Names,
    /// What it is.
    pub kind: MessageKind,
    /// What it carries.
    pub attached: Attached,
    /// Our own token may be issued behind it; false when the host's library does so by itself.
    pub issue: bool,
}

impl Account {
    /// What a message to `to` carries, and whether it may leave. Reads what is stored and asks
    /// nobody.
    ///
    /// # Errors
    /// What the store says about the LID map; a store that fails for tokens costs the token only.
    pub fn plan(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        kind: MessageKind,
        hint: RecipientHint,
        now: UnixSeconds,
    ) -> Result<Plan, StoreError> {
        let names = self.names(txn, to)?;
        let attach = self.attach(txn, to, &names, kind, now);
        let refusal = self.gate(to, hint, &attach, now);
        Ok(Plan {
            names,
            attach,
            refusal,
        })
    }

    /// What a message to `to`, whose names are `names`, carries.
    pub fn attach(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        names: &Names,
        kind: MessageKind,
        now: UnixSeconds,
    ) -> Attach {
        self.tokens.attach(txn, to, names, kind, now)
    }

    /// What is kept of the decision `attach`, for the diagnosis of a refusal.
    pub fn carried(&self, attach: &Attach, now: UnixSeconds) -> AttachRecord {
        attach.record(self.tokens.props(), now)
    }

    /// Until when an answer of [`Account::attach`] holds if nothing is written meanwhile: tokens
    /// expire where a bucket ends.
    pub fn attach_holds_until(&self, now: UnixSeconds) -> UnixSeconds {
        let window = self.tokens.props().receive.unwrap_or_default();
        let span = window.span.seconds();
        UnixSeconds(
            window
                .span
                .bucket(now)
                .saturating_add(1)
                .saturating_mul(span),
        )
    }

    /// Why a message that carries `attach` must not leave; `None` when it may.
    pub fn gate(
        &self,
        to: &Jid,
        hint: RecipientHint,
        attach: &Attach,
        now: UnixSeconds,
    ) -> Option<Refusal> {
        let class = class(to, self.own());
        let capped = self.capping.capped(&self.props.capping(), now);
        let timelock = self.timelock.phase(now);
        let breaker = self.breaker.open_until(now);
        match gate(class, hint, attach, timelock, capped, breaker) {
            Gate::Allow => None,
            Gate::Refuse(refusal) => Some(refusal),
        }
    }

    /// Whether it is worth a short wait for the AB props: the token is valid by the widest window
    /// seen, and the server has not said how wide its own is. True while the question is open.
    pub fn wants_props(&self, attach: &Attach) -> bool {
        let ambiguous = matches!(
            attach,
            Attach::Tctoken {
                freshness: Freshness::Ambiguous,
                ..
            }
        );
        ambiguous && self.online && self.props.is_asking()
    }

    /// Whether cstokens may be sent.
    pub fn cstoken_allowed(&self) -> bool {
        self.tokens.props().cstoken_allowed()
    }

    /// Whether an issue is due for a contact that was issued to at `last`.
    pub fn must_issue(&self, last: Option<UnixSeconds>, now: UnixSeconds) -> bool {
        self.tokens.props().send_window().span.must_issue(last, now)
    }

    /// When our token was issued to the contact last.
    ///
    /// # Errors
    /// What the store says.
    pub fn issued_at(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
    ) -> Result<Option<UnixSeconds>, StoreError> {
        self.tokens.issued_at(txn, names)
    }

    /// A message was refused here, for `cause`.
    pub fn blocked(
        &mut self,
        cx: &mut Cx<'_>,
        to: &Jid,
        names: &Names,
        cause: Cause,
        now: UnixSeconds,
    ) {
        let what = What::Refused { code: None, cause };
        self.tokens.note(cx, to, names, what, now);
    }

    /// The server accepted a message to `to` that carried `attached`.
    ///
    /// # Errors
    /// What the store says.
    pub fn accepted(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        to: &Jid,
        attached: Attached,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        self.breaker.accepted(cx, attached);
        let names = self.names(&cx.txn, to)?;
        self.tokens.note(cx, to, &names, What::Accepted, now);
        let locked = matches!(self.timelock.phase(now), timelock::Phase::Active { .. });
        if let Some(peer) = names.canonical().filter(|peer| !self.own().is(peer)) {
            let peer = peer.clone();
            self.silent.accepted(cx, id.clone(), peer, now, locked);
        }
        Ok(())
    }

    /// A device of somebody else has these messages of ours.
    pub fn arrived(&mut self, cx: &mut Cx<'_>, ids: &[MessageId]) {
        for id in ids {
            self.silent.receipt(cx, id);
        }
    }

    /// A message was handed to the connection.
    pub fn handed(&mut self, cx: &mut Cx<'_>, sent: Sent<'_>, now: UnixSeconds) {
        let what = What::Attached(sent.attached);
        self.tokens.note(cx, sent.to, sent.names, what, now);
        if sent.issue {
            let due = self.tokens.sent(cx, sent.to, sent.names, sent.kind, now);
            self.issue(due);
        }
    }
}
