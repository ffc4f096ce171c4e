//! Sealed frames after the handshake (spec: section 2.2).
//!
//! ```text
//! frame = AES-256-GCM(key of the direction, nonce = 8 zero bytes || counter u32, no AD, plaintext)
//! ```
//! One counter per direction, from 0, never used twice: after the last one the link must be replaced.

use super::LinkError;
use crate::crypto::symmetric::{aes256_gcm_open, aes256_gcm_seal};
use crate::secret::Secret;

/// The keys and counters of both directions.
pub(super) struct Transport {
    write: Direction,
    read: Direction,
}

impl Transport {
    pub(super) fn new(write: Secret<32>, read: Secret<32>) -> Self {
        Self {
            write: Direction {
                key: write,
                next: 0,
            },
            read: Direction { key: read, next: 0 },
        }
    }

    /// Seals the next frame to the server.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, LinkError> {
        let nonce = self.write.nonce()?;
        Ok(aes256_gcm_seal(self.write.key.expose(), &nonce, &[], plain))
    }

    /// Opens the next frame from the server.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, LinkError> {
        let nonce = self.read.nonce()?;
        aes256_gcm_open(self.read.key.expose(), &nonce, &[], sealed).ok_or(LinkError::Decrypt)
    }
}

struct Direction {
    key: Secret<32>,
    next: u32,
}

impl Direction {
    /// The nonce of the next frame; it is spent even if the frame then fails.
    fn nonce(&mut self) -> Result<[u8; 12], LinkError> {
        let after = self
            .next
            .checked_add(1)
            .ok_or(LinkError::CounterExhausted)?;
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.next.to_be_bytes());
        self.next = after;
        Ok(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport() -> Transport {
        Transport::new(Secret::new([1; 32]), Secret::new([1; 32]))
    }

    #[test]
    fn frames_open_in_their_order_only() {
        let (mut ours, mut theirs) = (transport(), transport());
        let [first, second] = [b"a", b"b"].map(|plain| ours.seal(plain).unwrap());
        assert_eq!(theirs.open(&first), Ok(b"a".to_vec()));
        assert_eq!(theirs.open(&second), Ok(b"b".to_vec()));
        assert_eq!(transport().open(&second), Err(LinkError::Decrypt));
    }

    #[test]
    fn the_last_counter_is_never_used() {
        let mut transport = transport();
        transport.write.next = u32::MAX - 1;
        assert!(transport.seal(b"last").is_ok());
        assert_eq!(transport.seal(b"more"), Err(LinkError::CounterExhausted));
        assert_eq!(transport.seal(b"more"), Err(LinkError::CounterExhausted));
    }
}
