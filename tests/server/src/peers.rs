//! What model people do by themselves: join, write, change devices and keys.
//!
//! Source: spec 10.2, 10.11.

use prost::Message;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;

use crate::adv;
use crate::bundle::Bundle;
use crate::endpoint::Endpoint;
use crate::gate::Gate;
use crate::limits::{Capping, Timelock};
use crate::people::{Behaviour, ClientId, Person, PersonId, Profile};
use crate::schema::ChatMessage;
use crate::syncd::AppState;
use crate::world::World;

impl World {
    /// Adds a person with a phone.
    pub(crate) fn add_person(&mut self, pn: &str, lid: &str) -> PersonId {
        let now = self.step_now();
        let phone = Endpoint::generate(&mut self.rng, now, 0, None);
        self.people.push(Person {
            pn: pn.into(),
            lid: lid.into(),
            aliases: Vec::new(),
            lid_migrated: true,
            tells_migration: true,
            raw_id: 1 + self.rng.below(1 << 30),
            devices: vec![phone],
            clients: Vec::new(),
            gate: Gate::Open,
            behaviour: Behaviour::default(),
            profile: Profile::default(),
            tokens: std::collections::BTreeMap::new(),
            nct_salt: None,
            app_state: AppState::default(),
            timelock: Timelock::default(),
            capping: Capping::default(),
            used_devices: 0,
            used_indexes: 0,
        });
        self.people.len() - 1
    }

    /// Links a model companion; its device number.
    pub(crate) fn add_companion(&mut self, person: PersonId) -> u16 {
        let (now, t) = (self.step_now(), self.now());
        let Self { people, rng, .. } = self;
        let person = &mut people[person];
        let (device, key_index) = person.next_link();
        let mut companion = Endpoint::generate(rng, now, device, Some(key_index));
        if let Some(phone) = person.devices.first() {
            let link = adv::Link {
                raw_id: person.raw_id,
                key_index,
                timestamp: u64::try_from(t.0).unwrap_or(0),
            };
            let identity = companion.identity();
            companion.device_identity = Some(adv::link(rng, phone.identity(), identity, link));
        }
        person.devices.push(companion);
        device
    }

    /// Tells everybody linked here that the device list of a person changed.
    pub(crate) fn announce_device(&mut self, person: PersonId, device: u16, change: &'static str) {
        let (pn_hash, lid_hash) = (
            self.device_hash(person, false),
            self.device_hash(person, true),
        );
        let list = self.key_index_list(person);
        let index = self.people[person]
            .endpoint(device)
            .and_then(|d| d.key_index);
        let node = Node::new("device")
            .jid("jid", self.people[person].device_jid(false, device))
            .jid("lid", self.people[person].device_jid(true, device))
            .maybe("key-index", index.map(|index| index.to_string()));
        let mut inner = Node::new(change)
            .attr("device_hash", pn_hash)
            .attr("device_lid_hash", lid_hash)
            .child(node);
        if let Some(list) = list {
            inner.push(list);
        }
        let t = self.now();
        let (pn, lid) = (
            self.people[person].jid(false),
            self.people[person].jid(true),
        );
        self.post_everybody(person, |id| {
            Node::new("notification")
                .attr("type", "devices")
                .attr("id", id)
                .jid("from", pn.clone())
                .jid("lid", lid.clone())
                .num("t", t)
                .child(inner.clone())
        });
    }

    /// A person sets up its phone anew: new identity, no companions, no sessions, no tokens lost.
    pub(crate) fn change_identity(&mut self, person: PersonId, announce: bool) {
        let now = self.step_now();
        let phone = Endpoint::generate(&mut self.rng, now, 0, None);
        self.people[person].devices = vec![phone];
        self.people[person].raw_id = 1 + self.rng.below(1 << 30);
        if !announce {
            return;
        }
        let (t, from) = (self.now(), self.people[person].jid(true));
        self.post_everybody(person, |id| {
            Node::new("notification")
                .attr("type", "encrypt")
                .attr("id", id)
                .jid("from", from.clone())
                .num("t", t)
                .child(Node::new("identity"))
        });
    }

    /// Posts to the clients of everybody but `person`.
    fn post_everybody(&mut self, person: PersonId, make: impl Fn(String) -> Node) {
        for other in (0..self.people.len()).filter(|other| *other != person) {
            self.post_all(other, &make);
        }
    }

    /// A model device writes a text to every client of an account; the message id.
    pub(crate) fn write_text(
        &mut self,
        from: ClientId,
        to: PersonId,
        text: &str,
        id: Option<String>,
        lid: bool,
    ) -> Result<String, String> {
        let body = ChatMessage {
            conversation: Some(text.into()),
            ..ChatMessage::default()
        };
        self.write_body(from, to, &body, id, lid)
    }

