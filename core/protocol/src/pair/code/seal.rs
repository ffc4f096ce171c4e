//! The cryptography of a pairing code: what eight typed symbols protect.
//!
//! ```text
//! K       = PBKDF2-HMAC-SHA256(code, salt, 131072 rounds)                       32 bytes
//! wrapped = salt(32) || iv(16) || AES-256-CTR(K, iv, ephemeral public key)      80 bytes
//! K2      = HKDF-SHA256(shared ephemeral, salt S, "link_code_pairing_key_bundle_encryption_key")
//! bundle  = S(32) || nonce(12) || AES-256-GCM(K2, nonce, identity || their identity || R)   156 bytes
//! ADV secret = HKDF-SHA256(shared ephemeral || shared identity || R, "adv_secret")
//! ```
//! Source: spec "Phone-number pair code".

use core::fmt;

use aes::Aes256;
use ctr::cipher::{KeyIvInit, StreamCipher};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::crypto::symmetric::{aes256_gcm_seal, hkdf_sha256};
use crate::secret::{Entropy, EntropyExt, Secret};

/// The symbols of a code: no 0, I, O or U, which are misread.
const ALPHABET: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";

const ROUNDS: u32 = 1 << 17;

/// Bytes of a wrapped key.
pub(super) const WRAPPED: usize = 80;

/// The eight symbols that the user types into the phone.
#[derive(Clone, Eq, PartialEq)]
pub struct PairCode([u8; 8]);

impl PairCode {
    /// The code in `text`: eight symbols of `123456789ABCDEFGHJKLMNPQRSTVWXYZ`, with or without a
    /// dash in the middle; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let symbols = match text.split_once('-') {
            Some((head, tail)) if head.len() == 4 => [head, tail].concat(),
            Some(_) => return None,
            None => text.to_owned(),
        };
        let symbols: [u8; 8] = symbols.as_bytes().try_into().ok()?;
        let known = symbols.iter().all(|symbol| ALPHABET.contains(symbol));
        known.then_some(Self(symbols))
    }

    /// The code that stands for 40 random bits.
    pub(super) fn random(rng: &mut dyn Entropy) -> Self {
        Self::of(rng.bytes())
    }

    /// Groups of five bits, the highest first.
    pub(in crate::pair) fn of(bytes: [u8; 5]) -> Self {
        let bits = bytes
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let symbol = |at: usize| {
            let group = bits >> (35 - 5 * at) & 31;
            ALPHABET[usize::try_from(group).unwrap_or(0)]
        };
        Self(core::array::from_fn(symbol))
    }

    /// As people read it: `XXXX-XXXX`.
    pub fn reveal(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        format!("{}-{}", &text[..4], &text[4..])
    }

    /// Slow on purpose: a hundred thousand hashes for each guess.
    fn key(&self, salt: &[u8; 32]) -> Secret<32> {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(&self.0, salt, ROUNDS, &mut key);
        Secret::new(key)
    }

    /// `key` as only somebody with the code can read it.
    pub(super) fn wrap(&self, rng: &mut dyn Entropy, key: &PublicKey) -> [u8; WRAPPED] {
        self.apply(&rng.bytes(), &rng.bytes(), *key.as_bytes())
    }

    /// The key in `wrapped`, 80 bytes; any other code gives another key, not an error.
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Option<PublicKey> {
        let (salt, rest) = wrapped.split_first_chunk()?;
        let (iv, text) = rest.split_first_chunk()?;
        let opened = self.apply(salt, iv, text.try_into().ok()?);
        PublicKey::from_raw(&opened[48..])
    }

    /// Encrypts or decrypts `text`, behind the salt and the counter block it was done with.
    fn apply(&self, salt: &[u8; 32], iv: &[u8; 16], mut text: [u8; 32]) -> [u8; WRAPPED] {
        let key = self.key(salt);
        ctr::Ctr128BE::<Aes256>::new(key.expose().into(), iv.into()).apply_keystream(&mut text);
        let mut wrapped = [0; WRAPPED];
        wrapped[..32].copy_from_slice(salt);
        wrapped[32..48].copy_from_slice(iv);
        wrapped[48..].copy_from_slice(&text);
        wrapped
    }
}

impl fmt::Debug for PairCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairCode(…)")
    }
}

/// Our answer to the phone, and the secret that both sides now share.
pub(super) struct Finish {
    pub(super) bundle: Vec<u8>,
    pub(super) adv_secret: Secret<32>,
}

