//! Messages that were opened here, kept until the server confirms our receipt.
//!
//! ```text
//! Seen / <sequence, 16 hex digits> -> InboxRecord        (slot scope, at most CAPACITY)
//! ```
//! The ratchet opens a message once. If the process ends between the commit and the moment the host
//! gets the message, the server delivers it again, and this row is all that is left of its text.
//! Within one run a message is handed over once; after a restart it may come a second time, with the
//! same id.

use std::collections::VecDeque;

use crate::error::StoreError;
use crate::event::IncomingMessage;
use crate::jid::Jid;
use crate::prost_record;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Record, Scope, Txn};
use crate::verdict::MessageId;

/// Messages kept; the oldest ones leave first. Only a server that confirms no receipts gets here.
pub const CAPACITY: usize = 128;

/// A message as it lies in the store.
#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct InboxRecord {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    chat: String,
    #[prost(string, tag = "3")]
    sender: String,
    #[prost(bool, tag = "4")]
    from_me: bool,
    /// The server's time stamp, in seconds.
    #[prost(int64, tag = "5")]
    t: i64,
    #[prost(string, optional, tag = "6")]
    push_name: Option<String>,
    #[prost(string, optional, tag = "7")]
    text: Option<String>,
    #[prost(bytes = "vec", tag = "8")]
    payload: Vec<u8>,
}

impl core::fmt::Debug for InboxRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "InboxRecord({} bytes)", self.payload.len())
    }
}

prost_record!(InboxRecord, Seen, version 1);

impl InboxRecord {
    fn of(message: &IncomingMessage) -> Self {
        Self {
            id: message.id.as_str().into(),
            chat: message.chat.reveal(),
            sender: message.sender.reveal(),
            from_me: message.from_me,
            t: message.t.0,
            push_name: message.push_name.clone(),
            text: message.text.clone(),
            payload: message.payload.clone(),
        }
    }

    fn message(self) -> Option<IncomingMessage> {
        Some(IncomingMessage {
            id: MessageId::parse(&self.id)?,
            chat: self.chat.parse().ok()?,
            sender: self.sender.parse().ok()?,
            from_me: self.from_me,
            t: UnixSeconds(self.t),
            push_name: self.push_name,
            text: self.text,
            payload: self.payload,
        })
    }
}

#[derive(Debug)]
struct Kept {
    seq: u64,
    id: MessageId,
    sender: Jid,
    /// The host got it from this process.
    told: bool,
}

/// The index of what is kept; the rows are in the store.
#[derive(Debug, Default)]
pub struct Inbox {
    kept: VecDeque<Kept>,
}

impl Inbox {
    /// Rebuilds the index from the store. Damaged rows are passed over.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope) -> Result<Self, StoreError> {
        let rows = txn.scan(slot, Namespace::Seen, b"", None, CAPACITY)?;
        let kept = rows.into_iter().filter_map(|(key, row)| {
            let seq = u64::from_str_radix(core::str::from_utf8(&key).ok()?, 16).ok()?;
            let message = InboxRecord::from_row(&row).ok()?.message()?;
            Some(Kept {
                seq,
                id: message.id,
                sender: message.sender,
                told: false,
            })
        });
        Ok(Self {
            kept: kept.collect(),
        })
    }

    /// Keeps a message that the host gets with this step.
    pub fn keep(&mut self, cx: &mut Cx<'_>, slot: &Scope, message: &IncomingMessage) {
        while self.kept.len() >= CAPACITY {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            cx.txn.delete(slot, Namespace::Seen, row_id(oldest.seq));
        }
        let seq = self.kept.back().map_or(0, |last| last.seq + 1);
        cx.txn.put(slot, row_id(seq), &InboxRecord::of(message));
        self.kept.push_back(Kept {
            seq,
            id: message.id.clone(),
            sender: message.sender.clone(),
            told: true,
        });
    }

    /// A message that was opened by an earlier process and came again: its text, once.
    ///
    /// # Errors
    /// What the store says.
    pub fn again(
        &mut self,
        cx: &Cx<'_>,
        slot: &Scope,
        id: &MessageId,
        sender: &Jid,
    ) -> Result<Option<IncomingMessage>, StoreError> {
        let untold = |kept: &&mut Kept| !kept.told && kept.id == *id && kept.sender == *sender;
        let Some(kept) = self.kept.iter_mut().find(untold) else {
            return Ok(None);
        };
        kept.told = true;
        let record: Option<InboxRecord> = cx.txn.get(slot, row_id(kept.seq))?;
        Ok(record.and_then(InboxRecord::message))
    }

    /// The server has our receipt of that message.
    pub fn confirmed(&mut self, cx: &mut Cx<'_>, slot: &Scope, id: &MessageId) {
        let confirmed = |kept: &Kept| kept.id == *id && kept.told;
        for kept in self.kept.iter().filter(|kept| confirmed(kept)) {
            cx.txn.delete(slot, Namespace::Seen, row_id(kept.seq));
        }
        self.kept.retain(|kept| !confirmed(kept));
    }
}

