//! The newest rows of a kind, whatever their ids: a ring of names beside them.
//!
//! ```text
//! r:<slot in the ring> -> row id        n -> next slot
//! ```

use prost::Message;

use crate::error::StoreError;
use crate::txn::{Key, Namespace, Scope, Txn};

/// The version byte of the ring's own rows.
const VERSION: u8 = 1;

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Next {
    #[prost(uint32, tag = "1")]
    slot: u32,
}

/// Notes a new row; the one that it pushes out of a ring of `capacity`, if there is one. A damaged
/// row of the ring counts as none.
///
/// # Errors
/// What the store says.
pub fn push(
    txn: &mut Txn<'_>,
    scope: &Scope,
    ns: Namespace,
    capacity: u32,
    id: &str,
) -> Result<Option<String>, StoreError> {
    let next_key = Key::new(scope, ns, "n");
    let next = read::<Next>(txn, &next_key)?.map_or(0, |next| next.slot % capacity);
    let key = Key::new(scope, ns, format!("r:{next:04x}"));
    let oldest = read::<Name>(txn, &key)?.map(|name| name.id);
    txn.put_row(key, row(&Name { id: id.into() }));
    let slot = (next + 1) % capacity;
    txn.put_row(next_key, row(&Next { slot }));
    Ok(oldest)
}

fn read<M: Message + Default>(txn: &Txn<'_>, key: &Key) -> Result<Option<M>, StoreError> {
    let row = txn.row(key)?;
    Ok(row.and_then(|row| M::decode(row.strip_prefix(&[VERSION])?).ok()))
}

fn row(message: &impl Message) -> Vec<u8> {
    let mut row = vec![VERSION];
    row.extend(message.encode_to_vec());
    row
}
