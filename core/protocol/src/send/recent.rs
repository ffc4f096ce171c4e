//! Plaintext of sent messages, kept for retry receipts: the newest [`CAPACITY`] messages of an account,
//! for [`LIFETIME`].
//!
//! ```text
//! m:<message id>  -> RecentRecord        r:<slot in the ring> -> message id        n -> next slot
//! ```

use crate::error::StoreError;
use crate::prost_record;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Record, Scope, Txn, ring};
use crate::verdict::MessageId;

/// Messages kept. More answers later retry receipts, fewer saves disk (about 300 bytes a text).
pub const CAPACITY: u32 = 1024;

/// How long a message is kept, in seconds: two weeks. A phone that was off for longer is rare, and the
/// server itself keeps no message longer than about a month.
pub const LIFETIME: i64 = 14 * 86_400;

/// A sent message.
#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct RecentRecord {
    /// Wire recipient.
    #[prost(string, tag = "1")]
    pub to: String,
    /// The `Message` protobuf, unpadded.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
    /// When it was encrypted first, in unix seconds; 0 if the row does not say.
    #[prost(int64, tag = "4")]
    pub t: i64,
}

impl core::fmt::Debug for RecentRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RecentRecord({} bytes)", self.payload.len())
    }
}

prost_record!(RecentRecord, Recent, version 1);

/// The message with that id, if it is still kept.
///
/// # Errors
/// What the store says.
pub fn find(
    txn: &Txn<'_>,
    slot: &Scope,
    id: &MessageId,
) -> Result<Option<RecentRecord>, StoreError> {
    txn.get(slot, message_key(id))
}

/// Keeps a sent message; the oldest one leaves when there are too many.
///
/// # Errors
/// What the store says.
pub fn remember(
    cx: &mut Cx<'_>,
    slot: &Scope,
    id: &MessageId,
    record: &RecentRecord,
) -> Result<(), StoreError> {
    let ns = Namespace::Recent;
    if let Some(oldest) = ring::push(&mut cx.txn, slot, ns, CAPACITY, id.as_str())? {
        cx.txn.delete(slot, ns, format!("m:{oldest}"));
    }
    cx.txn.put(slot, message_key(id), record);
    Ok(())
}

/// Deletes what is older than [`LIFETIME`].
///
/// # Errors
/// What the store says.
pub fn prune(cx: &mut Cx<'_>, slot: &Scope, now: UnixSeconds) -> Result<(), StoreError> {
    let most = usize::try_from(CAPACITY).unwrap_or(usize::MAX);
    for (key, row) in cx.txn.scan(slot, Namespace::Recent, b"m:", None, most)? {
        let record = RecentRecord::from_row(&row).unwrap_or_default();
        if now.0.saturating_sub(record.t) > LIFETIME {
            cx.txn.delete(slot, Namespace::Recent, key);
        }
    }
    Ok(())
}

/// Overwrites a kept message, which was built anew.
pub fn update(cx: &mut Cx<'_>, slot: &Scope, id: &MessageId, record: &RecentRecord) {
    cx.txn.put(slot, message_key(id), record);
}

fn message_key(id: &MessageId) -> String {
    format!("m:{}", id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    #[test]
    fn messages_leave_when_they_are_too_many_or_too_old() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let id = |n: i64| MessageId::parse(&format!("M{n}")).unwrap();
        let more = i64::from(CAPACITY) + 2;
        let left = bench.run(|cx| {
            for n in 0..more {
                let record = RecentRecord {
                    t: n,
                    ..RecentRecord::default()
                };
                remember(cx, &slot, &id(n), &record)?;
            }
            prune(cx, &slot, UnixSeconds(LIFETIME + 5))?;
            let left = (0..more).filter_map(|n| find(&cx.txn, &slot, &id(n)).ok()?);
            Ok(left.map(|record| record.t).collect::<Vec<_>>())
        });
        assert_eq!(left, (5..more).collect::<Vec<_>>());
        let left = bench.run(|cx| {
            prune(cx, &slot, UnixSeconds(LIFETIME + more))?;
            Ok(cx.txn.scan(&slot, Namespace::Recent, b"m:", None, 9)?)
        });
        assert_eq!(left, []);
    }
}
