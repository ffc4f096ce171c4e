//! A message from the host's request to the wire.

use std::collections::BTreeSet;

use crate::account::Sent;
use crate::effect::OpId;
use crate::error::Fault;
use crate::fanout::{self, Target, stanza};
use crate::jid::Jid;
use crate::peer::Names;
use crate::peer::{DeviceAddress, PeerKey};
use crate::send::outbox::OutboxRecord;
use crate::send::recent::{self, RecentRecord};
use crate::send::{Asked, Outgoing, Stage, id, outbox};
use crate::session::composing::Composed;
use crate::session::{Phase, SendRequest, Session, refuse};
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::txn::{Cx, Key, Namespace, blocks};
use crate::verdict::{Cause, MessageId, Outcome, Refusal};
use crate::{abprops, content, devices, groups, lidmap, signal, wap};

/// What became of a message that was looked at.
pub(super) enum Look {
    /// It left.
    Left,
    /// It cannot be sent.
    Refused(Refusal),
    /// It waits.
    Waits(Outgoing),
}

impl Session {
    /// Takes a message in, or refuses it at once.
    pub(super) fn admit(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        request: SendRequest,
    ) -> Result<(), Fault> {
        let Some(paired) = self.device.paired() else {
            refuse(cx, op, Refusal::local(request.id, Cause::NotPaired));
            return Ok(());
        };
        let payload = self.payload(cx, &request.to, request.content);
        let Some(payload) = payload.filter(|_| may_send_to(&request.to)) else {
            refuse(cx, op, Refusal::local(request.id, Cause::BadRequest));
            return Ok(());
        };
        if self.sends.len() + self.outbox.len() >= outbox::CAPACITY {
            refuse(cx, op, Refusal::local(request.id, Cause::OutboxFull));
            return Ok(());
        }
        let now = self.server_now(cx);
        let id = match request.id {
            Some(id) => id,
            None => id::generate(cx.rng, now, paired.jid.user_part()),
        };
        let in_queue = self.sends.iter().any(|send| send.id == id);
        if in_queue || self.outbox.holds(&id) || recent::find(&cx.txn, &self.slot, &id)?.is_some() {
            refuse(cx, op, Refusal::local(Some(id), Cause::DuplicateId));
            return Ok(());
        }
        self.sends.push(Outgoing {
            op: Some(op),
            id,
            to: request.to.account(),
            hint: request.recipient,
            payload,
            deadline: request.deadline,
            by_number: false,
            media_id: request.media_id,
            stage: Stage::Ready,
            asked: Asked::default(),
        });
        self.progress(cx)
    }

    /// Lets every message that waits for nothing go on, in order within its chat.
    pub(super) fn progress(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let mut busy_chats = BTreeSet::new();
        for send in std::mem::take(&mut self.sends) {
            if send.stage != Stage::Ready || busy_chats.contains(&send.to) {
                busy_chats.insert(send.to.clone());
                self.sends.push(send);
                continue;
            }
            let (op, id, chat) = (send.op, send.id.clone(), send.to.clone());
            let looked = if groups::is_group(&chat) {
                self.look_group(cx, send)?
            } else if chat.is_newsletter() {
                self.look_newsletter(cx, send)?
            } else {
                self.look(cx, send)?
            };
            match looked {
                Look::Left => {}
                Look::Refused(refusal) => self.refuse_send(cx, op, &id, refusal)?,
                Look::Waits(send) => {
                    busy_chats.insert(chat);
                    self.sends.push(send);
                }
            }
        }
        Ok(())
    }

    /// One look at a message from the top: what is still missing for it to leave?
    fn look(&mut self, cx: &mut Cx<'_>, mut send: Outgoing) -> Result<Look, Fault> {
        let now = self.server_now(cx);
        let refuse = |id, cause| Ok(Look::Refused(Refusal::local(Some(id), cause)));
        let Some(account) = &mut self.account else {
            return refuse(send.id, Cause::LoggedOut);
        };
        let Some(peer) = PeerKey::of(&send.to) else {
            return refuse(send.id, Cause::BadRequest);
        };
        if send
            .deadline
            .is_some_and(|deadline| deadline <= cx.now.mono)
        {
            return refuse(send.id, Cause::DeadlineBeforeSend);
        }
        let plan = account.plan(&cx.txn, &send.to, MessageKind::Content, send.hint, now)?;
        if let Some(refusal) = plan.refusal {
            account.blocked(cx, &send.to, &plan.names, refusal.cause, now);
            return Ok(Look::Refused(Refusal {
                id: Some(send.id),
                ..refusal
            }));
        }
        let names = plan.names;
        if self.phase != Phase::Online {
            return Ok(Look::Waits(send));
        }
        if !send.asked.props && account.wants_props(&plan.attach) {
            send.stage = Stage::Props(cx.now.mono.plus(abprops::WAIT));
            return Ok(Look::Waits(send));
        }
        let by_number = send.by_number || self.lid_migrated() == Some(false);
        let target = match (names.lid.clone(), names.pn.clone()) {
            (_, Some(pn)) if by_number => pn,
            (Some(lid), _) => lid,
            (None, _) if send.asked.lid => {
                let registered = send.asked.registered;
                let cause = if registered {
                    Cause::NoLid
                } else {
                    Cause::NotOnWhatsapp
                };
                return refuse(send.id, cause);
            }
            (None, _) => {
                send.stage = Stage::Resolving(peer.clone());
                self.ask_lid(cx, &peer);
                return Ok(Look::Waits(send));
            }
        };
        self.fan_out(cx, send, &target, &names, &plan.attach)
    }

