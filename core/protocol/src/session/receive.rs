//! Incoming messages: whose they are, decryption, receipts.
//!
//! ```text
//! <message id from t [participant] [recipient] [sender_pn|sender_lid] ..><enc v type>..</enc></message>
//! ```
//! The new ratchet state and the event leave in the step that also answers the stanza; a stanza that
//! was not answered is delivered again, and the ratchet then knows it as a duplicate.

use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::error::Fault;
use crate::event::{Event, IncomingMessage, ReceiptKind};
use crate::groups;
use crate::jid::Jid;
use crate::lidmap::{self, Mapping};
use crate::pb;
use crate::peer::DeviceAddress;
use crate::session::Session;
use crate::session::retry::Keys;
use crate::signal::{self, DecryptError, EncType, padding, senderkey};
use crate::stream::ack;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Who sent a message, and to which chat.
struct Source {
    id: MessageId,
    chat: Jid,
    sender: Jid,
    from_me: bool,
    pairwise: bool,
}

impl Session {
    pub(super) fn message(&mut self, cx: &mut Cx<'_>, message: &Node) -> Result<(), Fault> {
        let Some(own) = self.device.paired().map(|paired| paired.jid.clone()) else {
            self.ignored += 1;
            return Ok(());
        };
        for pair in Mapping::all_in(message) {
            self.learn(cx, &pair)?;
        }
        let Some(source) = self.source(message) else {
            self.ignored += 1;
            self.answer(cx, ack::message_ack(message, &own));
            return Ok(());
        };
        let mut failed = None;
        let mut opened = 0;
        for enc in message.all("enc") {
            match self.open_enc(cx, &source, enc)? {
                Some(Ok(plaintext)) => {
                    opened += 1;
                    self.plaintext(cx, message, &source, &plaintext)?;
                }
                Some(Err(DecryptError::Duplicate)) => {
                    let again = self
                        .inbox
                        .again(cx, &self.slot, &source.id, &source.sender)?;
                    if let Some(message) = again {
                        opened += 1;
                        cx.effect(Event::Message(Box::new(message)));
                    }
                }
                Some(Err(error)) => failed = Some(error),
                None => self.ignored += 1,
            }
        }
        match failed {
            Some(error) => self.ask_again(cx, message, &source.id, &source.sender, &error, &own)?,
            None if opened > 0 && (source.pairwise || groups::is_group(&source.chat)) => {
                let available = self.requests.is_available();
                self.answer(cx, ack::delivery(message, source.from_me, available));
            }
            None => self.answer(cx, ack::message_ack(message, &own)),
        }
        Ok(())
    }

    fn source(&self, message: &Node) -> Option<Source> {
        let id = MessageId::parse(&message.text("id")?)?;
        let from = message.address("from")?;
        let pairwise = from.is_user();
        let sender = if pairwise {
            from.clone()
        } else {
            message.address("participant")?
        };
        let from_me = self.is_own(&sender);
        let chat = match (pairwise, from_me) {
            (true, true) => message
                .address("recipient")
                .unwrap_or_else(|| from.account()),
            (true, false) => from.account(),
            (false, _) => from,
        };
        Some(Source {
            id,
            chat,
            sender,
            from_me,
            pairwise,
        })
    }

    /// Whether a JID is a device of our own account.
    pub(super) fn is_own(&self, jid: &Jid) -> bool {
        let Some(paired) = self.device.paired() else {
            return false;
        };
        let own = [Some(&paired.jid), paired.lid.as_ref()];
        own.into_iter()
            .flatten()
            .any(|own| own.account() == jid.account())
    }

    /// Decrypts one `<enc>`; `None` for a kind that we do not read.
    fn open_enc(
        &mut self,
        cx: &mut Cx<'_>,
        source: &Source,
        enc: &Node,
    ) -> Result<Option<Result<Vec<u8>, DecryptError>>, Fault> {
        let (Some(bytes), Some(address)) = (enc.payload(), self.address(cx, &source.sender)?)
        else {
            return Ok(None);
        };
        if enc.is("type", "skmsg") && !source.pairwise {
            let opened = senderkey::decrypt(cx, &self.slot, &source.chat, &address, bytes)?;
            let unpad = |padded| padding::unpad(padded).ok_or(DecryptError::Malformed);
            return Ok(Some(opened.and_then(unpad)));
        }
        let Some(kind) = enc.text("type").and_then(|kind| EncType::parse(&kind)) else {
            return Ok(None);
        };
        let ours = self.own_identity();
        let opened = signal::decrypt(cx, &self.slot, &ours, &address, kind, bytes)?;
        Ok(Some(match opened {
            Ok(opened) => {
                if opened.identity_changed {
                    self.identity_changed(cx, &address)?;
                }
                padding::unpad(opened.plaintext).ok_or(DecryptError::Malformed)
            }
            Err(error) => Err(error),
        }))
    }

    /// Where the session with a device lies: at its LID if that is known.
    pub(super) fn address(
        &self,
        cx: &Cx<'_>,
        device: &Jid,
    ) -> Result<Option<DeviceAddress>, Fault> {
        let (Some(address), Some(account)) = (DeviceAddress::of(device), &self.account) else {
            return Ok(None);
        };
        Ok(Some(lidmap::canonical_address(
            &cx.txn,
            account.scope(),
            &address,
        )?))
    }

