//! Messages from clients: grammar, key reuse, gates, delivery and the ack, in that order.
//!
//! ```text
//! <ack class="message" id from="<to>" t [error] [phash]/>
//! ```
//! Source: spec 8.6 to 8.9, tokens spec 5.3.

use sendpath_protocol::jid::Server;
use sendpath_protocol::wap::Node;

use crate::connection::{ConnectionId, Out};
use crate::faults::{AckMode, DropWhen};
use crate::gate::{Facts, Shown, refusal};
use crate::groupkey;
use crate::groupmessages::GroupSend;
use crate::journal::Judged;
use crate::ledger::Sealed;
use crate::outgoing::{Form, Outgoing, Refusal};
use crate::people::{ClientId, PersonId};
use crate::phash::phash;
use crate::world::World;

/// A message that the server takes.
enum Taken {
    Chat(PersonId, Outgoing),
    Group(GroupSend),
}

/// Answers that may be others the next time.
const BUSY: [u16; 4] = [408, 429, 500, 503];

impl World {
    pub(crate) fn on_message(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
        stanza: &[u8],
    ) {
        if self.faults(client).cut(DropWhen::BeforeDelivery) {
            self.out(connection, Out::Cut);
            return;
        }
        self.note_keys(connection, client, node);
        let Some(id) = node.text("id") else {
            self.violation(connection, "message_attribute", "no id");
            return;
        };
        let resend = self
            .client(client)
            .is_some_and(|c| c.ledger.holds(&id, stanza));
        let group = node.address("to");
        let group = group.is_some_and(|to| *to.server_part() == Server::Group);
        let verdict = if resend {
            Ok(None)
        } else if group {
            let taken = self.handle_group(connection, client, node);
            taken.map(|send| Some(Taken::Group(send)))
        } else {
            let taken = self.handle(connection, client, node, stanza);
            taken.map(|(recipient, message)| Some(Taken::Chat(recipient, message)))
        };
        if let (Ok(Some(_)), Some(state)) = (&verdict, self.client_mut(client)) {
            state.ledger.accept(&id, stanza);
        }
        let error = verdict.as_ref().err().copied();
        let hex_of = |tag| node.find(tag).and_then(Node::payload).map(hex::encode);
        self.journal.judged.push(Judged {
            account: self.people[client.person].pn.clone(),
            device: client.device,
            id: id.to_string(),
            to: node.text("to").unwrap_or_default().into_owned(),
            kind: node.text("type").map(Into::into),
            mediatype: mediatype(node),
            edit: node.text("edit").map(Into::into),
            tctoken: hex_of("tctoken"),
            cstoken: hex_of("cstoken"),
            error,
            resend,
        });
        let accepted = verdict.unwrap_or_default();
        let phash = accepted.as_ref().and_then(|taken| match taken {
            Taken::Chat(recipient, message) => self.stale_devices(client, *recipient, message),
            Taken::Group(send) => self.stale_group(send, node),
        });
        self.ack(connection, client, node, error, phash);
        // Receipts of the recipients follow the server's own answer.
        match accepted {
            Some(Taken::Chat(recipient, message)) => {
                self.deliver(connection, client, recipient, &message);
            }
            Some(Taken::Group(send)) => self.deliver_group(client, &send),
            None => {}
        }
    }

    /// Every ciphertext counts, also in a stanza that is refused: its bytes have left the client.
    fn note_keys(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        for (kind, bytes) in Outgoing::ciphertexts(node) {
            if kind == "skmsg" {
                self.note_group_key(connection, client, &bytes);
                continue;
            }
            let Some(sealed) = Sealed::parse(&kind, &bytes) else {
                self.violation(connection, "ciphertext", "no Signal message of version 3");
                continue;
            };
            let Some(state) = self.client_mut(client) else {
                return;
            };
            let own = *state.identity.as_bytes();
            let fresh = state.ledger.uses(&sealed);
            if !fresh {
                let detail = format!("counter {} with other bytes", sealed.counter);
                self.violation(connection, "message_key_reused", detail);
            }
            let named = sealed.identity.as_deref();
            if named.is_some_and(|identity| identity.get(1..) != Some(&own[..])) {
                self.violation(connection, "pkmsg_identity", "not the linked identity");
            }
        }
    }

