//! Keys and typed records: `scope / namespace / id -> version byte + protobuf`.

use core::cmp::Ordering;
use core::fmt;
use std::sync::Arc;

use prost::Message;

use crate::error::StoreError;
use crate::peer::AccountKey;
use crate::txn::Id;

/// Who owns a row.
///
/// Rows of the companion device (keys, sessions, outbox) belong to the slot, the name a host gave
/// the account. Rows of the account itself (tokens, salt, limits) belong to the account and so
/// survive a re-link.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope of a device slot.
    pub fn slot(name: &str) -> Self {
        Self(format!("slot:{name}").into())
    }

    /// The scope of an account, whatever device it is linked through.
    pub fn account(account: &AccountKey) -> Self {
        Self(format!("acct:{}", account.0.storage()).into())
    }

    /// Reads [`Scope::as_str`] back; any text is a scope.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The text in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Keys of one step share the text of their scope, so most comparisons end at the pointer.
impl Ord for Scope {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.starts_with("acct:") {
            "Scope(acct:…)"
        } else {
            "Scope(slot:…)"
        })
    }
}

/// A kind of record. The number is in the store and never changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(u8)]
pub enum Namespace {
    /// The device's keys, registration and link state: one row a slot.
    Device = 1,
    /// Identity keys of peers, by device address.
    Identity = 2,
    /// Signal sessions, by device address.
    Session = 3,
    /// Our one-time prekeys, by id.
    PreKey = 4,
    /// Our signed prekeys, by id.
    SignedPreKey = 5,
    /// Sender keys of groups, ours and those of other devices.
    SenderKey = 6,
    /// Device lists, by peer.
    Devices = 7,
    /// LID of a phone number.
    LidOfPn = 8,
    /// Phone number of a LID.
    PnOfLid = 9,
    /// Trusted-contact tokens, by peer.
    Token = 10,
    /// The NCT salt.
    Salt = 11,
    /// AB props.
    Props = 12,
    /// Timelock and capping.
    Limits = 13,
    /// Messages without an answer.
    Outbox = 14,
    /// Plaintext of sent messages for retry receipts, bounded in number and age.
    Recent = 15,
    /// Messages of others that the server has no receipt for yet.
    Seen = 16,
    /// The cached certificate chain.
    Certs = 17,
    /// Counters such as the next prekey id.
    Counters = 18,
    /// What happened between us and a contact, by peer; and to the account itself.
    Timeline = 19,
    /// Keys of app state, by id.
    AppStateKey = 20,
    /// Where each collection of app state stands.
    AppState = 21,
    /// Value MACs of app state, by collection and index MAC.
    AppStateIndex = 22,
    /// Which devices have our sender key, by group.
    SenderKeyMarks = 24,
    /// Members and settings of groups, by group.
    Groups = 25,
    /// Parts of the history that wait to be fetched, by message id.
    History = 26,
    /// Secrets of polls and events of others, for votes and answers.
    MessageSecret = 28,
    /// Messages that the phone is asked for, because no device gave them to us.
    Placeholder = 29,
    /// Damaged rows, moved out of the way as they were; nothing reads them.
    Quarantine = 30,
    /// For the conformance suite and hosts' experiments.
    Scratch = 250,
}

impl Namespace {
    /// The number in the store.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The full key of a row.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Owner.
    pub scope: Scope,
    /// Kind.
    pub ns: Namespace,
    /// Id within the kind: short ASCII, ordered bytewise.
    pub id: Id,
}

impl Key {
    /// A key.
    pub fn new(scope: &Scope, ns: Namespace, id: impl AsRef<[u8]>) -> Self {
        Self {
            scope: scope.clone(),
            ns,
            id: id.as_ref().into(),
        }
    }
}

/// A record that lies in the store as a version byte and a body.
pub trait Record: Sized {
    /// Where it lies.
    const NAMESPACE: Namespace;
    /// The version that [`Record::encode`] writes.
    const VERSION: u8;

    /// The body, without the version byte.
    fn encode(&self) -> Vec<u8>;

    /// Reads a body of `version` (at most [`Record::VERSION`]); `None` when it is damaged.
    fn decode(version: u8, body: &[u8]) -> Option<Self>;

    /// Version byte and [`Record::encode`].
    fn to_row(&self) -> Vec<u8> {
        let body = self.encode();
        let mut row = Vec::with_capacity(1 + body.len());
        row.push(Self::VERSION);
        row.extend(body);
        row
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`StoreError::Version`] for a newer record, [`StoreError::Corrupt`] for a damaged one.
    fn from_row(row: &[u8]) -> Result<Self, StoreError> {
        let damaged =
            || StoreError::Corrupt(format!("a {:?} record does not decode", Self::NAMESPACE));
        let (&version, body) = row.split_first().ok_or_else(damaged)?;
        // No record has version 0: a row of zeros is what a bad disk leaves.
        if version == 0 {
            return Err(damaged());
        }
        if version > Self::VERSION {
            return Err(StoreError::Version {
                namespace: Self::NAMESPACE,
                found: version,
            });
        }
        Self::decode(version, body).ok_or_else(damaged)
    }
}

/// The row of a record whose body is `message`, without the body in between.
pub fn row_of<R: Record>(message: &impl Message) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + message.encoded_len());
    row.push(R::VERSION);
    message.encode_raw(&mut row);
    row
}

/// Implements [`Record`] for a prost message: the body is the message itself.
#[macro_export]
macro_rules! prost_record {
    ($type:ty, $namespace:ident, version $version:literal) => {
        impl $crate::txn::Record for $type {
            const NAMESPACE: $crate::txn::Namespace = $crate::txn::Namespace::$namespace;
            const VERSION: u8 = $version;

            fn encode(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self)
            }

            fn to_row(&self) -> Vec<u8> {
                $crate::txn::row_of::<Self>(self)
            }

            fn decode(_version: u8, body: &[u8]) -> Option<Self> {
                prost::Message::decode(body).ok()
            }
        }
    };
}
