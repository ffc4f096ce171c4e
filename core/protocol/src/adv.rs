//! Device identities: the account vouches for the device, and the device for the account.
//!
//! ```text
//! pair-success:  HMAC-SHA256(adv secret, [06 05 if hosted] || details) == hmac
//! account:       XEdDSA(account key,  06 00 || details || device identity)                 hosted 06 05
//! device:        XEdDSA(device identity, 06 01 || details || device identity || account)   hosted 06 06
//! ```
//!
//! Keys are raw. Source: spec sections 5.4 and 8.5. Peers disagree on which field says that an
//! account is hosted, so either may, and the signature decides between the two prefixes.

use prost::Message as _;

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::crypto::symmetric::{ct_eq, hmac_sha256};
use crate::pb::{
    AdvDeviceIdentity, AdvEncryptionType, AdvSignedDeviceIdentity, AdvSignedDeviceIdentityHmac,
};
use crate::secret::{Entropy, Secret};

/// The longest container of `<pair-success>` in bytes.
const MAX_CONTAINER: usize = 500;

/// Why a device identity is not what it claims to be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvError {
    /// The account did not sign this device.
    #[error("the account's signature over the device is wrong")]
    AccountSignature,
    /// The device did not sign this account.
    #[error("the device's signature over the account is wrong")]
    DeviceSignature,
    /// The container was not made by who scanned our QR code.
    #[error("the HMAC of the pairing container is wrong")]
    Hmac,
    /// A message does not decode, is too long, or lacks a field.
    #[error("the device identity does not decode or lacks a field")]
    Malformed,
    /// Neither the message nor the caller has the account's key, so nothing can be checked.
    #[error("the account's key is not known")]
    NoAccountKey,
}

/// The two byte pairs in front of what is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Prefixes {
    account: [u8; 2],
    device: [u8; 2],
}

const OWN_KEYS: Prefixes = Prefixes {
    account: [6, 0],
    device: [6, 1],
};

const HOSTED: Prefixes = Prefixes {
    account: [6, 5],
    device: [6, 6],
};

impl Prefixes {
    fn account_signed(
        self,
        details: &[u8],
        identity: &PublicKey,
        account: &PublicKey,
        signature: &[u8; 64],
    ) -> bool {
        let message = [&self.account[..], details, identity.as_bytes()].concat();
        account.verify(&message, signature)
    }

    fn device_message(self, details: &[u8], identity: &PublicKey, account: &PublicKey) -> Vec<u8> {
        let (identity, account) = (identity.as_bytes(), account.as_bytes());
        [&self.device[..], details, identity, account].concat()
    }
}

/// The identity the account gave us in `<pair-success>`, checked and not yet signed by us.
#[derive(Clone, Debug)]
pub struct PairedIdentity {
    /// The account's key: the identity of its primary device.
    pub account_key: PublicKey,
    /// `key-index` of our answer.
    pub key_index: u32,
    signed: AdvSignedDeviceIdentity,
    details: Vec<u8>,
    prefixes: Prefixes,
}