    /// A model device writes to every client of an account; the message id.
    pub(crate) fn write_body(
        &mut self,
        from: ClientId,
        to: PersonId,
        body: &ChatMessage,
        id: Option<String>,
        lid: bool,
    ) -> Result<String, String> {
        let plain = body.encode_to_vec();
        let id = id.unwrap_or_else(|| format!("3A{}", hex::encode_upper(self.rng.bytes::<9>())));
        let person = &mut self.people[from.person];
        let endpoint = person.endpoint(from.device).ok_or("no such device")?;
        endpoint.sent.insert(id.clone(), plain.clone());
        let devices: Vec<u16> = self.people[to].clients.iter().map(|c| c.device).collect();
        if devices.is_empty() {
            return Err("no client of the account is linked".into());
        }
        for device in devices {
            let to = ClientId { person: to, device };
            self.write_plain(from, to, &id, &plain, lid, None, None)?;
        }
        Ok(id)
    }

    /// Answers a retry receipt.
    pub(crate) fn write_again(
        &mut self,
        from: ClientId,
        to: ClientId,
        id: &str,
        lid: bool,
        count: u32,
        keys: Option<Bundle>,
    ) {
        let person = &mut self.people[from.person];
        let Some(endpoint) = person.endpoint(from.device) else {
            return;
        };
        let Some(plain) = endpoint.sent.get(id).cloned() else {
            return;
        };
        if let Err(error) = self.write_plain(from, to, id, &plain, lid, Some(count), keys) {
            self.journal
                .unexpected
                .push(format!("retry answer: {error}"));
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place that turns all facts of a message into a stanza"
    )]
    fn write_plain(
        &mut self,
        from: ClientId,
        to: ClientId,
        id: &str,
        plain: &[u8],
        lid: bool,
        count: Option<u32>,
        keys: Option<Bundle>,
    ) -> Result<(), String> {
        let now = self.step_now();
        let enc = self.sealed_for(from, to, plain, keys)?;
        let enc = enc.maybe("count", count.map(|count| count.to_string()));
        let to_ourselves = ChatMessage::decode(plain).is_ok_and(|body| body.protocol.is_some());
        let sender = &mut self.people[from.person];
        let identity = sender
            .endpoint(from.device)
            .and_then(|d| d.device_identity.clone());
        let alternative = if lid { "sender_pn" } else { "sender_lid" };
        let mut stanza = Node::new("message")
            .jid("from", sender.device_jid(lid, from.device))
            .jid(alternative, sender.jid(!lid))
            .attr("id", id.to_owned())
            .attr("type", "text")
            .maybe("category", to_ourselves.then_some("peer"))
            .attr("notify", "Model")
            .num("t", now.unix())
            .child(enc);
        if let Some(identity) = identity {
            stanza.push(Node::new("device-identity").bytes(identity));
        }
        self.post(to, stanza);
        Ok(())
    }

    /// `plain` encrypted for a client, in the session there is or a new one.
    pub(crate) fn sealed_for(
        &mut self,
        from: ClientId,
        to: ClientId,
        plain: &[u8],
        keys: Option<Bundle>,
    ) -> Result<Node, String> {
        let (address, now) = (self.address(to), self.step_now());
        let known = match keys {
            Some(_) => None,
            None => self.seal(from, to, plain),
        };
        let sealed = match known {
            Some(sealed) => sealed,
            None => {
                let bundle = match keys {
                    Some(keys) => keys,
                    None => self.bundle_of(to).ok_or("the client has no keys")?,
                };
                let Self { people, rng, .. } = self;
                let endpoint = people[from.person]
                    .endpoint(from.device)
                    .ok_or("no device")?;
                endpoint.establish(rng, now, &address, &bundle)?;
                self.seal(from, to, plain).ok_or("no session")?
            }
        };
        Ok(Node::new("enc")
            .attr("v", "2")
            .attr("type", sealed.kind.as_str())
            .bytes(sealed.bytes))
    }

    fn seal(
        &mut self,
        from: ClientId,
        to: ClientId,
        plain: &[u8],
    ) -> Option<sendpath_protocol::signal::Ciphertext> {
        let (address, now) = (self.address(to), self.step_now());
        let Self { people, rng, .. } = self;
        let endpoint = people[from.person].endpoint(from.device)?;
        endpoint.seal(rng, now, &address, plain)
    }

    /// A model device behaves as if it had lost the session, and asks for a message again, from the
    /// address that the message was sent to.
    pub(crate) fn request_retry(&mut self, from: ClientId, to: ClientId, id: &str, count: u32) {
        let (address, now) = (self.address(to), self.step_now());
        let Self { people, rng, .. } = self;
        if let Some(endpoint) = people[from.person].endpoint(from.device) {
            endpoint.forget(rng, now, &address);
            endpoint.read.remove(id);
            endpoint.group_keys.clear();
        }
        let sent = self.journal.judged.iter().rfind(|sent| sent.id == id);
        let group = sent.and_then(|sent| self.group(&sent.to.parse().ok()?));
        if let Some(group) = group {
            return self.ask_again_in(from, to, id, group, count);
        }
        let lid = sent.is_none_or(|sent| sent.to.ends_with("@lid"));
        self.ask_again(from, to, id, lid, count);
    }
}
