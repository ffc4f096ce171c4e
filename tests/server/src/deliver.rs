//! Ciphertexts reach their devices: models decrypt and judge, clients get a stanza.

use prost::Message;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::{DeviceAddress, PeerKey};
use sendpath_protocol::wap::Node;

use crate::adv;
use crate::connection::ConnectionId;
use crate::journal::Received;
use crate::kinds;
use crate::ledger::Sealed;
use crate::outgoing::{Enc, Form, Outgoing};
use crate::people::{ClientId, PersonId};
use crate::schema::ChatMessage;
use crate::world::World;

/// Retry receipts a model device sends for one message at most.
const MAX_RETRIES: u32 = 4;

impl World {
    pub(crate) fn deliver(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        recipient: PersonId,
        message: &Outgoing,
    ) {
        for enc in &message.sealed {
            let person = if self.people[client.person].is(&enc.to) {
                client.person
            } else {
                recipient
            };
            let target = ClientId {
                person,
                device: enc.to.device_part(),
            };
            if self.client(target).is_some() {
                self.forward(client, target, message, enc);
            } else if self.people[person].endpoint(target.device).is_some() {
                self.receive(connection, client, target, message, enc);
            }
        }
    }

    /// A model device reads its ciphertext.
    fn receive(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        target: ClientId,
        message: &Outgoing,
        enc: &Enc,
    ) {
        let from = self.address(client);
        let now = self.step_now();
        let sealed = Sealed::parse(&enc.kind, &enc.bytes);
        let Self { people, rng, .. } = self;
        let pn = people[target.person].pn.clone();
        let Some(endpoint) = people[target.person].endpoint(target.device) else {
            return;
        };
        let opened = endpoint.open(rng, now, &from, &enc.kind, &enc.bytes);
        let duplicate = match &opened {
            Ok(_) => !endpoint.read.insert(message.id.clone()),
            Err(_) => endpoint.read.contains(&message.id),
        };
        let mut record = Received {
            peer: pn,
            device: target.device,
            from: self.people[client.person]
                .device_jid(message.to.is_lid(), client.device)
                .reveal(),
            id: message.id.clone(),
            kind: enc.kind.clone(),
            counter: sealed.as_ref().map_or(0, |sealed| sealed.counter),
            prekey_id: sealed.and_then(|sealed| sealed.prekey_id),
            retry: enc.count,
            duplicate,
            ..Received::default()
        };
        match opened {
            Ok(plain) => {
                let disagreement = kinds::disagreement(message, enc, &plain);
                if let Some(detail) = disagreement.filter(|_| message.form != Form::Peer) {
                    self.violation(connection, "stanza_kind", detail);
                }
                self.read(connection, client, target, message, &plain, &mut record);
            }
            Err(error) => {
                record.error = Some(error);
                let again = enc.count.unwrap_or(0) + 1;
                if self.people[target.person].behaviour.retries && again <= MAX_RETRIES {
                    self.ask_again(target, client, &message.id, message.to.is_lid(), again);
                }
            }
        }
        self.journal.received.push(record);
    }

    fn read(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        target: ClientId,
        message: &Outgoing,
        plain: &[u8],
        record: &mut Received,
    ) {
        if record.kind == "pkmsg" {
            self.check_sender(connection, client, message);
        }
        let Ok(body) = ChatMessage::decode(plain) else {
            record.error = Some("the plaintext is no Message".into());
            return;
        };
        let own = target.person == client.person;
        record.text = body.text().map(Into::into);
        if let Some(sent) = &body.device_sent {
            record.destination = sent.destination.clone();
            record.text = sent
                .message
                .as_ref()
                .and_then(|message| message.text().map(Into::into));
        }
        let protocol = body.protocol.as_ref().filter(|_| own && target.device == 0);
        if let Some(request) = protocol.and_then(|protocol| protocol.key_request.as_ref()) {
            self.keys_wanted(connection, target.person, request);
        }
        if let Some(request) = protocol.and_then(|protocol| protocol.phone_request.as_ref()) {
            self.messages_wanted(connection, target.person, message, request);
        }
        if message.form != Form::Peer {
            match (&record.destination, own) {
                (Some(to), true) if *to == message.to.reveal() => {}
                (Some(to), true) => {
                    let detail = format!("destination {to} in a message to {:?}", message.to);
                    self.violation(connection, "device_sent", detail);
                }
                (None, true) => {
                    self.violation(connection, "device_sent", "missing for an own device");
                }
                (Some(_), false) => {
                    self.violation(connection, "device_sent", "sent to a contact");
                }
                (None, false) => {}
            }
        }
        if !own && !record.duplicate && self.people[target.person].behaviour.receipts {
            self.delivery_receipt(target, client, &message.id, message.to.is_lid());
        }
    }

    /// A contact's phone accepts a first message only with a valid device identity.
    fn check_sender(&mut self, connection: ConnectionId, client: ClientId, message: &Outgoing) {
        let Some(bytes) = &message.device_identity else {
            return;
        };
        let account = self.people[client.person].account_key();
        let identity = self.client(client).map(|client| client.identity);
        let (Some(account), Some(identity)) = (account, identity) else {
            return;
        };
        if let Err(detail) = adv::check(bytes, &account, &identity) {
            self.violation(connection, "device_identity", detail);
        }
        let signed = crate::schema::SignedDeviceIdentity::decode(&**bytes).unwrap_or_default();
        if signed.account_signature_key.is_none() {
            self.violation(connection, "device_identity", "no accountSignatureKey");
        }
    }

    fn delivery_receipt(&mut self, from: ClientId, to: ClientId, message: &str, lid: bool) {
        let jid = self.people[from.person].device_jid(lid, from.device);
        let receipt = Node::new("receipt")
            .attr("id", message.to_owned())
            .jid("from", jid)
            .num("t", self.now());
        self.post(to, receipt);
    }

    /// The ciphertext goes on to another real client.
    fn forward(&mut self, from: ClientId, to: ClientId, message: &Outgoing, enc: &Enc) {
        let lid = message.to.is_lid();
        let sender = &self.people[from.person];
        let alternative = if lid { "sender_pn" } else { "sender_lid" };
        let mut stanza = Node::new("message")
            .jid("from", sender.device_jid(lid, from.device))
            .attr("id", message.id.clone())
            .attr("type", message.kind.clone())
            .num("t", self.now())
            .jid(alternative, sender.jid(!lid));
        if from.person == to.person {
            stanza = stanza.jid("recipient", message.to.account());
        }
        let enc = Node::new("enc")
            .attr("v", "2")
            .attr("type", enc.kind.clone())
            .maybe("count", enc.count.map(|count| count.to_string()))
            .bytes(enc.bytes.clone());
        stanza.push(enc);
        if let Some(identity) = &message.device_identity {
            stanza.push(Node::new("device-identity").bytes(identity.clone()));
        }
        self.post(to, stanza);
    }

    /// The Signal address of a device: always the LID one, since the server knows every LID.
    pub(crate) fn address(&self, of: ClientId) -> DeviceAddress {
        DeviceAddress {
            peer: PeerKey::Lid(self.people[of.person].lid.as_str().into()),
            device: of.device,
            hosted: false,
        }
    }

    /// The stanza address of a device.
    pub(crate) fn wire(&self, of: ClientId, lid: bool) -> Jid {
        self.people[of.person].device_jid(lid, of.device)
    }
}
