//! Receipts and acks from clients, and retry receipts both ways.
//!
//! ```text
//! <receipt type="retry" id from|to><retry v count id t error/><registration/><keys>..</keys></receipt>
//! ```
//! Source: spec 10.4, 10.5, 10.7 and 10.9.

use sendpath_protocol::crypto::curve::PublicKey;
use sendpath_protocol::wap::Node;

use crate::bundle::Bundle;
use crate::connection::ConnectionId;
use crate::journal::ReceiptSeen;
use crate::people::{ClientId, SignedPreKey};
use crate::queue::{AnswerKind, Answered};
use crate::world::World;

/// Receipts that say a message was taken. `hist_sync` and `server-error` come beside one of them.
const TAKEN: [&str; 3] = ["inactive", "peer_msg", "sender"];

impl World {
    pub(crate) fn on_receipt(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        let (Some(id), Some(to)) = (node.text("id"), node.address("to")) else {
            self.violation(connection, "receipt_attribute", "no id or no to");
            return;
        };
        let kind = node.text("type").map(|kind| kind.into_owned());
        let more = node
            .find("list")
            .into_iter()
            .flat_map(|list| list.all("item"));
        let ids: Vec<String> = core::iter::once(id.into_owned())
            .chain(more.filter_map(|item| item.text("id").map(|id| id.into_owned())))
            .collect();
        for id in &ids {
            self.journal.receipts.push(ReceiptSeen {
                account: self.people[client.person].pn.clone(),
                id: id.clone(),
                to: to.reveal(),
                kind: kind.clone(),
                count: node.find("retry").and_then(|retry| retry.number("count")),
            });
        }
        let tells = matches!(kind.as_deref(), Some("read" | "played"));
        if tells && !self.people[client.person].profile.read_receipts {
            self.violation(
                connection,
                "read_receipt",
                "the account hides what was read",
            );
        }
        if kind.as_deref().is_none_or(|kind| TAKEN.contains(&kind)) {
            for id in &ids {
                self.answered(
                    connection,
                    client,
                    AnswerKind::Receipt,
                    "message",
                    id,
                    &to.reveal(),
                );
            }
        }
        if kind.as_deref() == Some("server-error") {
            self.on_server_error(connection, client, &ids[0], node);
        }
        if kind.as_deref() == Some("retry") {
            self.on_retry(connection, client, node);
        }
        let ack = Node::new("ack")
            .attr("class", "receipt")
            .attr("id", ids[0].clone())
            .jid("from", to)
            .maybe("type", kind);
        self.write(connection, ack);
    }

    pub(crate) fn on_ack(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        let attribute = |name| node.text(name).map(|text| text.into_owned());
        let (Some(class), Some(id), Some(to)) =
            (attribute("class"), attribute("id"), attribute("to"))
        else {
            self.violation(connection, "ack_attribute", "no class, id or to");
            return;
        };
        self.answered(connection, client, AnswerKind::Ack, &class, &id, &to);
    }

    fn answered(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        kind: AnswerKind,
        tag: &str,
        id: &str,
        to: &str,
    ) {
        let Some(state) = self.client_mut(client) else {
            return;
        };
        match state.mailbox.answer(kind, tag, id, to) {
            Answered::Consumed => {}
            Answered::Again => self.violation(connection, "answered_twice", format!("{tag} {id}")),
            Answered::Unknown if kind == AnswerKind::Receipt => {}
            Answered::Unknown => {
                self.violation(connection, "answer_to_nothing", format!("{tag} {id}"));
            }
            Answered::Misdirected { expected } => {
                let detail = format!("{tag} {id} from {expected} answered to {to}");
                self.violation(connection, "answer_misdirected", detail);
            }
        }
    }

