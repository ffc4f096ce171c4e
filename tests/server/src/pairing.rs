//! Linking a client: refs for its QR code, and the phone that scans it.
//!
//! ```text
//! <iq type="set" from="s.whatsapp.net" id><pair-device><ref>..</ref> x6</pair-device></iq>
//! <iq type="set" from="s.whatsapp.net" id t><pair-success><device-identity/><device jid lid/>
//!   <platform name/><client-props/></pair-success></iq>       -> pair-device-sign, then 515
//! ```
//! Source: spec 4.2, 5.2 and 5.4.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use sendpath_protocol::crypto::curve::PublicKey;
use sendpath_protocol::crypto::symmetric::md5;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;

use crate::adv;
use crate::connection::{ConnectionId, Out, Phase};
use crate::paircode::Announced;
use crate::passkey::Step;
use crate::people::{Client, ClientId, PersonId, SignedPreKey};
use crate::schema::{ClientPairingProps, ClientPayload};
use crate::world::World;

const REFS: usize = 6;

/// A registered device that is not linked yet.
#[derive(Clone)]
pub(crate) struct Candidate {
    noise_key: [u8; 32],
    registration: Registration,
    refs: Vec<String>,
    pair_device_iq: String,
    success: Option<Success>,
    /// The code that it announced, if one is open.
    pub(crate) code: Option<Announced>,
    /// The passkey step, if one is under way.
    pub(crate) passkey: Option<Step>,
}

/// The device as its registration payload describes it.
#[derive(Clone)]
struct Registration {
    id: u32,
    identity: PublicKey,
    signed_prekey: SignedPreKey,
}

/// What was sent in `<pair-success>`.
#[derive(Clone)]
struct Success {
    iq: String,
    person: PersonId,
    device: u16,
    key_index: u32,
}

/// The account that scans a QR code.
pub(crate) struct Scan<'a> {
    pub(crate) qr: &'a str,
    pub(crate) person: PersonId,
}

impl Registration {
    /// Reads and checks `devicePairingData` as the server must.
    fn parse(payload: &ClientPayload) -> Result<Self, String> {
        let data = payload
            .device_pairing_data
            .as_ref()
            .ok_or("no devicePairingData")?;
        let identity = PublicKey::from_raw(field(&data.identity, "eIdent")?)
            .ok_or("eIdent is not 32 bytes")?;
        if field(&data.key_type, "eKeytype")? != [5] {
            return Err("eKeytype is not 05".into());
        }
        let key = PublicKey::from_raw(field(&data.signed_prekey, "eSkeyVal")?)
            .ok_or("eSkeyVal is not 32 bytes")?;
        let signature: [u8; 64] = exact(&data.signed_prekey_signature, "eSkeySig")?;
        if !identity.verify(&key.typed(), &signature) {
            return Err("eSkeySig does not verify".into());
        }
        let [a, b, c] = exact::<3>(&data.signed_prekey_id, "eSkeyId")?;
        if exact::<16>(&data.build_hash, "buildHash")? != build_hash(payload)? {
            return Err("buildHash is not the MD5 of the version".into());
        }
        if field(&data.device_props, "deviceProps")?.is_empty() {
            return Err("deviceProps is empty".into());
        }
        Ok(Self {
            id: u32::from_be_bytes(exact(&data.registration_id, "eRegid")?),
            identity,
            signed_prekey: SignedPreKey {
                id: u32::from_be_bytes([0, a, b, c]),
                key: *key.as_bytes(),
                signature,
            },
        })
    }
}

fn build_hash(payload: &ClientPayload) -> Result<[u8; 16], String> {
    let agent = payload.user_agent.as_ref().ok_or("no userAgent")?;
    let version = agent.app_version.as_ref().ok_or("no appVersion")?;
    let parts = [version.primary, version.secondary, version.tertiary];
    let text = parts.map(|part| part.unwrap_or(0).to_string()).join(".");
    Ok(md5(text.as_bytes()))
}

fn field<'a>(field: &'a Option<Vec<u8>>, name: &str) -> Result<&'a [u8], String> {
    field.as_deref().ok_or_else(|| format!("no {name}"))
}

fn exact<const N: usize>(bytes: &Option<Vec<u8>>, name: &str) -> Result<[u8; N], String> {
    let bytes = field(bytes, name)?;
    let wrong = |_| format!("{name} has {} bytes", bytes.len());
    bytes.try_into().map_err(wrong)
}

