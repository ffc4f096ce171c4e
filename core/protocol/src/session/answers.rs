//! What the server says to a message that left, and what time says to one that did not.

use std::collections::BTreeSet;

use crate::account::Refused;
use crate::devices;
use crate::effect::{Effect, OpId};
use crate::error::Fault;
use crate::event::Event;
use crate::fanout::Target;
use crate::groups;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::peer::PeerKey;
use crate::send::outbox::OutboxRecord;
use crate::send::{Asked, Outgoing, Payload, Stage, recent};
use crate::session::{Phase, Session, lose};
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::{Cause, MessageId, Outcome};
use crate::wap::Node;

impl Session {
    /// Deadlines of messages that have not left, and answers that take too long.
    pub(super) fn tick_sends(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = cx.now.mono;
        let late = |send: &Outgoing| send.deadline.is_some_and(|deadline| deadline <= now);
        let (late, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.sends).into_iter().partition(late);
        self.sends = rest;
        for send in late {
            self.end_send(cx, &send, Cause::DeadlineBeforeSend)?;
        }
        for send in &mut self.sends {
            send.resume_props(false, now);
            send.resume_spread(false, now);
        }
        let online = self.phase == Phase::Online;
        for (op, id) in self.outbox.tick(cx, &self.slot, online)? {
            lose(cx, op, id, true);
        }
        Ok(())
    }

    /// The server has answered a message.
    pub(super) fn acked(&mut self, cx: &mut Cx<'_>, ack: &Node) -> Result<(), Fault> {
        let id = ack.text("id").and_then(|id| MessageId::parse(&id));
        if ack.is("class", "receipt") {
            let Some(id) = id else {
                return Ok(());
            };
            match ack.text("type").as_deref() {
                Some("hist_sync") => self.history_receipted(cx, &id),
                Some("retry" | "server-error") => {}
                Some(_) => self.inbox.confirmed(cx, &self.slot, &id),
                None => {
                    self.history_receipted(cx, &id);
                    self.inbox.confirmed(cx, &self.slot, &id);
                }
            }
            return Ok(());
        }
        if let Some(id) = &id
            && ack.is("class", "message")
            && self.phone_acked(cx, id, ack.value("error").is_some())?
        {
            return Ok(());
        }
        let Some(id) = id.filter(|id| ack.is("class", "message") && self.outbox.holds(id)) else {
            self.ignored += 1;
            return Ok(());
        };
        match ack.number::<u16>("error") {
            None if ack.value("error").is_none() => self.accepted(cx, ack, id.clone())?,
            code => self.nacked(cx, &id, code.unwrap_or(0))?,
        }
        self.spread_ended(cx, &id)
    }

    fn accepted(&mut self, cx: &mut Cx<'_>, ack: &Node, id: MessageId) -> Result<(), Fault> {
        let server_time = ack.number("t").map(UnixSeconds);
        if let Some((op, record)) = self.outbox.answered(cx, &self.slot, &id)? {
            let theirs = ack.text("phash");
            let to = record.recipient();
            if to.as_ref().is_some_and(groups::is_group) {
                self.group_took(cx, &record, theirs.as_deref())?;
            } else if let Some(theirs) = theirs {
                self.compare_devices(cx, &record, &theirs)?;
            }
            self.took_number(cx, to.as_ref());
            if ack.is("refresh_lid", "true") {
                self.refresh_lid(cx, to.as_ref())?;
            }
            let attached = record.attached();
            let now = self.server_now(cx);
            if let (Some(account), Some(to)) = (&mut self.account, to.filter(Jid::is_user)) {
                account.accepted(cx, &id, &to, attached, now)?;
            }
            self.done(
                cx,
                op,
                Outcome::Accepted {
                    id,
                    server_time,
                    attached,
                },
            );
        }
        Ok(())
    }

    fn nacked(&mut self, cx: &mut Cx<'_>, id: &MessageId, code: u16) -> Result<(), Fault> {
        if matches!(code, 408 | 429 | 500 | 503) && self.outbox.busy(cx.now.mono, id) {
            return Ok(());
        }
        if self.group_refused(cx, id, code)? || self.lid_refused(cx, id, code)? {
            return Ok(());
        }
        let Some((op, record)) = self.outbox.answered(cx, &self.slot, id)? else {
            return Ok(());
        };
        let now = self.server_now(cx);
        let Some(account) = &mut self.account else {
            return Ok(());
        };
        self.refused.insert(id.clone(), op);
        let refused = Refused {
            id: id.clone(),
            to: record.recipient(),
            carried: record.carried(),
            hint: record.hint(),
            built: UnixSeconds(record.built),
            code,
        };
        account.refused(cx, refused, now)
    }

    /// A message that the server has refused goes out once more in another form, under the same id.
    /// False when what it says is not kept any more.
    pub(super) fn build_anew(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        to: Jid,
        hint: RecipientHint,
        by_number: bool,
    ) -> Result<bool, Fault> {
        // Old bytes that went out again after a lost connection may be refused a second time.
        if self.sends.iter().any(|send| send.id == *id) {
            return Ok(true);
        }
        let Some(kept) = recent::find(&cx.txn, &self.slot, id)? else {
            return Ok(false);
        };
        self.sends.push(Outgoing {
            op: None,
            id: id.clone(),
            to,
            hint,
            payload: Payload::Ready(kept.payload),
            deadline: None,
            by_number,
            media_id: None,
            stage: Stage::Ready,
            asked: Asked::default(),
        });
        self.progress(cx)?;
        Ok(true)
    }

    /// Ends an operation, or tells of a message that an earlier run of the program had sent.
    pub(super) fn done(&self, cx: &mut Cx<'_>, op: Option<OpId>, outcome: Outcome) {
        match op {
            Some(op) => cx.effect(Effect::Done(op, outcome)),
            None => cx.effect(Event::Settled(outcome)),
        }
    }

    /// The server's hash over the devices of a message differs from ours: it knows devices that we
    /// do not. The lists are asked for before the next message; the devices that were missed ask by
    /// retry receipt. Whether the sending device counts differs between clients, so either will do.
    fn compare_devices(
        &mut self,
        cx: &mut Cx<'_>,
        record: &OutboxRecord,
        theirs: &str,
    ) -> Result<(), Fault> {
        let Some(peer) = record.recipient().as_ref().and_then(PeerKey::of) else {
            return Ok(());
        };
        let own = self.own_account(&peer);
        let plan = self.plan(cx, &peer, &own)?;
        let wire = |target: &Target| target.wire.clone();
        let mut devices: BTreeSet<Jid> =
            plan.recipients.iter().chain(&plan.own).map(wire).collect();
        let without = devices::participant_hash(&devices);
        devices.insert(own.jid().with_device(self.own_device()));
        if theirs != without && theirs != devices::participant_hash(&devices) {
            for peer in [peer, own] {
                let key = self.canonical(cx, &peer)?;
                devices::forget(&mut cx.txn, &self.slot, &key);
            }
        }
        Ok(())
    }
}
