//! Who connects: a registration, a login, or somebody to turn away.
//!
//! ```text
//! <success t lid .../>      <failure reason .../>      <ib><offline_preview count .../></ib>
//! ```
//! Source: spec 4.3 to 4.7 and 6.5.

use prost::Message;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::connection::{Connection, ConnectionId, Out, Phase};
use crate::people::ClientId;
use crate::schema::ClientPayload;
use crate::world::World;

/// Stanzas of the backlog that are sent before the client asks.
const PRIMER: usize = 5;

/// A `<failure>` that replaces the next `<success>`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Such as 401.
    pub reason: u16,
    /// More detail of a temporary ban.
    #[serde(default)]
    pub code: Option<u32>,
    /// Duration of a temporary ban in seconds.
    #[serde(default)]
    pub expire: Option<u64>,
}

impl Failure {
    pub(crate) const fn new(reason: u16) -> Self {
        Self {
            reason,
            code: None,
            expire: None,
        }
    }
}

impl World {
    /// The handshake of a connection is complete.
    pub(crate) fn connected(
        &mut self,
        out: UnboundedSender<Out>,
        noise_key: [u8; 32],
        payload: &[u8],
    ) -> ConnectionId {
        let id = ConnectionId(self.next_serial());
        let state = Connection {
            out,
            phase: Phase::Ended,
            drained: false,
            iq_ids: std::collections::BTreeSet::new(),
        };
        self.connections.insert(id, state);
        self.journal.payloads.push(hex::encode(payload));
        let Ok(payload) = ClientPayload::decode(payload) else {
            self.violation(id, "client_payload", "does not decode");
            self.fail(id, &Failure::new(400));
            return id;
        };
        self.check_payload(id, &payload);
        if payload.username.is_none() {
            self.register(id, noise_key, &payload);
        } else if !self.login_faults.is_empty() {
            let failure = self.login_faults.remove(0);
            self.fail(id, &failure);
        } else {
            self.login(id, noise_key, &payload);
        }
        id
    }

    fn check_payload(&mut self, connection: ConnectionId, payload: &ClientPayload) {
        let agent = payload.user_agent.clone().unwrap_or_default();
        if agent.phone_id.is_some() {
            self.violation(connection, "client_payload", "phoneId is set");
        }
        if agent.app_version.is_none() {
            self.violation(connection, "client_payload", "no appVersion");
        }
    }

    fn login(&mut self, connection: ConnectionId, noise_key: [u8; 32], payload: &ClientPayload) {
        let Some(client) = self.credentials(noise_key, payload) else {
            self.fail(connection, &Failure::new(401));
            return;
        };
        let previous = self.client(client).and_then(|client| client.connection);
        if let Some(previous) = previous {
            self.replace(previous);
        }
        if let Some(state) = self.client_mut(client) {
            state.connection = Some(connection);
            state.mailbox.rewind();
        }
        let passive = payload.passive == Some(true);
        if let Some(state) = self.connections.get_mut(&connection) {
            state.phase = Phase::Online(client);
        }
        self.journal.logins += 1;
        let lid = self.people[client.person].device_jid(true, client.device);
        let success = Node::new("success")
            .num("t", self.now())
            .jid("lid", lid)
            .attr("props", "0")
            .attr("location", "lla");
        self.write(connection, success);
        self.preview(connection, client);
        if !passive {
            self.drain(connection, client, PRIMER);
        }
    }

    fn credentials(&self, noise_key: [u8; 32], payload: &ClientPayload) -> Option<ClientId> {
        let number = payload.username?.to_string();
        let person = self.find(&Jid::pn(number))?;
        let device = u16::try_from(payload.device?).ok()?;
        let client = self.people[person].client(device)?;
        (client.noise_key == noise_key).then_some(ClientId { person, device })
    }

    fn replace(&mut self, connection: ConnectionId) {
        let conflict = Node::new("conflict").attr("type", "replaced");
        self.write(connection, Node::new("stream:error").child(conflict));
        self.out(connection, Out::Close);
        if let Some(state) = self.connections.get_mut(&connection) {
            state.phase = Phase::Ended;
        }
    }

    /// Refuses a connection.
    pub(crate) fn fail(&mut self, connection: ConnectionId, failure: &Failure) {
        let node = Node::new("failure")
            .num("reason", failure.reason)
            .attr("location", "lla")
            .maybe("code", failure.code.map(|code| code.to_string()))
            .maybe("expire", failure.expire.map(|expire| expire.to_string()));
        self.write(connection, node);
        self.out(connection, Out::Close);
    }

    fn preview(&self, connection: ConnectionId, client: ClientId) {
        let Some(client) = self.client(client) else {
            return;
        };
        let count = |tag| client.mailbox.backlog(tag);
        let preview = Node::new("offline_preview")
            .num("count", count(None))
            .num("message", count(Some("message")))
            .num("notification", count(Some("notification")))
            .num("receipt", count(Some("receipt")))
            .num("appdata", 0)
            .num("call", 0)
            .num("status", 0);
        self.write(connection, ib(preview));
    }

    /// Writes up to `limit` stanzas of the backlog, and the end mark behind the last.
    pub(crate) fn drain(&mut self, connection: ConnectionId, client: ClientId, limit: usize) {
        let Some(state) = self.client_mut(client) else {
            return;
        };
        let batch = state.mailbox.batch(limit);
        let (left, sent) = (state.mailbox.backlog(None), state.mailbox.offline_sent());
        for node in batch {
            self.write(connection, node);
        }
        let Some(state) = self.connections.get_mut(&connection) else {
            return;
        };
        if left == 0 && !state.drained {
            state.drained = true;
            self.write(connection, ib(Node::new("offline").num("count", sent)));
        }
    }

    /// `<ib>` from a client.
    pub(crate) fn on_ib(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        if let Some(batch) = node.find("offline_batch") {
            match batch.number("count") {
                Some(count) => self.drain(connection, client, count),
                None => self.violation(connection, "offline_batch", "no count"),
            }
        }
    }
}

/// An `<ib>` from the server around one child.
pub(crate) fn ib(child: Node) -> Node {
    Node::new("ib").jid("from", Jid::whatsapp()).child(child)
}