    /// The recipient is known: devices, sessions, ciphertexts, stanza.
    fn fan_out(
        &mut self,
        cx: &mut Cx<'_>,
        mut send: Outgoing,
        target: &PeerKey,
        names: &Names,
        attach: &Attach,
    ) -> Result<Look, Fault> {
        let own = self.own_account(target);
        let wanted = BTreeSet::from([target.clone(), own.clone()]);
        let missing = self.missing_lists(cx, &wanted)?;
        let open: BTreeSet<PeerKey> = missing.difference(&send.asked.lists).cloned().collect();
        if !open.is_empty() {
            send.stage = Stage::Listing(open.clone());
            self.ask_lists(cx, open);
            return Ok(Look::Waits(send));
        }
        let plan = self.plan(cx, target, &own)?;
        if plan.recipients.is_empty() && *target != own {
            return Ok(Look::Refused(Refusal::local(
                Some(send.id),
                Cause::NoRecipientDevice,
            )));
        }
        let keyless = self.without_session(cx, plan.recipients.iter().chain(&plan.own))?;
        let open: BTreeSet<DeviceAddress> = keyless.difference(&send.asked.keys).cloned().collect();
        if !open.is_empty() {
            send.stage = Stage::Keying(open.clone());
            self.ask_keys(cx, open);
            return Ok(Look::Waits(send));
        }
        let Some(message) = self.compose(cx, &send, &own, &plan.to)? else {
            return Ok(Look::Refused(Refusal::local(
                Some(send.id),
                Cause::BadRequest,
            )));
        };
        self.emit(cx, send, message, plan, names, attach)
    }

    /// Encrypts, makes durable and transmits: one step.
    fn emit(
        &mut self,
        cx: &mut Cx<'_>,
        send: Outgoing,
        message: Composed,
        plan: fanout::Plan,
        names: &Names,
        attach: &Attach,
    ) -> Result<Look, Fault> {
        let ours = self.own_identity();
        let to = plan.to.clone();
        let mut ciphertexts = Vec::with_capacity(plan.recipients.len() + plan.own.len());
        let text = signal::padding::pad(cx.rng, message.bytes.clone());
        for device in &plan.recipients {
            if let Some(enc) = signal::encrypt(cx, &self.slot, &ours, &device.session, &text)? {
                ciphertexts.push((device.wire.clone(), enc));
            }
        }
        if ciphertexts.is_empty() && !plan.recipients.is_empty() {
            return Ok(Look::Refused(Refusal::local(
                Some(send.id),
                Cause::NoRecipientDevice,
            )));
        }
        let copy = signal::padding::pad(cx.rng, content::device_sent(&to, &message.bytes));
        for device in &plan.own {
            if let Some(enc) = signal::encrypt(cx, &self.slot, &ours, &device.session, &copy)? {
                ciphertexts.push((device.wire.clone(), enc));
            }
        }
        let Some(paired) = self.device.paired() else {
            return Err(Fault::Bug("only a paired device sends"));
        };
        let pn = names.pn.as_ref().filter(|_| to.is_lid()).map(PeerKey::jid);
        let node = stanza::message(stanza::MessageStanza {
            id: &send.id,
            to: &to,
            shape: &message.shape,
            pn: pn.as_ref(),
            devices: ciphertexts,
            device_identity: &paired.account,
            reporting: message.reporting,
            attach,
        });
        let now = self.server_now(cx);
        let carried = match &self.account {
            Some(account) => account.carried(attach, now),
            None => attach.summary().into(),
        };
        let record =
            OutboxRecord::new(&send.id, &to, wap::encode(&node), now, carried).hinted(send.hint);
        let kept = RecentRecord {
            to: to.reveal(),
            payload: message.bytes,
            t: now.0,
        };
        match send.op {
            Some(op) => {
                recent::remember(cx, &self.slot, &send.id, &kept)?;
                self.outbox.add(cx, &self.slot, op, send.id, &record);
            }
            None => {
                recent::update(cx, &self.slot, &send.id, &kept);
                self.outbox.replace(cx, &self.slot, &send.id, &record);
            }
        }
        if let Some(account) = &mut self.account {
            let sent = Sent {
                to: &to,
                names,
                kind: MessageKind::Content,
                attached: attach.summary(),
                issue: true,
            };
            account.handed(cx, sent, now);
        }
        Ok(Look::Left)
    }

