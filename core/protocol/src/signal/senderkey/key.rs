//! The chains of sender keys: ours goes forward only, those of others also keep what was skipped.

use super::message::{self, Distribution, Received};
use crate::crypto::curve::{KeyPair, PublicKey};
use crate::crypto::symmetric::{aes256_cbc_decrypt, aes256_cbc_encrypt, hkdf_sha256};
use crate::secret::{Entropy, EntropyExt, Secret};
use crate::signal::DecryptError;
use crate::signal::chain::{ChainKey, MAX_JUMP, Seed};
use zeroize::Zeroizing;

/// Keys kept of one device. Fewer lose messages that were under way while it changed its key.
const MAX_STATES: usize = 5;

/// Skipped message keys of one device, over all its keys; the oldest go first. Fewer lose late
/// messages, more let the row grow.
const MAX_SKIPPED: usize = 2000;

/// Our key of one group.
#[derive(Clone, Debug)]
pub struct OwnSenderKey {
    pub(super) id: u32,
    pub(super) chain: ChainKey,
    pub(super) signing: KeyPair,
}

impl OwnSenderKey {
    /// A fresh key, at iteration 0.
    pub fn generate(rng: &mut dyn Entropy) -> Self {
        Self {
            id: rng.below(1 << 31),
            chain: ChainKey::new(Secret::random(rng)),
            signing: KeyPair::generate(rng),
        }
    }

    /// Its random name, 31 bits.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The number of the message that comes next; at most as many were encrypted.
    pub const fn iteration(&self) -> u32 {
        self.chain.index
    }

    /// What a device needs to read everything from the next message on.
    pub fn distribution(&self) -> Vec<u8> {
        Distribution {
            id: self.id,
            iteration: self.chain.index,
            chain: self.chain.key.clone(),
            signing: self.signing.public,
        }
        .encode()
    }

    /// The next `skmsg` of `plaintext` (padded); `None` at the end of the chain.
    pub fn encrypt(&mut self, rng: &mut dyn Entropy, plaintext: &[u8]) -> Option<Vec<u8>> {
        let iteration = self.chain.index;
        let keys = MessageKeys::from(self.chain.advance()?);
        let ciphertext = aes256_cbc_encrypt(keys.cipher.expose(), &keys.iv, plaintext);
        Some(message::seal(
            rng,
            self.id,
            iteration,
            ciphertext,
            &self.signing.private,
        ))
    }
}

/// What a device gave us of itself in one group, newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerKeys(pub(super) Vec<PeerKeyState>);

/// One key of a device.
#[derive(Clone, Debug)]
pub(super) struct PeerKeyState {
    pub(super) id: u32,
    pub(super) signing: PublicKey,
    pub(super) chain: ChainKey,
    /// Where the device's first word of this key was. What is before it was never readable.
    pub(super) first: u32,
    /// Oldest first.
    pub(super) skipped: Vec<(u32, Seed)>,
}

impl PeerKeys {
    pub(super) fn learn(&mut self, told: Distribution) {
        let known = |state: &PeerKeyState| state.id == told.id && state.signing == told.signing;
        let state = match self.0.iter().position(known) {
            Some(at) => self.0.remove(at).told_again(told),
            None => PeerKeyState {
                id: told.id,
                signing: told.signing,
                first: told.iteration,
                chain: ChainKey {
                    index: told.iteration,
                    key: told.chain,
                },
                skipped: Vec::new(),
            },
        };
        // An id names one key; the newer one is the one in use.
        self.0.retain(|other| other.id != state.id);
        self.0.insert(0, state);
        self.0.truncate(MAX_STATES);
    }

    /// Opens a message. Nothing changes on an error.
    pub(super) fn decrypt(&mut self, message: &Received<'_>) -> Result<Vec<u8>, DecryptError> {
        let state = self.0.iter_mut().find(|state| state.id == message.id);
        let state = state.ok_or(DecryptError::NoSenderKey)?;
        let mut tried = state.clone();
        let plaintext = tried.decrypt(message)?;
        *state = tried;
        self.forget_oldest_skipped();
        Ok(plaintext)
    }

    fn forget_oldest_skipped(&mut self) {
        let stored: usize = self.0.iter().map(|state| state.skipped.len()).sum();
        let mut excess = stored.saturating_sub(MAX_SKIPPED);
        for state in self.0.iter_mut().rev() {
            let forgotten = excess.min(state.skipped.len());
            state.skipped.drain(..forgotten);
            excess -= forgotten;
        }
    }
}

impl PeerKeyState {
    /// The same key came once more: the chain stays where it is, unless it could not be brought to
    /// where the device is now.
    fn told_again(mut self, told: Distribution) -> Self {
        let ahead = told.iteration.saturating_sub(self.chain.index);
        if ahead > MAX_JUMP {
            self.chain = ChainKey {
                index: told.iteration,
                key: told.chain,
            };
        }
        self
    }

    fn decrypt(&mut self, message: &Received<'_>) -> Result<Vec<u8>, DecryptError> {
        if !message.is_signed_by(&self.signing) {
            return Err(DecryptError::InvalidSignature);
        }
        // It did not come before, so it must not be taken for a repeated one and be forgotten.
        if message.iteration < self.first {
            return Err(DecryptError::NoSenderKey);
        }
        let seed = self.chain.take(&mut self.skipped, message.iteration)?;
        let keys = MessageKeys::from(seed);
        aes256_cbc_decrypt(keys.cipher.expose(), &keys.iv, &message.ciphertext)
            .ok_or(DecryptError::InvalidMessage)
    }
}

/// `iv 16 | key 32 = HKDF(ikm seed, no salt, "WhisperGroup", 48)`. Making them takes the seed, so no
/// seed is used twice.
#[derive(Debug)]
pub(super) struct MessageKeys {
    pub(super) iv: [u8; 16],
    pub(super) cipher: Secret<32>,
}

impl From<Seed> for MessageKeys {
    fn from(seed: Seed) -> Self {
        let okm = hkdf_sha256::<48>(seed.0.expose(), None, b"WhisperGroup");
        let okm = Zeroizing::new(okm);
        let (mut iv, mut cipher) = ([0; 16], [0; 32]);
        iv.copy_from_slice(&okm[..16]);
        cipher.copy_from_slice(&okm[16..]);
        Self {
            iv,
            cipher: Secret::new(cipher),
        }
    }
}
