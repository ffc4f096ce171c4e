//! When one side could not decrypt: asking again, and answering those who ask.
//!
//! ```text
//! <receipt id to type="retry"><retry v="1" count id t error/><registration/>[<keys>..]</receipt>
//! ```
//! Source: spec "Retry receipt" and "Incoming retry receipts".

use std::collections::BTreeMap;

use crate::content;
use crate::crypto::curve::PublicKey;
use crate::error::Fault;
use crate::fanout::group::{self, MemberResend};
use crate::fanout::stanza::{self, ResendStanza};
use crate::groups::{self, AddressingMode, marks};
use crate::jid::Jid;
use crate::lidmap;
use crate::limits::gate::RecipientHint;
use crate::peer::{DeviceAddress, PeerKey};
use crate::prekeys;
use crate::send::recent;
use crate::session::Session;
use crate::session::group::distribution;
use crate::signal::{self, DecryptError, padding, senderkey};
use crate::stream::ack;
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Attempts after which nobody tries any more (spec: 5).
const MOST: u32 = 5;

/// Messages whose attempts are counted at a time; the oldest ids are forgotten first.
const TRACKED: usize = 256;

/// Resends of one message to one device.
const MOST_RESENDS: u32 = 10;

/// How often we asked for each message since the start of this process.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(MessageId, Jid), u32>);

impl Counts {
    fn next(&mut self, id: &MessageId, sender: &Jid, at_least: u32) -> u32 {
        if self.0.len() >= TRACKED {
            self.0.pop_first();
        }
        let count = self.0.entry((id.clone(), sender.clone())).or_default();
        *count = (*count + 1).max(at_least);
        *count
    }
}

/// The sessions in which devices could not read messages, at the second attempt.
#[derive(Debug, Default)]
pub(super) struct Bases(BTreeMap<(MessageId, String), PublicKey>);

impl Bases {
    /// Whether a device still fails in the same session at a later attempt: encrypting once more in
    /// it would not help.
    fn stuck(
        &mut self,
        id: &MessageId,
        address: &DeviceAddress,
        base: PublicKey,
        count: u32,
    ) -> bool {
        let key = (id.clone(), address.storage());
        if count > 2 {
            return self.0.remove(&key) == Some(base);
        }
        if count == 2 {
            if self.0.len() >= TRACKED {
                self.0.pop_first();
            }
            self.0.insert(key, base);
        }
        false
    }
}

/// What was done for the session with a device before its receipt is handled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keys {
    /// The server was asked for the device's keys, after the receipt had come.
    Asked,
    /// Nothing yet.
    Known,
}

impl Session {
    /// We could not decrypt a message: ask its sender to encrypt it anew, and consume the stanza.
    pub(super) fn ask_again(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Node,
        id: &MessageId,
        sender: &Jid,
        error: &DecryptError,
        own: &Jid,
    ) -> Result<(), Fault> {
        let tried = message
            .all("enc")
            .filter_map(|enc| enc.number::<u32>("count"))
            .max();
        let count = self
            .retries
            .next(id, sender, tried.unwrap_or(0).saturating_add(1));
        if count < MOST {
            let receipt = self.retry_receipt(cx, message, count, error)?;
            self.transmit(cx, &receipt);
        }
        self.answer(cx, ack::message_ack(message, own));
        Ok(())
    }

    fn retry_receipt(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Node,
        count: u32,
        error: &DecryptError,
    ) -> Result<Node, Fault> {
        let id = message.text("id").unwrap_or_default().into_owned();
        let retry = Node::new("retry")
            .attr("v", "1")
            .num("count", count)
            .attr("id", id.clone())
            .maybe("t", message.text("t").map(|t| t.into_owned()))
            .maybe(
                "error",
                error.retry_reason().map(|reason| reason.to_string()),
            );
        let registration = self.device.registration_id.to_be_bytes();
        let mut receipt = Node::new("receipt")
            .attr("id", id)
            .attr("type", "retry")
            .maybe_jid("to", message.address("from"))
            .maybe_jid("participant", message.address("participant"))
            .maybe_jid("recipient", self.recipient_of(message))
            .maybe(
                "category",
                message
                    .text("category")
                    .map(|category| category.into_owned()),
            )
            .child(retry)
            .child(Node::new("registration").bytes(registration));
        if count >= 2 {
            let keys = prekeys::upload::retry_keys(cx, &self.slot, &mut self.device)?;
            let identity = Node::new("device-identity").bytes(self.device_identity());
            receipt.push(keys.child(identity));
        }
        Ok(receipt)
    }

