//! Incoming messages: decryption, what they say, and the one answer to each.
//!
//! ```text
//! <message id from t [participant] [recipient] ..><enc v type>..</enc></message>     and <status ..>
//! <message ..><unavailable/></message>       no ciphertext for us
//! ```
//! The new ratchet state and the event leave in the step that also answers the stanza; a stanza that
//! was not answered is delivered again, and the ratchet then knows it as a duplicate. Source: spec
//! "Decrypt", "Receipts we send" and "Acks we owe".

use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::content;
use crate::error::Fault;
use crate::event::{Event, IncomingMessage};
use crate::inbox::Again;
use crate::jid::Jid;
use crate::lidmap::{self, Mapping};
use crate::pb;
use crate::peer::{DeviceAddress, PeerKey};
use crate::secrets;
use crate::send::recent;
use crate::session::Session;
use crate::session::source::Source;
use crate::signal::{self, DecryptError, EncType, padding, senderkey};
use crate::stream::ack::{self, Nack};
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

/// What became of a message.
pub(super) enum End {
    /// There is nothing to tell its sender.
    Ack,
    /// It is here.
    Delivered,
    /// It makes no sense.
    Refused(Nack),
    /// It could not be decrypted.
    Unread(DecryptError),
}

/// What became of one `<enc>`.
enum Opened {
    /// It is not for us to read.
    Foreign,
    /// It was read before.
    Known,
    Plain(Vec<u8>),
    Unread(DecryptError),
}

impl Session {
    /// `<message>` and `<status>`.
    pub(super) fn message(&mut self, cx: &mut Cx<'_>, message: &Node) -> Result<(), Fault> {
        let Some(own) = self.device.paired().map(|paired| paired.jid.clone()) else {
            self.ignored += 1;
            return Ok(());
        };
        for pair in Mapping::all_in(message) {
            self.learn(cx, &pair)?;
        }
        let Some(source) = Source::of(message, |jid| self.is_own(jid)) else {
            self.ignored += 1;
            let answer = ack::message_ack(message, &own);
            self.answer(cx, answer.map(|ack| ack::refusing(ack, Nack::ParsingError)));
            return Ok(());
        };
        let end = if source.chat.is_newsletter() {
            self.published(cx, message, &source)
        } else if message.find("unavailable").is_some() {
            self.withheld(cx, message, &source);
            End::Ack
        } else {
            self.read(cx, message, &source)?
        };
        match end {
            End::Ack => self.answer(cx, ack::message_ack(message, &own)),
            End::Delivered => self.delivered(cx, message, &source, &own),
            End::Refused(why) => {
                self.ignored += 1;
                let answer = ack::message_ack(message, &own);
                self.answer(cx, answer.map(|ack| ack::refusing(ack, why)));
            }
            End::Unread(error) => self.unread(cx, message, &source, &error, &own)?,
        }
        Ok(())
    }

    /// Opens every `<enc>`, in order: a key of the sender may come before what it opens.
    fn read(&mut self, cx: &mut Cx<'_>, message: &Node, source: &Source) -> Result<End, Fault> {
        let (mut end, mut unread) = (End::Ack, None);
        for enc in message.all("enc") {
            if enc.is("type", "msmsg") {
                end = self.bots_answer(cx, message)?;
                continue;
            }
            match self.open_enc(cx, source, enc)? {
                Opened::Plain(plain) => match self.plaintext(cx, message, source, &plain)? {
                    true => end = End::Delivered,
                    false => end = End::Refused(Nack::InvalidProtobuf),
                },
                Opened::Known => match self.inbox.again(cx, &self.slot, &source.carrier())? {
                    Again::Unknown => {}
                    Again::Told => end = End::Delivered,
                    Again::Untold(messages) => {
                        end = End::Delivered;
                        for message in messages {
                            cx.effect(Event::Message(Box::new(message)));
                        }
                    }
                },
                Opened::Unread(error) => unread = Some(error),
                Opened::Foreign => self.ignored += 1,
            }
        }
        Ok(unread.map_or(end, End::Unread))
    }

    /// A bot's answer is sealed with the secret of the message it answers. We do not read it, and
    /// say so only when we could not.
    fn bots_answer(&mut self, cx: &Cx<'_>, message: &Node) -> Result<End, Fault> {
        let meta = message.find("meta");
        let target = meta.and_then(|meta| MessageId::parse(&meta.text("target_id")?));
        let asked = match target {
            Some(id) => recent::find(&cx.txn, &self.slot, &id)?,
            None => None,
        };
        let secret = asked.and_then(|asked| content::message_secret(&asked.payload));
        Ok(match secret {
            Some(_) => End::Ack,
            None => End::Refused(Nack::MissingSecret),
        })
    }

