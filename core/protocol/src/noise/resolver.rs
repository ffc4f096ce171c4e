//! Our primitives behind snow's extension point, with WhatsApp's one deviation from Noise.
//!
//! ```text
//! Noise:     MixHash("")  h = SHA-256(h || "")
//! WhatsApp:  MixHash("")  h stays
//! ```
//! The first message of XX has an empty payload, so a standard XX fails at the second one (spec:
//! section 2.6). Nothing else in XX mixes an empty string.

use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};

use crate::crypto::curve::{PrivateKey, PublicKey};
use crate::crypto::symmetric::{aes256_gcm_open, aes256_gcm_seal, hmac_sha256, sha256};
use crate::secret::Secret;

/// X25519, AES-256-GCM and SHA-256; the randomness of one ephemeral key was drawn beforehand.
pub(super) struct Resolver {
    pub(super) ephemeral: Secret<32>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        (*choice == DHChoice::Curve25519).then(|| Box::new(X25519::new([0; 32])) as _)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        (*choice == HashChoice::SHA256).then(|| Box::new(Sha256::default()) as _)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        (*choice == CipherChoice::AESGCM).then(|| Box::new(AesGcm(Secret::new([0; 32]))) as _)
    }
}

/// 32 random bytes, once.
struct Once(Option<Secret<32>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().ok_or(Error::Rng)?;
        if dest.len() != bytes.expose().len() {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(bytes.expose());
        Ok(())
    }
}

struct X25519 {
    private: PrivateKey,
    public: PublicKey,
}

impl X25519 {
    fn new(private: [u8; 32]) -> Self {
        let private = PrivateKey::from_bytes(private);
        Self {
            public: private.public(),
            private,
        }
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, privkey: &[u8]) {
        if let Ok(private) = privkey.try_into() {
            *self = Self::new(private);
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut private = [0; 32];
        rng.try_fill_bytes(&mut private)?;
        *self = Self::new(private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn privkey(&self) -> &[u8] {
        self.private.expose()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let theirs = pubkey.get(..32).and_then(PublicKey::from_raw);
        let shared = theirs.and_then(|theirs| self.private.agree(&theirs));
        put(out, shared.ok_or(Error::Dh)?.expose())
            .map(|_| ())
            .ok_or(Error::Dh)
    }
}

struct AesGcm(Secret<32>);

impl AesGcm {
    /// Four zero bytes and a 64-bit counter; below 2^32 the same as WhatsApp's eight and 32 bits.
    fn nonce(counter: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_be_bytes());
        nonce
    }
}

impl Cipher for AesGcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Secret::new(*key);
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let sealed = aes256_gcm_seal(self.0.expose(), &Self::nonce(nonce), authtext, plaintext);
        put(out, &sealed).unwrap_or(0)
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        aes256_gcm_open(self.0.expose(), &Self::nonce(nonce), authtext, ciphertext)
            .and_then(|plain| put(out, &plain))
            .ok_or(Error::Decrypt)
    }
}

#[derive(Default)]
struct Sha256 {
    message: Vec<u8>,
    last_part_is_empty: bool,
}

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.message.extend_from_slice(data);
        self.last_part_is_empty = data.is_empty();
    }

    fn result(&mut self, out: &mut [u8]) {
        // snow hashes for MixHash only, as `h` and then the data; its HMACs go to `hmac`.
        if self.last_part_is_empty {
            put(out, &self.message);
        } else {
            put(out, &sha256(&self.message));
        }
    }

    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        // snow hands over its 64-byte buffer; the key is the hash in front, the rest is zero, and
        // HMAC pads keys with zeros up to 64 bytes anyway.
        put(out, &hmac_sha256(key, &[data]));
    }
}

/// Copies to the front of `out`; `None` when there is no room.
fn put(out: &mut [u8], bytes: &[u8]) -> Option<usize> {
    out.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix_hash(h: &[u8], data: &[u8]) -> [u8; 32] {
        let (mut hash, mut out) = (Sha256::default(), [0; 32]);
        hash.input(b"of an earlier call");
        hash.reset();
        hash.input(h);
        hash.input(data);
        hash.result(&mut out);
        out
    }

    #[test]
    fn mixing_nothing_leaves_the_hash_alone() {
        assert_eq!(mix_hash(&[7; 32], b""), [7; 32]);
        assert_eq!(
            mix_hash(&[7; 32], &[1]),
            sha256(&[&[7; 32][..], &[1]].concat())
        );
    }

    #[test]
    fn randomness_is_given_out_once() {
        let mut rng = Once(Some(Secret::new([5; 32])));
        let mut out = [0; 32];
        assert!(rng.try_fill_bytes(&mut out).is_ok() && out == [5; 32]);
        assert!(rng.try_fill_bytes(&mut out).is_err());
    }

    #[test]
    fn a_low_order_key_agrees_on_nothing() {
        let ours = X25519::new([9; 32]);
        assert!(ours.dh(&[0; 56], &mut [0; 56]).is_err());
    }
}