    /// A message is open: hand it to the host, or to the part of us that it is for.
    fn plaintext(
        &mut self,
        cx: &mut Cx<'_>,
        stanza: &Node,
        source: &Source,
        plaintext: &[u8],
    ) -> Result<(), Fault> {
        let Ok(mut message) = pb::Message::decode(plaintext) else {
            self.ignored += 1;
            return Ok(());
        };
        let mut payload = plaintext.to_vec();
        let mut chat = source.chat.clone();
        if let Some(sent) = message
            .device_sent_message
            .take()
            .filter(|_| source.from_me)
        {
            if let Some(destination) = sent.destination_jid.and_then(|jid| jid.parse().ok()) {
                chat = destination;
            }
            payload = sent.message.unwrap_or_default();
            message = pb::Message::decode(&*payload).unwrap_or_default();
        }
        if let Some(protocol) = message.protocol_message.take().filter(|_| source.from_me) {
            return self.protocol_message(cx, source, protocol);
        }
        if let Some(told) = message.sender_key_distribution_message.take() {
            self.take_key(cx, source, &told)?;
            if is_key_only(&payload) {
                return Ok(());
            }
        }
        if source.pairwise && !source.from_me {
            let now = self.server_now(cx);
            if let Some(account) = &mut self.account {
                account.wrote(cx, &source.sender, now)?;
            }
        }
        let text = message.conversation.or_else(|| {
            message
                .extended_text_message
                .and_then(|extended| extended.text)
        });
        let message = IncomingMessage {
            id: source.id.clone(),
            chat,
            sender: source.sender.clone(),
            from_me: source.from_me,
            t: stanza.number("t").map_or(self.server_now(cx), UnixSeconds),
            push_name: stanza.text("notify").map(|name| name.into_owned()),
            text,
            payload,
        };
        self.inbox.keep(cx, &self.slot, &message);
        cx.effect(Event::Message(Box::new(message)));
        Ok(())
    }

    /// A member's device gives us its key of the group that the message is in.
    fn take_key(
        &mut self,
        cx: &mut Cx<'_>,
        source: &Source,
        told: &pb::SenderKeyDistributionMessage,
    ) -> Result<(), Fault> {
        let here = told.group_id.as_deref() == Some(&*source.chat.reveal()) && !source.pairwise;
        let key = told.axolotl_sender_key_distribution_message.as_ref();
        let address = self.address(cx, &source.sender)?;
        let (Some(key), Some(address)) = (key.filter(|_| here), address) else {
            self.ignored += 1;
            return Ok(());
        };
        if senderkey::process(cx, &self.slot, &source.chat, &address, key)?.is_err() {
            self.ignored += 1;
        }
        Ok(())
    }

    /// Our own phone tells us something.
    fn protocol_message(
        &mut self,
        cx: &mut Cx<'_>,
        source: &Source,
        protocol: pb::ProtocolMessage,
    ) -> Result<(), Fault> {
        if let Some(share) = &protocol.app_state_sync_key_share
            && source.sender.device_part() == 0
        {
            self.app_state.shared(cx, &self.slot, share)?;
        }
        match protocol.history_sync_notification {
            Some(history) => self.history_announced(cx, &source.id, history),
            None => Ok(()),
        }
    }

    pub(super) fn receipt(&mut self, cx: &mut Cx<'_>, receipt: &Node) -> Result<(), Fault> {
        if receipt.is("type", "retry") {
            if let Some(address) = self.resend(cx, receipt, Keys::Known)? {
                self.await_keys(cx, receipt, address);
                return Ok(());
            }
        } else if let Some(from) = receipt.address("from") {
            let ids = ack::receipt_ids(receipt);
            let kind = match receipt.text("type").as_deref() {
                None | Some("inactive" | "sender") => ReceiptKind::Delivered,
                Some("read" | "read-self") => ReceiptKind::Read,
                Some("played" | "played-self") => ReceiptKind::Played,
                Some(_) => ReceiptKind::Other,
            };
            let from = receipt.address("participant").unwrap_or(from);
            let t = receipt.number("t").map(UnixSeconds);
            if let Some(account) = self
                .account
                .as_mut()
                .filter(|account| !account.is_own(&from))
            {
                account.arrived(cx, &ids);
            }
            cx.effect(Event::Receipt { ids, from, kind, t });
        }
        self.answer(cx, ack::ack(receipt));
        Ok(())
    }

    /// A peer's device has new keys: the host is told, the tokens may be issued anew.
    pub(super) fn identity_changed(
        &mut self,
        cx: &mut Cx<'_>,
        address: &DeviceAddress,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.rotate_groups_of(cx, &address.peer)?;
        match &mut self.account {
            Some(account) => account.identity_changed(cx, &address.jid(), now),
            None => Ok(()),
        }
    }

    pub(super) fn device_identity(&self) -> &[u8] {
        self.device.paired().map_or(&[], |paired| &paired.account)
    }
}

/// Whether a `Message` has nothing but a key of a group (field 2) and its context (field 35).
fn is_key_only(mut message: &[u8]) -> bool {
    while !message.is_empty() {
        let Ok((number, kind)) = decode_key(&mut message) else {
            return true;
        };
        if !matches!(number, 2 | 35) {
            return false;
        }
        if skip_field(kind, number, &mut message, DecodeContext::default()).is_err() {
            return true;
        }
    }
    true
}
