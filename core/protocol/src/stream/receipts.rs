//! Delivery receipts of the offline backlog: one for each chat, author and type.
//!
//! ```text
//! <receipt id=<first> to [participant] [type]><list><item id/>..</list></receipt>
//! ```
//! Source: spec "Receipts we send". They leave when the next batch is asked for, at the end of the
//! backlog, or when [`CAPACITY`] messages wait. What never left is delivered again by the server.

use crate::stream::ack::Delivery;
use crate::verdict::MessageId;

/// Messages without a receipt. More makes fewer receipts; an inbox full of them would lose its oldest.
pub const CAPACITY: usize = 64;

/// Receipts that wait for others of their kind.
#[derive(Debug, Default)]
pub struct Receipts {
    waiting: Vec<(Delivery, Vec<MessageId>)>,
    messages: usize,
}

impl Receipts {
    /// Adds a message; true when all of them should leave now.
    pub fn add(&mut self, delivery: Delivery, id: MessageId) -> bool {
        self.messages += 1;
        match self.waiting.iter_mut().find(|(kind, _)| *kind == delivery) {
            Some((_, ids)) => ids.push(id),
            None => self.waiting.push((delivery, vec![id])),
        }
        self.messages >= CAPACITY
    }

    /// All of them, in the order of their first messages; nothing waits then.
    pub fn take(&mut self) -> Vec<(Delivery, Vec<MessageId>)> {
        core::mem::take(self).waiting
    }
}
