//! What is kept of a collection: where it stands, and the value MAC of each of its rows.
//!
//! ```text
//! AppState / <name>                       -> version, hash, whether a sync is due, the last reset
//! AppStateIndex / <name>:hex(index MAC)   -> value MAC                        (slot scope)
//! ```
//! The values themselves are not kept: what matters of them goes where it is used.

use core::fmt::Write as _;

use prost::Message;

use super::Collection;
use super::lthash::LtHash;
use crate::error::{Fault, StoreError};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Record, Scope, Txn};

/// Rows deleted at once.
const BATCH: usize = 512;

/// Where a collection stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    /// 0 until something was applied; then a snapshot is wanted.
    pub version: u64,
    /// Over the values of this version.
    pub hash: LtHash,
    /// The server has, or may have, something newer.
    pub due: bool,
    /// When everything was thrown away to begin anew; `None` when it never had to be.
    pub reset: Option<UnixSeconds>,
}

impl Default for State {
    /// A collection that was never asked for.
    fn default() -> Self {
        Self {
            version: 0,
            hash: LtHash::default(),
            due: true,
            reset: None,
        }
    }
}

impl State {
    /// What is stored.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope, collection: Collection) -> Result<Self, StoreError> {
        Ok(txn.get(slot, collection.name())?.unwrap_or_default())
    }

    /// Stores it.
    pub fn save(&self, cx: &mut Cx<'_>, slot: &Scope, collection: Collection) {
        cx.txn.put(slot, collection.name(), self);
    }
}

/// The value MAC of a row; `None` when the collection does not have it.
pub(super) fn value_mac(
    txn: &Txn<'_>,
    slot: &Scope,
    collection: Collection,
    index_mac: &[u8; 32],
) -> Result<Option<[u8; 32]>, StoreError> {
    let row: Option<IndexRecord> = txn.get(slot, id(collection, index_mac))?;
    Ok(row.map(|row| row.0))
}

/// Stores the value MAC of a row, or deletes it.
pub(super) fn put(
    cx: &mut Cx<'_>,
    slot: &Scope,
    collection: Collection,
    index_mac: &[u8; 32],
    value_mac: Option<[u8; 32]>,
) {
    let id = id(collection, index_mac);
    match value_mac {
        Some(mac) => cx.txn.put(slot, id, &IndexRecord(mac)),
        None => cx.txn.delete(slot, Namespace::AppStateIndex, id),
    }
}

/// Deletes all rows of a collection.
pub(super) fn clear(cx: &mut Cx<'_>, slot: &Scope, collection: Collection) -> Result<(), Fault> {
    let prefix = prefix(collection);
    let ns = Namespace::AppStateIndex;
    loop {
        let rows = cx.txn.scan(slot, ns, prefix.as_bytes(), None, BATCH)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (id, _) in rows {
            cx.txn.delete(slot, ns, id);
        }
    }
}

fn prefix(collection: Collection) -> String {
    format!("{}:", collection.name())
}

fn id(collection: Collection, index_mac: &[u8; 32]) -> String {
    index_mac.iter().fold(prefix(collection), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

struct IndexRecord([u8; 32]);

impl Record for IndexRecord {
    const NAMESPACE: Namespace = Namespace::AppStateIndex;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        Some(Self(body.try_into().ok()?))
    }
}

impl Record for State {
    const NAMESPACE: Namespace = Namespace::AppState;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let Self {
            version,
            hash,
            due,
            reset,
        } = self;
        let row = StateRow {
            version: *version,
            hash: hash.as_bytes().to_vec(),
            due: *due,
            reset: reset.map(|t| t.0),
        };
        row.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = StateRow::decode(body).ok()?;
        Some(Self {
            version: row.version,
            hash: LtHash::from_bytes(row.hash.try_into().ok()?),
            due: row.due,
            reset: row.reset.map(UnixSeconds),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct StateRow {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(bytes = "vec", tag = "2")]
    hash: Vec<u8>,
    #[prost(bool, tag = "3")]
    due: bool,
    #[prost(int64, optional, tag = "4")]
    reset: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    #[test]
    fn the_bytes_of_the_rows_never_change() {
        let state = State {
            version: 7,
            hash: LtHash::from_bytes([9; 128]),
            due: true,
            reset: Some(UnixSeconds(5)),
        };
        let expected = format!("01080712{}{}18012005", "8001", "09".repeat(128));
        assert_eq!(hex::encode(state.to_row()), expected);
        assert_eq!(State::from_row(&state.to_row()), Ok(state));
        let index = IndexRecord([3; 32]);
        assert_eq!(
            hex::encode(index.to_row()),
            format!("01{}", "03".repeat(32))
        );
    }

    #[test]
    fn clearing_takes_one_collection_and_what_this_step_wrote() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let (high, low) = (Collection::RegularHigh, Collection::Regular);
        bench.run(|cx| {
            (0..=255).for_each(|n| put(cx, &slot, high, &[n; 32], Some([n; 32])));
            put(cx, &slot, low, &[1; 32], Some([1; 32]));
            Ok(())
        });
        bench.run(|cx| {
            put(cx, &slot, high, &[7; 32], Some([8; 32]));
            clear(cx, &slot, high)?;
            put(cx, &slot, high, &[9; 32], Some([9; 32]));
            Ok(())
        });
        let left = bench.run(|cx| {
            let of = |collection, n| value_mac(&cx.txn, &slot, collection, &[n; 32]);
            Ok([of(high, 7)?, of(high, 8)?, of(high, 9)?, of(low, 1)?])
        });
        assert_eq!(left, [None, None, Some([9; 32]), Some([1; 32])]);
    }
}