/// Checks `<device-identity>` of `<pair-success>` for our `identity` and the `adv_secret` that we
/// showed in the QR code.
///
/// # Errors
/// [`AdvError::Malformed`], [`AdvError::Hmac`] or [`AdvError::AccountSignature`]: refuse the link.
pub fn verify_pairing(
    container: &[u8],
    adv_secret: &Secret<32>,
    identity: &PublicKey,
) -> Result<PairedIdentity, AdvError> {
    if container.len() > MAX_CONTAINER {
        return Err(AdvError::Malformed);
    }
    let container: AdvSignedDeviceIdentityHmac = decode(container)?;
    let bytes = container.details.ok_or(AdvError::Malformed)?;
    let mac = container.hmac.ok_or(AdvError::Malformed)?;
    let hosted = container.account_type == Some(AdvEncryptionType::HOSTED);
    let prefix: &[u8] = if hosted { &HOSTED.account } else { &[] };
    if !ct_eq(&hmac_sha256(adv_secret.expose(), &[prefix, &bytes]), &mac) {
        return Err(AdvError::Hmac);
    }
    let signed: AdvSignedDeviceIdentity = decode(&bytes)?;
    let details = signed.details.clone().ok_or(AdvError::Malformed)?;
    let account_key = key(signed.account_signature_key.as_deref())?;
    let signature = signature(signed.account_signature.as_deref())?;
    let inner: AdvDeviceIdentity = decode(&details)?;
    let prefixes = [
        (OWN_KEYS, !hosted || !is_hosted(inner.device_type)),
        (HOSTED, hosted || is_hosted(inner.device_type)),
    ]
    .into_iter()
    .filter_map(|(prefixes, allowed)| allowed.then_some(prefixes))
    .find(|prefixes| prefixes.account_signed(&details, identity, &account_key, &signature))
    .ok_or(AdvError::AccountSignature)?;
    Ok(PairedIdentity {
        account_key,
        key_index: inner.key_index.ok_or(AdvError::Malformed)?,
        signed,
        details,
        prefixes,
    })
}

/// The identity with our signature, in its two encodings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedIdentity {
    /// With the account's key: for `<device-identity>` of our messages. Keep it.
    pub account: Vec<u8>,
    /// Without it: for the answer to `<pair-success>`.
    pub reply: Vec<u8>,
}

impl PairedIdentity {
    /// Signs with our `identity`, the one it was checked for.
    pub fn sign(self, rng: &mut dyn Entropy, identity: &KeyPair) -> SignedIdentity {
        let message =
            self.prefixes
                .device_message(&self.details, &identity.public, &self.account_key);
        let signature = identity.private.sign(rng, &message);
        let mut signed = self.signed;
        signed.device_signature = Some(signature.to_vec());
        let account = signed.encode_to_vec();
        signed.account_signature_key = None;
        SignedIdentity {
            account,
            reply: signed.encode_to_vec(),
        }
    }
}

/// A companion device that its account vouches for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceIdentity {
    /// The account's key.
    pub account_key: PublicKey,
    /// Its index, to be looked up in the account's key index list; `None` when absent.
    pub key_index: Option<u32>,
}

/// Checks `<device-identity>` of a prekey bundle or message against the device's `identity`.
/// `account_key` is the stored identity of the account's device 0, used when the message has no key.
///
/// # Errors
/// [`AdvError::NoAccountKey`] when nothing can be checked; any other means: skip the device.
pub fn verify_device_identity(
    bytes: &[u8],
    account_key: Option<&PublicKey>,
    identity: &PublicKey,
) -> Result<DeviceIdentity, AdvError> {
    let signed: AdvSignedDeviceIdentity = decode(bytes)?;
    let details = signed.details.as_deref().ok_or(AdvError::Malformed)?;
    let inner: AdvDeviceIdentity = decode(details)?;
    let by_account = signature(signed.account_signature.as_deref())?;
    let by_device = signature(signed.device_signature.as_deref())?;
    let account_key = match signed.account_signature_key.as_deref() {
        Some(raw) if !raw.is_empty() => key(Some(raw))?,
        _ => *account_key.ok_or(AdvError::NoAccountKey)?,
    };
    let prefixes = [OWN_KEYS, HOSTED]
        .into_iter()
        .find(|prefixes| prefixes.account_signed(details, identity, &account_key, &by_account))
        .ok_or(AdvError::AccountSignature)?;
    let message = prefixes.device_message(details, identity, &account_key);
    if !identity.verify(&message, &by_device) {
        return Err(AdvError::DeviceSignature);
    }
    Ok(DeviceIdentity {
        account_key,
        key_index: inner.key_index,
    })
}

