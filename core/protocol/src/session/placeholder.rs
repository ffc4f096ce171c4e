//! The phone is asked for messages that no device gave us, and answers.
//!
//! ```text
//! -> protocolMessage { type 16, peerDataOperationRequestMessage { 4, placeholderMessageResendRequest [key] } }
//! <- protocolMessage { type 17, peerDataOperationRequestResponseMessage { 4, result [WebMessageInfo] } }
//! ```
//! Source: spec "Placeholder resend". What the phone says of a message that we did not ask for is
//! ignored, and of the others it only says the content: chat and sender are those of the stanza that
//! we could not read.

use prost::Message as _;

use crate::error::Fault;
use crate::event::{Event, IncomingMessage};
use crate::pb::{
    self, PeerDataOperationRequestMessage, PeerDataOperationRequestResponseMessage,
    PeerDataOperationRequestType, PlaceholderMessageResendRequest, ProtocolMessageType,
};
use crate::placeholder::{DEBOUNCE, Missing, PATIENCE};
use crate::session::source::Source;
use crate::session::{Phase, Session};
use crate::time::Millis;
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

/// What the phone is asked for.
const RESEND: i32 = PeerDataOperationRequestType::PLACEHOLDER_MESSAGE_RESEND;

impl Session {
    /// A message came without a ciphertext for us. Only the plain kind lies on the phone as well:
    /// view-once and hosted ones, and those of bots, are not for this device.
    pub(super) fn withheld(&mut self, cx: &mut Cx<'_>, message: &Node, source: &Source) {
        let plain = |node: &Node| node.value("type").is_none() && node.value("hosted").is_none();
        if message.find("unavailable").is_some_and(plain) && message.find("bot").is_none() {
            self.want(cx, source, DEBOUNCE);
        }
    }

    /// A message could not be read. Its sender was asked; if it does not answer, the phone is.
    pub(super) fn want_unread(&mut self, cx: &mut Cx<'_>, message: &Node, source: &Source) {
        if !message.is("category", "peer") {
            self.want(cx, source, PATIENCE);
        }
    }

    fn want(&mut self, cx: &mut Cx<'_>, source: &Source, wait: Millis) {
        let now = self.server_now(cx);
        let missing = Missing {
            id: source.id.clone(),
            chat: source.chat.clone(),
            sender: source.sender.clone(),
            from_me: source.from_me,
            t: source.t.unwrap_or(now),
        };
        if !self.placeholders.want(cx, &self.slot, missing, now, wait) {
            self.ignored += 1;
        }
    }

    /// Asks for what is due, and gives up what takes too long.
    pub(super) fn tick_placeholders(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.ignored += self.placeholders.tick(cx, &self.slot);
        while self.phase == Phase::Online
            && let Some(about) = self.placeholders.question(cx.now.mono)
        {
            let keys = about.iter().map(|missing| PlaceholderMessageResendRequest {
                message_key: Some(missing.key()),
            });
            let request = PeerDataOperationRequestMessage {
                peer_data_operation_request_type: Some(RESEND),
                placeholder_message_resend_request: keys.collect(),
            };
            let message = pb::Message {
                protocol_message: Some(pb::ProtocolMessage {
                    r#type: Some(ProtocolMessageType::PEER_DATA_OPERATION_REQUEST_MESSAGE),
                    peer_data_operation_request_message: Some(request),
                    ..pb::ProtocolMessage::default()
                }),
                ..pb::Message::default()
            };
            match self.tell_phone(cx, &message, "high_force")? {
                Some(id) => self.placeholders.asked(&about, &id, cx.now.mono),
                None => self.ignored += self.placeholders.put_off(cx, &self.slot, &about),
            }
        }
        Ok(())
    }

    /// The phone has answered; `source` is its stanza.
    pub(super) fn phone_resent(
        &mut self,
        cx: &mut Cx<'_>,
        source: &Source,
        response: PeerDataOperationRequestResponseMessage,
    ) {
        if response.peer_data_operation_request_type != Some(RESEND) {
            return;
        }
        let results = response.peer_data_operation_result.into_iter();
        for result in results.filter_map(|result| result.placeholder_message_resend_response) {
            let bytes = result.web_message_info_bytes.unwrap_or_default();
            let info = pb::WebMessageInfo::decode(&*bytes).unwrap_or_default();
            if !self.take_resent(cx, source, info) {
                self.ignored += 1;
            }
        }
    }

    fn take_resent(&mut self, cx: &mut Cx<'_>, source: &Source, info: pb::WebMessageInfo) -> bool {
        let id = info.key.and_then(|key| MessageId::parse(&key.id?));
        let (Some(id), Some(payload)) = (id, info.message) else {
            return false;
        };
        let Ok(content) = pb::Message::decode(&*payload) else {
            return false;
        };
        let Some(missing) = self.placeholders.arrived(cx, &self.slot, &id) else {
            return false;
        };
        let message = IncomingMessage {
            id,
            chat: missing.chat,
            sender: missing.sender,
            from_me: missing.from_me,
            t: missing.t,
            push_name: info.push_name,
            text: content.into_text(),
            payload,
        };
        self.inbox.keep(cx, &self.slot, &message, source.carrier());
        cx.effect(Event::Message(Box::new(message)));
        true
    }
}
