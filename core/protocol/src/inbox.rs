//! Messages that were opened here, kept until the server confirms our receipt.
//!
//! ```text
//! Seen / <sequence, 16 hex digits> -> InboxRecord        (slot scope, at most CAPACITY)
//! kept -> our receipt names its stanza, alone or with others -> the server acks that receipt -> gone
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

/// Messages kept; the oldest ones leave first. More than a batch of the offline backlog, so only a
/// server that confirms no receipts gets here.
pub const CAPACITY: usize = 256;

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
    /// The stanza that brought it, when that is another one's: an answer of our phone.
    #[prost(message, optional, tag = "9")]
    carrier: Option<CarrierRow>,
}

#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct CarrierRow {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    sender: String,
}

impl core::fmt::Debug for CarrierRow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CarrierRow")
    }
}

impl core::fmt::Debug for InboxRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "InboxRecord({} bytes)", self.payload.len())
    }
}

prost_record!(InboxRecord, Seen, version 1);

impl InboxRecord {
    fn of(message: &IncomingMessage, carrier: &Carrier) -> Self {
        let own = Carrier::of(message);
        Self {
            carrier: (own != *carrier).then(|| CarrierRow {
                id: carrier.id.as_str().into(),
                sender: carrier.sender.reveal(),
            }),
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

    fn into_message(self) -> Option<IncomingMessage> {
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

    /// The stanza that brought it; `None` when the row makes no sense.
    fn read_carrier(&self) -> Option<Carrier> {
        let (id, sender) = match &self.carrier {
            Some(row) => (&row.id, &row.sender),
            None => (&self.id, &self.sender),
        };
        Some(Carrier {
            id: MessageId::parse(id)?,
            sender: sender.parse().ok()?,
        })
    }
}

/// The stanza that brought a message: what the server delivers again, and what we send a receipt for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Carrier {
    /// Its id.
    pub id: MessageId,
    /// The device that sent it.
    pub sender: Jid,
}

impl Carrier {
    /// The stanza of a message that came by itself.
    pub fn of(message: &IncomingMessage) -> Self {
        Self {
            id: message.id.clone(),
            sender: message.sender.clone(),
        }
    }
}

/// What is known of a stanza that was opened before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Again {
    /// The host has its messages, and the server no confirmed receipt.
    Told,
    /// Nothing: it is done with, or brought no message.
    Unknown,
    /// Messages that an earlier process opened; the host gets them now.
    Untold(Vec<IncomingMessage>),
}

#[derive(Debug)]
struct Kept {
    seq: u64,
    carrier: Carrier,
    /// The host got it from this process.
    told: bool,
    /// The id of the receipt that names the stanza, once that has left.
    receipt: Option<MessageId>,
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
            Some(Kept {
                seq,
                carrier: InboxRecord::from_row(&row).ok()?.read_carrier()?,
                told: false,
                receipt: None,
            })
        });
        Ok(Self {
            kept: kept.collect(),
        })
    }

    /// Keeps a message that the host gets with this step.
    pub fn keep(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        message: &IncomingMessage,
        carrier: Carrier,
    ) {
        while self.kept.len() >= CAPACITY {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            cx.txn.delete(slot, Namespace::Seen, row_id(oldest.seq));
        }
        let seq = self.kept.back().map_or(0, |last| last.seq + 1);
        let record = InboxRecord::of(message, &carrier);
        cx.txn.put(slot, row_id(seq), &record);
        self.kept.push_back(Kept {
            seq,
            carrier,
            told: true,
            receipt: None,
        });
    }

    /// A stanza that was opened before came again.
    ///
    /// # Errors
    /// What the store says.
    pub fn again(
        &mut self,
        cx: &Cx<'_>,
        slot: &Scope,
        carrier: &Carrier,
    ) -> Result<Again, StoreError> {
        let (mut known, mut untold) = (false, Vec::new());
        for kept in self.kept.iter_mut().filter(|kept| kept.carrier == *carrier) {
            known = true;
            if core::mem::replace(&mut kept.told, true) {
                continue;
            }
            let record: Option<InboxRecord> = cx.txn.get(slot, row_id(kept.seq))?;
            untold.extend(record.and_then(InboxRecord::into_message));
        }
        Ok(match known {
            true if untold.is_empty() => Again::Told,
            true => Again::Untold(untold),
            false => Again::Unknown,
        })
    }

    /// A receipt leaves that names these stanzas of one device; its own id is that of the first.
    pub fn receipted(&mut self, sender: &Jid, ids: &[MessageId]) {
        let named =
            |kept: &&mut Kept| kept.carrier.sender == *sender && ids.contains(&kept.carrier.id);
        for kept in self.kept.iter_mut().filter(named) {
            kept.receipt = ids.first().cloned();
        }
    }

    /// The server has our receipt with that id: everything it names is done with.
    pub fn confirmed(&mut self, cx: &mut Cx<'_>, slot: &Scope, receipt: &MessageId) {
        let confirmed = |kept: &Kept| kept.receipt.as_ref() == Some(receipt);
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

    fn again(bench: &mut Bench, inbox: &mut Inbox, message: &IncomingMessage) -> Again {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(inbox.again(cx, &slot, &Carrier::of(message))?))
    }

    fn untold(message: &IncomingMessage) -> Again {
        Again::Untold(vec![message.clone()])
    }

    fn keep(bench: &mut Bench, inbox: &mut Inbox, message: &IncomingMessage) {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            inbox.keep(cx, &slot, message, Carrier::of(message));
            Ok(())
        });
    }

    fn confirm(bench: &mut Bench, inbox: &mut Inbox, receipt: &str) {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            inbox.confirmed(cx, &slot, &MessageId::parse(receipt).unwrap());
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
        assert_eq!(again(&mut bench, &mut inbox, &message), Again::Told);
        let mut inbox = reload(&mut bench);
        let mut other = message.clone();
        other.sender = Jid::lid("9");
        assert_eq!(again(&mut bench, &mut inbox, &other), Again::Unknown);
        assert_eq!(again(&mut bench, &mut inbox, &message), untold(&message));
        assert_eq!(again(&mut bench, &mut inbox, &message), Again::Told);
    }

    #[test]
    fn a_confirmed_receipt_ends_all_that_it_names_and_nothing_else() {
        let mut bench = Bench::new(1);
        let mut inbox = Inbox::default();
        let all = ["A", "B", "C"].map(message);
        for message in &all {
            keep(&mut bench, &mut inbox, message);
        }
        let mut other = message("B");
        other.sender = Jid::lid("9");
        keep(&mut bench, &mut inbox, &other);
        confirm(&mut bench, &mut inbox, "A");
        assert_eq!(
            again(&mut bench, &mut inbox, &all[0]),
            Again::Told,
            "no receipt yet"
        );
        inbox.receipted(&all[0].sender, &["A", "B"].map(|id| message(id).id));
        for receipt in ["B", "C", "A"] {
            assert_eq!(again(&mut bench, &mut inbox, &all[1]), Again::Told);
            confirm(&mut bench, &mut inbox, receipt);
        }
        for inbox in [&mut inbox, &mut reload(&mut bench)] {
            assert_eq!(again(&mut bench, inbox, &all[0]), Again::Unknown);
            assert_eq!(again(&mut bench, inbox, &all[1]), Again::Unknown);
        }
        let mut inbox = reload(&mut bench);
        assert_eq!(again(&mut bench, &mut inbox, &all[2]), untold(&all[2]));
        assert_eq!(again(&mut bench, &mut inbox, &other), untold(&other));
    }

    #[test]
    fn messages_that_another_stanza_brought_come_back_with_that_one() {
        let mut bench = Bench::new(1);
        let mut inbox = Inbox::default();
        let carrier = Carrier {
            id: MessageId::parse("ANSWER").unwrap(),
            sender: Jid::pn("7"),
        };
        let slot = bench.slot.clone();
        for id in ["A", "B"] {
            bench.run(|cx| {
                inbox.keep(cx, &slot, &message(id), carrier.clone());
                Ok(())
            });
        }
        let mut inbox = reload(&mut bench);
        let both = Again::Untold(["A", "B"].map(message).into());
        assert_eq!(again(&mut bench, &mut inbox, &message("A")), Again::Unknown);
        assert_eq!(bench.run(|cx| Ok(inbox.again(cx, &slot, &carrier)?)), both);
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
        assert_eq!(
            again(&mut bench, &mut inbox, &message("M2")),
            Again::Unknown
        );
        let kept = message("M3");
        assert_eq!(again(&mut bench, &mut inbox, &kept), untold(&kept));
    }
}
