//! What the server has seen of us.

use std::collections::BTreeMap;

use sendpath_model_server::{Command, Issued, Judged, NodeJson, Received, Reply};

use crate::World;

impl World {
    /// Messages that a contact's devices (or our own phone) got.
    pub fn received(&self, pn: &str) -> Vec<Received> {
        match self.order(Command::Received {
            peer: Some(pn.into()),
        }) {
            Reply::Received { messages } => messages,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// Message stanzas and how the server answered them.
    pub fn judged(&self) -> Vec<Judged> {
        match self.order(Command::Messages) {
            Reply::Messages { messages } => messages,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// Tokens that we issued.
    pub fn issued(&self) -> Vec<Issued> {
        match self.order(Command::Issued { peer: None }) {
            Reply::Issued { issued } => issued,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// Frames that the server got from us since the start.
    pub fn frames(&self) -> u64 {
        match self.order(Command::Stats { account: None }) {
            Reply::Stats { frames, .. } => frames,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// What a send can put on the wire so far: messages, and questions about people, keys and
    /// limits. Sync of the app state and answers to the server go on beside it.
    pub fn for_sending(&self) -> (usize, [u64; 3]) {
        let kinds = ["usync/usync", "encrypt/key", "w:mex/query"];
        (self.judged().len(), kinds.map(|kind| self.asked(kind)))
    }

    /// IQs that the server got from us, by kind.
    pub fn questions(&self) -> BTreeMap<String, u64> {
        match self.order(Command::Stats { account: None }) {
            Reply::Stats { iqs, .. } => iqs,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// How many IQs of that kind the server got from us.
    pub fn asked(&self, kind: &str) -> u64 {
        self.questions().get(kind).copied().unwrap_or(0)
    }

    /// Stanzas that the server got from us, in order.
    pub fn heard(&self) -> Vec<NodeJson> {
        match self.order(Command::Heard { tag: None }) {
            Reply::Heard { stanzas } => stanzas,
            other => panic!("unexpected reply {other:?}"),
        }
    }
}
