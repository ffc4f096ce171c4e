//! Prekeys: what clients publish about themselves and fetch about others.
//!
//! Source: spec 6.3, 6.4 and 8.5. All keys and ids on the wire are raw bytes.

use sendpath_protocol::crypto::curve::PublicKey;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

use super::Answer;
use crate::bundle::{Bundle, id_bytes};
use crate::connection::ConnectionId;
use crate::people::{ClientId, SignedPreKey};
use crate::sha1::sha1;
use crate::world::World;

impl World {
    pub(super) fn prekey_count(&self, client: ClientId) -> Answer {
        let count = self
            .client(client)
            .map_or(0, |client| client.one_time.len());
        Answer::Result(vec![Node::new("count").num("value", count)])
    }

    pub(super) fn upload_prekeys(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        match self.take_upload(client, node) {
            Ok(()) => Answer::empty(),
            Err(detail) => {
                self.violation(connection, "prekey_upload", detail);
                Answer::error(406, "not-acceptable")
            }
        }
    }

    fn take_upload(&mut self, client: ClientId, node: &Node) -> Result<(), String> {
        let client = self.client_mut(client).ok_or("not linked")?;
        let registration = fixed::<4>(node, "registration")?;
        if u32::from_be_bytes(registration) != client.registration_id {
            return Err("the registration id is not that of the pairing".into());
        }
        if fixed::<1>(node, "type")? != [5] {
            return Err("type is not 05".into());
        }
        if &fixed::<32>(node, "identity")? != client.identity.as_bytes() {
            return Err("the identity is not that of the pairing".into());
        }
        let signed = signed_prekey(node.find("skey").ok_or("no skey")?, &client.identity)?;
        let list = node.find("list").ok_or("no list")?;
        let mut keys = Vec::new();
        for key in list.all("key") {
            let [a, b, c] = fixed::<3>(key, "id")?;
            keys.push((u32::from_be_bytes([0, a, b, c]), fixed::<32>(key, "value")?));
        }
        if keys.is_empty() {
            return Err("the list is empty".into());
        }
        for (id, key) in &keys {
            let known = client.one_time.get(id);
            if client.spent_prekeys.contains(id) || known.is_some_and(|known| known != key) {
                return Err(format!("prekey id {id} was used before"));
            }
        }
        client.one_time.extend(keys);
        client.signed_prekey = signed;
        Ok(())
    }

    pub(super) fn rotate_signed_prekey(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        let Some(state) = self.client_mut(client) else {
            return Answer::bad_request();
        };
        let rotated = node
            .find("rotate")
            .and_then(|rotate| rotate.find("skey"))
            .ok_or_else(|| "no skey".into())
            .and_then(|skey| signed_prekey(skey, &state.identity));
        match rotated {
            Ok(signed) => {
                let old = core::mem::replace(&mut state.signed_prekey, signed);
                let new = &state.signed_prekey;
                let same_id = new.id == old.id && new.key != old.key;
                if same_id {
                    self.violation(connection, "rotate", "another key with the old id");
                }
                Answer::empty()
            }
            Err(detail) => {
                self.violation(connection, "rotate", detail);
                Answer::error(406, "not-acceptable")
            }
        }
    }

    pub(super) fn prekey_digest(&self, client: ClientId) -> Answer {
        let Some(client) = self.client(client).filter(|c| !c.one_time.is_empty()) else {
            return Answer::error(404, "item-not-found");
        };
        let signed = &client.signed_prekey;
        let mut hashed = [
            client.identity.as_bytes().as_slice(),
            &signed.key,
            &signed.signature,
        ]
        .concat();
        hashed.extend(client.one_time.values().flatten());
        let ids = client.one_time.keys();
        let digest = Node::new("digest").children([
            Node::new("registration").bytes(client.registration_id.to_be_bytes()),
            Node::new("type").bytes([5]),
            Node::new("identity").bytes(*client.identity.as_bytes()),
            crate::bundle::signed_node(signed),
            Node::new("list").children(ids.map(|id| Node::new("id").bytes(id_bytes(*id)))),
            Node::new("hash").bytes(sha1(&hashed)),
        ]);
        Answer::Result(vec![digest])
    }

    pub(super) fn prekey_bundles(&mut self, asking: ClientId, node: &Node) -> Answer {
        let Some(key) = node.find("key") else {
            return Answer::bad_request();
        };
        let asked: Vec<Jid> = key
            .all("user")
            .filter_map(|user| user.address("jid"))
            .collect();
        if asked.is_empty() {
            return Answer::bad_request();
        }
        let users: Vec<Node> = asked
            .into_iter()
            .map(|jid| {
                let bundle = self.bundle(asking, &jid);
                let user = Node::new("user").jid("jid", jid);
                match bundle {
                    Some(bundle) => user.num("t", self.now()).children(bundle.nodes()),
                    None => user.child(
                        Node::new("error")
                            .attr("code", "406")
                            .attr("text", "not-acceptable"),
                    ),
                }
            })
            .collect();
        Answer::Result(vec![Node::new("list").children(users)])
    }

    /// The bundle of one device; its one-time key is then spent.
    pub(crate) fn bundle(&mut self, asking: ClientId, jid: &Jid) -> Option<Bundle> {
        let person = self.find(jid)?;
        let device = jid.device_part();
        if (ClientId { person, device }) == asking {
            return None;
        }
        self.bundle_of(ClientId { person, device })
    }

    /// The bundle of a device, model or client.
    pub(crate) fn bundle_of(&mut self, of: ClientId) -> Option<Bundle> {
        let now = self.step_now();
        let Self { people, rng, .. } = self;
        let person = people.get_mut(of.person)?;
        if let Some(endpoint) = person.endpoint(of.device) {
            return Some(endpoint.bundle(rng, now));
        }
        let client = person.client_mut(of.device)?;
        let one_time = client.one_time.pop_first();
        client.spent_prekeys.extend(one_time.map(|(id, _)| id));
        Some(Bundle {
            registration_id: client.registration_id,
            identity: client.identity,
            signed_prekey: client.signed_prekey.clone(),
            one_time,
            device_identity: Some(client.device_identity.clone()),
        })
    }
}

fn signed_prekey(skey: &Node, identity: &PublicKey) -> Result<SignedPreKey, String> {
    let [a, b, c] = fixed::<3>(skey, "id")?;
    let signed = SignedPreKey {
        id: u32::from_be_bytes([0, a, b, c]),
        key: fixed(skey, "value")?,
        signature: fixed(skey, "signature")?,
    };
    let typed = [&[5], signed.key.as_slice()].concat();
    if identity.verify(&typed, &signed.signature) {
        Ok(signed)
    } else {
        Err("the signature of the signed prekey does not verify".into())
    }
}

/// The content of a child that must have exactly `N` bytes.
fn fixed<const N: usize>(node: &Node, tag: &str) -> Result<[u8; N], String> {
    let child = node.find(tag).ok_or_else(|| format!("no <{tag}>"))?;
    let bytes = child.payload().unwrap_or_default();
    let wrong = |_| format!("<{tag}> has {} bytes instead of {N}", bytes.len());
    bytes.try_into().map_err(wrong)
}
