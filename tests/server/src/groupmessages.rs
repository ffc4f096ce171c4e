//! Messages to and from groups.
//!
//! ```text
//! <message id to=<group> type addressing_mode phash>
//!   [<participants><to jid><enc type="pkmsg|msg">key</enc></to>..</participants>] <enc type="skmsg"/>
//! <ack class="message" id from=<group> t [error] [phash]/>
//! ```
//! Source: spec 9.2, 10.2, 10.3, 10.5 and 10.9.

use prost::Message;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;

use crate::connection::ConnectionId;
use crate::groupkey::{Reader, Writer};
use crate::journal::Received;
use crate::outgoing::Refusal;
use crate::people::{ClientId, PersonId};
use crate::phash::phash;
use crate::schema::{ChatMessage, KeyOfGroup};
use crate::world::World;

/// Retry receipts a model device sends for one message at most.
const MAX_RETRIES: u32 = 4;

/// A group message that was accepted.
pub(crate) struct GroupSend {
    pub(crate) group: usize,
    id: String,
    kind: String,
    keys: Vec<Sealed>,
    body: Option<Vec<u8>>,
    device_identity: Option<Vec<u8>>,
}

struct Sealed {
    to: Jid,
    kind: String,
    bytes: Vec<u8>,
    count: Option<u32>,
}