    fn note_group_key(&mut self, connection: ConnectionId, client: ClientId, bytes: &[u8]) {
        let Some((id, iteration)) = groupkey::numbers(bytes) else {
            self.violation(connection, "ciphertext", "no group message of version 3");
            return;
        };
        let state = self.client_mut(client);
        if !state.is_none_or(|state| state.ledger.uses_group_key(id, iteration, bytes)) {
            let detail = format!("iteration {iteration} with other bytes");
            self.violation(connection, "message_key_reused", detail);
        }
    }

    /// Accepts, or gives the ack's error code.
    fn handle(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
        stanza: &[u8],
    ) -> Result<(PersonId, Outgoing), u16> {
        if let Some(code) = self.ordered_refusal(client, node, stanza) {
            return Err(code);
        }
        let checked = Outgoing::parse(node).and_then(|message| {
            let recipient = self.check(client, &message)?;
            Ok((message, recipient))
        });
        let (message, recipient) = match checked {
            Ok(checked) => checked,
            Err(Refusal { code, rule, detail }) => {
                self.violation(connection, rule, detail);
                return Err(code);
            }
        };
        let facts = self.facts(connection, client, recipient, &message);
        if let Some(code) = refusal(facts) {
            return Err(code);
        }
        if message.has_pkmsg() && message.device_identity.is_none() {
            self.violation(connection, "device_identity_missing", message.id.clone());
        }
        Ok((recipient, message))
    }

    /// What a test ordered for the next message, or for exactly these bytes before.
    fn ordered_refusal(&mut self, client: ClientId, node: &Node, stanza: &[u8]) -> Option<u16> {
        let id = node.text("id").unwrap_or_default();
        let ledger = self.client(client).map(|state| &state.ledger);
        if let Some(code) = ledger.and_then(|ledger| ledger.refusal(&id, stanza)) {
            return Some(code);
        }
        let code = self.faults(client).nacks.pop_front()?;
        if let Some(state) = self.client_mut(client).filter(|_| !BUSY.contains(&code)) {
            state.ledger.refuse(&id, stanza, code);
        }
        Some(code)
    }

    /// Rules that need to know who is who.
    fn check(&self, client: ClientId, message: &Outgoing) -> Result<PersonId, Refusal> {
        let sender = &self.people[client.person];
        if message.to.is_lid() && !sender.lid_migrated {
            return Err(Refusal::new(400, "lid_from_unmigrated", "to is a LID"));
        }
        let unknown = || Refusal::new(404, "unknown_recipient", message.to.reveal());
        let recipient = self.find(&message.to).ok_or_else(unknown)?;
        let own = recipient == client.person;
        if message.form == Form::Peer && !own {
            return Err(Refusal::new(479, "peer_message", "not to the own account"));
        }
        if own && (message.tctoken.is_some() || message.cstoken.is_some()) {
            return Err(Refusal::new(479, "token_misplaced", "own account"));
        }
        for enc in &message.sealed {
            let account = &enc.to;
            if sender.is(account) && account.device_part() == client.device {
                return Err(Refusal::new(400, "sent_to_itself", account.reveal()));
            }
            if !sender.is(account) && !self.people[recipient].is(account) {
                return Err(Refusal::new(400, "foreign_participant", account.reveal()));
            }
        }
        Ok(recipient)
    }

