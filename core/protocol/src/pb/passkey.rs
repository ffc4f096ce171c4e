//! The passkey step of linking (spec sections 5.5 and 16).

use crate::pb::PlatformType;

declare! {
    /// Our half of the agreement, and which attempt it belongs to.
    message CompanionEphemeralIdentity = "CompanionEphemeralIdentity" {
        optional bytes public_key = 1;
        optional enum PlatformType device_type = 2;
        optional string r#ref = 3;
    }

    /// A promise of our nonce, which is told only after the phone has told its own.
    message CompanionCommitment = "CompanionCommitment" {
        optional bytes hash = 1;
    }

    /// What the phone gets of us: a [`CompanionEphemeralIdentity`] and the promise.
    message ProloguePayload = "ProloguePayload" {
        optional bytes companion_ephemeral_identity = 1;
        optional message CompanionCommitment commitment = 2;
    }

    /// The phone's half.
    message PrimaryEphemeralIdentity = "PrimaryEphemeralIdentity" {
        optional bytes public_key = 1;
        optional bytes nonce = 2;
    }

    /// Who wants to be linked, and the secret that shall prove it.
    message PairingRequest = "PairingRequest" {
        optional bytes companion_public_key = 1;
        optional bytes companion_identity_key = 2;
        optional bytes adv_secret = 3;
    }

    /// A [`PairingRequest`] that only the phone can read.
    message EncryptedPairingRequest = "EncryptedPairingRequest" {
        optional bytes encrypted_payload = 1;
        optional bytes iv = 2;
    }
}