/// Agrees with the phone on an ADV secret; `None` when one of its keys is of low order, as no
/// honest phone makes them.
pub(super) fn finish(
    rng: &mut dyn Entropy,
    ephemeral: &KeyPair,
    identity: &KeyPair,
    their_ephemeral: &PublicKey,
    their_identity: &PublicKey,
) -> Option<Finish> {
    let shared = ephemeral.private.agree(their_ephemeral)?;
    let identities = identity.private.agree(their_identity)?;
    let (salt, nonce): ([u8; 32], [u8; 12]) = (rng.bytes(), rng.bytes());
    let random = Secret::<32>::random(rng);
    let key = Secret::new(hkdf_sha256::<32>(
        shared.expose(),
        Some(&salt),
        b"link_code_pairing_key_bundle_encryption_key",
    ));
    let plain = [
        *identity.public.as_bytes(),
        *their_identity.as_bytes(),
        *random.expose(),
    ];
    let sealed = aes256_gcm_seal(key.expose(), &nonce, b"", &Zeroizing::new(plain.concat()));
    let ikm = [*shared.expose(), *identities.expose(), *random.expose()];
    let ikm = Zeroizing::new(ikm.concat());
    Some(Finish {
        bundle: [&salt[..], &nonce, &sealed].concat(),
        adv_secret: Secret::new(hkdf_sha256(&ikm, None, b"adv_secret")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::curve::PrivateKey;

    fn cases() -> Vec<serde_json::Value> {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/pair_code.json")).unwrap();
        file["cases"].as_array().unwrap().clone()
    }

    fn field(case: &serde_json::Value, name: &str) -> Vec<u8> {
        hex::decode(case[name].as_str().unwrap()).unwrap()
    }

    /// Gives out bytes that a vector fixed.
    struct Scripted(Vec<u8>);

    impl Entropy for Scripted {
        fn fill(&mut self, out: &mut [u8]) {
            let rest = self.0.split_off(out.len());
            out.copy_from_slice(&self.0);
            self.0 = rest;
        }
    }

    #[test]
    fn five_bytes_become_the_symbols_of_the_vectors() {
        let cases = cases();
        let encodings = cases[0]["cases"].as_array().unwrap();
        assert_eq!(encodings.len(), 6);
        for case in encodings {
            let bytes = field(case, "bytes").try_into().unwrap();
            let code = case["code"].as_str().unwrap();
            assert_eq!(PairCode::of(bytes), PairCode::parse(code).unwrap());
        }
        let code = PairCode::parse("N7AX6ETJ").unwrap();
        assert_eq!(code.reveal(), "N7AX-6ETJ");
        assert_eq!(PairCode::parse("N7AX-6ETJ"), Some(code));
        for bad in [
            "",
            "N7AX6ET",
            "N7AX6ETJJ",
            "N7A-X6ETJ",
            "N7AX6ET0",
            "n7ax6etj",
            "N7AX-6E-T",
        ] {
            assert_eq!(PairCode::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_and_bundle_are_those_of_the_vectors() {
        let case = &cases()[1];
        let code = PairCode::parse(case["code"].as_str().unwrap()).unwrap();
        let pair =
            |name: &str| KeyPair::from_private(PrivateKey::from_slice(&field(case, name)).unwrap());
        let ephemeral = pair("companion_ephemeral_priv");
        let mut rng = Scripted([field(case, "salt"), field(case, "iv")].concat());
        let wrapped = code.wrap(&mut rng, &ephemeral.public);
        assert_eq!(wrapped[..], field(case, "wrapped_companion_ephemeral_pub"));

        let theirs = code.unwrap(&field(case, "wrapped_primary_ephemeral_pub"));
        let theirs = theirs.unwrap();
        assert_eq!(theirs.as_bytes()[..], field(case, "primary_ephemeral_pub"));
        assert_eq!(code.unwrap(&wrapped[..79]), None);

        let random = ["bundle_salt", "bundle_iv", "bundle_secret"].map(|name| field(case, name));
        let finish = finish(
            &mut Scripted(random.concat()),
            &ephemeral,
            &pair("companion_identity_priv"),
            &theirs,
            &PublicKey::from_raw(&field(case, "primary_identity_pub")).unwrap(),
        );
        let finish = finish.unwrap();
        assert_eq!(finish.bundle, field(case, "wrapped_key_bundle"));
        assert_eq!(finish.adv_secret.expose()[..], field(case, "adv_secret"));
    }

    #[test]
    fn a_key_of_low_order_agrees_on_nothing() {
        let mut rng = Scripted(vec![7; 600]);
        let [ours, identity] =
            [1, 2].map(|n| KeyPair::from_private(PrivateKey::from_bytes([n; 32])));
        let (good, zero) = (identity.public, PublicKey::new([0; 32]));
        assert!(finish(&mut rng, &ours, &identity, &zero, &good).is_none());
        assert!(finish(&mut rng, &ours, &identity, &good, &zero).is_none());
    }
}
