//! A message to a group: metadata, device lists, our key, one ciphertext for all.
//!
//! ```text
//! group metadata -> device lists -> sessions with devices that lack our key -> key pairwise + skmsg
//! ack: the devices have the key | phash differs: ask anew | 421: build once more, same id
//! ```
//! Source: spec "Group send" and "Sender-key rotation". The key is marked as given when the server
//! has taken the message, so a message that fails is no reason to leave anybody out.

use std::collections::BTreeSet;

use prost::Message as _;

use crate::error::Fault;
use crate::fanout::Target;
use crate::fanout::group::{self, GroupPlan, GroupStanza, Sender};
use crate::groups::marks::{self, DeviceSet, Marks};
use crate::groups::{self, AddressingMode};
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::peer::{DeviceAddress, PeerKey};
use crate::send::outbox::{OutboxRecord, Spread};
use crate::send::recent::{self, RecentRecord};
use crate::send::{Outgoing, Stage};
use crate::session::sending::Look;
use crate::session::{Phase, Session};
use crate::signal::padding;
use crate::signal::senderkey::{self, OwnSenderKey};
use crate::time::Millis;
use crate::txn::{Cx, blocks};
use crate::verdict::{Attached, Cause, MessageId, Refusal, WhyNot};
use crate::{devices, pb, signal, wap};

/// Messages after which our key of a group changes. Fewer spread keys more often, more let whoever
/// got hold of one read longer.
const ROTATE_AT: u32 = 1000;

/// How long a message waits for the answer to one that brings our key to the same group. A burst of
/// first messages would else bring it with each of them. Shorter encrypts more often for everybody,
/// longer holds back a chat whose first message is lost.
const SPREAD: Millis = Millis::from_secs(10);

/// A group message that has all it needs to know.
struct Ready {
    group: Jid,
    mode: AddressingMode,
    own: PeerKey,
    /// `None` to start another one.
    key: Option<OwnSenderKey>,
    /// The devices that get the key.
    cold: Vec<Target>,
    /// Our other devices: they get the key with every message.
    own_devices: Vec<Target>,
    phash: String,
}

impl Session {
    /// One look at a group message from the top: what is still missing for it to leave?
    pub(super) fn look_group(
        &mut self,
        cx: &mut Cx<'_>,
        mut send: Outgoing,
    ) -> Result<Look, Fault> {
        let refuse = |id, cause| Ok(Look::Refused(Refusal::local(Some(id), cause)));
        let Some(scope) = self.account_scope().cloned() else {
            return refuse(send.id, Cause::LoggedOut);
        };
        let late = |deadline| deadline <= cx.now.mono;
        if send.deadline.is_some_and(late) {
            return refuse(send.id, Cause::DeadlineBeforeSend);
        }
        if self.phase != Phase::Online {
            return Ok(Look::Waits(send));
        }
        let now = cx.now.unix();
        let known = groups::load(&cx.txn, &self.slot, &send.to)?;
        let fresh = known.as_ref().is_some_and(|group| group.is_fresh(now));
        if !fresh && !send.asked.group {
            send.stage = Stage::Grouping;
            self.ask_group(cx, &send.to, known.as_ref());
            return Ok(Look::Waits(send));
        }
        let Some(group) = known else {
            return refuse(send.id, Cause::ServerBusy);
        };
        let Some(own) = self.own_named(group.mode) else {
            return refuse(send.id, Cause::NoLid);
        };
        let sender = Sender {
            own: &own,
            device: self.own_device(),
            now,
        };
        let plan = group::plan(&mut cx.txn, &scope, &self.slot, &group, sender)?;
        let open: BTreeSet<PeerKey> = plan
            .missing
            .difference(&send.asked.lists)
            .cloned()
            .collect();
        if !open.is_empty() {
            send.stage = Stage::Listing(open.clone());
            self.ask_lists(cx, open);
            return Ok(Look::Waits(send));
        }
        if plan.members.is_empty() && !plan.accounts.is_empty() {
            return refuse(send.id, Cause::NoRecipientDevice);
        }
        let ready = self.with_key(cx, &send.to, group.mode, own, plan)?;
        if self.spreading.contains_key(&send.to) && !ready.cold.is_empty() && !send.asked.spread {
            send.stage = Stage::Spreading(cx.now.mono.plus(SPREAD));
            return Ok(Look::Waits(send));
        }
        let keyless = self.without_session(cx, ready.cold.iter().chain(&ready.own_devices))?;
        let open: BTreeSet<DeviceAddress> = keyless.difference(&send.asked.keys).cloned().collect();
        if !open.is_empty() {
            send.stage = Stage::Keying(open.clone());
            self.ask_keys(cx, open);
            return Ok(Look::Waits(send));
        }
        self.emit_group(cx, send, ready)
    }

