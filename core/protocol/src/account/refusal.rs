//! The server said no: which refusal is it?
//!
//! A 463 means several things. One pull of the account's timelock, shared by all refusals of the
//! moment, tells them apart; nothing is ever sent again by itself.

use crate::account::{Account, waiting};
use crate::error::Fault;
use crate::event::Event;
use crate::jid::Jid;
use crate::limits::classify::{self, Diagnosis, Evidence, Fact, Limit, code};
use crate::limits::gate::RecipientHint;
use crate::limits::pull::{Pull, Reason};
use crate::limits::timelock;
use crate::mex::Question;
use crate::peer::Names;
use crate::tctoken::AttachRecord;
use crate::tctoken::policy::{MessageKind, class};
use crate::tctoken::timeline::What;
use crate::time::{Millis, UnixSeconds};
use crate::txn::Cx;
use crate::verdict::{Attached, Cause, MessageId, Next, Refusal};

/// A message that the server refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Its id.
    pub id: MessageId,
    /// The wire recipient; `None` if the record of the message is gone.
    pub to: Option<Jid>,
    /// What the stanza carried, why nothing else, and by which window that was decided.
    pub carried: AttachRecord,
    /// What the host knew about the recipient.
    pub hint: RecipientHint,
    /// Server time when the stanza was built.
    pub built: UnixSeconds,
    /// `ack@error`.
    pub code: u16,
}

/// The end of a refused message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settled {
    /// The message.
    pub id: MessageId,
    /// What it meant.
    pub refusal: Refusal,
}

impl Account {
    /// The server refused a message. Its end comes by [`Account::take_settled`], at once or when
    /// the account's limits are known.
    ///
    /// # Errors
    /// What the store says.
    pub fn refused(
        &mut self,
        cx: &mut Cx<'_>,
        refused: Refused,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let limit = matches!(refused.code, code::REACHOUT | code::CAPPED);
        if let Some(to) = refused.to.as_ref().filter(|_| limit) {
            let names = self.names(&cx.txn, to)?;
            self.tokens.cancel(to, &names);
        }
        if refused.code == code::CAPPED {
            self.capping.refused(cx, now);
            self.pull(cx, Question::NewChatCapping, Reason::Refused);
        }
        if refused.code != code::REACHOUT {
            return self.settle(cx, refused, Limit::Unknown, now);
        }
        match self.pull(cx, Question::ReachoutTimelock, Reason::Refused) {
            Pull::Fresh(answered) => {
                let timelock = self.timelock_limit(answered, now);
                self.settle(cx, refused, timelock, now)
            }
            Pull::Ask | Pull::Join => {
                self.open.push(refused);
                Ok(())
            }
        }
    }

    /// Refused messages whose cause is known now.
    pub fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    /// The pull is over: every open 463 gets its cause.
    pub(super) fn settle_open(
        &mut self,
        cx: &mut Cx<'_>,
        answered: bool,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let timelock = self.timelock_limit(answered, now);
        for refused in std::mem::take(&mut self.open) {
            self.settle(cx, refused, timelock, now)?;
        }
        Ok(())
    }

    fn timelock_limit(&self, answered: bool, now: UnixSeconds) -> Limit {
        match self.timelock.phase(now) {
            _ if !answered => Limit::Unknown,
            timelock::Phase::Active { until, .. } => Limit::Active(Some(until)),
            timelock::Phase::Inactive | timelock::Phase::Over => Limit::Inactive,
            timelock::Phase::Unknown => Limit::Unknown,
        }
    }

    fn settle(
        &mut self,
        cx: &mut Cx<'_>,
        refused: Refused,
        timelock: Limit,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let names = match &refused.to {
            Some(to) => self.names(&cx.txn, to)?,
            None => Names::default(),
        };
        let (diagnosis, evidence) = match &refused.to {
            Some(to) => {
                let to = (to, &names);
                let (diagnosis, evidence) = self.diagnose(cx, &refused, to, timelock, now)?;
                (diagnosis, Some(evidence))
            }
            None => (
                Diagnosis {
                    cause: Cause::ServerRefused,
                    until: None,
                },
                None,
            ),
        };
        self.breaker.verdict(cx, diagnosis.cause, now);
        let refusal = Refusal {
            id: Some(refused.id.clone()),
            cause: diagnosis.cause,
            code: Some(refused.code),
            attached: refused.carried.attached,
            until: diagnosis.until,
            evidence: evidence.map(Box::new),
        };
        let waits_for_token = refused.code == code::REACHOUT
            && matches!(refusal.next(), Next::AskContactToWrite | Next::WaitUntil(_));
        if let Some(peer) = names.canonical().filter(|_| waits_for_token) {
            waiting::add(cx, &self.slot, peer, &refused.id, now)?;
        }
        self.follow_up(cx, diagnosis.cause, now);
        self.settled.push(Settled {
            id: refused.id,
            refusal,
        });
        Ok(())
    }

