//! The server said no: which refusal is it?
//!
//! A 463 means several things. One pull of the account's timelock, shared by all refusals of the
//! moment, tells them apart; nothing is ever sent again by itself.

use std::collections::BTreeMap;

use crate::effect::OpId;
use crate::error::Fault;
use crate::event::Event;
use crate::jid::Jid;
use crate::lidmap;
use crate::limits::classify::{self, Diagnosis, Evidence, Fact, Limit, code};
use crate::limits::pull::{Pull, Reason};
use crate::limits::{capping, timelock};
use crate::mex::{self, MexError, Question};
use crate::peer::{Names, PeerKey};
use crate::send::outbox::OutboxRecord;
use crate::session::receive::Heard;
use crate::session::{Account, Phase, Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::tctoken::policy::class;
use crate::txn::Cx;
use crate::verdict::{Attached, Cause, MessageId, Next, Outcome, Refusal};

/// A 463 that waits for the pull.
#[derive(Debug)]
pub(super) struct Open {
    op: Option<OpId>,
    id: MessageId,
    record: OutboxRecord,
}

/// Contacts whose refused messages are remembered at a time.
const MOST_WAITING: usize = 256;

/// Refused messages of one contact that are remembered.
const MOST_IDS: usize = 16;

/// Messages that a token of their contact may help, since the start of this process.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<PeerKey, Vec<MessageId>>);

impl Waiting {
    fn add(&mut self, peer: PeerKey, id: MessageId) {
        if self.0.len() >= MOST_WAITING && !self.0.contains_key(&peer) {
            self.0.pop_first();
        }
        let ids = self.0.entry(peer).or_default();
        if ids.len() < MOST_IDS {
            ids.push(id);
        }
    }
}

impl Session {
    pub(super) fn nacked(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        code: u16,
    ) -> Result<(), Fault> {
        if matches!(code, 408 | 429 | 500 | 503) && self.outbox.busy(cx.now.mono, id) {
            return Ok(());
        }
        let Some((op, record)) = self.outbox.answered(cx, &self.slot, id)? else {
            return Ok(());
        };
        let open = Open {
            op,
            id: id.clone(),
            record,
        };
        let now = self.server_now(cx);
        let Some(account) = &mut self.account else {
            return Ok(());
        };
        if matches!(code, code::REACHOUT | code::CAPPED)
            && let Ok(to) = open.record.to.parse::<Jid>()
        {
            let names = names(cx, account, &to)?;
            account.tokens.cancel(&to, &names);
        }
        if code == code::CAPPED {
            account.capping.refused(cx, now);
            self.pull(cx, Question::NewChatCapping, Reason::Refused);
        }
        if code != code::REACHOUT {
            return self.settle(cx, open, code, Limit::Unknown);
        }
        match self.pull(cx, Question::ReachoutTimelock, Reason::Refused) {
            Pull::Fresh(answered) => {
                let timelock = self.timelock_limit(cx, answered);
                self.settle(cx, open, code, timelock)
            }
            Pull::Ask | Pull::Join => {
                self.refused.push(open);
                Ok(())
            }
        }
    }

    /// Asks for a limit of the account, unless somebody has.
    pub(super) fn pull(&mut self, cx: &mut Cx<'_>, question: Question, reason: Reason) -> Pull {
        let now = cx.now.mono;
        let pull = match (&mut self.account, question) {
            (Some(account), Question::NewChatCapping) => account.capping.pull(reason, now),
            (Some(account), Question::ReachoutTimelock) => account.timelock.pull(reason, now),
            (None, _) => Pull::Fresh(false),
        };
        if pull == Pull::Ask && !self.ask_limit(cx, question, 0) {
            return Pull::Fresh(false);
        }
        pull
    }

    pub(super) fn ask_limit(
        &mut self,
        cx: &mut Cx<'_>,
        question: Question,
        attempt: usize,
    ) -> bool {
        let request = self.config.documents.request(question, attempt);
        match request.filter(|_| self.phase == Phase::Online) {
            Some(request) => {
                self.ask(cx, request, Purpose::Limit { question, attempt });
                true
            }
            None => false,
        }
    }

    /// A pull ended. A document id that the server does not know is followed by the next one.
    pub(super) fn pulled(
        &mut self,
        cx: &mut Cx<'_>,
        question: Question,
        attempt: usize,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        let root = match question {
            Question::NewChatCapping => capping::PULL_ROOT,
            Question::ReachoutTimelock => timelock::PULL_ROOT,
        };
        let answer = end.result().map(|iq| mex::answer(iq, root));
        if matches!(&answer, Some(Err(MexError::StaleDocId)))
            && self.ask_limit(cx, question, attempt + 1)
        {
            return Ok(());
        }
        let now = self.server_now(cx);
        let fields = answer.and_then(Result::ok);
        let answered = fields.is_some();
        let Some(account) = &mut self.account else {
            return Ok(());
        };
        match question {
            Question::NewChatCapping => account.capping.pulled(cx, fields.as_ref(), now),
            Question::ReachoutTimelock => {
                account.timelock.pulled(cx, fields.as_ref(), now);
                self.settle_refused(cx, answered)?;
            }
        }
        Ok(())
    }

    /// The pull is over: every open 463 gets its cause.
    pub(super) fn settle_refused(&mut self, cx: &mut Cx<'_>, answered: bool) -> Result<(), Fault> {
        let timelock = self.timelock_limit(cx, answered);
        for open in std::mem::take(&mut self.refused) {
            self.settle(cx, open, code::REACHOUT, timelock)?;
        }
        Ok(())
    }

    fn timelock_limit(&self, cx: &Cx<'_>, answered: bool) -> Limit {
        let now = self.server_now(cx);
        match self
            .account
            .as_ref()
            .map(|account| account.timelock.phase(now))
        {
            _ if !answered => Limit::Unknown,
            Some(timelock::Phase::Active { until, .. }) => Limit::Active(Some(until)),
            Some(timelock::Phase::Inactive | timelock::Phase::Over) => Limit::Inactive,
            Some(timelock::Phase::Unknown) | None => Limit::Unknown,
        }
    }

    fn settle(
        &mut self,
        cx: &mut Cx<'_>,
        open: Open,
        code: u16,
        timelock: Limit,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let attached = open.record.attached();
        let diagnosis = match (&mut self.account, open.record.to.parse::<Jid>()) {
            (Some(account), Ok(to)) => {
                let facts = Facts {
                    code,
                    timelock,
                    heard: &self.heard,
                };
                diagnose(cx, account, &open, &to, &facts, now)?
            }
            _ => Diagnosis {
                cause: Cause::ServerRefused,
                until: None,
            },
        };
        let refusal = Refusal {
            id: Some(open.id.clone()),
            cause: diagnosis.cause,
            code: Some(code),
            attached,
            until: diagnosis.until,
        };
        let waits_for_token = code == code::REACHOUT
            && matches!(refusal.next(), Next::AskContactToWrite | Next::WaitUntil(_));
        if waits_for_token
            && let Some(peer) = open
                .record
                .to
                .parse::<Jid>()
                .ok()
                .as_ref()
                .and_then(PeerKey::of)
        {
            self.waiting.add(peer, open.id);
        }
        self.done(cx, open.op, Outcome::Refused(refusal));
        Ok(())
    }

    /// A new token of a contact: messages that were refused for want of it may be sent again, by
    /// the host.
    pub(super) fn may_retry(&mut self, cx: &mut Cx<'_>, peer: &PeerKey) {
        if let Some(ids) = self.waiting.0.remove(peer) {
            cx.effect(Event::MayRetry {
                peer: peer.clone(),
                ids,
            });
        }
    }
}

/// What is known beside the rows.
struct Facts<'a> {
    code: u16,
    timelock: Limit,
    heard: &'a Heard,
}