impl World {
    /// Accepts a group message, or gives the ack's error code.
    pub(crate) fn handle_group(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Result<GroupSend, u16> {
        if let Some(code) = self.faults(client).nacks.pop_front() {
            return Err(code);
        }
        let to = node.address("to").ok_or(479_u16)?;
        let group = self.group(&to).ok_or(404_u16)?;
        if !self.groups[group].members.contains(&client.person) {
            return Err(403);
        }
        let mode = if self.groups[group].lid { "lid" } else { "pn" };
        if !node.is("addressing_mode", mode) {
            return Err(421);
        }
        match self.check_group(client, group, node) {
            Ok(send) => Ok(send),
            Err(Refusal { code, rule, detail }) => {
                self.violation(connection, rule, detail);
                Err(code)
            }
        }
    }

    fn check_group(
        &self,
        client: ClientId,
        group: usize,
        node: &Node,
    ) -> Result<GroupSend, Refusal> {
        let smax = |rule, detail: &str| Refusal::new(479, rule, detail);
        let text = |key: &str| node.text(key).map(|text| text.into_owned());
        let missing = |name: &str| smax("message_attribute", &format!("no {name}"));
        let send = GroupSend {
            group,
            id: text("id").ok_or_else(|| missing("id"))?,
            kind: text("type").ok_or_else(|| missing("type"))?,
            keys: keys(node),
            body: body(node),
            device_identity: node
                .find("device-identity")
                .and_then(Node::payload)
                .map(<[u8]>::to_vec),
        };
        let tokens = ["tctoken", "cstoken"].map(|tag| node.find(tag));
        if tokens.iter().flatten().next().is_some() {
            return Err(smax("token_misplaced", "not a one-to-one chat"));
        }
        if send.body.is_some() && node.value("phash").is_none() {
            return Err(missing("phash"));
        }
        if send.body.is_none() && send.keys.iter().all(|enc| enc.count.is_none()) {
            return Err(smax("participants", "no group ciphertext"));
        }
        if send.device_identity.is_none() && send.keys.iter().any(|enc| enc.kind == "pkmsg") {
            return Err(smax("device_identity_missing", "a pkmsg without it"));
        }
        for enc in &send.keys {
            if enc.to.is_lid() != self.groups[group].lid {
                return Err(Refusal::new(400, "mixed_namespaces", enc.to.reveal()));
            }
            let person = self.find(&enc.to);
            let member = person.is_some_and(|person| self.groups[group].members.contains(&person));
            if !member {
                return Err(Refusal::new(400, "foreign_participant", enc.to.reveal()));
            }
            if person == Some(client.person) && enc.to.device_part() == client.device {
                return Err(Refusal::new(400, "sent_to_itself", enc.to.reveal()));
            }
        }
        Ok(send)
    }

    /// The hash over the devices the client should have known, when it knew others.
    pub(crate) fn stale_group(&self, send: &GroupSend, node: &Node) -> Option<String> {
        let due = phash(
            self.group_devices(send.group)
                .into_iter()
                .map(|(_, jid)| jid),
        );
        (send.body.is_some() && !node.is("phash", &due)).then_some(due)
    }

    /// The ciphertexts reach their devices, in the order of the stanza.
    pub(crate) fn deliver_group(&mut self, from: ClientId, send: &GroupSend) {
        let resend = send.keys.iter().any(|enc| enc.count.is_some());
        for (target, jid) in self.group_devices(send.group) {
            let key = send.keys.iter().find(|enc| enc.to == jid);
            if target == from || (resend && key.is_none()) {
                continue;
            }
            if self.client(target).is_some() {
                self.forward_group(from, target, send, key);
            } else if self.people[target.person].endpoint(target.device).is_some() {
                self.receive_group(from, target, send, key);
            }
        }
    }

    /// A model device takes the key that came for it, then reads.
    fn receive_group(
        &mut self,
        from: ClientId,
        target: ClientId,
        send: &GroupSend,
        key: Option<&Sealed>,
    ) {
        let (now, sender) = (self.step_now(), self.address(from));
        let group = self.groups[send.group].jid().reveal();
        let wire = self.wire(from, self.groups[send.group].lid).reveal();
        let Self { people, rng, .. } = self;
        let person = &mut people[target.person];
        let (pn, retries) = (person.pn.clone(), person.behaviour.retries);
        let Some(endpoint) = person.endpoint(target.device) else {
            return;
        };
        let record = |kind: &str, opened: Result<Option<String>, String>| {
            let (text, error) = match opened {
                Ok(text) => (text, None),
                Err(error) => (None, Some(error)),
            };
            Received {
                peer: pn.clone(),
                device: target.device,
                from: wire.clone(),
                id: send.id.clone(),
                kind: kind.into(),
                text,
                error,
                ..Received::default()
            }
        };
        let mut failed = false;
        let mut records = Vec::new();
        if let Some(enc) = key {
            let opened = endpoint.open(rng, now, &sender, &enc.kind, &enc.bytes);
            let opened = opened.and_then(|plain| {
                let body = ChatMessage::decode(&*plain).map_err(|error| error.to_string())?;
                let told = body.key.as_ref();
                let told = told.filter(|told| told.group.as_deref() == Some(&*group));
                let reader = told.and_then(|told| Reader::new(told.key.as_deref()?));
                let text = body.text().map(Into::into);
                // A message that is sent again says what it says, also without the key.
                match reader {
                    Some(reader) => {
                        let place = (group.clone(), sender.storage());
                        endpoint.group_keys.insert(place, reader);
                    }
                    None if text.is_none() => return Err("no key of this group".into()),
                    None => {}
                }
                Ok(text)
            });
            failed |= opened.is_err();
            let mut record = record(&enc.kind, opened);
            record.retry = enc.count;
            records.push(record);
        }
        if let Some(bytes) = &send.body {
            let reader = endpoint.group_keys.get_mut(&(group, sender.storage()));
            let opened = reader.ok_or("no key of the sender".into());
            let opened = opened.and_then(|reader| reader.open(bytes));
            let text = opened.map(|plain| {
                let body = ChatMessage::decode(&*plain).unwrap_or_default();
                body.text().map(Into::into)
            });
            failed |= text.is_err();
            records.push(record("skmsg", text));
        }
        self.journal.received.extend(records);
        let again = key.and_then(|enc| enc.count).unwrap_or(0) + 1;
        if failed && retries && again <= MAX_RETRIES {
            self.ask_again_in(target, from, &send.id, send.group, again);
        }
    }

    /// The ciphertexts go on to another real client.
    fn forward_group(
        &mut self,
        from: ClientId,
        to: ClientId,
        send: &GroupSend,
        key: Option<&Sealed>,
    ) {
        let enc = |kind: &str, bytes: &[u8]| {
            let enc = Node::new("enc")
                .attr("v", "2")
                .attr("type", kind.to_owned());
            enc.bytes(bytes.to_vec())
        };
        let mut stanza = self.group_stanza(from, send.group, &send.id, &send.kind);
        if let Some(key) = key {
            let enc = enc(&key.kind, &key.bytes);
            stanza.push(enc.maybe("count", key.count.map(|count| count.to_string())));
        }
        if let Some(bytes) = &send.body {
            stanza.push(enc("skmsg", bytes));
        }
        if let Some(identity) = &send.device_identity {
            stanza.push(Node::new("device-identity").bytes(identity.clone()));
        }
        self.post(to, stanza);
    }

    fn group_stanza(&self, from: ClientId, group: usize, id: &str, kind: &str) -> Node {
        let group = &self.groups[group];
        let other = if group.lid {
            "participant_pn"
        } else {
            "participant_lid"
        };
        Node::new("message")
            .jid("from", group.jid())
            .jid("participant", self.wire(from, group.lid))
            .jid(other, self.people[from.person].jid(!group.lid))
            .attr("id", id.to_owned())
            .attr("type", kind.to_owned())
            .attr("addressing_mode", if group.lid { "lid" } else { "pn" })
            .num("t", self.now())
    }

    /// A model device writes to a group; the message id. `with_key` tells its key to the clients.
    pub(crate) fn write_group(
        &mut self,
        from: ClientId,
        group: usize,
        text: &str,
        with_key: bool,
    ) -> Result<String, String> {
        let body = ChatMessage {
            conversation: Some(text.into()),
            ..ChatMessage::default()
        };
        let plain = body.encode_to_vec();
        let name = self.groups[group].jid().reveal();
        let Self { people, rng, .. } = self;
        let id = format!("3A{}", hex::encode_upper(rng.bytes::<9>()));
        let endpoint = people[from.person].endpoint(from.device);
        let endpoint = endpoint.ok_or("no such device")?;
        endpoint.sent.insert(id.clone(), plain.clone());
        let fresh = Writer::generate(rng);
        let writer = endpoint.group_writers.entry(name.clone()).or_insert(fresh);
        let told = distribution(&name, writer);
        let sealed = writer.seal(rng, &plain);
        let clients: Vec<ClientId> = self.groups[group]
            .members
            .iter()
            .flat_map(|person| self.clients_of(*person))
            .collect();
        for to in clients {
            let mut stanza = self.group_stanza(from, group, &id, "text");
            if with_key {
                let enc = self.sealed_for(from, to, &told.encode_to_vec(), None)?;
                stanza.push(enc);
            }
            let skmsg = Node::new("enc").attr("v", "2").attr("type", "skmsg");
            stanza.push(skmsg.bytes(sealed.clone()));
            self.post(to, stanza);
        }
        Ok(id)
    }

    /// Answers a client's retry receipt in a group: pairwise, with the key.
    pub(crate) fn write_group_again(
        &mut self,
        from: ClientId,
        to: ClientId,
        group: usize,
        id: &str,
        keys: Option<crate::bundle::Bundle>,
        count: u32,
    ) -> Result<(), String> {
        let name = self.groups[group].jid().reveal();
        let endpoint = self.people[from.person].endpoint(from.device);
        let endpoint = endpoint.ok_or("no such device")?;
        let Some(plain) = endpoint.sent.get(id).cloned() else {
            return Ok(());
        };
        let writer = endpoint.group_writers.get(&name).ok_or("no key")?;
        let told = distribution(&name, writer).encode_to_vec();
        let enc = self.sealed_for(from, to, &[plain, told].concat(), keys)?;
        let stanza = self.group_stanza(from, group, id, "text");
        self.post(to, stanza.child(enc.num("count", count)));
        Ok(())
    }

    fn clients_of(&self, person: PersonId) -> Vec<ClientId> {
        let clients = self.people[person].clients.iter();
        clients
            .map(|client| ClientId {
                person,
                device: client.device,
            })
            .collect()
    }
}

fn distribution(group: &str, writer: &Writer) -> ChatMessage {
    ChatMessage {
        key: Some(KeyOfGroup {
            group: Some(group.into()),
            key: Some(writer.distribution()),
        }),
        ..ChatMessage::default()
    }
}

/// The pairwise ciphertexts: of `<participants>`, or the bare one of a resend.
fn keys(node: &Node) -> Vec<Sealed> {
    let sealed = |to: Jid, enc: &Node| Sealed {
        to,
        kind: enc.text("type").unwrap_or_default().into_owned(),
        bytes: enc.payload().unwrap_or_default().to_vec(),
        count: enc.number("count"),
    };
    let listed = node.find("participants").into_iter().flat_map(Node::nodes);
    let listed = listed.filter_map(|to| Some(sealed(to.address("jid")?, to.find("enc")?)));
    let pairwise = |enc: &&Node| !enc.is("type", "skmsg");
    let bare = node.all("enc").filter(pairwise);
    let bare = bare.filter_map(|enc| Some(sealed(node.address("participant")?, enc)));
    listed.chain(bare).collect()
}

fn body(node: &Node) -> Option<Vec<u8>> {
    let enc = node.all("enc").find(|enc| enc.is("type", "skmsg"))?;
    Some(enc.payload()?.to_vec())
}
