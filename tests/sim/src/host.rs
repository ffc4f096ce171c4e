//! What a host of the session remembers: its orders, their ends and the events.

use std::collections::{BTreeMap, BTreeSet};

use sendpath_protocol::effect::OpId;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::{MessageId, Outcome};

/// The memory of a host. It outlives crashes of the session, as a host's database would.
#[derive(Clone, Default)]
pub(crate) struct Host {
    last_op: u64,
    /// Orders that wait for their end.
    open: BTreeMap<OpId, MessageId>,
    /// Ends by message, in order; `Unknown` may be followed by a later word.
    pub(crate) ends: BTreeMap<MessageId, Vec<Outcome>>,
    /// To whom each message was to go.
    pub(crate) sent: BTreeMap<MessageId, usize>,
    /// Ids of messages of contacts.
    pub(crate) got: BTreeMap<String, u32>,
    /// Uploads that wait for leave.
    tickets: BTreeSet<OpId>,
    /// Operations that ended although nobody waited.
    pub(crate) strays: BTreeSet<OpId>,
}

impl Host {
    pub(crate) fn order(&mut self, to: usize) -> (OpId, MessageId) {
        self.last_op += 1;
        let id = MessageId::parse(&format!("3EB0SIM{:05}", self.last_op)).expect("plain ASCII");
        self.sent.insert(id.clone(), to);
        self.open.insert(OpId(self.last_op), id.clone());
        (OpId(self.last_op), id)
    }

    pub(crate) fn done(&mut self, op: OpId, outcome: Outcome) {
        match self.open.remove(&op) {
            Some(id) => self.ends.entry(id).or_default().push(outcome),
            None => drop(self.strays.insert(op)),
        }
    }

    pub(crate) fn upload(&mut self) -> OpId {
        self.last_op += 1;
        self.tickets.insert(OpId(self.last_op));
        OpId(self.last_op)
    }

    /// Leave to upload, or none.
    pub(crate) fn reply(&mut self, op: OpId) {
        if !self.tickets.remove(&op) {
            self.strays.insert(op);
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                *self.got.entry(message.id.to_string()).or_default() += 1;
            }
            Event::Settled(outcome) => {
                let id = match &outcome {
                    Outcome::Accepted { id, .. } => Some(id.clone()),
                    Outcome::Refused(refusal) => refusal.id.clone(),
                    Outcome::Unknown(lost) => Some(lost.id.clone()),
                    _ => None,
                };
                let id = id.expect("a message that was settled has an id");
                self.ends.entry(id).or_default().push(outcome);
            }
            _ => {}
        }
    }

    /// The program ended: nobody waits any more.
    pub(crate) fn crash(&mut self) {
        self.open.clear();
        self.tickets.clear();
    }

    pub(crate) fn waits(&self) -> usize {
        self.open.len() + self.tickets.len()
    }

    pub(crate) fn any_open(&self) -> Option<OpId> {
        self.open.keys().next().copied()
    }
}