    /// We cannot decrypt it. A status that is gone is not asked for: it would only be refused.
    fn unread(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Node,
        source: &Source,
        error: &DecryptError,
        own: &Jid,
    ) -> Result<(), Fault> {
        if source.is_expired_status(self.server_now(cx)) {
            self.answer(cx, ack::message_ack(message, own));
            return Ok(());
        }
        self.want_unread(cx, message, source);
        self.ask_again(cx, message, &source.id, &source.sender, error, own)
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

    /// Decrypts one `<enc>`.
    fn open_enc(&mut self, cx: &mut Cx<'_>, source: &Source, enc: &Node) -> Result<Opened, Fault> {
        let (Some(bytes), Some(address)) = (enc.payload(), self.address(cx, &source.sender)?)
        else {
            return Ok(Opened::Foreign);
        };
        if enc.is("type", "skmsg") && !source.pairwise {
            let opened = senderkey::decrypt(cx, &self.slot, &source.chat, &address, bytes)?;
            return Ok(unpadded(opened));
        }
        let Some(kind) = enc.text("type").and_then(|kind| EncType::parse(&kind)) else {
            return Ok(Opened::Foreign);
        };
        let ours = self.own_identity();
        let opened = signal::decrypt(cx, &self.slot, &ours, &address, kind, bytes)?;
        if opened.as_ref().is_ok_and(|opened| opened.identity_changed) {
            self.identity_changed(cx, &address)?;
        }
        Ok(unpadded(opened.map(|opened| opened.plaintext)))
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

    /// A message is open: hand it to the host, or to the part of us that it is for. False when it
    /// is no message.
    fn plaintext(
        &mut self,
        cx: &mut Cx<'_>,
        stanza: &Node,
        source: &Source,
        plaintext: &[u8],
    ) -> Result<bool, Fault> {
        let Ok(mut message) = pb::Message::decode(plaintext) else {
            return Ok(false);
        };
        let mut payload = plaintext.to_vec();
        let mut chat = source.chat.clone();
        let sent = message.device_sent_message.take();
        if let Some(sent) = sent.filter(|_| source.from_me) {
            if let Some(destination) = sent.destination_jid.and_then(|jid| jid.parse().ok()) {
                chat = destination;
            }
            payload = sent.message.unwrap_or_default();
            let Ok(inner) = pb::Message::decode(&*payload) else {
                return Ok(false);
            };
            message = inner;
        }
        if let Some(protocol) = message.protocol_message.take().filter(|_| source.from_me) {
            self.protocol_message(cx, stanza, source, protocol)?;
            return Ok(true);
        }
        if let Some(told) = message.sender_key_distribution_message.take() {
            self.take_key(cx, source, &told)?;
            if is_key_only(&payload) {
                return Ok(true);
            }
        }
        if let Some(author) = PeerKey::of(&source.sender) {
            let author = self.canonical(cx, &author)?;
            secrets::keep(cx, &self.slot, &author, &source.id, &payload, plaintext)?;
        }
        if source.pairwise && !source.from_me {
            let now = self.server_now(cx);
            if let Some(account) = &mut self.account {
                account.wrote(cx, &source.sender, now)?;
            }
        }
        let message = IncomingMessage {
            id: source.id.clone(),
            chat,
            sender: source.sender.clone(),
            from_me: source.from_me,
            t: source.t.unwrap_or_else(|| self.server_now(cx)),
            push_name: stanza.text("notify").map(|name| name.into_owned()),
            text: message.into_text(),
            payload,
        };
        self.placeholders.arrived(cx, &self.slot, &message.id);
        self.inbox.keep(cx, &self.slot, &message, source.carrier());
        cx.effect(Event::Message(Box::new(message)));
        Ok(true)
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

fn unpadded(opened: Result<Vec<u8>, DecryptError>) -> Opened {
    let plain = opened.and_then(|padded| padding::unpad(padded).ok_or(DecryptError::Malformed));
    match plain {
        Ok(plain) => Opened::Plain(plain),
        Err(DecryptError::Duplicate) => Opened::Known,
        Err(error) => Opened::Unread(error),
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