fn diagnose(
    cx: &mut Cx<'_>,
    account: &mut Account,
    open: &Open,
    to: &Jid,
    facts: &Facts<'_>,
    now: crate::time::UnixSeconds,
) -> Result<Diagnosis, Fault> {
    let attached = open.record.attached();
    let built = crate::time::UnixSeconds(open.record.built);
    let names = names(cx, account, to)?;
    let token = account
        .tokens
        .evidence(&cx.txn, to, &names, (attached, built), now)?;
    let capped = account
        .capping
        .capped(&capping::CappingProps::default(), now);
    let last = names.canonical().and_then(|peer| facts.heard.last(peer));
    // Silence since the start of this process proves nothing.
    let wrote_recently = match last {
        Some(t) if now.since(t) < classify::WARM => Fact::Yes,
        _ => Fact::Unknown,
    };
    let diagnosis = classify::classify(
        &Evidence {
            code: facts.code,
            class: class(to, account.tokens.own()),
            attached,
            timelock: facts.timelock,
            capping: capped.map_or(Limit::Inactive, |capped| Limit::Active(Some(capped.until))),
            token,
            wrote_recently,
            history_complete: Fact::Unknown,
            paired_for: None,
            address_fits: Fact::Unknown,
        },
        now,
    );
    let token_refused = matches!(
        diagnosis.cause,
        Cause::TokenRefused | Cause::TimelockedTokenRefused
    );
    if let (true, Attached::Tctoken { t }) = (token_refused, attached) {
        account.tokens.token_refused(cx, to, &names, t)?;
    }
    Ok(diagnosis)
}

fn names(cx: &Cx<'_>, account: &Account, to: &Jid) -> Result<Names, Fault> {
    Ok(match PeerKey::of(to) {
        Some(peer) => lidmap::resolve(&cx.txn, account.tokens.scope(), &peer)?,
        None => Names::default(),
    })
}
