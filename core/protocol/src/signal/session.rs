//! One session, and the record of all sessions with a device: the current one first, then archived.
//!
//! A session is changed on a copy; the caller keeps the copy only when a message decrypted.

use super::DecryptError;
use super::chain::{ChainKey, MessageKeys, ReceivingChain, RootKey};
use super::message::{Header, PreKeyMessage, Received, seal};
use super::{Ciphertext, EncType, OwnIdentity};
use crate::crypto::curve::{KeyPair, PublicKey};
use crate::secret::Entropy;

/// Chains of the peer that are kept. Fewer lose messages that were overtaken by that many replies.
const MAX_RECEIVING: usize = 5;

/// Skipped message keys of one session, over all its chains; the oldest go first. Fewer lose late
/// messages, more let the row grow.
const MAX_SKIPPED: usize = 2000;

/// Sessions kept behind the current one. Fewer lose messages that were under way when both sides
/// started anew.
const MAX_ARCHIVED: usize = 40;

/// What a first message names until the peer has answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pending {
    pub(super) pre_key_id: Option<u32>,
    pub(super) signed_pre_key_id: u32,
}

/// A session with one device.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) identity: PublicKey,
    pub(super) registration_id: Option<u32>,
    /// The initiator's base key: names the session on both sides.
    pub(super) base: PublicKey,
    pub(super) root: RootKey,
    pub(super) ratchet: KeyPair,
    pub(super) sending: ChainKey,
    pub(super) previous_counter: u32,
    /// Oldest first.
    pub(super) receiving: Vec<ReceivingChain>,
    pub(super) pending: Option<Pending>,
}

impl Session {
    /// The next message; `None` when the sending chain is at its end.
    pub(super) fn encrypt(&mut self, ours: &OwnIdentity, plaintext: &[u8]) -> Option<Ciphertext> {
        let header = Header {
            ratchet: self.ratchet.public,
            counter: self.sending.index,
            previous_counter: self.previous_counter,
        };
        let keys = MessageKeys::from(self.sending.advance()?);
        let us = &ours.identity.public;
        let message = seal(&header, &keys, us, &self.identity, plaintext);
        let Some(pending) = self.pending else {
            return Some(Ciphertext {
                kind: EncType::Msg,
                bytes: message,
            });
        };
        let first = PreKeyMessage {
            pre_key_id: pending.pre_key_id,
            signed_pre_key_id: pending.signed_pre_key_id,
            registration_id: Some(ours.registration_id),
            base: self.base,
            identity: *us,
            message,
        };
        Some(Ciphertext {
            kind: EncType::Pkmsg,
            bytes: first.encode(),
        })
    }

    /// Opens a message. After an error the session is in an undefined state: throw it away.
    pub(super) fn decrypt(
        &mut self,
        rng: &mut dyn Entropy,
        ours: &OwnIdentity,
        message: &Received<'_>,
    ) -> Result<Vec<u8>, DecryptError> {
        let seed = self.receiving_chain(rng, &message.ratchet)?;
        let seed = seed.take(message.counter)?;
        let keys = MessageKeys::from(seed);
        let plaintext = message.open(&keys, &self.identity, &ours.identity.public)?;
        self.forget_oldest_skipped();
        self.pending = None;
        Ok(plaintext)
    }

    /// Whether the peer's ratchet key was seen in this session.
    pub(super) fn knows(&self, ratchet: &PublicKey) -> bool {
        self.receiving.iter().any(|chain| chain.theirs == *ratchet)
    }

    /// The chain of `theirs`; a new key makes the ratchet step.
    fn receiving_chain(
        &mut self,
        rng: &mut dyn Entropy,
        theirs: &PublicKey,
    ) -> Result<&mut ReceivingChain, DecryptError> {
        let known = |chain: &ReceivingChain| chain.theirs == *theirs;
        if let Some(at) = self.receiving.iter().position(known) {
            return Ok(&mut self.receiving[at]);
        }
        let unpacked = theirs.unpack();
        let step = self.root.step(&self.ratchet.private, &unpacked);
        let (root, chain) = step.ok_or(DecryptError::InvalidKey)?;
        let ratchet = KeyPair::generate(rng);
        let step = root.step(&ratchet.private, &unpacked);
        let (root, sending) = step.ok_or(DecryptError::InvalidKey)?;
        self.previous_counter = self.sending.index.saturating_sub(1);
        self.root = root;
        self.ratchet = ratchet;
        self.sending = sending;
        if self.receiving.len() >= MAX_RECEIVING {
            self.receiving.remove(0);
        }
        let at = self.receiving.len();
        self.receiving.push(ReceivingChain::new(*theirs, chain));
        Ok(&mut self.receiving[at])
    }

    fn forget_oldest_skipped(&mut self) {
        let stored: usize = self.receiving.iter().map(|chain| chain.skipped.len()).sum();
        let mut excess = stored.saturating_sub(MAX_SKIPPED);
        for chain in &mut self.receiving {
            let forgotten = excess.min(chain.skipped.len());
            chain.skipped.drain(..forgotten);
            excess -= forgotten;
        }
    }
}

/// All sessions with a device, the current one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(pub(super) Vec<Session>);

impl Sessions {
    pub(super) fn current(&self) -> Option<&Session> {
        self.0.first()
    }

    /// Makes `session` the current one and archives the others.
    pub(super) fn start(&mut self, session: Session) {
        self.0.insert(0, session);
        self.0.truncate(1 + MAX_ARCHIVED);
    }

    /// Drops the sessions of identities other than `identity`.
    pub(super) fn keep_only(&mut self, identity: &PublicKey) {
        self.0.retain(|session| session.identity == *identity);
    }

    /// Opens a message with the first session that can, and makes that one current. Nothing changes
    /// on an error, which is that of the session that knows the ratchet key, else the current one's.
    pub(super) fn decrypt(
        &mut self,
        rng: &mut dyn Entropy,
        ours: &OwnIdentity,
        message: &Received<'_>,
    ) -> Result<Vec<u8>, DecryptError> {
        let mut failure = None;
        for at in 0..self.0.len() {
            let mut session = self.0[at].clone();
            match session.decrypt(rng, ours, message) {
                Ok(plaintext) => {
                    self.0.remove(at);
                    self.0.insert(0, session);
                    return Ok(plaintext);
                }
                Err(error) if self.0[at].knows(&message.ratchet) => failure = Some(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(DecryptError::NoSession))
    }

    /// Where the session is that `first` starts; `None` when it is new.
    pub(super) fn started_by(&self, first: &PreKeyMessage) -> Option<usize> {
        self.0
            .iter()
            .position(|known| known.base == first.base && known.identity == first.identity)
    }

    /// As [`Sessions::decrypt`], by the session that `first` starts and no other.
    pub(super) fn decrypt_repeated(
        &mut self,
        rng: &mut dyn Entropy,
        ours: &OwnIdentity,
        first: &PreKeyMessage,
        message: &Received<'_>,
    ) -> Result<Vec<u8>, DecryptError> {
        let at = self.started_by(first).ok_or(DecryptError::NoSession)?;
        let mut session = self.0[at].clone();
        let plaintext = session.decrypt(rng, ours, message)?;
        self.0.remove(at);
        self.0.insert(0, session);
        Ok(plaintext)
    }
}
