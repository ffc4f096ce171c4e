//! Plaintext of sent messages, kept for retry receipts and bounded in number: the newest
//! [`CAPACITY`] messages of an account.
//!
//! ```text
//! m:<message id>  -> RecentRecord        r:<slot in the ring> -> message id        n -> next slot
//! ```

use crate::error::StoreError;
use crate::prost_record;
use crate::txn::{Cx, Namespace, Scope, Txn};
use crate::verdict::MessageId;

/// Messages kept. More answers later retry receipts, fewer saves disk (about 300 bytes a text).
pub const CAPACITY: u32 = 1024;

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
    /// Resends so far, over all devices.
    #[prost(uint32, tag = "3")]
    pub resends: u32,
}

impl core::fmt::Debug for RecentRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RecentRecord({} bytes)", self.payload.len())
    }
}

prost_record!(RecentRecord, Recent, version 1);

#[derive(Clone, Eq, PartialEq, prost::Message)]
struct Slot {
    #[prost(string, tag = "1")]
    id: String,
}

prost_record!(Slot, Recent, version 1);

#[derive(Clone, Eq, PartialEq, prost::Message)]
struct NextSlot {
    #[prost(uint32, tag = "1")]
    slot: u32,
}

prost_record!(NextSlot, Recent, version 1);

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
    let next = cx
        .txn
        .get::<NextSlot>(slot, "n")?
        .map_or(0, |next| next.slot % CAPACITY);
    let ring = format!("r:{next:04x}");
    if let Some(old) = cx.txn.get::<Slot>(slot, &ring)? {
        cx.txn
            .delete(slot, Namespace::Recent, format!("m:{}", old.id));
    }
    cx.txn.put(slot, message_key(id), record);
    cx.txn.put(
        slot,
        ring,
        &Slot {
            id: id.as_str().into(),
        },
    );
    cx.txn.put(
        slot,
        "n",
        &NextSlot {
            slot: (next + 1) % CAPACITY,
        },
    );
    Ok(())
}

/// Overwrites a kept message (its resend count).
pub fn update(cx: &mut Cx<'_>, slot: &Scope, id: &MessageId, record: &RecentRecord) {
    cx.txn.put(slot, message_key(id), record);
}

fn message_key(id: &MessageId) -> String {
    format!("m:{}", id.as_str())
}
