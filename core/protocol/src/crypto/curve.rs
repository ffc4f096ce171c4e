//! X25519 agreement and XEdDSA signatures with the same keys.
//!
//! ```text
//! typed key = 05 || 32 bytes                                  inside Signal messages and signatures
//! agree:  u-coordinate of clamp(a)·(Edwards form of u)        on the curve; else the ladder over u
//! sign:   r = SHA-512(FE FF*31 || a || M || Z) mod q,  s = r + SHA-512(R || A || M)·a
//!         signature = R || s, with the sign bit of A in the top bit of the last byte
//! verify: A = Edwards form of u with that sign,  R == s·B - SHA-512(R || A || M)·A,  s < q
//! ```
//!
//! X25519 is usually computed with a ladder over u. The same multiple on the Edwards form takes little
//! more than half the time where the processor has wide registers, and the form is shared by all
//! agreements with one key; starting sessions with everybody in a group is little else.
//!
//! Source: XEdDSA as published by Signal, in the form spec section 7.1 describes. Some peers negate
//! the scalar instead and always leave the sign bit 0; the same verification accepts both.

use core::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::{Entropy, EntropyExt, Secret};

/// The first byte of a typed key: Curve25519.
pub const KEY_TYPE: u8 = 5;

/// An X25519 public key: 32 raw bytes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these raw bytes. Low-order keys are refused by [`PrivateKey::agree`].
    pub const fn new(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    /// `None` unless `raw` has 32 bytes.
    pub fn from_raw(raw: &[u8]) -> Option<Self> {
        Some(Self(raw.try_into().ok()?))
    }

    /// `None` unless `typed` is `05` and 32 bytes.
    pub fn from_typed(typed: &[u8]) -> Option<Self> {
        match typed.split_first()? {
            (&KEY_TYPE, raw) => Self::from_raw(raw),
            _ => None,
        }
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `05` and the raw bytes.
    pub fn typed(&self) -> [u8; 33] {
        let mut typed = [KEY_TYPE; 33];
        typed[1..].copy_from_slice(&self.0);
        typed
    }

    /// The key in the form that [`PrivateKey::agree_with`] computes with; for several agreements.
    pub fn unpack(&self) -> UnpackedKey {
        let point = MontgomeryPoint(self.0);
        // Either sign will do: a point and its negative have the same u-coordinate.
        UnpackedKey(match point.to_edwards(0) {
            Some(point) => Form::Curve(point),
            None => Form::Twist(point),
        })
    }

    /// Whether `signature` is an XEdDSA signature of this key over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.verify_point(message, signature).is_some()
    }

    fn verify_point(&self, message: &[u8], signature: &[u8; 64]) -> Option<()> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        let mut s: [u8; 32] = s.try_into().ok()?;
        let sign = s[31] >> 7;
        s[31] &= 0x7f;
        let s: Scalar = Option::from(Scalar::from_canonical_bytes(s))?;
        let a = MontgomeryPoint(self.0).to_edwards(sign)?;
        let h = challenge(r, &a, message);
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&h, &-a, &s);
        let equal: bool = expected.compress().as_bytes().ct_eq(r).into();
        equal.then_some(())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(…)")
    }
}

/// A public key, ready for agreements.
#[derive(Clone, Copy)]
pub struct UnpackedKey(Form);

#[derive(Clone, Copy)]
enum Form {
    Curve(EdwardsPoint),
    /// Half of all u-coordinates are of no point on the curve. An honest peer has none of them.
    Twist(MontgomeryPoint),
}

impl fmt::Debug for UnpackedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnpackedKey(…)")
    }
}

/// An X25519 private key, clamped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PrivateKey(Secret<32>);

impl PrivateKey {
    /// The key with these bytes; they are clamped.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(clamp_integer(bytes)))
    }

    /// `None` unless `bytes` has 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// The clamped bytes. Keep the borrow short.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(MontgomeryPoint::mul_base_clamped(*self.expose()).to_bytes())
    }

    /// The shared secret; `None` when it is all zero, that is for a low-order `theirs`.
    pub fn agree(&self, theirs: &PublicKey) -> Option<Secret<32>> {
        self.agree_with(&theirs.unpack())
    }

    /// [`PrivateKey::agree`] with a key that is used more than once.
    pub fn agree_with(&self, theirs: &UnpackedKey) -> Option<Secret<32>> {
        let shared = Zeroizing::new(match theirs.0 {
            Form::Curve(point) => Zeroizing::new(point.mul_clamped(*self.expose())).to_montgomery(),
            Form::Twist(point) => point.mul_clamped(*self.expose()),
        });
        (!shared.is_identity()).then(|| Secret::new(shared.to_bytes()))
    }

    /// An XEdDSA signature over `message`, randomised by `rng`.
    pub fn sign(&self, rng: &mut dyn Entropy, message: &[u8]) -> [u8; 64] {
        let z = Zeroizing::new(rng.bytes::<64>());
        let a = Zeroizing::new(Scalar::from_bytes_mod_order(*self.expose()));
        let public = EdwardsPoint::mul_base(&a);
        let mut prefix = [0xff; 32];
        prefix[0] = 0xfe;
        let hash = Sha512::new()
            .chain_update(prefix)
            .chain_update(self.expose())
            .chain_update(message)
            .chain_update(*z);
        let nonce = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        let r = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&nonce));
        let big_r = EdwardsPoint::mul_base(&r).compress().to_bytes();
        let s = *r + challenge(&big_r, &public, message) * *a;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&big_r);
        signature[32..].copy_from_slice(s.as_bytes());
        signature[63] |= public.compress().as_bytes()[31] & 0x80;
        signature
    }
}

