//! The cryptography of the passkey step: a promise, a code to compare, a sealed request.
//!
//! ```text
//! identity = CompanionEphemeralIdentity{ephemeral key, device type, ref}
//! promise  = SHA-256(identity || nonce)                  told first, so that nobody can search a code
//! proof    = HMAC(HKDF-SHA256(ADV secret, "shortcake-passkey-handoff-v1"), payload)
//! code     = base32(their nonce[0..5] XOR SHA-256(nonce || their key)[0..5])
//! K        = HKDF-SHA256(shared, salt "Companion Pairing <type> with ref <ref>",
//!                        "Pairing Information Encryption Key")
//! request  = AES-256-GCM(K, iv, PairingRequest{noise key, identity key, new ADV secret})
//! ```
//! Source: spec "Passkey". No vectors are published; the model server computes the phone's side.

use prost::Message;
use zeroize::Zeroizing;

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::crypto::symmetric::{aes256_gcm_seal, hkdf_sha256, hmac_sha256, sha256};
use crate::device::DeviceRecord;
use crate::pair::code::PairCode;
use crate::pb::{
    CompanionCommitment, CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest,
    PlatformType, PrimaryEphemeralIdentity, ProloguePayload,
};
use crate::secret::{Entropy, EntropyExt, Secret};

/// As the registration payload says.
const DEVICE_TYPE: i32 = PlatformType::CHROME;

/// Our half of one attempt.
#[derive(Debug)]
pub(super) struct Companion {
    ephemeral: KeyPair,
    nonce: Secret<32>,
    reference: String,
}

/// The phone's half.
#[derive(Debug)]
pub(super) struct Primary {
    key: PublicKey,
    nonce: [u8; 32],
}

impl Primary {
    /// `None` for anything but a key and a nonce of 32 bytes each.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let told = PrimaryEphemeralIdentity::decode(bytes).ok()?;
        Some(Self {
            key: PublicKey::from_raw(&told.public_key?)?,
            nonce: told.nonce?.try_into().ok()?,
        })
    }
}

impl Companion {
    pub(super) fn new(rng: &mut dyn Entropy, reference: String) -> Self {
        Self {
            ephemeral: KeyPair::generate(rng),
            nonce: Secret::random(rng),
            reference,
        }
    }

    /// What the phone gets first: our key, and the promise of the nonce.
    pub(super) fn prologue(&self) -> Vec<u8> {
        let identity = CompanionEphemeralIdentity {
            public_key: Some(self.ephemeral.public.as_bytes().to_vec()),
            device_type: Some(DEVICE_TYPE),
            r#ref: Some(self.reference.clone()),
        }
        .encode_to_vec();
        let promise = sha256(&Zeroizing::new(
            [&identity, &self.nonce.expose()[..]].concat(),
        ));
        let payload = ProloguePayload {
            companion_ephemeral_identity: Some(identity),
            commitment: Some(CompanionCommitment {
                hash: Some(promise.to_vec()),
            }),
        };
        payload.encode_to_vec()
    }

    /// The nonce itself: only for when the phone has told its own.
    pub(super) fn nonce(&self) -> &[u8; 32] {
        self.nonce.expose()
    }

    /// What both sides show.
    pub(super) fn code(&self, primary: &Primary) -> PairCode {
        let digest = sha256(&[&self.nonce.expose()[..], primary.key.as_bytes()].concat());
        PairCode::of(core::array::from_fn(|at| primary.nonce[at] ^ digest[at]))
    }

    /// Our keys and the secret to prove the link with, for the phone only. `None` when its key is
    /// of low order, as no honest phone makes them.
    pub(super) fn request(
        &self,
        rng: &mut dyn Entropy,
        primary: &Primary,
        device: &DeviceRecord,
        adv_secret: &Secret<32>,
    ) -> Option<Vec<u8>> {
        let shared = self.ephemeral.private.agree(&primary.key)?;
        let salt = format!(
            "Companion Pairing {DEVICE_TYPE} with ref {}",
            self.reference
        );
        let info = b"Pairing Information Encryption Key";
        let key: Secret<32> =
            Secret::new(hkdf_sha256(shared.expose(), Some(salt.as_bytes()), info));
        let request = PairingRequest {
            companion_public_key: Some(device.noise.public.as_bytes().to_vec()),
            companion_identity_key: Some(device.identity.public.as_bytes().to_vec()),
            adv_secret: Some(adv_secret.expose().to_vec()),
        };
        let plain = Zeroizing::new(request.encode_to_vec());
        let iv: [u8; 12] = rng.bytes();
        let sealed = EncryptedPairingRequest {
            encrypted_payload: Some(aes256_gcm_seal(key.expose(), &iv, b"", &plain)),
            iv: Some(iv.to_vec()),
        };
        Some(sealed.encode_to_vec())
    }
}

/// Shows that whoever sends `prologue` is the one whose code the phone has scanned or typed.
pub(super) fn proof(adv_secret: &Secret<32>, prologue: &[u8]) -> [u8; 32] {
    let info = b"shortcake-passkey-handoff-v1";
    let key: Secret<32> = Secret::new(hkdf_sha256(adv_secret.expose(), None, info));
    hmac_sha256(key.expose(), &[prologue])
}
