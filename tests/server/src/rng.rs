//! Randomness from a seed: `SHA-256(seed || counter)`, so a failing run can be repeated.

use sendpath_protocol::secret::Entropy;
use sha2::{Digest, Sha256};

/// A generator for tests; its output is as secret as its seed.
#[derive(Clone, Debug)]
pub(crate) struct SeededRng {
    seed: u64,
    counter: u64,
}

impl SeededRng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }
}

impl Entropy for SeededRng {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(self.counter.to_be_bytes())
                .finalize();
            self.counter += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::secret::EntropyExt;

    use super::*;

    #[test]
    fn equal_seeds_give_equal_bytes_and_blocks_differ() {
        let (mut a, mut b) = (SeededRng::new(7), SeededRng::new(7));
        let first: [u8; 64] = a.bytes();
        assert_eq!(first, b.bytes::<64>());
        assert_ne!(first[..32], first[32..]);
        assert_ne!(first, a.bytes::<64>());
    }
}
