//! Key material that is wiped when dropped and never printed, and the entropy argument.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Source of randomness, passed as an argument. Tests pass a seeded generator.
pub trait Entropy {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// Convenience reads on any [`Entropy`].
pub trait EntropyExt: Entropy {
    /// `N` random bytes.
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A random 64-bit number.
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A number in `0..bound`; `bound` 0 gives 0. The bias is below 2^-32 for bounds below 2^32.
    fn below(&mut self, bound: u32) -> u32 {
        let wide = u128::from(self.u64()) * u128::from(bound);
        u32::try_from(wide >> 64).unwrap_or(0)
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}

/// `N` secret bytes on the heap: wiped on drop, compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over; the caller's copy should be a temporary.
    pub fn new(mut bytes: [u8; N]) -> Self {
        let secret = Self(Box::new(Zeroizing::new(bytes)));
        bytes.zeroize();
        secret
    }

    /// Random bytes from `rng`.
    pub fn random(rng: &mut dyn Entropy) -> Self {
        Self::new(rng.bytes())
    }

    /// `None` unless `bytes` has exactly `N` bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::new(bytes.try_into().ok()?))
    }

    /// The bytes themselves. Keep the borrow short.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({N} bytes)")
    }
}

/// Secret bytes of any length (a token, a salt): wiped on drop, compared in constant time, printed
/// as a length.
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Keep the borrow short.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_kind_and_length_only() {
        assert_eq!(format!("{:?}", Secret::new([7u8; 32])), "Secret(32 bytes)");
        assert_eq!(
            format!("{:?}", SecretBytes::new(vec![7; 5])),
            "SecretBytes(5 bytes)"
        );
    }

    #[test]
    fn a_slice_of_another_length_is_no_secret() {
        assert!(Secret::<32>::from_slice(&[0; 31]).is_none());
        assert_eq!(Secret::from_slice(&[9; 4]), Some(Secret::new([9u8; 4])));
    }
}