fn is_hosted(kind: Option<i32>) -> bool {
    kind == Some(AdvEncryptionType::HOSTED)
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, AdvError> {
    M::decode(bytes).map_err(|_| AdvError::Malformed)
}

fn key(raw: Option<&[u8]>) -> Result<PublicKey, AdvError> {
    raw.and_then(PublicKey::from_raw).ok_or(AdvError::Malformed)
}

fn signature(bytes: Option<&[u8]>) -> Result<[u8; 64], AdvError> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(AdvError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::curve::PrivateKey;
    use crate::testkit::Seeded;

    fn case(at: usize) -> Value {
        let file = include_str!("../tests/vectors/adv.json");
        let file: Value = serde_json::from_str(file).unwrap();
        file["cases"][at].clone()
    }

    fn bytes(case: &Value, field: &str) -> Vec<u8> {
        hex::decode(case[field].as_str().unwrap()).unwrap()
    }

    fn public(field: &str) -> PublicKey {
        PublicKey::from_raw(&bytes(&case(0), field)).unwrap()
    }

    fn secret() -> Secret<32> {
        Secret::from_slice(&bytes(&case(0), "adv_secret")).unwrap()
    }

    fn own_identity() -> KeyPair {
        let private = bytes(&case(0), "device_identity_priv");
        KeyPair::from_private(PrivateKey::from_slice(&private).unwrap())
    }

    fn pair(container: &[u8]) -> Result<PairedIdentity, AdvError> {
        verify_pairing(container, &secret(), &own_identity().public)
    }

    fn container(details: Vec<u8>, hmac: Vec<u8>, kind: Option<i32>) -> Vec<u8> {
        let container = AdvSignedDeviceIdentityHmac {
            details: Some(details),
            hmac: Some(hmac),
            account_type: kind,
        };
        container.encode_to_vec()
    }

    fn with_right_mac(signed: &AdvSignedDeviceIdentity) -> Vec<u8> {
        let details = signed.encode_to_vec();
        let mac = hmac_sha256(secret().expose(), &[&details]);
        container(details, mac.to_vec(), None)
    }

    fn signed() -> AdvSignedDeviceIdentity {
        let bytes = bytes(&case(0), "signed_device_identity_from_server");
        AdvSignedDeviceIdentity::decode(bytes.as_slice()).unwrap()
    }

    const STORED: &str = "stored_device_identity (device-identity node in pkmsg stanzas)";
    const REPLY: &str = "reply_device_identity (pair-device-sign: no accountSignatureKey)";

    #[test]
    fn pairing_matches_the_known_answer() {
        let case = case(0);
        let paired = pair(&bytes(&case, "pair_success_device_identity")).unwrap();
        assert_eq!(paired.account_key, public("account_pub"));
        assert_eq!(paired.key_index, 3);
        let ours = own_identity();
        let signed = paired.sign(&mut Seeded::new(1), &ours);
        // Signatures are random: the known one is checked instead of repeated.
        let length = bytes(&case, STORED).len();
        let same = |ours: &[u8], known: &[u8]| ours[..length - 64] == known[..length - 64];
        assert!(same(&signed.account, &bytes(&case, STORED)));
        assert_eq!(signed.reply.len(), bytes(&case, REPLY).len());
        let reply = AdvSignedDeviceIdentity::decode(signed.reply.as_slice()).unwrap();
        assert_eq!(reply.account_signature_key, None);
        for identity in [signed.account, bytes(&case, STORED)] {
            let device = verify_device_identity(&identity, None, &ours.public).unwrap();
            assert_eq!(device.account_key, public("account_pub"));
            assert_eq!(device.key_index, Some(3));
        }
    }

    #[test]
    fn a_hosted_account_uses_its_own_prefixes() {
        let case = case(1);
        let details = bytes(&case, "signed_device_identity");
        let hosted = Some(AdvEncryptionType::HOSTED);
        let good = container(details.clone(), bytes(&case, "hmac"), hosted);
        let paired = pair(&good).unwrap();
        assert_eq!(paired.prefixes, HOSTED);
        let unmarked = container(details.clone(), bytes(&case, "hmac"), None);
        assert_eq!(pair(&unmarked).unwrap_err(), AdvError::Hmac);
        let mut signed = AdvSignedDeviceIdentity::decode(details.as_slice()).unwrap();
        let unmarked = pair(&with_right_mac(&signed)).unwrap_err();
        assert_eq!(unmarked, AdvError::AccountSignature);
        signed.device_signature = Some(bytes(&case, "device_signature"));
        let ours = own_identity().public;
        assert!(verify_device_identity(&signed.encode_to_vec(), None, &ours).is_ok());
    }

    #[test]
    fn a_wrong_hmac_is_told_from_a_wrong_signature() {
        let case = case(0);
        let good = bytes(&case, "pair_success_device_identity");
        let other = Secret::new([1; 32]);
        let ours = own_identity().public;
        let refused = verify_pairing(&good, &other, &ours).unwrap_err();
        assert_eq!(refused, AdvError::Hmac);
        let refused = verify_pairing(&good, &secret(), &public("account_pub")).unwrap_err();
        assert_eq!(refused, AdvError::AccountSignature);
        let mut forged = signed();
        forged.account_signature.as_mut().unwrap()[3] ^= 1;
        let refused = pair(&with_right_mac(&forged)).unwrap_err();
        assert_eq!(refused, AdvError::AccountSignature);
        assert!(pair(&with_right_mac(&signed())).is_ok());
    }

    #[test]
    fn missing_and_misshapen_fields_are_malformed() {
        type Change = fn(&mut AdvSignedDeviceIdentity);
        let changes: [Change; 6] = [
            |signed| signed.details = None,
            |signed| signed.details = Some(vec![0xff]),
            |signed| signed.account_signature_key = None,
            |signed| signed.account_signature_key = Some(vec![1; 31]),
            |signed| signed.account_signature = None,
            |signed| signed.account_signature = Some(vec![1; 63]),
        ];
        for change in changes {
            let mut bad = signed();
            change(&mut bad);
            let refused = pair(&with_right_mac(&bad)).unwrap_err();
            assert_eq!(refused, AdvError::Malformed);
        }
        assert_eq!(pair(&[]).unwrap_err(), AdvError::Malformed);
        assert_eq!(pair(&[0xff; 9]).unwrap_err(), AdvError::Malformed);
        let mut long = bytes(&case(0), "pair_success_device_identity");
        long.extend([0x22, 0xff, 0x02]);
        long.extend([0; 0x17f]);
        assert_eq!(pair(&long).unwrap_err(), AdvError::Malformed);
    }

    #[test]
    fn a_companion_needs_both_signatures() {
        let ours = own_identity().public;
        let good = bytes(&case(0), STORED);
        let check = |signed: &AdvSignedDeviceIdentity, account: Option<&PublicKey>| {
            verify_device_identity(&signed.encode_to_vec(), account, &ours)
        };
        let good = AdvSignedDeviceIdentity::decode(good.as_slice()).unwrap();
        assert!(check(&good, None).is_ok());
        let mut bad = good.clone();
        bad.account_signature.as_mut().unwrap()[0] ^= 1;
        assert_eq!(check(&bad, None), Err(AdvError::AccountSignature));
        let mut bad = good.clone();
        bad.device_signature.as_mut().unwrap()[0] ^= 1;
        assert_eq!(check(&bad, None), Err(AdvError::DeviceSignature));
        let mut bad = good.clone();
        bad.device_signature = None;
        assert_eq!(check(&bad, None), Err(AdvError::Malformed));
        let mut bare = good;
        bare.account_signature_key = None;
        assert_eq!(check(&bare, None), Err(AdvError::NoAccountKey));
        assert!(check(&bare, Some(&public("account_pub"))).is_ok());
        assert_eq!(check(&bare, Some(&ours)), Err(AdvError::AccountSignature));
    }
}