fn row_id(seq: u64) -> String {
    format!("{seq:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    fn message(id: &str) -> IncomingMessage {
        IncomingMessage {
            id: MessageId::parse(id).unwrap(),
            chat: Jid::lid("1"),
            sender: Jid::lid("1").with_device(2),
            from_me: false,
            t: UnixSeconds(7),
            push_name: Some("Name".into()),
            text: None,
            payload: vec![1, 2, 3],
        }
    }

    fn again(bench: &mut Bench, inbox: &mut Inbox, message: &IncomingMessage) -> bool {
        let slot = bench.slot.clone();
        let found = bench.run(|cx| Ok(inbox.again(cx, &slot, &message.id, &message.sender)?));
        found.is_some_and(|found| found == *message)
    }

    fn keep(bench: &mut Bench, inbox: &mut Inbox, message: &IncomingMessage) {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            inbox.keep(cx, &slot, message);
            Ok(())
        });
    }

    fn reload(bench: &mut Bench) -> Inbox {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(Inbox::load(&cx.txn, &slot)?))
    }

    #[test]
    fn a_message_comes_back_once_and_only_after_a_restart() {
        let mut bench = Bench::new(1);
        let mut inbox = Inbox::default();
        let message = message("A");
        keep(&mut bench, &mut inbox, &message);
        assert!(!again(&mut bench, &mut inbox, &message));
        let mut inbox = reload(&mut bench);
        let mut other = message.clone();
        other.sender = Jid::lid("9");
        assert!(!again(&mut bench, &mut inbox, &other));
        assert!(again(&mut bench, &mut inbox, &message));
        assert!(!again(&mut bench, &mut inbox, &message));
    }

    #[test]
    fn a_confirmed_message_is_gone() {
        let mut bench = Bench::new(1);
        let mut inbox = Inbox::default();
        keep(&mut bench, &mut inbox, &message("A"));
        keep(&mut bench, &mut inbox, &message("B"));
        let slot = bench.slot.clone();
        bench.run(|cx| {
            inbox.confirmed(cx, &slot, &message("A").id);
            Ok(())
        });
        let mut inbox = reload(&mut bench);
        assert!(!again(&mut bench, &mut inbox, &message("A")));
        assert!(again(&mut bench, &mut inbox, &message("B")));
    }

    #[test]
    fn what_nobody_confirms_is_bounded() {
        let mut bench = Bench::new(1);
        let mut inbox = Inbox::default();
        let rows = bench.store.len();
        for n in 0..CAPACITY + 3 {
            keep(&mut bench, &mut inbox, &message(&format!("M{n}")));
        }
        assert_eq!(bench.store.len(), rows + CAPACITY);
        let mut inbox = reload(&mut bench);
        assert!(!again(&mut bench, &mut inbox, &message("M2")));
        assert!(again(&mut bench, &mut inbox, &message("M3")));
    }
}
