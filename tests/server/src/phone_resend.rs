//! Messages that only the account's phone has.
//!
//! ```text
//! <message ..><unavailable/></message>
//! <- protocolMessage { type 16, 16: { 1: 4, 5: [{ 1: key }] } }      peer, push_priority="high_force"
//! -> protocolMessage { type 17, 17: { 1: 4, 2: stanza, 3: [{ 4: { 1: WebMessageInfo } }] } }
//! ```
//! Source: spec 10.3 and 10.6.

use prost::Message;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;

use crate::connection::ConnectionId;
use crate::obey::Obeyed;
use crate::outgoing::Outgoing;
use crate::people::{ClientId, PersonId};
use crate::reply::Reply;
use crate::schema::{
    ChatMessage, MessageInfo, PhoneRequest, PhoneResponse, PhoneResult, ProtocolMessage, Resent,
};
use crate::world::World;

/// `PLACEHOLDER_MESSAGE_RESEND`.
const RESEND: i32 = 4;

/// `PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE`.
const RESPONSE: i32 = 17;

/// Messages of one question.
const MOST: usize = 32;

impl World {
    pub(crate) fn obey_withholding(&mut self, peer: &str, text: &str) -> Obeyed {
        let person = self.person(peer)?;
        let to = self.account(None)?;
        let id = self.withhold(ClientId { person, device: 0 }, to, text);
        Ok(Reply::Sent { id })
    }

    /// A person writes, and no client gets a ciphertext; the message id.
    fn withhold(&mut self, from: ClientId, to: PersonId, text: &str) -> String {
        let id = format!("3A{}", hex::encode_upper(self.rng.bytes::<9>()));
        let body = ChatMessage {
            conversation: Some(text.into()),
            ..ChatMessage::default()
        };
        if let Some(endpoint) = self.people[from.person].endpoint(from.device) {
            endpoint.sent.insert(id.clone(), body.encode_to_vec());
        }
        let stanza = Node::new("message")
            .jid("from", self.wire(from, true))
            .jid("sender_pn", self.people[from.person].jid(false))
            .attr("id", id.clone())
            .attr("type", "text")
            .num("t", self.now())
            .child(Node::new("unavailable"));
        let clients = self.people[to].clients.iter();
        let clients: Vec<u16> = clients.map(|client| client.device).collect();
        for device in clients {
            self.post(ClientId { person: to, device }, stanza.clone());
        }
        id
    }

    /// A client asks its phone for messages. The phone sends those it knows.
    pub(crate) fn messages_wanted(
        &mut self,
        connection: ConnectionId,
        account: PersonId,
        message: &Outgoing,
        request: &PhoneRequest,
    ) {
        if request.kind != Some(RESEND) {
            return;
        }
        if request.resends.is_empty() || request.resends.len() > MOST {
            let detail = format!("{} messages at once", request.resends.len());
            self.violation(connection, "phone_request", detail);
        }
        let t = u64::try_from(self.now().0).ok();
        let mut results = Vec::new();
        for key in request
            .resends
            .iter()
            .filter_map(|wanted| wanted.key.clone())
        {
            let (Some(id), Some(_)) = (&key.id, &key.chat) else {
                self.violation(connection, "phone_request", "no id or no chat");
                continue;
            };
            let devices = self.people.iter().flat_map(|person| &person.devices);
            let plain = devices.filter_map(|device| device.sent.get(id)).next();
            let Some(plain) = plain else { continue };
            let info = MessageInfo {
                message: ChatMessage::decode(&**plain).ok(),
                key: Some(key),
                t,
                push_name: Some("Model".into()),
            };
            let info = Some(info.encode_to_vec());
            results.push(PhoneResult {
                resent: Some(Resent { info }),
            });
        }
        let response = PhoneResponse {
            kind: Some(RESEND),
            stanza: Some(message.id.clone()),
            results,
        };
        let body = ChatMessage {
            protocol: Some(ProtocolMessage {
                kind: Some(RESPONSE),
                phone_response: Some(response),
                ..ProtocolMessage::default()
            }),
            ..ChatMessage::default()
        };
        let phone = ClientId {
            person: account,
            device: 0,
        };
        if let Err(error) = self.write_body(phone, account, &body, None, false) {
            let error = format!("answer of the phone: {error}");
            self.journal.unexpected.push(error);
        }
    }
}