    /// Whom a message of our own went to; in a group nobody asks.
    fn recipient_of(&self, message: &Node) -> Option<Jid> {
        let pairwise = message.address("from").is_some_and(|from| from.is_user());
        message.address("recipient").filter(|_| pairwise)
    }

    /// A peer's device could not decrypt our message: repair the session first, then encrypt the
    /// message for that device again. The device comes back when its keys are needed first.
    pub(super) fn resend(
        &mut self,
        cx: &mut Cx<'_>,
        receipt: &Node,
        keys: Keys,
    ) -> Result<Option<DeviceAddress>, Fault> {
        let retry = receipt.find("retry");
        let count = retry
            .and_then(|retry| retry.number::<u32>("count"))
            .unwrap_or(1);
        let from = receipt
            .address("participant")
            .or_else(|| receipt.address("from"));
        let id = receipt.text("id").and_then(|id| MessageId::parse(&id));
        let (Some(from), Some(id)) = (from, id) else {
            self.ignored += 1;
            return Ok(None);
        };
        let Some(address) = self.address(cx, &from)? else {
            self.ignored += 1;
            return Ok(None);
        };
        if count >= MOST {
            return Ok(None);
        }
        let group = receipt.address("from").filter(groups::is_group);
        if let Some(group) = &group {
            marks::forget_device(&mut cx.txn, &self.slot, group, &address)?;
        }
        let ready = match keys {
            Keys::Asked => signal::has_session(&cx.txn, &self.slot, &address)?,
            Keys::Known => self.repair(cx, receipt, &address, &id, count)?,
        };
        let Some(kept) = recent::find(&cx.txn, &self.slot, &id)? else {
            return Ok(None);
        };
        let Ok(chat) = kept.to.parse::<Jid>() else {
            return Ok(None);
        };
        if groups::is_group(&chat) {
            let here = group.is_some_and(|group| group == chat);
            if !here || !self.is_member(cx, &chat, &address)? {
                self.ignored += 1;
            } else if !ready {
                return Ok(Some(address));
            } else {
                self.encrypt_for_member(cx, receipt, &id, &from, &kept.payload)?;
            }
            return Ok(None);
        }
        if !self.may_ask(cx, &chat, &address)? {
            self.ignored += 1;
            return Ok(None);
        }
        if !ready {
            return Ok(Some(address));
        }
        if self.answered_retries.next(&id, &from, 1) > MOST_RESENDS {
            self.ignored += 1;
            return Ok(None);
        }
        self.encrypt_again(
            cx,
            receipt,
            &id,
            &from,
            &address,
            &chat,
            &kept.payload,
            count,
        )?;
        Ok(None)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one stanza from the facts of one receipt"
    )]
    fn encrypt_again(
        &mut self,
        cx: &mut Cx<'_>,
        receipt: &Node,
        id: &MessageId,
        from: &Jid,
        address: &DeviceAddress,
        chat: &Jid,
        payload: &[u8],
        count: u32,
    ) -> Result<(), Fault> {
        let Ok(shape) = content::shape(payload) else {
            return Err(Fault::Bug("what was sent can be sent"));
        };
        // To our own devices the stanza is a peer message: no token belongs there.
        let (plaintext, kind) = match self.is_own(from) {
            true => (content::device_sent(chat, payload), MessageKind::Peer),
            false => (payload.to_vec(), MessageKind::Content),
        };
        let padded = padding::pad(cx.rng, plaintext);
        let ours = self.own_identity();
        let Some(enc) = signal::encrypt(cx, &self.slot, &ours, address, &padded)? else {
            return Ok(());
        };
        let attach = self.attach(cx, chat, kind)?;
        let t = receipt.find("retry").and_then(|retry| retry.number("t"));
        let device_identity = self.device_identity();
        let node = stanza::resend(ResendStanza {
            id,
            to: from,
            receipt,
            t,
            count,
            shape: &shape,
            enc,
            device_identity,
            attach: &attach,
        });
        self.transmit(cx, &node);
        Ok(())
    }

    /// The message of a group for one device of a member: pairwise, with our key of the group.
    fn encrypt_for_member(
        &mut self,
        cx: &mut Cx<'_>,
        receipt: &Node,
        id: &MessageId,
        from: &Jid,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let (Some(group), Some(address)) = (receipt.address("from"), self.address(cx, from)?)
        else {
            return Ok(());
        };
        let answers = self.answered_retries.next(id, from, 1);
        if answers > MOST_RESENDS {
            self.ignored += 1;
            return Ok(());
        }
        let Ok(shape) = content::shape(payload) else {
            return Err(Fault::Bug("what was sent can be sent"));
        };
        let mode = match from.is_lid() {
            true => AddressingMode::Lid,
            false => AddressingMode::Pn,
        };
        let mut message = payload.to_vec();
        if let Some(own) = self.own_named(mode)
            && let Some(key) = senderkey::own(&cx.txn, &self.slot, &group, &own)?
        {
            message.extend(distribution(&group, &key));
        }
        let padded = padding::pad(cx.rng, message);
        let ours = self.own_identity();
        let Some(enc) = signal::encrypt(cx, &self.slot, &ours, &address, &padded)? else {
            return Ok(());
        };
        let retry = receipt.find("retry");
        let node = group::resend(MemberResend {
            id,
            group: &group,
            member: from,
            mode,
            t: retry.and_then(|retry| retry.number("t")),
            count: retry.and_then(|retry| retry.number("count")).unwrap_or(1),
            shape: &shape,
            enc,
            device_identity: self.device_identity(),
        });
        self.transmit(cx, &node);
        Ok(())
    }

    /// Whether a device is of a member, as far as we know, or our own.
    fn is_member(&self, cx: &Cx<'_>, group: &Jid, address: &DeviceAddress) -> Result<bool, Fault> {
        if self.is_own(&address.jid()) {
            return Ok(true);
        }
        let Some(known) = groups::load(&cx.txn, &self.slot, group)? else {
            return Ok(false);
        };
        if known.has(&address.peer) {
            return Ok(true);
        }
        for member in &known.members {
            if self.canonical(cx, &member.peer)? == address.peer {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Brings the session with the asking device in order; false when there is none in the end.
    fn repair(
        &mut self,
        cx: &mut Cx<'_>,
        receipt: &Node,
        address: &DeviceAddress,
        id: &MessageId,
        count: u32,
    ) -> Result<bool, Fault> {
        let ours = self.own_identity();
        if let Some(bundle) = prekeys::fetch::from_receipt(receipt) {
            match prekeys::fetch::accept(cx, &self.slot, &ours, address, Ok(bundle))? {
                Ok(established) if established.identity_changed => {
                    self.identity_changed(cx, address)?;
                }
                Ok(_) => {}
                Err(_) => self.ignored += 1,
            }
            return Ok(signal::has_session(&cx.txn, &self.slot, address)?);
        }
        let known = signal::remote_registration_id(&cx.txn, &self.slot, address)?;
        let told = receipt
            .find("registration")
            .and_then(Node::payload)
            .and_then(prekeys::fetch::number);
        if told.is_some() && known.is_some() && told != known {
            signal::delete_session(&mut cx.txn, &self.slot, address);
            return Ok(false);
        }
        let base = signal::session_base_key(&cx.txn, &self.slot, address)?;
        if base.is_some_and(|base| self.bases.stuck(id, address, base, count)) {
            signal::delete_session(&mut cx.txn, &self.slot, address);
            return Ok(false);
        }
        Ok(known.is_some())
    }

    /// Whether a device may ask for a message of that chat: the recipient's, or one of our own.
    fn may_ask(&self, cx: &Cx<'_>, chat: &Jid, address: &DeviceAddress) -> Result<bool, Fault> {
        let (Some(account), Some(chat)) = (&self.account, PeerKey::of(chat)) else {
            return Ok(false);
        };
        let chat = lidmap::canonical(&cx.txn, account.scope(), &chat)?;
        Ok(address.peer == chat || self.is_own(&address.jid()))
    }

    /// What opens that chat now.
    fn attach(&mut self, cx: &Cx<'_>, chat: &Jid, kind: MessageKind) -> Result<Attach, Fault> {
        let now = self.server_now(cx);
        let account = self
            .account
            .as_mut()
            .ok_or(Fault::Bug("only a linked device sends"))?;
        Ok(account
            .plan(&cx.txn, chat, kind, RecipientHint::Ordinary, now)?
            .attach)
    }
}
