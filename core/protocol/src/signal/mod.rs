//! Sessions with single devices: start, encrypt, decrypt, each within a transaction.
//!
//! ```text
//! establish(bundle)            Session + Identity rows, the session before is archived
//! encrypt(plaintext)           advanced Session row and the ciphertext, in one step
//! decrypt(pkmsg | msg)         Session (+ Identity, - PreKey) rows and the plaintext, in one step
//! ```
//!
//! A message key is used once because the ciphertext leaves only after the row that is beyond it is
//! durable. A message that does not decrypt changes no row. Source: spec section 7.

mod chain;
pub mod keys;
mod message;
pub mod padding;
mod row;
pub mod senderkey;
mod session;
mod start;
#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;
mod x3dh;

use core::fmt;

use self::keys::{TheirIdentity, prekey_row_id};
use self::message::{PreKeyMessage, Received};
use self::session::Sessions;
use self::start::respond;
use crate::crypto::curve::PublicKey;
use crate::error::{Fault, StoreError};
use crate::peer::DeviceAddress;
use crate::txn::{Cx, Namespace, Scope, Txn};

pub use self::keys::OwnIdentity;
pub use self::start::{Bundle, BundleError, Established, OneTimePreKey, SignedPreKey, establish};

/// Wipes secret `Vec<u8>` fields of a row when it goes out of scope.
macro_rules! wipe_on_drop {
    ($row:ty: $($field:ident),+) => {
        impl Drop for $row {
            fn drop(&mut self) {
                $(zeroize::Zeroize::zeroize(&mut self.$field);)+
            }
        }
    };
}
use wipe_on_drop;

/// The two kinds of pairwise messages, `type` of `<enc>`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EncType {
    /// `msg`: within a session both sides have.
    Msg,
    /// `pkmsg`: starts a session.
    Pkmsg,
}

impl EncType {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Msg => "msg",
            Self::Pkmsg => "pkmsg",
        }
    }

    /// The kind with that text; `None` for any other, such as `skmsg`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "msg" => Some(Self::Msg),
            "pkmsg" => Some(Self::Pkmsg),
            _ => None,
        }
    }
}

/// Content of an `<enc>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ciphertext {
    /// Its `type`.
    pub kind: EncType,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What was in an `<enc>`.
#[derive(Clone, Eq, PartialEq)]
pub struct Decrypted {
    /// The plaintext, still padded.
    pub plaintext: Vec<u8>,
    /// The device came with another identity key than before, which was accepted.
    pub identity_changed: bool,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({} bytes)", self.plaintext.len())
    }
}

/// Why a message did not decrypt. No row was changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The MAC is wrong in every session.
    #[error("the MAC is wrong")]
    BadMac,
    /// The message came before; acknowledge it and do no more.
    #[error("the message was decrypted before")]
    Duplicate,
    /// A key in it is no key, or is low-order.
    #[error("a key in the message is not usable")]
    InvalidKey,
    /// It names a prekey that we do not have, or have no longer.
    #[error("the message names a prekey that we do not have")]
    InvalidKeyId,
    /// The MAC is right and yet the ciphertext does not decrypt.
    #[error("the ciphertext is damaged")]
    InvalidMessage,
    /// The signature of a group message is not that of the sender's key.
    #[error("the signature is wrong")]
    InvalidSignature,
    /// Not a message of version 3, or fields are missing.
    #[error("not a Signal message of version 3")]
    Malformed,
    /// The device's key of the group did not come yet.
    #[error("no sender key of the device")]
    NoSenderKey,
    /// There is no session with the device.
    #[error("no session with the device")]
    NoSession,
    /// More than 2000 messages are missing before it.
    #[error("more than 2000 messages are missing before this one")]
    TooFarAhead,
}

impl DecryptError {
    /// `error` of the retry receipt that asks for the message again; `None` when asking is wrong
    /// (spec section 10.5).
    pub const fn retry_reason(self) -> Option<u8> {
        match self {
            Self::NoSenderKey | Self::NoSession => Some(1),
            Self::InvalidKey => Some(2),
            Self::InvalidKeyId => Some(3),
            Self::InvalidMessage | Self::Malformed => Some(4),
            Self::InvalidSignature => Some(5),
            Self::TooFarAhead => Some(6),
            Self::BadMac => Some(7),
            Self::Duplicate => None,
        }
    }
}

/// Whether a message can be encrypted for the device.
///
/// # Errors
/// What the store says.
pub fn has_session(
    txn: &Txn<'_>,
    slot: &Scope,
    device: &DeviceAddress,
) -> Result<bool, StoreError> {
    Ok(load(txn, slot, device)?.current().is_some())
}

/// Deletes all sessions with the device; its identity stays known.
pub fn delete_session(txn: &mut Txn<'_>, slot: &Scope, device: &DeviceAddress) {
    txn.delete(slot, Namespace::Session, device.storage());
}