impl World {
    /// A client without credentials: gives it something to show.
    pub(crate) fn register(
        &mut self,
        connection: ConnectionId,
        noise_key: [u8; 32],
        payload: &ClientPayload,
    ) {
        let registration = match Registration::parse(payload) {
            Ok(registration) => registration,
            Err(detail) => {
                self.violation(connection, "registration", detail);
                self.fail(connection, &crate::login::Failure::new(400));
                return;
            }
        };
        let refs: Vec<String> = (0..REFS)
            .map(|_| format!("2@{}", STANDARD.encode(self.rng.bytes::<24>())))
            .collect();
        let id = self.stanza_id();
        let nodes = refs
            .iter()
            .map(|text| Node::new("ref").bytes(text.as_bytes()));
        let iq = set_iq(&id).child(Node::new("pair-device").children(nodes));
        if let Some(state) = self.connections.get_mut(&connection) {
            state.phase = Phase::Pairing(Box::new(Candidate {
                noise_key,
                registration,
                refs,
                pair_device_iq: id,
                success: None,
                code: None,
                passkey: None,
            }));
        }
        self.write(connection, iq);
    }

    /// The phone of `scan.person` scans the code and links the client behind it, unless a passkey is
    /// wanted first. The device's number.
    pub(crate) fn scan(&mut self, scan: &Scan<'_>) -> Result<Option<u16>, String> {
        let qr = Qr::parse(scan.qr)?;
        let shown = |phase: &Phase| match phase {
            Phase::Pairing(candidate) => candidate.shows(&qr),
            _ => false,
        };
        let mut open = self.connections.iter();
        let (&connection, _) = open
            .find(|(_, state)| shown(&state.phase))
            .ok_or("no waiting client shows this code")?;
        self.trusted(connection, scan.person, &qr.adv_secret)
    }

    /// The phone of `person` shares `adv_secret` with a client: it links it, or the server wants a
    /// passkey first.
    pub(crate) fn trusted(
        &mut self,
        connection: ConnectionId,
        person: PersonId,
        adv_secret: &[u8; 32],
    ) -> Result<Option<u16>, String> {
        if let Some(demand) = self.passkeys {
            self.demand_passkey(connection, person, adv_secret, demand);
            return Ok(None);
        }
        self.vouch(connection, person, adv_secret).map(Some)
    }

    /// Writes `<pair-success>`: the account's signature, proven by the secret. The device's number.
    pub(crate) fn vouch(
        &mut self,
        connection: ConnectionId,
        person_id: PersonId,
        adv_secret: &[u8; 32],
    ) -> Result<u16, String> {
        let candidate = self.candidate(connection).ok_or("no candidate")?;
        let identity = candidate.registration.identity;
        let timestamp = u64::try_from(self.now().0).unwrap_or(0);
        let person = &mut self.people[person_id];
        let (device, key_index) = person.next_link();
        let link = adv::Link {
            raw_id: person.raw_id,
            key_index,
            timestamp,
        };
        let account = person.devices.first().ok_or("the account has no phone")?;
        let signed = adv::vouch(&mut self.rng, account.identity(), &identity, link);
        let container = adv::seal(&signed, adv_secret).ok_or("no HMAC key")?;
        let id = self.stanza_id();
        let iq = self.pair_success(&id, person_id, device, container);
        if let Some(state) = self.connections.get_mut(&connection)
            && let Phase::Pairing(candidate) = &mut state.phase
        {
            candidate.success = Some(Success {
                iq: id,
                person: person_id,
                device,
                key_index,
            });
        }
        self.write(connection, iq);
        Ok(device)
    }

    fn pair_success(&self, id: &str, person: PersonId, device: u16, container: Vec<u8>) -> Node {
        let person = &self.people[person];
        let props = ClientPairingProps {
            is_chat_db_lid_migrated: person.tells_migration.then_some(person.lid_migrated),
        };
        let success = Node::new("pair-success").children([
            Node::new("device-identity").bytes(container),
            Node::new("device")
                .jid("jid", person.device_jid(false, device))
                .jid("lid", person.device_jid(true, device)),
            Node::new("platform").attr("name", "android"),
            Node::new("client-props").bytes(props.encode_to_vec()),
        ]);
        set_iq(id).num("t", self.now()).child(success)
    }

    /// A stanza before login.
    pub(crate) fn pairing_stanza(&mut self, connection: ConnectionId, node: &Node) {
        let Some(state) = self.connections.get(&connection) else {
            return;
        };
        let Phase::Pairing(candidate) = &state.phase else {
            return;
        };
        let id = node.text("id").unwrap_or_default().into_owned();
        if node.tag != "iq" {
            if !matches!(&*node.tag, "ack" | "ib" | "presence") {
                let detail = format!("<{}> before login", node.tag);
                self.violation(connection, "stanza_before_login", detail);
            }
        } else if id == candidate.pair_device_iq {
            if !node.is("type", "result") {
                self.violation(connection, "pair_device_answer", "not a result");
            }
        } else if candidate.success.as_ref().is_some_and(|s| s.iq == id) {
            self.pair_device_sign(connection, node);
        } else if let Some(told) = node.find("link_code_companion_reg") {
            self.pair_code(connection, node, told);
        } else if Self::is_passkey_iq(node) {
            self.passkey_iq(connection, node);
        } else if node.is("type", "get") || node.is("type", "set") {
            self.unknown_iq(connection, node);
        }
    }

