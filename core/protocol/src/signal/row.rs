//! Sessions as they lie in the store, behind a version byte.

use prost::Message as _;

use super::chain::{ChainKey, ReceivingChain, RootKey, Seed};
use super::session::{Pending, Session, Sessions};
use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;
use crate::txn::{Namespace, Record};

impl Record for Sessions {
    const NAMESPACE: Namespace = Namespace::Session;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let sessions = self.0.iter().map(SessionRow::from).collect();
        SessionsRow { sessions }.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = SessionsRow::decode(body).ok()?;
        let sessions = row.sessions.iter().map(SessionRow::read);
        sessions.collect::<Option<_>>().map(Self)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct SessionsRow {
    #[prost(message, repeated, tag = "1")]
    sessions: Vec<SessionRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct SessionRow {
    #[prost(bytes = "vec", tag = "1")]
    identity: Vec<u8>,
    #[prost(uint32, optional, tag = "2")]
    registration_id: Option<u32>,
    #[prost(bytes = "vec", tag = "3")]
    base: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    root: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    ratchet: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    sending: Option<ChainRow>,
    #[prost(uint32, tag = "7")]
    previous_counter: u32,
    #[prost(message, repeated, tag = "8")]
    receiving: Vec<ReceivingRow>,
    #[prost(message, optional, tag = "9")]
    pending: Option<PendingRow>,
    /// Derived from `ratchet`, but deriving it costs more than the rest of a message.
    #[prost(bytes = "vec", tag = "10")]
    ratchet_public: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ChainRow {
    #[prost(uint32, tag = "1")]
    index: u32,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ReceivingRow {
    #[prost(bytes = "vec", tag = "1")]
    theirs: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    chain: Option<ChainRow>,
    /// Counters and seeds of the messages that did not come yet.
    #[prost(message, repeated, tag = "3")]
    skipped: Vec<ChainRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PendingRow {
    #[prost(uint32, optional, tag = "1")]
    pre_key_id: Option<u32>,
    #[prost(uint32, tag = "2")]
    signed_pre_key_id: u32,
}

super::wipe_on_drop!(SessionRow: root, ratchet);
super::wipe_on_drop!(ChainRow: key);

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        let Session {
            identity,
            registration_id,
            base,
            root,
            ratchet,
            sending,
            previous_counter,
            receiving,
            pending,
        } = session;
        Self {
            identity: identity.as_bytes().to_vec(),
            registration_id: *registration_id,
            base: base.as_bytes().to_vec(),
            root: root.secret().expose().to_vec(),
            ratchet: ratchet.private.expose().to_vec(),
            ratchet_public: ratchet.public.as_bytes().to_vec(),
            sending: Some(ChainRow::new(sending.index, &sending.key)),
            previous_counter: *previous_counter,
            receiving: receiving.iter().map(ReceivingRow::from).collect(),
            pending: pending.map(|pending| PendingRow {
                pre_key_id: pending.pre_key_id,
                signed_pre_key_id: pending.signed_pre_key_id,
            }),
        }
    }
}

impl SessionRow {
    fn read(&self) -> Option<Session> {
        Some(Session {
            identity: PublicKey::from_raw(&self.identity)?,
            registration_id: self.registration_id,
            base: PublicKey::from_raw(&self.base)?,
            root: RootKey::new(Secret::from_slice(&self.root)?),
            ratchet: KeyPair {
                public: PublicKey::from_raw(&self.ratchet_public)?,
                private: PrivateKey::from_slice(&self.ratchet)?,
            },
            sending: self.sending.as_ref()?.read()?,
            previous_counter: self.previous_counter,
            receiving: self
                .receiving
                .iter()
                .map(ReceivingRow::read)
                .collect::<Option<_>>()?,
            pending: self.pending.as_ref().map(|pending| Pending {
                pre_key_id: pending.pre_key_id,
                signed_pre_key_id: pending.signed_pre_key_id,
            }),
        })
    }
}

impl From<&ReceivingChain> for ReceivingRow {
    fn from(receiving: &ReceivingChain) -> Self {
        let ReceivingChain {
            theirs,
            chain,
            skipped,
        } = receiving;
        Self {
            theirs: theirs.as_bytes().to_vec(),
            chain: Some(ChainRow::new(chain.index, &chain.key)),
            skipped: skipped
                .iter()
                .map(|(counter, seed)| ChainRow::new(*counter, &seed.0))
                .collect(),
        }
    }
}

impl ReceivingRow {
    fn read(&self) -> Option<ReceivingChain> {
        let seed = |row: &ChainRow| Some((row.index, Seed(Secret::from_slice(&row.key)?)));
        Some(ReceivingChain {
            theirs: PublicKey::from_raw(&self.theirs)?,
            chain: self.chain.as_ref()?.read()?,
            skipped: self.skipped.iter().map(seed).collect::<Option<_>>()?,
        })
    }
}

impl ChainRow {
    fn new(index: u32, key: &Secret<32>) -> Self {
        Self {
            index,
            key: key.expose().to_vec(),
        }
    }

    fn read(&self) -> Option<ChainKey> {
        Some(ChainKey {
            index: self.index,
            key: Secret::from_slice(&self.key)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(index: u32, byte: u8) -> ChainKey {
        ChainKey {
            index,
            key: Secret::new([byte; 32]),
        }
    }

    fn session() -> Session {
        let mut receiving = ReceivingChain::new(PublicKey::new([5; 32]), chain(3, 6));
        receiving.skipped = vec![(1, Seed(Secret::new([7; 32])))];
        Session {
            identity: PublicKey::new([1; 32]),
            registration_id: Some(0),
            base: PublicKey::new([2; 32]),
            root: RootKey::new(Secret::new([3; 32])),
            ratchet: KeyPair::from_private(PrivateKey::from_bytes([0x48; 32])),
            sending: chain(0, 4),
            previous_counter: 2,
            receiving: vec![receiving],
            pending: Some(Pending {
                pre_key_id: Some(0),
                signed_pre_key_id: 9,
            }),
        }
    }

    fn key(tag: &str, byte: &str) -> String {
        format!("{tag}20{}", byte.repeat(32))
    }

    #[test]
    fn the_bytes_of_a_row_stay_as_they_are() {
        let skipped = format!("1a240801{}", key("12", "07"));
        let received = format!("{}12240803{}{skipped}", key("0a", "05"), key("12", "06"));
        let body = [
            key("0a", "01"),
            "1000".into(),
            key("1a", "02"),
            key("22", "03"),
            key("2a", "48"),
            format!("3222{}", key("12", "04")),
            "3802".into(),
            format!("426e{received}"),
            "4a0408001009".into(),
            "52209177b23278cbf0f3d17c36f2acc9b55e9c85f87b220a5386ec370d663e20e337".into(),
        ]
        .concat();
        let row = format!("010ac802{body}");
        assert_eq!(hex::encode(Sessions(vec![session()]).to_row()), row);
    }

    #[test]
    fn a_row_comes_back_whole() {
        let mut bare = session();
        bare.pending = None;
        bare.registration_id = None;
        bare.receiving.clear();
        let row = Sessions(vec![session(), bare]).to_row();
        assert_eq!(Sessions::from_row(&row).unwrap().to_row(), row);
    }

    #[test]
    fn a_cut_row_is_damaged() {
        let row = Sessions(vec![session()]).to_row();
        for length in 2..row.len() {
            assert!(Sessions::from_row(&row[..length]).is_err(), "{length}");
        }
    }
}
