//! Sender keys: one ciphertext for a whole group.
//!
//! ```text
//! own key:   id, chain, signing pair       its distribution goes pairwise to every member's devices
//! peer key:  id, chain, signing key        by device and group, the newest five
//! SenderKey / own:<account>/<group>        SenderKey / <device>/<group>            (slot scope)
//! ```
//!
//! Devices come first in the row ids, so the keys of an account follow it when its LID is learnt and
//! go with it when it is registered anew. A message that does not decrypt changes no row. Source:
//! spec section 7.5.

mod key;
mod message;
mod row;
#[cfg(test)]
mod tests;

use super::DecryptError;
use crate::error::StoreError;
use crate::jid::Jid;
use crate::peer::{DeviceAddress, PeerKey};
use crate::txn::{Cx, Namespace, Scope, Txn};

pub use key::OwnSenderKey;
use key::PeerKeys;
use message::{Distribution, Received};

/// Our key of a group as `own`, our account in the group's namespace; `None` before the first
/// message and after a rotation.
///
/// # Errors
/// What the store says.
pub fn own(
    txn: &Txn<'_>,
    slot: &Scope,
    group: &Jid,
    own: &PeerKey,
) -> Result<Option<OwnSenderKey>, StoreError> {
    txn.get(slot, own_id(group, own))
}

/// Writes our key of a group; a message that it encrypted may leave with this step only.
pub fn store_own(txn: &mut Txn<'_>, slot: &Scope, group: &Jid, own: &PeerKey, key: &OwnSenderKey) {
    txn.put(slot, own_id(group, own), key);
}

/// Deletes our key of a group: the next message starts another one that former members never see.
pub fn rotate(txn: &mut Txn<'_>, slot: &Scope, group: &Jid, own: &PeerKey) {
    txn.delete(slot, Namespace::SenderKey, own_id(group, own));
}

/// Takes over the key that a member's device sent us pairwise. A repeated distribution never turns
/// a chain back.
///
/// # Errors
/// Outer: what the store says. Inner: [`DecryptError::Malformed`] or [`DecryptError::InvalidKey`].
pub fn process(
    cx: &mut Cx<'_>,
    slot: &Scope,
    group: &Jid,
    from: &DeviceAddress,
    distribution: &[u8],
) -> Result<Result<(), DecryptError>, StoreError> {
    let distribution = match Distribution::parse(distribution) {
        Ok(distribution) => distribution,
        Err(error) => return Ok(Err(error)),
    };
    let mut keys = load(&cx.txn, slot, group, from)?;
    keys.learn(distribution);
    cx.txn.put(slot, peer_id(group, from), &keys);
    Ok(Ok(()))
}

/// Decrypts a `skmsg`; the plaintext is still padded.
///
/// # Errors
/// Outer: what the store says. Inner: why it did not decrypt; no row is changed then.
pub fn decrypt(
    cx: &mut Cx<'_>,
    slot: &Scope,
    group: &Jid,
    from: &DeviceAddress,
    bytes: &[u8],
) -> Result<Result<Vec<u8>, DecryptError>, StoreError> {
    let message = match Received::parse(bytes) {
        Ok(message) => message,
        Err(error) => return Ok(Err(error)),
    };
    let mut keys = load(&cx.txn, slot, group, from)?;
    let opened = keys.decrypt(&message);
    if opened.is_ok() {
        cx.txn.put(slot, peer_id(group, from), &keys);
    }
    Ok(opened)
}

fn load(
    txn: &Txn<'_>,
    slot: &Scope,
    group: &Jid,
    from: &DeviceAddress,
) -> Result<PeerKeys, StoreError> {
    match txn.get(slot, peer_id(group, from)) {
        Ok(keys) => Ok(keys.unwrap_or_default()),
        // A damaged row is as good as none; the device sends its key again when we ask.
        Err(StoreError::Corrupt(_)) => Ok(PeerKeys::default()),
        Err(error) => Err(error),
    }
}

fn own_id(group: &Jid, own: &PeerKey) -> String {
    format!("own:{}/{}", own.storage(), group.reveal())
}

fn peer_id(group: &Jid, device: &DeviceAddress) -> String {
    format!("{}/{}", device.storage(), group.reveal())
}
