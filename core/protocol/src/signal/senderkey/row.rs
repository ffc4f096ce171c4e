//! Sender keys as they lie in the store, behind a version byte.

use prost::Message as _;

use super::key::{OwnSenderKey, PeerKeyState, PeerKeys};
use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;
use crate::signal::chain::{ChainKey, Seed};
use crate::txn::{Namespace, Record};

impl Record for OwnSenderKey {
    const NAMESPACE: Namespace = Namespace::SenderKey;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        OwnRow {
            id: self.id,
            chain: Some(ChainRow::new(self.chain.index, &self.chain.key)),
            signing: self.signing.private.expose().to_vec(),
            signing_public: self.signing.public.as_bytes().to_vec(),
        }
        .encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = OwnRow::decode(body).ok()?;
        Some(Self {
            id: row.id,
            chain: row.chain.as_ref()?.read()?,
            signing: KeyPair {
                public: PublicKey::from_raw(&row.signing_public)?,
                private: PrivateKey::from_slice(&row.signing)?,
            },
        })
    }
}

impl Record for PeerKeys {
    const NAMESPACE: Namespace = Namespace::SenderKey;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let states = self.0.iter().map(StateRow::from).collect();
        PeerRow { states }.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = PeerRow::decode(body).ok()?;
        let states = row.states.iter().map(StateRow::read);
        states.collect::<Option<_>>().map(Self)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct OwnRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(message, optional, tag = "2")]
    chain: Option<ChainRow>,
    #[prost(bytes = "vec", tag = "3")]
    signing: Vec<u8>,
    /// Derived from `signing`, but deriving it costs more than the rest of a message.
    #[prost(bytes = "vec", tag = "4")]
    signing_public: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PeerRow {
    #[prost(message, repeated, tag = "1")]
    states: Vec<StateRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct StateRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(bytes = "vec", tag = "2")]
    signing: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    chain: Option<ChainRow>,
    /// Iterations and seeds of the messages that did not come yet.
    #[prost(message, repeated, tag = "4")]
    skipped: Vec<ChainRow>,
    #[prost(uint32, tag = "5")]
    first: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ChainRow {
    #[prost(uint32, tag = "1")]
    iteration: u32,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

crate::signal::wipe_on_drop!(OwnRow: signing);
crate::signal::wipe_on_drop!(ChainRow: key);

impl From<&PeerKeyState> for StateRow {
    fn from(state: &PeerKeyState) -> Self {
        let PeerKeyState {
            id,
            signing,
            chain,
            first,
            skipped,
        } = state;
        let skipped = skipped
            .iter()
            .map(|(iteration, seed)| ChainRow::new(*iteration, &seed.0));
        Self {
            id: *id,
            signing: signing.as_bytes().to_vec(),
            chain: Some(ChainRow::new(chain.index, &chain.key)),
            skipped: skipped.collect(),
            first: *first,
        }
    }
}

impl StateRow {
    fn read(&self) -> Option<PeerKeyState> {
        let seed = |row: &ChainRow| Some((row.iteration, Seed(Secret::from_slice(&row.key)?)));
        Some(PeerKeyState {
            id: self.id,
            signing: PublicKey::from_raw(&self.signing)?,
            chain: self.chain.as_ref()?.read()?,
            skipped: self.skipped.iter().map(seed).collect::<Option<_>>()?,
            first: self.first,
        })
    }
}

impl ChainRow {
    fn new(iteration: u32, key: &Secret<32>) -> Self {
        Self {
            iteration,
            key: key.expose().to_vec(),
        }
    }

    fn read(&self) -> Option<ChainKey> {
        Some(ChainKey {
            index: self.iteration,
            key: Secret::from_slice(&self.key)?,
        })
    }
}