    pub(super) fn plan(
        &self,
        cx: &Cx<'_>,
        to: &PeerKey,
        own: &PeerKey,
    ) -> Result<fanout::Plan, Fault> {
        let account = self
            .account_scope()
            .ok_or(Fault::Bug("only a linked device sends"))?;
        Ok(fanout::plan(
            &cx.txn,
            account,
            &self.slot,
            to,
            own,
            self.own_device(),
        )?)
    }

    fn missing_lists(
        &self,
        cx: &Cx<'_>,
        wanted: &BTreeSet<PeerKey>,
    ) -> Result<BTreeSet<PeerKey>, Fault> {
        let account = self
            .account_scope()
            .ok_or(Fault::Bug("only a linked device sends"))?;
        Ok(devices::missing(
            &cx.txn,
            account,
            &self.slot,
            wanted,
            cx.now.unix(),
        )?)
    }

    pub(super) fn canonical(&self, cx: &Cx<'_>, peer: &PeerKey) -> Result<PeerKey, Fault> {
        Ok(match self.account_scope() {
            Some(account) => lidmap::canonical(&cx.txn, account, peer)?,
            None => peer.clone(),
        })
    }

    pub(super) fn own_account(&self, like: &PeerKey) -> PeerKey {
        let paired = self.device.paired();
        let lid = paired
            .and_then(|paired| paired.lid.as_ref())
            .and_then(PeerKey::of);
        let pn = paired.and_then(|paired| PeerKey::of(&paired.jid));
        match like {
            PeerKey::Lid(_) => lid.or(pn),
            PeerKey::Pn(_) => pn.or(lid),
        }
        .unwrap_or_else(|| like.clone())
    }

    pub(super) fn own_device(&self) -> u16 {
        self.device
            .paired()
            .map_or(0, |paired| paired.jid.device_part())
    }

    /// Those of the devices that cannot be encrypted for yet.
    pub(super) fn without_session<'a>(
        &self,
        cx: &mut Cx<'_>,
        devices: impl IntoIterator<Item = &'a Target>,
    ) -> Result<BTreeSet<DeviceAddress>, Fault> {
        let mut keyless = BTreeSet::new();
        for block in blocks(devices) {
            self.read_sessions(cx, &block)?;
            for device in block {
                if !signal::has_session(&cx.txn, &self.slot, &device.session)? {
                    keyless.insert(device.session.clone());
                }
            }
        }
        Ok(keyless)
    }

    /// Reads the sessions with these devices at once.
    pub(super) fn read_sessions(&self, cx: &mut Cx<'_>, devices: &[&Target]) -> Result<(), Fault> {
        let row =
            |device: &&Target| Key::new(&self.slot, Namespace::Session, device.session.storage());
        Ok(cx.txn.read_ahead(devices.iter().map(row).collect())?)
    }

    /// A message that has not left ends here.
    pub(super) fn end_send(
        &mut self,
        cx: &mut Cx<'_>,
        send: &Outgoing,
        cause: Cause,
    ) -> Result<(), Fault> {
        let refusal = Refusal::local(Some(send.id.clone()), cause);
        self.refuse_send(cx, send.op, &send.id, refusal)
    }

    fn refuse_send(
        &mut self,
        cx: &mut Cx<'_>,
        op: Option<OpId>,
        id: &MessageId,
        refusal: Refusal,
    ) -> Result<(), Fault> {
        if let Some(op) = op {
            refuse(cx, op, refusal);
        } else if let Some((op, _)) = self.outbox.answered(cx, &self.slot, id)? {
            self.done(cx, op, Outcome::Refused(refusal));
        }
        Ok(())
    }

    /// Nothing of what waits is sent by this session. What the outbox has stays there.
    pub(super) fn drop_sends(&mut self, cx: &mut Cx<'_>, cause: Cause) {
        for send in std::mem::take(&mut self.sends) {
            if let Some(op) = send.op {
                refuse(cx, op, Refusal::local(Some(send.id), cause));
            }
        }
    }
}

/// Whether messages to that address can be built.
fn may_send_to(to: &Jid) -> bool {
    to.is_user() || groups::is_group(to) || to.is_newsletter()
}