    fn facts(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        recipient: PersonId,
        message: &Outgoing,
    ) -> Facts {
        let now = self.now();
        let shown = self.shown(client, recipient, message);
        match shown {
            Shown::Unknown => self.violation(connection, "token_unknown", message.id.clone()),
            Shown::Expired => self.violation(connection, "token_expired", message.id.clone()),
            _ => {}
        }
        let sender = &self.people[client.person];
        Facts {
            own_account: recipient == client.person,
            gate: self.people[recipient].gate,
            shown,
            timelocked: sender.timelock.holds(now),
            capped: sender.capping.holds(now),
        }
    }

    fn shown(&self, client: ClientId, recipient: PersonId, message: &Outgoing) -> Shown {
        let recipient = &self.people[recipient];
        if let Some(bytes) = &message.tctoken {
            let issued = recipient.tokens.get(&client.person).map_or(&[][..], |t| t);
            let (window, now) = (self.token_window(), self.now());
            return match issued.iter().rfind(|token| token.bytes == *bytes) {
                None => Shown::Unknown,
                Some(token) if window.holds(token.t, now) => Shown::Token,
                Some(_) => Shown::Expired,
            };
        }
        match (&message.cstoken, &self.people[client.person].nct_salt) {
            (None, _) => Shown::Nothing,
            (Some(bytes), Some(salt)) => {
                let jid = recipient.jid(true).reveal();
                let expected =
                    sendpath_protocol::crypto::symmetric::hmac_sha256(salt, &[jid.as_bytes()]);
                if bytes.as_slice() == expected {
                    Shown::Cstoken
                } else {
                    Shown::Unknown
                }
            }
            (Some(_), None) => Shown::Unknown,
        }
    }

    /// The hash over the devices the client should have used, when it used others.
    fn stale_devices(
        &self,
        client: ClientId,
        recipient: PersonId,
        message: &Outgoing,
    ) -> Option<String> {
        if message.form != Form::Chat {
            return None;
        }
        let lid = message.to.is_lid();
        let mut due = Vec::new();
        for person in [recipient, client.person] {
            let devices = self.people[person].device_list().into_iter();
            due.extend(devices.map(|(device, _)| self.people[person].device_jid(lid, device)));
        }
        due.sort_unstable();
        due.dedup();
        let sender = self.people[client.person].device_jid(lid, client.device);
        let mut used: Vec<_> = message.sealed.iter().map(|enc| enc.to.clone()).collect();
        used.push(sender);
        used.sort_unstable();
        (used != due).then(|| phash(due))
    }

    fn ack(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
        error: Option<u16>,
        phash: Option<String>,
    ) {
        let mut ack = Node::new("ack").attr("class", "message");
        for (from, to) in [("id", "id"), ("to", "from")] {
            if let Some((_, value)) = node.attrs.iter().find(|(key, _)| key == from) {
                ack.attrs.push((to.into(), value.clone()));
            }
        }
        let ack = ack
            .num("t", self.now())
            .maybe("phash", phash)
            .maybe("error", error.map(|code| code.to_string()));
        if self.faults(client).cut(DropWhen::BeforeAck) {
            self.out(connection, Out::Cut);
            return;
        }
        match self.faults(client).acks {
            AckMode::Drop => {}
            AckMode::Hold => self.faults(client).held.push(ack),
            AckMode::Normal => self.write(connection, ack),
        }
        if self.faults(client).cut(DropWhen::AfterAck) {
            self.out(connection, Out::Cut);
        }
    }

    /// Writes the acks that were held back.
    pub(crate) fn release_acks(&mut self, client: ClientId) -> usize {
        let held = core::mem::take(&mut self.faults(client).held);
        let count = held.len();
        if let Some(connection) = self.client(client).and_then(|c| c.connection) {
            for ack in held {
                self.write(connection, ack);
            }
        }
        count
    }
}

/// What the first ciphertext of a stanza says of its content.
fn mediatype(node: &Node) -> Option<String> {
    let listed = node.find("participants").into_iter().flat_map(Node::nodes);
    let enc = listed.chain([node]).find_map(|to| to.find("enc"))?;
    enc.text("mediatype").map(Into::into)
}
