//! Messages that the host handed to its connection, until they are answered.

use std::collections::{BTreeMap, VecDeque};

use crate::account::{Refused, Sent};
use crate::error::Fault;
use crate::event::Event;
use crate::guest::Guest;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::tctoken::AttachRecord;
use crate::tctoken::policy::MessageKind;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::{MessageId, Outcome};

/// Messages remembered at a time; the oldest are forgotten first, and their answers then change
/// nothing.
const MOST: usize = 4_096;

/// What was handed over, by message id.
#[derive(Debug, Default)]
pub(super) struct Sends {
    open: BTreeMap<MessageId, Handed>,
    order: VecDeque<MessageId>,
}

#[derive(Debug)]
struct Handed {
    to: Jid,
    carried: AttachRecord,
    built: UnixSeconds,
}

impl Sends {
    /// False for an id that was handed over before.
    fn add(&mut self, id: MessageId, handed: Handed) -> bool {
        if self.open.contains_key(&id) {
            return false;
        }
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.open.insert(id, handed);
        true
    }

    fn take(&mut self, id: &MessageId) -> Option<Handed> {
        let handed = self.open.remove(id)?;
        self.order.retain(|other| other != id);
        Some(handed)
    }
}

impl Guest {
    pub(super) fn handed(
        &mut self,
        cx: &mut Cx<'_>,
        id: MessageId,
        to: Jid,
        kind: MessageKind,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let plan = self
            .account
            .plan(&cx.txn, &to, kind, RecipientHint::Ordinary, now)?;
        let handed = Handed {
            to: to.clone(),
            carried: self.account.carried(&plan.attach, now),
            built: now,
        };
        if !self.sends.add(id, handed) {
            self.ignored += 1;
            return Ok(());
        }
        let sent = Sent {
            to: &to,
            names: &plan.names,
            kind,
            attached: plan.attach.summary(),
            issue: !self.config.host_issues,
        };
        self.account.handed(cx, sent, now);
        Ok(())
    }

    pub(super) fn acked(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        code: Option<u16>,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let Some(handed) = self.sends.take(id) else {
            self.ignored += 1;
            return Ok(());
        };
        let Some(code) = code else {
            let (to, attached) = (&handed.to, handed.carried.attached);
            return self.account.accepted(cx, id, to, attached, now);
        };
        let refused = Refused {
            id: id.clone(),
            to: Some(handed.to),
            carried: handed.carried,
            hint: RecipientHint::Ordinary,
            built: handed.built,
            code,
        };
        self.account.refused(cx, refused, now)
    }

    /// What the account's machine asks for: work, and the ends of refused messages.
    pub(super) fn follow_account(&mut self, cx: &mut Cx<'_>) {
        for query in self.account.take_queries() {
            self.work.add(query, cx.now.mono);
        }
        for settled in self.account.take_settled() {
            cx.effect(Event::Settled(Outcome::Refused(settled.refusal)));
        }
    }
}