    /// Our key of the group, unless it must change, and who lacks it.
    fn with_key(
        &self,
        cx: &Cx<'_>,
        group: &Jid,
        mode: AddressingMode,
        own: PeerKey,
        plan: GroupPlan,
    ) -> Result<Ready, Fault> {
        let mut marks = Marks::default();
        let key = senderkey::own(&cx.txn, &self.slot, group, &own)?;
        let mut key = key.filter(|key| key.iteration() < ROTATE_AT);
        if let Some(current) = &key {
            marks = marks::load(&cx.txn, &self.slot, group, current.id())?;
            if self.somebody_left(cx, &marks, &plan)? {
                (key, marks) = (None, Marks::default());
            }
        }
        let mut cold = plan.members;
        cold.retain(|device| !marks.is_warm(&device.session));
        Ok(Ready {
            group: group.clone(),
            mode,
            own,
            key,
            cold,
            own_devices: plan.own,
            phash: plan.phash,
        })
    }

    /// Whether somebody has the key who is not a member any more, whether or not we were told.
    fn somebody_left(&self, cx: &Cx<'_>, marks: &Marks, plan: &GroupPlan) -> Result<bool, Fault> {
        for peer in marks.devices.peers() {
            if !plan.accounts.contains(peer) && !plan.accounts.contains(&self.canonical(cx, peer)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Encrypts, makes durable and transmits: one step.
    fn emit_group(&mut self, cx: &mut Cx<'_>, send: Outgoing, ready: Ready) -> Result<Look, Fault> {
        let Some(message) = self.compose(cx, &send, &ready.own, &ready.group)? else {
            return Ok(Look::Refused(Refusal::local(
                Some(send.id),
                Cause::BadRequest,
            )));
        };
        let mut key = match ready.key {
            Some(key) => key,
            None => OwnSenderKey::generate(cx.rng),
        };
        let told = padding::pad(cx.rng, distribution(&ready.group, &key));
        let mut devices = DeviceSet::default();
        let mut keys = Vec::with_capacity(ready.cold.len() + ready.own_devices.len());
        for (device, enc) in self.encrypt_all(cx, &ready.cold, &told)? {
            devices.insert(&device.session);
            keys.push((device.wire.clone(), enc));
        }
        for (device, enc) in self.encrypt_all(cx, &ready.own_devices, &told)? {
            keys.push((device.wire.clone(), enc));
        }
        let text = padding::pad(cx.rng, message.bytes.clone());
        let skmsg = key.encrypt(cx.rng, &text);
        let skmsg = skmsg.ok_or(Fault::Bug("a key changes long before its end"))?;
        senderkey::store_own(&mut cx.txn, &self.slot, &ready.group, &ready.own, &key);
        let node = group::message(GroupStanza {
            id: &send.id,
            group: &ready.group,
            mode: ready.mode,
            shape: &message.shape,
            phash: &ready.phash,
            keys,
            skmsg,
            device_identity: self.device_identity(),
            reporting: message.reporting,
        });
        let spread = Spread {
            key: key.id(),
            devices,
            phash: ready.phash,
            anew: send.op.is_none(),
        };
        if !spread.devices.is_empty() {
            self.spreading.insert(ready.group.clone(), send.id.clone());
        }
        let now = self.server_now(cx);
        let nothing = Attached::Nothing(WhyNot::NotEligible);
        let record = OutboxRecord::new(&send.id, &ready.group, wap::encode(&node), now, nothing)
            .spreading(&spread);
        let Some(op) = send.op else {
            self.outbox.replace(cx, &self.slot, &send.id, &record);
            return Ok(Look::Left);
        };
        let kept = RecentRecord {
            to: ready.group.reveal(),
            payload: message.bytes,
            t: now.0,
        };
        recent::remember(cx, &self.slot, &send.id, &kept)?;
        self.outbox.add(cx, &self.slot, op, send.id, &record);
        Ok(Look::Left)
    }

    /// The plaintext for each of the devices that there is a session with.
    fn encrypt_all<'a>(
        &self,
        cx: &mut Cx<'_>,
        devices: &'a [Target],
        plaintext: &[u8],
    ) -> Result<Vec<(&'a Target, signal::Ciphertext)>, Fault> {
        let ours = self.own_identity();
        let mut ciphertexts = Vec::with_capacity(devices.len());
        for block in blocks(devices) {
            self.read_sessions(cx, &block)?;
            for device in block {
                let enc = signal::encrypt(cx, &self.slot, &ours, &device.session, plaintext)?;
                ciphertexts.extend(enc.map(|enc| (device, enc)));
            }
        }
        Ok(ciphertexts)
    }

    /// The server has taken a group message.
    pub(super) fn group_took(
        &mut self,
        cx: &mut Cx<'_>,
        record: &OutboxRecord,
        phash: Option<&str>,
    ) -> Result<(), Fault> {
        let (Some(group), Some(spread)) = (record.recipient(), record.spread()) else {
            return Ok(());
        };
        for own in self.own_names() {
            let key = senderkey::own(&cx.txn, &self.slot, &group, &own)?;
            if key.is_some_and(|key| key.id() == spread.key) {
                let devices = spread.devices.clone();
                marks::set(&mut cx.txn, &self.slot, &group, spread.key, devices)?;
                break;
            }
        }
        if phash.is_some_and(|theirs| theirs != spread.phash) {
            let now = cx.now.unix();
            for peer in groups::hash_differs(&mut cx.txn, &self.slot, &group, now)? {
                let key = self.canonical(cx, &peer)?;
                devices::forget(&mut cx.txn, &self.slot, &key);
            }
        }
        Ok(())
    }

    /// A message was answered; those that waited for the key it brought go on.
    pub(super) fn spread_ended(&mut self, cx: &mut Cx<'_>, id: &MessageId) -> Result<(), Fault> {
        let mut groups = self.spreading.iter();
        let ended = groups.find(|(_, bringer)| *bringer == id);
        let Some(group) = ended.map(|(group, _)| group.clone()) else {
            return Ok(());
        };
        // A busy server takes the same bytes later, and one built anew brings the key, too.
        if self.outbox.holds(id) {
            return Ok(());
        }
        self.spreading.remove(&group);
        let waiting = self.sends.iter_mut().filter(|send| send.to == group);
        for send in waiting {
            send.resume_spread(true, cx.now.mono);
        }
        self.progress(cx)
    }

    /// The server has refused a message; true when it is a group message that is built anew.
    pub(super) fn group_refused(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        code: u16,
    ) -> Result<bool, Fault> {
        let record = self.outbox.peek(&cx.txn, &self.slot, id)?;
        let spread = record.as_ref().and_then(OutboxRecord::spread);
        let group = record.and_then(|record| record.recipient());
        let (Some(group), Some(spread)) = (group, spread) else {
            return Ok(false);
        };
        if matches!(code, 400 | 401 | 403 | 404 | 421) {
            groups::doubt(&mut cx.txn, &self.slot, &group)?;
        }
        if code != 421 || spread.anew {
            return Ok(false);
        }
        self.build_anew(cx, id, group, RecipientHint::Ordinary, false)
    }
}

/// A `Message` that gives our key of a group.
pub(super) fn distribution(group: &Jid, key: &OwnSenderKey) -> Vec<u8> {
    let told = pb::SenderKeyDistributionMessage {
        group_id: Some(group.reveal()),
        axolotl_sender_key_distribution_message: Some(key.distribution()),
    };
    pb::Message {
        sender_key_distribution_message: Some(told),
        ..pb::Message::default()
    }
    .encode_to_vec()
}