    fn pair_device_sign(&mut self, connection: ConnectionId, node: &Node) {
        let Some(state) = self.connections.get_mut(&connection) else {
            return;
        };
        let Phase::Pairing(candidate) = core::mem::replace(&mut state.phase, Phase::Ended) else {
            return;
        };
        if let Err(detail) = self.link(*candidate, node) {
            self.violation(connection, "pair_device_sign", detail);
            self.out(connection, Out::Close);
            return;
        }
        self.write(connection, Node::new("stream:error").attr("code", "515"));
        self.out(connection, Out::Close);
    }

    fn link(&mut self, candidate: Candidate, node: &Node) -> Result<(), String> {
        let success = candidate.success.ok_or("nothing was scanned")?;
        if !node.is("type", "result") {
            let code = node.find("error").and_then(|error| error.text("code"));
            return Err(format!("the client refuses the link with {code:?}"));
        }
        let signed = node
            .find("pair-device-sign")
            .and_then(|sign| sign.find("device-identity"))
            .ok_or("no pair-device-sign/device-identity")?;
        if signed.number::<u32>("key-index") != Some(success.key_index) {
            return Err("key-index is not that of the details".into());
        }
        let person = &mut self.people[success.person];
        let account = person.account_key().ok_or("the account has no phone")?;
        let Registration {
            id,
            identity,
            signed_prekey,
        } = candidate.registration;
        let bytes = signed.payload().unwrap_or_default();
        adv::check(bytes, &account, &identity)?;
        person.clients.push(Client {
            device: success.device,
            key_index: success.key_index,
            noise_key: candidate.noise_key,
            identity,
            registration_id: id,
            signed_prekey,
            one_time: std::collections::BTreeMap::new(),
            spent_prekeys: std::collections::BTreeSet::new(),
            device_identity: bytes.to_vec(),
            mailbox: crate::queue::Mailbox::default(),
            ledger: crate::ledger::Ledger::default(),
            connection: None,
        });
        Ok(())
    }

    /// Removes a linked client and tells it so.
    pub(crate) fn unlink(&mut self, client: ClientId) {
        let Some(connection) = self.client(client).map(|client| client.connection) else {
            return;
        };
        self.people[client.person]
            .clients
            .retain(|c| c.device != client.device);
        if let Some(connection) = connection {
            let conflict = Node::new("conflict").attr("type", "device_removed");
            let error = Node::new("stream:error")
                .attr("code", "401")
                .child(conflict);
            self.write(connection, error);
            self.out(connection, Out::Close);
        }
    }
}

impl Candidate {
    pub(crate) const fn noise_key(&self) -> [u8; 32] {
        self.noise_key
    }

    pub(crate) const fn identity(&self) -> [u8; 32] {
        *self.registration.identity.as_bytes()
    }

    fn shows(&self, qr: &Qr) -> bool {
        self.success.is_none()
            && self.refs.contains(&qr.reference)
            && self.noise_key == qr.noise_key
            && self.registration.identity.as_bytes() == &qr.identity
    }
}

fn set_iq(id: &str) -> Node {
    Node::new("iq")
        .jid("from", Jid::whatsapp())
        .attr("type", "set")
        .attr("id", id.to_owned())
}

/// `[url#]ref,noise,identity,advSecret,clientType`.
#[derive(Debug, Eq, PartialEq)]
struct Qr {
    reference: String,
    noise_key: [u8; 32],
    identity: [u8; 32],
    adv_secret: [u8; 32],
}

impl Qr {
    fn parse(text: &str) -> Result<Self, String> {
        let fields = text.rsplit_once('#').map_or(text, |(_, fields)| fields);
        let [reference, noise, identity, adv_secret, client] =
            <[&str; 5]>::try_from(fields.split(',').collect::<Vec<_>>())
                .map_err(|fields| format!("{} fields instead of 5", fields.len()))?;
        if client.chars().count() != 1 || client == "0" {
            return Err(format!("client type {client:?} is refused"));
        }
        let key = |text: &str| {
            let bytes = STANDARD.decode(text).map_err(|_| "a field is not base64")?;
            <[u8; 32]>::try_from(bytes).map_err(|_| "a field is not 32 bytes")
        };
        Ok(Self {
            reference: reference.into(),
            noise_key: key(noise)?,
            identity: key(identity)?,
            adv_secret: key(adv_secret)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_has_five_fields_with_or_without_a_link() {
        let key = STANDARD.encode([7; 32]);
        let fields = format!("2@ref,{key},{key},{key},1");
        let plain = Qr::parse(&fields).unwrap();
        assert_eq!(plain.reference, "2@ref");
        let link = format!("https://wa.me/settings/linked_devices#{fields}");
        assert_eq!(Qr::parse(&link).unwrap(), plain);
        assert!(Qr::parse(&format!("2@ref,{key},{key},{key}")).is_err());
        assert!(Qr::parse(&format!("2@ref,{key},{key},{key},0")).is_err());
    }
}
