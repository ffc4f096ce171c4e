//! The three key chains of the Double Ratchet.
//!
//! ```text
//! root:    (root', chain) = HKDF(ikm DH(ours, theirs), salt root, "WhisperRatchet", 64)
//! chain:   seed = HMAC(chain, 01)   chain' = HMAC(chain, 02)
//! message: cipher 32 | mac 32 | iv 16 = HKDF(ikm seed, no salt, "WhisperMessageKeys", 80)
//! ```
//!
//! Source: the Double Ratchet as published by Signal, with the labels of spec section 7.3.

use zeroize::Zeroizing;

use super::DecryptError;
use crate::crypto::curve::{PrivateKey, PublicKey, UnpackedKey};
use crate::crypto::symmetric::{aes256_cbc_decrypt, aes256_cbc_encrypt, hkdf_sha256, hmac_sha256};
use crate::secret::Secret;

/// How far a message may be ahead of its chain. Lower loses messages when a peer's sends fail in
/// bulk; higher lets a peer make us derive that many keys for one message.
pub(super) const MAX_JUMP: u32 = 2000;

/// From which the next chains come.
#[derive(Clone, Debug)]
pub(super) struct RootKey(Secret<32>);

impl RootKey {
    pub(super) const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// The next root and the chain of this ratchet step; `None` for a low-order `theirs`.
    pub(super) fn step(&self, ours: &PrivateKey, theirs: &UnpackedKey) -> Option<(Self, ChainKey)> {
        let shared = ours.agree_with(theirs)?;
        let okm = Zeroizing::new(hkdf_sha256::<64>(
            shared.expose(),
            Some(self.0.expose()),
            b"WhisperRatchet",
        ));
        let (root, chain) = split(&okm);
        Some((Self(root), ChainKey::new(chain)))
    }

    pub(super) const fn secret(&self) -> &Secret<32> {
        &self.0
    }
}

/// Two keys out of 64 derived bytes.
pub(super) fn split(okm: &[u8; 64]) -> (Secret<32>, Secret<32>) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&okm[..32]);
    second.copy_from_slice(&okm[32..]);
    (Secret::new(first), Secret::new(second))
}

/// A chain at `index`: the number of the message whose key comes next.
#[derive(Clone, Debug)]
pub(super) struct ChainKey {
    pub(super) index: u32,
    pub(super) key: Secret<32>,
}

impl ChainKey {
    pub(super) const fn new(key: Secret<32>) -> Self {
        Self { index: 0, key }
    }

    /// Takes the seed of the message at `index` and moves on; `None` at the end of the chain, which
    /// a message can then not use.
    pub(super) fn advance(&mut self) -> Option<Seed> {
        let next = self.index.checked_add(1)?;
        let seed = Seed(Secret::new(hmac_sha256(self.key.expose(), &[&[1]])));
        self.key = Secret::new(hmac_sha256(self.key.expose(), &[&[2]]));
        self.index = next;
        Some(seed)
    }

    /// Takes the seed of message `counter`, from `skipped` if the chain is beyond it; the seeds
    /// before it are added there.
    pub(super) fn take(
        &mut self,
        skipped: &mut Vec<(u32, Seed)>,
        counter: u32,
    ) -> Result<Seed, DecryptError> {
        let Some(jump) = counter.checked_sub(self.index) else {
            let at = skipped.iter().position(|(index, _)| *index == counter);
            let at = at.ok_or(DecryptError::Duplicate)?;
            return Ok(skipped.remove(at).1);
        };
        if jump > MAX_JUMP {
            return Err(DecryptError::TooFarAhead);
        }
        while self.index < counter {
            let index = self.index;
            let seed = self.advance().ok_or(DecryptError::TooFarAhead)?;
            skipped.push((index, seed));
        }
        self.advance().ok_or(DecryptError::TooFarAhead)
    }
}

/// From which the keys of one message come.
#[derive(Clone, Debug)]
pub(super) struct Seed(pub(super) Secret<32>);

/// The keys of one message. Making them takes the seed, so no seed is used twice.
#[derive(Debug)]
pub(super) struct MessageKeys {
    cipher: Secret<32>,
    mac: Secret<32>,
    iv: [u8; 16],
}

