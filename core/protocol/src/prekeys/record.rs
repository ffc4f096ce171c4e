//! Our prekeys in the store.
//!
//! ```text
//! PreKey / "00002a"        -> private key, uploaded            id as six hex digits
//! SignedPreKey / "000001"  -> private key, signature, created
//! ```

use crate::crypto::curve::{KeyPair, PrivateKey};
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record};

/// Prekey ids have 24 bits.
pub const MAX_ID: u32 = 0xff_ffff;

/// The row id of a prekey.
pub fn key(id: u32) -> String {
    format!("{:06x}", id & MAX_ID)
}

/// A one-time prekey of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreKeyRecord {
    /// Its 24-bit id.
    pub id: u32,
    /// The key.
    pub pair: KeyPair,
    /// The server may have it: never upload it again.
    pub uploaded: bool,
}

/// A signed prekey of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedPreKeyRecord {
    /// Its 24-bit id.
    pub id: u32,
    /// The key.
    pub pair: KeyPair,
    /// Signature of the identity over the typed key.
    pub signature: [u8; 64],
    /// When it was made.
    pub created: UnixSeconds,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PreKeyRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(bytes = "vec", tag = "2")]
    private: Vec<u8>,
    #[prost(bool, tag = "3")]
    uploaded: bool,
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
        let row: PreKeyRow = prost::Message::decode(body).ok()?;
        Some(Self {
            id: row.id,
            pair: KeyPair::from_private(PrivateKey::from_slice(&row.private)?),
            uploaded: row.uploaded,
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
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
        let row: SignedPreKeyRow = prost::Message::decode(body).ok()?;
        Some(Self {
            id: row.id,
            pair: KeyPair::from_private(PrivateKey::from_slice(&row.private)?),
            signature: row.signature.as_slice().try_into().ok()?,
            created: UnixSeconds(row.created),
        })
    }
}