    /// A client cannot read a model device's message: the device writes it again.
    fn on_retry(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        let Some(chat) = node.address("to") else {
            return;
        };
        let group = self.group(&chat);
        let to = match group {
            Some(_) => node.address("participant"),
            None => Some(chat),
        };
        let Some(to) = to else {
            self.violation(connection, "retry_receipt", "no participant in a group");
            return;
        };
        if group.is_some() && node.value("recipient").is_some() {
            self.violation(connection, "retry_receipt", "a recipient in a group");
        }
        let Some(person) = self.find(&to) else { return };
        let device = to.device_part();
        let Some(retry) = node.find("retry") else {
            self.violation(connection, "retry_receipt", "no <retry>");
            return;
        };
        for name in ["v", "count", "id", "t"] {
            if retry.value(name).is_none() {
                self.violation(connection, "retry_receipt", format!("no {name}"));
            }
        }
        let registration = node.find("registration").and_then(Node::payload);
        if registration.map(<[u8]>::len) != Some(4) {
            self.violation(connection, "retry_receipt", "registration is not 4 bytes");
        }
        let count: u32 = retry.number("count").unwrap_or(1);
        let keys = match node.find("keys") {
            Some(keys) => match self.retry_bundle(client, keys) {
                Ok(bundle) => Some(bundle),
                Err(detail) => {
                    self.violation(connection, "retry_receipt", detail);
                    None
                }
            },
            None if count >= 2 => {
                self.violation(connection, "retry_receipt", "no keys at count 2 or more");
                None
            }
            None => None,
        };
        let id = node.text("id").unwrap_or_default().into_owned();
        let sender = ClientId { person, device };
        if let Some(group) = group {
            let written = self.write_group_again(sender, client, group, &id, keys, count);
            if let Err(error) = written {
                self.journal
                    .unexpected
                    .push(format!("retry answer: {error}"));
            }
            return;
        }
        self.write_again(sender, client, &id, to.is_lid(), count, keys);
    }

    fn retry_bundle(&self, client: ClientId, keys: &Node) -> Result<Bundle, String> {
        let client = self.client(client).ok_or("not linked")?;
        let bytes = |node: &Node, tag: &str| -> Result<Vec<u8>, String> {
            let child = node
                .find(tag)
                .ok_or_else(|| format!("no <{tag}> in keys"))?;
            Ok(child.payload().unwrap_or_default().to_vec())
        };
        let raw = |node: &Node| -> Result<[u8; 32], String> {
            let wrong = |_| String::from("a key in keys is not 32 raw bytes");
            bytes(node, "value")?.try_into().map_err(wrong)
        };
        let id = |node: &Node| -> Result<u32, String> {
            let id: [u8; 3] = bytes(node, "id")?
                .try_into()
                .map_err(|_| "an id in keys is not 3 bytes")?;
            Ok(u32::from_be_bytes([0, id[0], id[1], id[2]]))
        };
        let skey = keys.find("skey").ok_or("no <skey> in keys")?;
        let one_time = match keys.find("key") {
            Some(key) => Some((id(key)?, raw(key)?)),
            None => None,
        };
        let identity = PublicKey::from_raw(&bytes(keys, "identity")?)
            .ok_or("the identity in keys is not 32 raw bytes")?;
        if identity != client.identity {
            return Err("the identity in keys is not the linked one".into());
        }
        Ok(Bundle {
            registration_id: client.registration_id,
            identity,
            signed_prekey: SignedPreKey {
                id: id(skey)?,
                key: raw(skey)?,
                signature: bytes(skey, "signature")?
                    .try_into()
                    .map_err(|_| "the signature in keys is not 64 bytes")?,
            },
            one_time,
            device_identity: None,
        })
    }

    /// A model device asks a client to send a message again, with its own keys from the first
    /// attempt that carries them.
    pub(crate) fn ask_again(
        &mut self,
        from: ClientId,
        to: ClientId,
        id: &str,
        lid: bool,
        count: u32,
    ) {
        let wire = self.wire(from, lid);
        let receipt = Node::new("receipt").jid("from", wire);
        self.post_retry(from, to, id, receipt, count);
    }

    /// As [`World::ask_again`], for a message of a group.
    pub(crate) fn ask_again_in(
        &mut self,
        from: ClientId,
        to: ClientId,
        id: &str,
        group: usize,
        count: u32,
    ) {
        let wire = self.wire(from, self.groups[group].lid);
        let receipt = Node::new("receipt")
            .jid("from", self.groups[group].jid())
            .jid("participant", wire);
        self.post_retry(from, to, id, receipt, count);
    }

    fn post_retry(&mut self, from: ClientId, to: ClientId, id: &str, receipt: Node, count: u32) {
        let (now, t) = (self.step_now(), self.now());
        let Self { people, rng, .. } = self;
        let Some(endpoint) = people[from.person].endpoint(from.device) else {
            return;
        };
        let registration = endpoint.registration_id().to_be_bytes();
        let keys = (count >= 2).then(|| endpoint.bundle(rng, now).nodes());
        let retry = Node::new("retry")
            .attr("v", "1")
            .num("count", count)
            .attr("id", id.to_owned())
            .num("t", t)
            .attr("error", "1");
        let mut receipt = receipt
            .attr("type", "retry")
            .attr("id", id.to_owned())
            .num("t", t)
            .children([retry, Node::new("registration").bytes(registration)]);
        if let Some(nodes) = keys {
            let keys = nodes.into_iter().filter(|node| node.tag != "registration");
            receipt.push(Node::new("keys").children(keys));
        }
        self.post(to, receipt);
    }
}