impl From<Seed> for MessageKeys {
    fn from(seed: Seed) -> Self {
        let okm = hkdf_sha256::<80>(seed.0.expose(), None, b"WhisperMessageKeys");
        let okm = Zeroizing::new(okm);
        let (mut keys, mut iv) = (Zeroizing::new([0; 64]), [0; 16]);
        keys.copy_from_slice(&okm[..64]);
        iv.copy_from_slice(&okm[64..]);
        let (cipher, mac) = split(&keys);
        Self { cipher, mac, iv }
    }
}

impl MessageKeys {
    pub(super) fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        aes256_cbc_encrypt(self.cipher.expose(), &self.iv, plaintext)
    }

    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        aes256_cbc_decrypt(self.cipher.expose(), &self.iv, ciphertext)
    }

    /// The MAC of a message: the first 8 bytes over both identities and the serialized message.
    pub(super) fn mac(&self, sender: &PublicKey, receiver: &PublicKey, message: &[u8]) -> [u8; 8] {
        let parts = [&sender.typed()[..], &receiver.typed(), message];
        let full = hmac_sha256(self.mac.expose(), &parts);
        core::array::from_fn(|i| full[i])
    }
}

/// A chain of the peer's messages, with the seeds of those that did not come yet.
#[derive(Clone, Debug)]
pub(super) struct ReceivingChain {
    pub(super) theirs: PublicKey,
    pub(super) chain: ChainKey,
    /// Oldest first.
    pub(super) skipped: Vec<(u32, Seed)>,
}

impl ReceivingChain {
    pub(super) const fn new(theirs: PublicKey, chain: ChainKey) -> Self {
        Self {
            theirs,
            chain,
            skipped: Vec::new(),
        }
    }

    /// As [`ChainKey::take`], with the skipped seeds of this chain.
    pub(super) fn take(&mut self, counter: u32) -> Result<Seed, DecryptError> {
        self.chain.take(&mut self.skipped, counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::testdata::{array, vector};

    #[test]
    fn chain_steps_match_the_known_answers() {
        let cases = vector("chain key steps")["cases"].clone();
        let cases = cases.as_array().unwrap();
        for case in cases {
            let mut chain = ChainKey::new(Secret::new(array(case, "chain_key")));
            let keys = MessageKeys::from(chain.advance().unwrap());
            assert_eq!(chain.key, Secret::new(array(case, "next_chain_key")));
            assert_eq!(chain.index, 1);
            assert_eq!(keys.cipher, Secret::new(array(case, "cipher")));
            assert_eq!(keys.mac, Secret::new(array(case, "mac")));
            assert_eq!(keys.iv, array(case, "iv"));
        }
        assert_eq!(cases.len(), 3);
    }

    fn receiving() -> ReceivingChain {
        let chain = ChainKey::new(Secret::new([7; 32]));
        ReceivingChain::new(PublicKey::new([9; 32]), chain)
    }

    fn seed_of(counter: u32) -> Secret<32> {
        let mut chain = ChainKey::new(Secret::new([7; 32]));
        (0..counter).for_each(|_| drop(chain.advance()));
        chain.advance().unwrap().0
    }

    #[test]
    fn a_jump_of_2000_is_taken_and_2001_is_not() {
        assert_eq!(receiving().take(2000).unwrap().0, seed_of(2000));
        let mut chain = receiving();
        assert_eq!(chain.take(2001).unwrap_err(), DecryptError::TooFarAhead);
        assert_eq!((chain.chain.index, chain.skipped.len()), (0, 0));
    }

    #[test]
    fn each_seed_is_given_once_in_any_order() {
        let mut chain = receiving();
        for counter in [3, 0, 2, 1, 4] {
            assert_eq!(chain.take(counter).unwrap().0, seed_of(counter));
        }
        for counter in 0..=4 {
            assert_eq!(chain.take(counter).unwrap_err(), DecryptError::Duplicate);
        }
    }

    #[test]
    fn a_chain_at_its_end_gives_no_key() {
        let mut chain = ChainKey {
            index: u32::MAX,
            key: Secret::new([7; 32]),
        };
        assert!(chain.advance().is_none());
    }
}
