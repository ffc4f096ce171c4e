//! Wire forms of messages.
//!
//! ```text
//! msg:   33 || SignalMessage || MAC 8     MAC over sender identity || receiver identity || 33 || ..
//! pkmsg: 33 || PreKeySignalMessage        its `message` is a whole msg; no MAC of its own
//! ```
//!
//! Source: spec section 7.4. Zero counters are written.

use prost::Message as _;

use super::DecryptError;
use super::chain::MessageKeys;
use crate::crypto::curve::PublicKey;
use crate::crypto::symmetric::ct_eq;
use crate::pb;

/// Message version 3 in the high nibble, our version 3 in the low one.
const VERSION: u8 = 0x33;
const MAC_LENGTH: usize = 8;

/// A `msg` as it came: fields read, MAC not yet checked.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) ratchet: PublicKey,
    pub(super) counter: u32,
    ciphertext: Vec<u8>,
    signed: &'a [u8],
    mac: &'a [u8],
}

impl<'a> Received<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, DecryptError> {
        let end = bytes.len().checked_sub(MAC_LENGTH);
        let (signed, mac) = bytes.split_at(end.ok_or(DecryptError::Malformed)?);
        let body = pb::SignalMessage::decode(body(signed)?);
        let body = body.map_err(|_| DecryptError::Malformed)?;
        Ok(Self {
            ratchet: key(body.ratchet_key)?,
            counter: body.counter.ok_or(DecryptError::Malformed)?,
            ciphertext: body.ciphertext.ok_or(DecryptError::Malformed)?,
            signed,
            mac,
        })
    }

    /// The plaintext, if the MAC says it is from `sender` for `receiver`.
    pub(super) fn open(
        &self,
        keys: &MessageKeys,
        sender: &PublicKey,
        receiver: &PublicKey,
    ) -> Result<Vec<u8>, DecryptError> {
        if !ct_eq(&keys.mac(sender, receiver, self.signed), self.mac) {
            return Err(DecryptError::BadMac);
        }
        keys.decrypt(&self.ciphertext)
            .ok_or(DecryptError::InvalidMessage)
    }
}

/// What a `msg` says beside its ciphertext.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) ratchet: PublicKey,
    pub(super) counter: u32,
    pub(super) previous_counter: u32,
}

/// A whole `msg` from `sender` to `receiver`.
pub(super) fn seal(
    header: &Header,
    keys: &MessageKeys,
    sender: &PublicKey,
    receiver: &PublicKey,
    plaintext: &[u8],
) -> Vec<u8> {
    let body = pb::SignalMessage {
        ratchet_key: Some(header.ratchet.typed().to_vec()),
        counter: Some(header.counter),
        previous_counter: Some(header.previous_counter),
        ciphertext: Some(keys.encrypt(plaintext)),
    };
    let mut bytes = versioned(&body);
    let mac = keys.mac(sender, receiver, &bytes);
    bytes.extend(mac);
    bytes
}

/// A `pkmsg`: the first message of a session, with what the receiver needs to start it.
#[derive(Debug)]
pub(super) struct PreKeyMessage {
    pub(super) pre_key_id: Option<u32>,
    pub(super) signed_pre_key_id: u32,
    pub(super) registration_id: Option<u32>,
    pub(super) base: PublicKey,
    pub(super) identity: PublicKey,
    pub(super) message: Vec<u8>,
}

impl PreKeyMessage {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, DecryptError> {
        let body = pb::PreKeySignalMessage::decode(body(bytes)?);
        let body = body.map_err(|_| DecryptError::Malformed)?;
        Ok(Self {
            pre_key_id: body.pre_key_id,
            signed_pre_key_id: body.signed_pre_key_id.ok_or(DecryptError::Malformed)?,
            registration_id: body.registration_id,
            base: key(body.base_key)?,
            identity: key(body.identity_key)?,
            message: body.message.ok_or(DecryptError::Malformed)?,
        })
    }

    pub(super) fn encode(self) -> Vec<u8> {
        versioned(&pb::PreKeySignalMessage {
            pre_key_id: self.pre_key_id,
            base_key: Some(self.base.typed().to_vec()),
            identity_key: Some(self.identity.typed().to_vec()),
            message: Some(self.message),
            registration_id: self.registration_id,
            signed_pre_key_id: Some(self.signed_pre_key_id),
        })
    }
}

pub(super) fn versioned(body: &impl prost::Message) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(body.encode_to_vec());
    bytes
}

/// What is behind the version byte; only message version 3 is accepted, of any minor version.
pub(super) fn body(bytes: &[u8]) -> Result<&[u8], DecryptError> {
    match bytes.split_first() {
        Some((version, body)) if version >> 4 == VERSION >> 4 => Ok(body),
        _ => Err(DecryptError::Malformed),
    }
}

pub(super) fn key(typed: Option<Vec<u8>>) -> Result<PublicKey, DecryptError> {
    let typed = typed.ok_or(DecryptError::Malformed)?;
    PublicKey::from_typed(&typed).ok_or(DecryptError::InvalidKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::testdata::{SESSIONS, vector};

    fn first() -> Vec<u8> {
        let case = vector(SESSIONS[0]);
        hex::decode(case["messages"][0]["hex"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_prekey_message_is_read_and_written_alike() {
        let message = PreKeyMessage::parse(&first()).unwrap();
        assert_eq!(message.pre_key_id, Some(42));
        assert_eq!(message.signed_pre_key_id, 7);
        assert_eq!(message.registration_id, Some(1111));
        let inner = Received::parse(&message.message).unwrap();
        assert_eq!(inner.counter, 0);
        assert_eq!(message.encode(), first());
    }

    #[test]
    fn another_major_version_and_cut_messages_are_malformed() {
        let good = first();
        for version in [0x03, 0x23, 0x43] {
            let mut other = good.clone();
            other[0] = version;
            let error = PreKeyMessage::parse(&other).unwrap_err();
            assert_eq!(error, DecryptError::Malformed);
        }
        for length in 0..good.len() {
            assert!(PreKeyMessage::parse(&good[..length]).is_err(), "{length}");
        }
        for length in 0..9 {
            let error = Received::parse(&good[..length]).unwrap_err();
            assert_eq!(error, DecryptError::Malformed);
        }
    }
}