    /// What a verdict asks of ourselves, so that the next message fares better.
    fn follow_up(&mut self, cx: &Cx<'_>, cause: Cause, now: UnixSeconds) {
        match cause {
            // The window that we know may be too narrow.
            Cause::LocalTokenLost => {
                self.props.notified();
                self.ask_props(cx, now);
            }
            Cause::Undetermined463 if self.online => {
                let wait = u64::try_from(classify::UNDETERMINED_WAIT).unwrap_or(0);
                self.bootstrap = Some(cx.now.mono.plus(Millis::from_secs(wait)));
            }
            _ => {}
        }
    }

    fn diagnose(
        &mut self,
        cx: &mut Cx<'_>,
        refused: &Refused,
        (to, names): (&Jid, &Names),
        timelock: Limit,
        now: UnixSeconds,
    ) -> Result<(Diagnosis, Evidence), Fault> {
        let facts = (refused.carried.attached, refused.built);
        let token = self.tokens.evidence(&cx.txn, to, names, facts, now)?;
        let capped = self.capping.capped(&self.props.capping(), now);
        let last = self.heard_last(&cx.txn, names)?;
        // Silence proves nothing: the contact may have written while we were away.
        let wrote_recently = match last {
            Some(t) if now.since(t) < classify::WARM => Fact::Yes,
            _ => Fact::Unknown,
        };
        let evidence = Evidence {
            timelock,
            capping: capped.map_or(Limit::Inactive, |capped| Limit::Active(Some(capped.until))),
            token,
            wrote_recently,
            history_complete: fact(self.background.history_complete),
            paired_for: self.background.linked_at.map(|at| now.since(at)),
            address_fits: fact(
                self.background
                    .lid_migrated
                    .map(|by_lid| by_lid == to.is_lid()),
            ),
            hint: refused.hint,
            ..Evidence::new(refused.code, class(to, self.own()), refused.carried)
        };
        let diagnosis = classify::classify(&evidence, now);
        let token_refused = matches!(
            diagnosis.cause,
            Cause::TokenRefused | Cause::TimelockedTokenRefused
        );
        if let (true, Attached::Tctoken { t }) = (token_refused, refused.carried.attached) {
            self.tokens.token_refused(cx, to, names, t)?;
        }
        let what = What::Refused {
            code: Some(refused.code),
            cause: diagnosis.cause,
        };
        self.tokens.note(cx, to, names, what, now);
        Ok((diagnosis, evidence))
    }

    /// A new token of a contact: messages that were refused for want of it may be sent again, by
    /// the host.
    pub(super) fn may_retry(&self, cx: &mut Cx<'_>, names: &Names) -> Result<(), Fault> {
        let ids = waiting::take(cx, &self.slot, names)?;
        if let Some(peer) = names.canonical().filter(|_| !ids.is_empty()) {
            let peer = peer.clone();
            cx.effect(Event::MayRetry { peer, ids });
        }
        Ok(())
    }

    /// As [`Account::may_retry`] for everybody whose token came in this step: there may be many.
    pub(super) fn all_may_retry(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        for peer in waiting::peers(&cx.txn, &self.slot)? {
            let to = peer.jid();
            let names = self.names(&cx.txn, &to)?;
            let attach = self.attach(&cx.txn, &to, &names, MessageKind::Content, now);
            let new = self.tokens.received_at(&cx.txn, &names)? == Some(now);
            if new && attach.has_token() {
                self.may_retry(cx, &names.including(peer))?;
            }
        }
        Ok(())
    }
}

const fn fact(known: Option<bool>) -> Fact {
    match known {
        None => Fact::Unknown,
        Some(false) => Fact::No,
        Some(true) => Fact::Yes,
    }
}
