//! Sessions that start: from a bundle of the server, or from the first message of a peer.
//!
//! Identities are trusted on first use: another identity is accepted, replaces the old one with its
//! sessions, and is reported (spec section 8.5).

use super::chain::ReceivingChain;
use super::keys::{OwnIdentity, PreKeyRecord, SignedPreKeyRecord, TheirIdentity};
use super::message::PreKeyMessage;
use super::session::{Pending, Session};
use super::{DecryptError, load, x3dh};
use crate::crypto::curve::{KeyPair, PublicKey};
use crate::error::Fault;
use crate::peer::DeviceAddress;
use crate::txn::{Cx, Scope, Txn};

/// What the server gives to start a session with a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bundle {
    /// Registration id of the device.
    pub registration_id: u32,
    /// Its identity key.
    pub identity: PublicKey,
    /// Its signed prekey.
    pub signed_prekey: SignedPreKey,
    /// A one-time prekey; `None` when the device ran out of them.
    pub one_time: Option<OneTimePreKey>,
}

/// A signed prekey of a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedPreKey {
    /// Its id.
    pub id: u32,
    /// The key.
    pub key: PublicKey,
    /// XEdDSA of the peer's identity over the typed key.
    pub signature: [u8; 64],
}

/// A one-time prekey of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OneTimePreKey {
    /// Its id.
    pub id: u32,
    /// The key.
    pub key: PublicKey,
}

/// A session was started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Established {
    /// The device has another identity key than before, which was accepted; the sessions with the
    /// old one are gone.
    pub identity_changed: bool,
}

/// Why a bundle starts no session. No row was changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The signature of the signed prekey is wrong.
    #[error("the signature of the signed prekey is wrong")]
    BadSignature,
    /// A key is low-order.
    #[error("a key of the bundle is low-order")]
    LowOrderKey,
}

/// Starts a session from a bundle and makes it the current one.
///
/// # Errors
/// Outer: what the store says. Inner: what is wrong with the bundle.
pub fn establish(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    to: &DeviceAddress,
    bundle: &Bundle,
) -> Result<Result<Established, BundleError>, Fault> {
    let signed = &bundle.signed_prekey;
    if !bundle
        .identity
        .verify(&signed.key.typed(), &signed.signature)
    {
        return Ok(Err(BundleError::BadSignature));
    }
    let Some(session) = initiate(cx, ours, bundle) else {
        return Ok(Err(BundleError::LowOrderKey));
    };
    let mut sessions = load(&cx.txn, slot, to)?;
    sessions.keep_only(&bundle.identity);
    sessions.start(session);
    cx.txn.put(slot, to.storage(), &sessions);
    let identity_changed = TheirIdentity(bundle.identity).learn(&mut cx.txn, slot, to)?;
    Ok(Ok(Established { identity_changed }))
}

/// The session a bundle starts; `None` if a key of it is low-order.
fn initiate(cx: &mut Cx<'_>, ours: &OwnIdentity, bundle: &Bundle) -> Option<Session> {
    let base = KeyPair::generate(cx.rng);
    let theirs = x3dh::TheirKeys {
        identity: bundle.identity,
        signed_prekey: bundle.signed_prekey.key.unpack(),
        one_time: bundle.one_time.map(|one_time| one_time.key),
    };
    let (root, chain) = x3dh::initiate(&ours.identity.private, &base.private, &theirs)?;
    let ratchet = KeyPair::generate(cx.rng);
    let (root, sending) = root.step(&ratchet.private, &theirs.signed_prekey)?;
    Some(Session {
        identity: bundle.identity,
        registration_id: Some(bundle.registration_id),
        base: base.public,
        root,
        ratchet,
        sending,
        previous_counter: 0,
        receiving: vec![ReceivingChain::new(bundle.signed_prekey.key, chain)],
        pending: Some(Pending {
            pre_key_id: bundle.one_time.map(|one_time| one_time.id),
            signed_pre_key_id: bundle.signed_prekey.id,
        }),
    })
}

/// The session a first message starts, before that message is opened.
pub(super) fn respond(
    txn: &Txn<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    first: &PreKeyMessage,
) -> Result<Result<Session, DecryptError>, Fault> {
    let Some(signed) = SignedPreKeyRecord::load(txn, slot, first.signed_pre_key_id)? else {
        return Ok(Err(DecryptError::InvalidKeyId));
    };
    let one_time = match first.pre_key_id {
        Some(id) => match PreKeyRecord::load(txn, slot, id)? {
            Some(record) => Some(record),
            None => return Ok(Err(DecryptError::InvalidKeyId)),
        },
        None => None,
    };
    let keys = x3dh::OurKeys {
        identity: &ours.identity,
        signed_prekey: &signed.pair,
        one_time: one_time.as_ref().map(|record| &record.pair),
    };
    let Some((root, sending)) = x3dh::respond(&keys, &first.identity, &first.base) else {
        return Ok(Err(DecryptError::InvalidKey));
    };
    Ok(Ok(Session {
        identity: first.identity,
        registration_id: first.registration_id,
        base: first.base,
        root,
        ratchet: signed.pair,
        sending,
        previous_counter: 0,
        receiving: Vec::new(),
        pending: None,
    }))
}