/// `SHA-512(R || A || M) mod q`.
fn challenge(r: &[u8; 32], a: &EdwardsPoint, message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(a.compress().as_bytes())
        .chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// Both halves of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPair {
    /// The public half.
    pub public: PublicKey,
    /// The private half.
    pub private: PrivateKey,
}

impl KeyPair {
    /// A fresh pair.
    pub fn generate(rng: &mut dyn Entropy) -> Self {
        Self::from_private(PrivateKey::from_bytes(rng.bytes()))
    }

    /// The pair of a private key.
    pub fn from_private(private: PrivateKey) -> Self {
        Self {
            public: private.public(),
            private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    fn sequence(from: u8) -> PrivateKey {
        PrivateKey::from_bytes(core::array::from_fn(|i| from + u8::try_from(i).unwrap()))
    }

    #[test]
    fn a_signature_matches_the_published_known_answer() {
        let signature = sequence(1).sign(&mut Fixed(0x55), b"hello");
        assert_eq!(
            hex::encode(signature),
            "67db9de0b9905c57a448502ed5b6b6ce50399a583fbb1e7fa2f3fb73dd0cdb06\
             cecc6ec4d616b11448531f8cb3f68b6260303286b6346ea69f1d00f5702e6f82"
        );
        assert!(sequence(1).public().verify(b"hello", &signature));
        assert!(!sequence(1).public().verify(b"hellp", &signature));
        assert!(!sequence(2).public().verify(b"hello", &signature));
    }

    #[test]
    fn a_signature_whose_s_is_not_reduced_is_refused() {
        const Q: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut signature = sequence(1).sign(&mut Fixed(0x55), b"hello");
        let mut carry = 0;
        for (byte, q) in signature[32..].iter_mut().zip(Q) {
            let sum = u16::from(*byte) + u16::from(q) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert!(!sequence(1).public().verify(b"hello", &signature));
    }

    #[test]
    fn a_low_order_key_gives_no_agreement() {
        let mut one = [0; 32];
        one[0] = 1;
        for low in [[0; 32], one] {
            assert_eq!(sequence(1).agree(&PublicKey::new(low)), None);
        }
    }

    /// The ladder is the definition of X25519.
    #[test]
    fn every_u_coordinate_agrees_as_the_ladder_does() {
        let field = |low: u8| core::array::from_fn(|i| if i == 0 { low } else { 0xff });
        // Numbers around the end of the field, with and without the bit that does not count.
        let edges = (0xe0..=0xff).map(field).flat_map(|mut u: [u8; 32]| {
            let with = u;
            u[31] = 0x7f;
            [u, with]
        });
        let small = (0..40).map(|low| core::array::from_fn(|i| if i == 0 { low } else { 0 }));
        let hashes = (0..100_u8).map(|n| Sha512::digest([n])[..32].try_into().unwrap());
        let mut kinds = [0, 0];
        for u in edges.chain(small).chain(hashes) {
            let (ours, theirs) = (sequence(u[0] % 200), PublicKey::new(u));
            kinds[usize::from(matches!(theirs.unpack().0, Form::Twist(_)))] += 1;
            let ladder = MontgomeryPoint(u).mul_clamped(*ours.expose()).to_bytes();
            let shared = ours.agree(&theirs).map(|shared| *shared.expose());
            assert_eq!(
                shared,
                Some(ladder).filter(|shared| *shared != [0; 32]),
                "{u:x?}"
            );
        }
        assert!(kinds.iter().all(|kind| *kind > 50), "{kinds:?}");
    }

    #[test]
    fn only_type_five_is_a_typed_key() {
        let key = sequence(1).public();
        assert_eq!(PublicKey::from_typed(&key.typed()), Some(key));
        let mut other = key.typed();
        other[0] = 6;
        assert_eq!(PublicKey::from_typed(&other), None);
        assert_eq!(PublicKey::from_typed(key.as_bytes()), None);
        assert_eq!(PublicKey::from_typed(&[]), None);
    }
}
