//! Messages without an answer: durable until the server has said yes or no, sent again byte for byte
//! after a lost connection.

mod record;

use std::collections::BTreeMap;

use crate::effect::{OpId, Stanza};
use crate::error::StoreError;
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Namespace, Record, Scope, Txn};
use crate::verdict::MessageId;

pub use record::{OutboxRecord, Spread};

/// Messages that may wait at once; more would only hide that nothing is answered.
pub const CAPACITY: usize = 1000;

/// How long an answer may take before the host is told that it is unknown (spec: 75 s in total).
const ANSWER: Millis = Millis::from_secs(75);

/// Waits before the same bytes go out again after a "busy" answer (spec: at most three times).
const BUSY: [Millis; 3] = [
    Millis::from_secs(5),
    Millis::from_secs(10),
    Millis::from_secs(20),
];

/// How long the server may be silent on a connection that works before the same bytes go out again:
/// twice soon, then now and then (spec: the same stanza three times within the 75 s).
const SILENCE: [Millis; 3] = [
    Millis::from_secs(25),
    Millis::from_secs(25),
    Millis::from_secs(300),
];

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    op: Option<OpId>,
    /// When the host is told that the answer is unknown.
    give_up: Mono,
    busy: usize,
    /// Times it has left on this connection.
    left: usize,
    /// When it leaves again if there is no answer.
    again: Option<Mono>,
}

/// The index of what waits; the rows are in the store.
#[derive(Debug, Default)]
pub struct Outbox {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Outbox {
    /// Rebuilds the index from the store.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope) -> Result<Self, StoreError> {
        let mut outbox = Self::default();
        for (key, row) in txn.scan(slot, Namespace::Outbox, b"", None, CAPACITY)? {
            let seq = std::str::from_utf8(&key)
                .ok()
                .and_then(|hex| u64::from_str_radix(hex, 16).ok());
            let (Some(seq), Ok(record)) = (seq, OutboxRecord::from_row(&row)) else {
                continue;
            };
            let Some(id) = MessageId::parse(&record.id) else {
                continue;
            };
            outbox.next = seq + 1;
            let waiting = Waiting {
                id,
                op: None,
                give_up: Mono(u64::MAX),
                busy: 0,
                left: 0,
                again: None,
            };
            outbox.waiting.insert(seq, waiting);
        }
        Ok(outbox)
    }

    /// Whether nothing more may be sent until something is answered.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= CAPACITY
    }

    /// Number of messages without an answer.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a message with that id waits.
    pub fn holds(&self, id: &MessageId) -> bool {
        self.find(id).is_some()
    }

    /// Makes the message durable and lets it leave with this step.
    pub fn add(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        op: OpId,
        id: MessageId,
        record: &OutboxRecord,
    ) {
        let seq = self.next;
        self.next += 1;
        let give_up = cx.now.mono.plus(ANSWER);
        self.waiting.insert(
            seq,
            Waiting {
                id,
                op: Some(op),
                give_up,
                busy: 0,
                left: 1,
                again: Some(cx.now.mono.plus(SILENCE[0])),
            },
        );
        cx.txn.put(slot, row_id(seq), record);
        cx.effect(Stanza(record.stanza.clone()));
    }

    /// The message was built anew: other bytes under the same id, durable in place of the old ones.
    /// False when it does not wait any more.
    pub fn replace(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        id: &MessageId,
        record: &OutboxRecord,
    ) -> bool {
        let Some(seq) = self.find(id) else {
            return false;
        };
        cx.txn.put(slot, row_id(seq), record);
        cx.effect(Stanza(record.stanza.clone()));
        true
    }

    /// The record of a message that waits.
    ///
    /// # Errors
    /// What the store says.
    pub fn peek(
        &self,
        txn: &Txn<'_>,
        slot: &Scope,
        id: &MessageId,
    ) -> Result<Option<OutboxRecord>, StoreError> {
        match self.find(id) {
            Some(seq) => txn.get(slot, row_id(seq)),
            None => Ok(None),
        }
    }

    /// Takes out the message that an ack names: its operation, if somebody still waits, and its
    /// record. `None` for an ack to nothing we sent.
    ///
    /// # Errors
    /// What the store says.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        id: &MessageId,
    ) -> Result<Option<(Option<OpId>, OutboxRecord)>, StoreError> {
        let Some(seq) = self.find(id) else {
            return Ok(None);
        };
        let record = cx.txn.get::<OutboxRecord>(slot, row_id(seq))?;
        cx.txn.delete(slot, Namespace::Outbox, row_id(seq));
        let op = self.waiting.remove(&seq).and_then(|waiting| waiting.op);
        Ok(Some((op, record.unwrap_or_default())))
    }

    /// The server is busy: the same bytes go out again later. False when that was tried often enough.
    pub fn busy(&mut self, now: Mono, id: &MessageId) -> bool {
        let Some(waiting) = self.find(id).and_then(|seq| self.waiting.get_mut(&seq)) else {
            return false;
        };
        let Some(wait) = BUSY.get(waiting.busy) else {
            return false;
        };
        waiting.busy += 1;
        waiting.again = Some(now.plus(*wait));
        true
    }

    /// Sends everything that has no answer again, in order, byte for byte: the connection is new.
    ///
    /// # Errors
    /// What the store says.
    pub fn resend_all(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> Result<(), StoreError> {
        let all: Vec<u64> = self.waiting.keys().copied().collect();
        self.waiting
            .values_mut()
            .for_each(|waiting| waiting.left = 0);
        self.resend(cx, slot, &all)
    }

    /// Sends again what was put off or got no answer, and gives the operations whose time is over: their messages
    /// stay and are still tried, but nobody waits for them any more.
    ///
    /// # Errors
    /// What the store says.
    pub fn tick(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        online: bool,
    ) -> Result<Vec<(OpId, MessageId)>, StoreError> {
        let now = cx.now.mono;
        if online {
            let due = |waiting: &Waiting| waiting.again.is_some_and(|again| again <= now);
            let due: Vec<u64> = self
                .waiting
                .iter()
                .filter(|(_, w)| due(w))
                .map(|(seq, _)| *seq)
                .collect();
            self.resend(cx, slot, &due)?;
        }
        let overdue = self
            .waiting
            .values_mut()
            .filter(|waiting| waiting.give_up <= now);
        Ok(overdue
            .filter_map(|waiting| Some((waiting.op.take()?, waiting.id.clone())))
            .collect())
    }

    /// Gives all operations that wait: the session stops. The messages stay for the next start.
    pub fn release(&mut self) -> Vec<(OpId, MessageId)> {
        let all = self.waiting.values_mut();
        all.filter_map(|waiting| Some((waiting.op.take()?, waiting.id.clone())))
            .collect()
    }

    /// Stops waiting for one operation.
    pub fn cancel(&mut self, op: OpId) -> Option<MessageId> {
        let waiting = self
            .waiting
            .values_mut()
            .find(|waiting| waiting.op == Some(op))?;
        waiting.op = None;
        Some(waiting.id.clone())
    }

    /// When [`Outbox::tick`] has something to do; nothing is sent again while we are not online.
    pub fn deadline(&self, online: bool) -> Option<Mono> {
        let give_up = self
            .waiting
            .values()
            .filter(|w| w.op.is_some())
            .map(|w| w.give_up);
        let again = self.waiting.values().filter_map(|w| w.again);
        let again = again.filter(|_| online);
        give_up.chain(again).min()
    }

    fn find(&self, id: &MessageId) -> Option<u64> {
        self.waiting
            .iter()
            .find(|(_, waiting)| waiting.id == *id)
            .map(|(seq, _)| *seq)
    }

    fn resend(&mut self, cx: &mut Cx<'_>, slot: &Scope, seqs: &[u64]) -> Result<(), StoreError> {
        for seq in seqs {
            if let Some(waiting) = self.waiting.get_mut(seq) {
                let silence = SILENCE[waiting.left.min(SILENCE.len() - 1)];
                waiting.left += 1;
                waiting.again = Some(cx.now.mono.plus(silence));
            }
            if let Some(record) = cx.txn.get::<OutboxRecord>(slot, row_id(*seq))? {
                cx.effect(Stanza(record.stanza));
            }
        }
        Ok(())
    }
}

