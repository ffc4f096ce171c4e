//! Messages to our own phone.
//!
//! ```text
//! <message to="<own number>" id type="text" category="peer" push_priority><meta appdata="default"/>
//!   <enc v="2" type>..</enc>[<device-identity>]</message>
//! ```
//! Source: spec "Peer messages". They carry no token, and nobody but the phone gets them.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use crate::appstate::keys::{self, KeyId};
use crate::error::Fault;
use crate::fanout::stanza::ciphertext;
use crate::jid::Jid;
use crate::pb::{self, ProtocolMessageType};
use crate::send::id;
use crate::session::Session;
use crate::signal::{self, EncType, padding};
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Questions for keys that are not with the phone yet.
#[derive(Debug, Default)]
pub(super) struct KeyQuestions {
    /// There is no session with the phone to ask in.
    unsent: BTreeSet<KeyId>,
    /// Without an answer of the server.
    sent: BTreeMap<MessageId, Vec<KeyId>>,
}

/// Keys of one question.
const MOST_KEYS: usize = 64;

impl Session {
    /// Asks the phone for keys of app state, unless it was asked within a day.
    pub(super) fn ask_phone_for_keys(
        &mut self,
        cx: &mut Cx<'_>,
        ids: Vec<KeyId>,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let under_way = &self.key_questions.sent;
        let ids = ids
            .into_iter()
            .filter(|id| !under_way.values().any(|asked| asked.contains(id)));
        let mut ids = keys::to_ask(&cx.txn, &self.slot, ids, now)?;
        ids.truncate(MOST_KEYS);
        if ids.is_empty() {
            return Ok(());
        }
        let key_ids = ids.iter().map(|id| pb::AppStateSyncKeyId {
            key_id: Some(id.as_bytes().to_vec()),
        });
        let message = pb::Message {
            protocol_message: Some(pb::ProtocolMessage {
                r#type: Some(ProtocolMessageType::APP_STATE_SYNC_KEY_REQUEST),
                app_state_sync_key_request: Some(pb::AppStateSyncKeyRequest {
                    key_ids: key_ids.collect(),
                }),
                ..pb::ProtocolMessage::default()
            }),
            ..pb::Message::default()
        };
        match self.tell_phone(cx, &message, "high")? {
            Some(id) => {
                self.key_questions.sent.insert(id, ids);
            }
            None => self.key_questions.unsent.extend(ids),
        }
        Ok(())
    }

    /// There may be a session with the phone now.
    pub(super) fn ask_phone_again(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let unsent = std::mem::take(&mut self.key_questions.unsent);
        if unsent.is_empty() && self.placeholders.is_empty() {
            return Ok(());
        }
        let phone = self.phone();
        let reachable = match self.address(cx, &phone)? {
            Some(address) => signal::has_session(&cx.txn, &self.slot, &address)?,
            None => false,
        };
        if reachable {
            self.ask_phone_for_keys(cx, unsent.into_iter().collect())?;
            self.placeholders.reachable(cx.now.mono);
            self.tick_placeholders(cx)?;
        }
        Ok(())
    }

    /// The server answered a message to the phone; false when it was none. A refused question counts
    /// as asked, too: it would be refused again.
    pub(super) fn phone_acked(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        refused: bool,
    ) -> Result<bool, Fault> {
        if self.placeholders.acked(cx, &self.slot, id, refused) {
            return Ok(true);
        }
        let Some(asked) = self.key_questions.sent.remove(id) else {
            return Ok(false);
        };
        let now = self.server_now(cx);
        keys::asked(cx, &self.slot, &asked, now)?;
        Ok(true)
    }

    /// Encrypts for the phone and transmits. Without a session with it, its keys are asked for and
    /// nothing leaves: `None`.
    pub(super) fn tell_phone(
        &mut self,
        cx: &mut Cx<'_>,
        message: &pb::Message,
        priority: &'static str,
    ) -> Result<Option<MessageId>, Fault> {
        let phone = self.phone();
        let Some(address) = self.address(cx, &phone)? else {
            return Ok(None);
        };
        let text = padding::pad(cx.rng, message.encode_to_vec());
        let ours = self.own_identity();
        let Some(enc) = signal::encrypt(cx, &self.slot, &ours, &address, &text)? else {
            self.ask_keys(cx, BTreeSet::from([address]));
            return Ok(None);
        };
        let now = self.server_now(cx);
        let id = id::generate(cx.rng, now, phone.user_part());
        let starts_session = enc.kind == EncType::Pkmsg;
        let mut stanza = Node::new("message")
            .attr("id", id.as_str().to_owned())
            .jid("to", phone)
            .attr("type", "text")
            .attr("category", "peer")
            .attr("push_priority", priority)
            .child(Node::new("meta").attr("appdata", "default"))
            .child(ciphertext(enc));
        if starts_session {
            stanza.push(Node::new("device-identity").bytes(self.device_identity()));
        }
        self.transmit(cx, &stanza);
        Ok(Some(id))
    }

    /// Our own phone, by number.
    pub(super) fn phone(&self) -> Jid {
        let paired = self.device.paired();
        paired.map_or_else(Jid::whatsapp, |paired| paired.jid.account())
    }
}