/// The base key that names the current session; `None` without one.
///
/// # Errors
/// What the store says.
pub fn session_base_key(
    txn: &Txn<'_>,
    slot: &Scope,
    device: &DeviceAddress,
) -> Result<Option<PublicKey>, StoreError> {
    Ok(load(txn, slot, device)?
        .current()
        .map(|session| session.base))
}

/// The device's registration id in the current session; `None` without one, or when a message that
/// started it had none.
///
/// # Errors
/// What the store says.
pub fn remote_registration_id(
    txn: &Txn<'_>,
    slot: &Scope,
    device: &DeviceAddress,
) -> Result<Option<u32>, StoreError> {
    let sessions = load(txn, slot, device)?;
    Ok(sessions
        .current()
        .and_then(|session| session.registration_id))
}

/// Encrypts `plaintext` (padded) in the current session; `None` when there is no session.
///
/// # Errors
/// What the store says.
pub fn encrypt(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    to: &DeviceAddress,
    plaintext: &[u8],
) -> Result<Option<Ciphertext>, Fault> {
    let mut sessions = load(&cx.txn, slot, to)?;
    let Some(session) = sessions.0.first_mut() else {
        return Ok(None);
    };
    let Some(ciphertext) = session.encrypt(ours, plaintext) else {
        return Ok(None);
    };
    cx.txn.put(slot, to.storage(), &sessions);
    Ok(Some(ciphertext))
}

/// Decrypts the content of an `<enc>` from a device.
///
/// # Errors
/// Outer: what the store says. Inner: why it did not decrypt; no row is changed then.
pub fn decrypt(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    from: &DeviceAddress,
    kind: EncType,
    bytes: &[u8],
) -> Result<Result<Decrypted, DecryptError>, Fault> {
    match kind {
        EncType::Msg => decrypt_msg(cx, slot, ours, from, bytes),
        EncType::Pkmsg => decrypt_pkmsg(cx, slot, ours, from, bytes),
    }
}

fn decrypt_msg(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    from: &DeviceAddress,
    bytes: &[u8],
) -> Result<Result<Decrypted, DecryptError>, Fault> {
    let mut sessions = load(&cx.txn, slot, from)?;
    let opened =
        Received::parse(bytes).and_then(|message| sessions.decrypt(cx.rng, ours, &message));
    if opened.is_ok() {
        cx.txn.put(slot, from.storage(), &sessions);
    }
    Ok(opened.map(|plaintext| Decrypted {
        plaintext,
        identity_changed: false,
    }))
}

fn decrypt_pkmsg(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    from: &DeviceAddress,
    bytes: &[u8],
) -> Result<Result<Decrypted, DecryptError>, Fault> {
    let first = match PreKeyMessage::parse(bytes) {
        Ok(first) => first,
        Err(error) => return Ok(Err(error)),
    };
    let mut sessions = load(&cx.txn, slot, from)?;
    if sessions.started_by(&first).is_none() {
        return decrypt_first(cx, slot, ours, from, sessions, &first);
    }
    let opened = Received::parse(&first.message)
        .and_then(|message| sessions.decrypt_repeated(cx.rng, ours, &first, &message));
    if opened.is_ok() {
        cx.txn.put(slot, from.storage(), &sessions);
    }
    Ok(opened.map(|plaintext| Decrypted {
        plaintext,
        identity_changed: false,
    }))
}

/// A message that starts a session we do not have yet.
fn decrypt_first(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    from: &DeviceAddress,
    mut sessions: Sessions,
    first: &PreKeyMessage,
) -> Result<Result<Decrypted, DecryptError>, Fault> {
    let mut session = match respond(&cx.txn, slot, ours, first)? {
        Ok(session) => session,
        Err(error) => return Ok(Err(error)),
    };
    let opened =
        Received::parse(&first.message).and_then(|message| session.decrypt(cx.rng, ours, &message));
    let plaintext = match opened {
        Ok(plaintext) => plaintext,
        Err(error) => return Ok(Err(error)),
    };
    sessions.keep_only(&first.identity);
    sessions.start(session);
    // The prekey goes in the same step in which the session it started becomes durable; a repeated
    // first message finds that session by its base key.
    if let Some(id) = first.pre_key_id {
        cx.txn.delete(slot, Namespace::PreKey, prekey_row_id(id));
    }
    cx.txn.put(slot, from.storage(), &sessions);
    let identity_changed = TheirIdentity(first.identity).learn(&mut cx.txn, slot, from)?;
    Ok(Ok(Decrypted {
        plaintext,
        identity_changed,
    }))
}

/// The sessions with a device. A row that does not decode counts as none: the next session replaces
/// it, while a fault would stop the whole account for one device.
fn load(txn: &Txn<'_>, slot: &Scope, device: &DeviceAddress) -> Result<Sessions, StoreError> {
    match txn.get(slot, device.storage()) {
        Err(StoreError::Corrupt(_)) => Ok(Sessions::default()),
        sessions => Ok(sessions?.unwrap_or_default()),
    }
}
