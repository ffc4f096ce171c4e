//! What phones sign about linked devices.
//!
//! ```text
//! account signature   sign(account key,  06 00 || details || identity)
//! device signature    sign(identity,     06 01 || details || identity || account key)
//! key index list      sign(account key,  06 02 || details)
//! ```
//! Source: spec 5.4 and 8.5.

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sendpath_protocol::secret::Entropy;
use sha2::Sha256;

use crate::schema::{
    DeviceIdentity, KeyIndexList, SignedDeviceIdentity, SignedDeviceIdentityHmac,
    SignedKeyIndexList,
};

/// What identifies a linked device among those of its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) raw_id: u32,
    pub(crate) key_index: u32,
    pub(crate) timestamp: u64,
}

/// The account's half: details and account signature, without a device signature.
pub(crate) fn vouch(
    rng: &mut dyn Entropy,
    account: &KeyPair,
    identity: &PublicKey,
    link: Link,
) -> SignedDeviceIdentity {
    let details = DeviceIdentity {
        raw_id: Some(link.raw_id),
        timestamp: Some(link.timestamp),
        key_index: Some(link.key_index),
        account_type: Some(0),
        device_type: Some(0),
    }
    .encode_to_vec();
    let signed = [&[6, 0], &*details, identity.as_bytes()].concat();
    SignedDeviceIdentity {
        account_signature: Some(account.private.sign(rng, &signed).to_vec()),
        account_signature_key: Some(account.public.as_bytes().to_vec()),
        details: Some(details),
        device_signature: None,
    }
}

/// Both halves, for a model companion whose keys we hold.
pub(crate) fn link(
    rng: &mut dyn Entropy,
    account: &KeyPair,
    identity: &KeyPair,
    link: Link,
) -> Vec<u8> {
    let mut signed = vouch(rng, account, &identity.public, link);
    let message = device_message(
        signed.details.as_deref().unwrap_or_default(),
        &identity.public,
        &account.public,
    );
    signed.device_signature = Some(identity.private.sign(rng, &message).to_vec());
    signed.encode_to_vec()
}

/// The container that the phone sends through the server, authenticated with the QR's secret.
pub(crate) fn seal(signed: &SignedDeviceIdentity, adv_secret: &[u8]) -> Option<Vec<u8>> {
    let details = signed.encode_to_vec();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(adv_secret).ok()?;
    mac.update(&details);
    let container = SignedDeviceIdentityHmac {
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        details: Some(details),
    };
    Some(container.encode_to_vec())
}

/// Checks a device identity as a contact's phone would. The account key may be left out of the
/// bytes, as it is in the pairing answer.
pub(crate) fn check(bytes: &[u8], account: &PublicKey, identity: &PublicKey) -> Result<(), String> {
    let signed = SignedDeviceIdentity::decode(bytes).map_err(|_| "no ADVSignedDeviceIdentity")?;
    if let Some(key) = &signed.account_signature_key
        && key.as_slice() != account.as_bytes()
    {
        return Err("another account's signature key".into());
    }
    let details = signed.details.as_deref().ok_or("no details")?;
    let by_account = [&[6, 0], details, identity.as_bytes()].concat();
    if !verifies(account, &by_account, signed.account_signature.as_deref()) {
        return Err("the account signature does not verify".into());
    }
    let by_device = device_message(details, identity, account);
    if !verifies(identity, &by_device, signed.device_signature.as_deref()) {
        return Err("the device signature does not verify".into());
    }
    Ok(())
}

/// The signed list of key indexes that usync and device notifications carry.
pub(crate) fn key_index_list(
    rng: &mut dyn Entropy,
    account: &KeyPair,
    raw_id: u32,
    timestamp: u64,
    indexes: &[u32],
) -> Vec<u8> {
    let details = KeyIndexList {
        raw_id: Some(raw_id),
        timestamp: Some(timestamp),
        current_index: indexes.iter().max().copied(),
        valid_indexes: indexes.to_vec(),
        account_type: Some(0),
    }
    .encode_to_vec();
    let signed = [&[6, 2], &*details].concat();
    let list = SignedKeyIndexList {
        account_signature: Some(account.private.sign(rng, &signed).to_vec()),
        account_signature_key: None,
        details: Some(details),
    };
    list.encode_to_vec()
}

fn device_message(details: &[u8], identity: &PublicKey, account: &PublicKey) -> Vec<u8> {
    [&[6, 1], details, identity.as_bytes(), account.as_bytes()].concat()
}

fn verifies(key: &PublicKey, message: &[u8], signature: Option<&[u8]>) -> bool {
    signature
        .and_then(|signature| signature.try_into().ok())
        .is_some_and(|signature| key.verify(message, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    #[test]
    fn a_linked_device_verifies_and_a_foreign_one_does_not() {
        let mut rng = SeededRng::new(1);
        let (account, device, other) = (
            KeyPair::generate(&mut rng),
            KeyPair::generate(&mut rng),
            KeyPair::generate(&mut rng),
        );
        let details = Link {
            raw_id: 5,
            key_index: 1,
            timestamp: 9,
        };
        let bytes = link(&mut rng, &account, &device, details);
        assert_eq!(check(&bytes, &account.public, &device.public), Ok(()));
        assert!(check(&bytes, &account.public, &other.public).is_err());
        assert!(check(&bytes, &other.public, &device.public).is_err());
    }

    #[test]
    fn the_known_pairing_container_has_the_known_hmac() {
        let file = include_str!("../../../core/protocol/tests/vectors/adv.json");
        let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
        let case = &vectors["cases"][0];
        let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        let signed =
            SignedDeviceIdentity::decode(&*bytes("signed_device_identity_from_server")).unwrap();
        assert_eq!(
            seal(&signed, &bytes("adv_secret")).unwrap(),
            bytes("pair_success_device_identity")
        );
        let key = |name: &str| PublicKey::from_raw(&bytes(name)).unwrap();
        let stored = bytes("stored_device_identity (device-identity node in pkmsg stanzas)");
        let checked = check(&stored, &key("account_pub"), &key("device_identity_pub"));
        assert_eq!(checked, Ok(()));
    }
}
