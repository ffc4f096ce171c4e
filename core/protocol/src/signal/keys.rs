//! Our identity and prekeys, and the identities of others, as records.
//!
//! One-time and signed prekeys lie under their 24-bit id as six hex digits, so a scan is in the
//! order of ids; identities lie under the device address.

use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey};
use crate::error::StoreError;
use crate::peer::DeviceAddress;
use crate::secret::Entropy;
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record, Scope, Txn};

/// The highest prekey id; the next one is 1.
pub const MAX_PREKEY_ID: u32 = 0x00ff_ffff;

/// The id under which a prekey lies in the store.
pub fn prekey_row_id(id: u32) -> String {
    format!("{id:06x}")
}

/// What this device is towards every peer.
#[derive(Clone, Debug)]
pub struct OwnIdentity {
    /// The identity key.
    pub identity: KeyPair,
    /// Random number of this installation.
    pub registration_id: u32,
}

/// A one-time prekey of ours. It is deleted with the first message that used it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreKeyRecord {
    /// Its id, 1 to [`MAX_PREKEY_ID`].
    pub id: u32,
    /// The pair.
    pub pair: KeyPair,
    /// Given to the server, or about to be; such a key is never given out again.
    pub uploaded: bool,
}

impl PreKeyRecord {
    /// The key with `id`; `None` when it was used up or never existed.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope, id: u32) -> Result<Option<Self>, StoreError> {
        txn.get(slot, prekey_row_id(id))
    }

    /// Writes it under its id.
    pub fn store(&self, txn: &mut Txn<'_>, slot: &Scope) {
        txn.put(slot, prekey_row_id(self.id), self);
    }
}

impl Record for PreKeyRecord {
    const NAMESPACE: Namespace = Namespace::PreKey;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(&PreKeyRow {
            id: self.id,
            private: self.pair.private.expose().to_vec(),
            uploaded: self.uploaded,
        })
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = <PreKeyRow as prost::Message>::decode(body).ok()?;
        Some(Self {
            id: row.id,
            pair: KeyPair::from_private(PrivateKey::from_slice(&row.private)?),
            uploaded: row.uploaded,
        })
    }
}

/// A signed prekey of ours. Old ones are kept, since messages that use them may still come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedPreKeyRecord {
    /// Its id, 1 to [`MAX_PREKEY_ID`].
    pub id: u32,
    /// The pair.
    pub pair: KeyPair,
    /// XEdDSA of our identity over the typed public key.
    pub signature: [u8; 64],
    /// When it was made.
    pub created: UnixSeconds,
}

impl SignedPreKeyRecord {
    /// A fresh key signed by `identity`.
    pub fn generate(
        rng: &mut dyn Entropy,
        identity: &KeyPair,
        id: u32,
        created: UnixSeconds,
    ) -> Self {
        let pair = KeyPair::generate(rng);
        let signature = identity.private.sign(rng, &pair.public.typed());
        Self {
            id,
            pair,
            signature,
            created,
        }
    }

    /// The key with `id`; `None` when it does not exist.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope, id: u32) -> Result<Option<Self>, StoreError> {
        txn.get(slot, prekey_row_id(id))
    }

    /// Writes it under its id.
    pub fn store(&self, txn: &mut Txn<'_>, slot: &Scope) {
        txn.put(slot, prekey_row_id(self.id), self);
    }
}

impl Record for SignedPreKeyRecord {
    const NAMESPACE: Namespace = Namespace::SignedPreKey;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(&SignedPreKeyRow {
            id: self.id,
            private: self.pair.private.expose().to_vec(),
            signature: self.signature.to_vec(),
            created: self.created.0,
        })
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = <SignedPreKeyRow as prost::Message>::decode(body).ok()?;
        Some(Self {
            id: row.id,
            pair: KeyPair::from_private(PrivateKey::from_slice(&row.private)?),
            signature: row.signature.as_slice().try_into().ok()?,
            created: UnixSeconds(row.created),
        })
    }
}

/// The identity key a device was last seen with. A new one is accepted and reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TheirIdentity(pub PublicKey);

impl TheirIdentity {
    /// The identity of the device; `None` when we never met it.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(
        txn: &Txn<'_>,
        slot: &Scope,
        device: &DeviceAddress,
    ) -> Result<Option<Self>, StoreError> {
        txn.get(slot, device.storage())
    }

    /// Writes it; true when the device had another one before.
    ///
    /// # Errors
    /// What the store says.
    pub fn learn(
        self,
        txn: &mut Txn<'_>,
        slot: &Scope,
        device: &DeviceAddress,
    ) -> Result<bool, StoreError> {
        let known = Self::load(txn, slot, device)?;
        if known != Some(self) {
            txn.put(slot, device.storage(), &self);
        }
        Ok(known.is_some_and(|known| known != self))
    }
}

impl Record for TheirIdentity {
    const NAMESPACE: Namespace = Namespace::Identity;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        PublicKey::from_raw(body).map(Self)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PreKeyRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(bytes = "vec", tag = "2")]
    private: Vec<u8>,
    #[prost(bool, tag = "3")]
    uploaded: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct SignedPreKeyRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(bytes = "vec", tag = "2")]
    private: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(int64, tag = "4")]
    created: i64,
}

crate::signal::wipe_on_drop!(PreKeyRow: private);
crate::signal::wipe_on_drop!(SignedPreKeyRow: private);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerKey;
    use crate::testkit::{Bench, Seeded};

    #[test]
    fn records_come_back_and_their_bytes_stay() {
        let pair = KeyPair::from_private(PrivateKey::from_bytes([8; 32]));
        let prekey = PreKeyRecord {
            id: 42,
            pair: pair.clone(),
            uploaded: true,
        };
        let row = format!("01082a1220{}481801", "08".repeat(31));
        assert_eq!(hex::encode(prekey.to_row()), row);
        assert_eq!(PreKeyRecord::from_row(&prekey.to_row()), Ok(prekey));
        let signed = SignedPreKeyRecord::generate(&mut Seeded::new(1), &pair, 7, UnixSeconds(-5));
        assert_eq!(SignedPreKeyRecord::from_row(&signed.to_row()), Ok(signed));
    }

    #[test]
    fn a_signed_prekey_is_signed_over_its_typed_form() {
        let identity = KeyPair::generate(&mut Seeded::new(1));
        let signed =
            SignedPreKeyRecord::generate(&mut Seeded::new(2), &identity, 1, UnixSeconds(0));
        let typed = signed.pair.public.typed();
        assert!(identity.public.verify(&typed, &signed.signature));
    }

    #[test]
    fn prekey_rows_are_in_the_order_of_ids() {
        assert_eq!(prekey_row_id(42), "00002a");
        assert!(prekey_row_id(9) < prekey_row_id(10));
        assert_eq!(prekey_row_id(MAX_PREKEY_ID), "ffffff");
    }

    #[test]
    fn a_first_identity_is_no_change_and_another_one_is() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let device = DeviceAddress {
            peer: PeerKey::Lid("1".into()),
            device: 2,
            hosted: false,
        };
        for (key, changed) in [(1, false), (1, false), (2, true), (2, false)] {
            let key = TheirIdentity(PublicKey::new([key; 32]));
            let learnt = bench.run(|cx| Ok(key.learn(&mut cx.txn, &slot, &device)?));
            assert_eq!(learnt, changed);
        }
    }
}