fn row_id(seq: u64) -> String {
    format!("{seq:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;
    use crate::jid::Jid;
    use crate::testkit::Bench;
    use crate::time::UnixSeconds;
    use crate::verdict::Attached;

    /// An outbox with one message that has just left.
    fn waiting(bench: &mut Bench) -> (Outbox, MessageId) {
        let mut outbox = Outbox::default();
        let (slot, id) = (bench.slot.clone(), MessageId::parse("A").unwrap());
        let (to, stanza) = (Jid::lid("1"), vec![1, 2, 3]);
        let record = OutboxRecord::new(&id, &to, stanza, UnixSeconds(7), Attached::Undecided);
        bench.run(|cx| {
            outbox.add(cx, &slot, OpId(1), id.clone(), &record);
            Ok(())
        });
        (outbox, id)
    }

    fn tick(bench: &mut Bench, outbox: &mut Outbox, seconds: u64, online: bool) -> usize {
        bench.now.mono = bench.now.mono.plus(Millis::from_secs(seconds));
        let slot = bench.slot.clone();
        let (_, effects) = bench.step(|cx| Ok(outbox.tick(cx, &slot, online)?));
        let bytes = |effect: &&Effect| **effect == Effect::Transmit(Stanza(vec![1, 2, 3]));
        effects.iter().filter(bytes).count()
    }

    #[test]
    fn a_silent_server_gets_the_same_bytes_twice_more_and_then_rarely() {
        let mut bench = Bench::new(1);
        let (mut outbox, _) = waiting(&mut bench);
        let sent = [24, 1, 24, 1, 299, 1, 299, 1];
        let sent = sent.map(|seconds| tick(&mut bench, &mut outbox, seconds, true));
        assert_eq!(sent, [0, 1, 0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn without_a_connection_nothing_is_due_again() {
        let mut bench = Bench::new(1);
        let (mut outbox, id) = waiting(&mut bench);
        assert!(outbox.busy(bench.now.mono, &id));
        let again = bench.now.mono.plus(BUSY[0]);
        assert_eq!(outbox.deadline(true), Some(again));
        assert_eq!(outbox.deadline(false), Some(bench.now.mono.plus(ANSWER)));
        assert_eq!(tick(&mut bench, &mut outbox, 6, false), 0);
        assert_eq!(tick(&mut bench, &mut outbox, 0, true), 1);
    }
}
