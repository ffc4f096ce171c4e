//! Hashes, key derivation and ciphers, each under one name with the parameters the protocol uses.

use aes::Aes256;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// MD5, for fields that are no secret: the server wants it of the client version.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// HMAC-SHA256 over the concatenated `parts`.
#[expect(clippy::expect_used, reason = "HMAC is defined for keys of any length")]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA512 over the concatenated `parts`.
#[expect(clippy::expect_used, reason = "HMAC is defined for keys of any length")]
pub fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut mac = <Hmac<Sha512> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// `N` bytes of HKDF-SHA256; no salt means 32 zero bytes.
#[expect(clippy::expect_used, reason = "the length is checked when compiling")]
pub fn hkdf_sha256<const N: usize>(ikm: &[u8], salt: Option<&[u8]>, info: &[u8]) -> [u8; N] {
    const { assert!(N <= 255 * 32, "HKDF-SHA256 gives up to 8160 bytes") };
    let mut okm = [0; N];
    Hkdf::<Sha256>::new(salt, ikm)
        .expand(info, &mut okm)
        .expect("N is in range");
    okm
}

/// AES-256-CBC with PKCS#7 padding.
pub fn aes256_cbc_encrypt(key: &[u8; 32], iv: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    cbc::Encryptor::<Aes256>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
}

/// Reverses [`aes256_cbc_encrypt`]; `None` for a wrong length or wrong padding. Check a MAC first:
/// the difference must not be visible to whoever made the ciphertext.
pub fn aes256_cbc_decrypt(key: &[u8; 32], iv: &[u8; 16], cipher: &[u8]) -> Option<Vec<u8>> {
    cbc::Decryptor::<Aes256>::new(key.into(), iv.into())
        .decrypt_padded_vec::<Pkcs7>(cipher)
        .ok()
}

/// AES-256-GCM: ciphertext with the 16-byte tag behind it.
#[expect(
    clippy::expect_used,
    reason = "fails above 64 GiB only, longer than a frame can be"
)]
pub fn aes256_gcm_seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(key.into())
        .encrypt(nonce.into(), Payload { msg: plain, aad })
        .expect("the plaintext is shorter than 64 GiB")
}

/// Reverses [`aes256_gcm_seal`]; `None` when the tag does not match.
pub fn aes256_gcm_open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    Aes256Gcm::new(key.into())
        .decrypt(nonce.into(), Payload { msg: sealed, aad })
        .ok()
}

/// Equality in constant time for equal lengths.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_anywhere_fails_to_open() {
        let (key, nonce) = ([1; 32], [2; 12]);
        let sealed = aes256_gcm_seal(&key, &nonce, b"aad", b"plain");
        assert_eq!(
            aes256_gcm_open(&key, &nonce, b"aad", &sealed).as_deref(),
            Some(&b"plain"[..])
        );
        assert_eq!(aes256_gcm_open(&key, &nonce, b"AAD", &sealed), None);
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(aes256_gcm_open(&key, &nonce, b"aad", &changed), None);
        }
    }

    #[test]
    fn cbc_refuses_wrong_padding_and_partial_blocks() {
        let (key, iv) = ([1; 32], [2; 16]);
        let cipher = aes256_cbc_encrypt(&key, &iv, b"plain");
        assert_eq!(
            aes256_cbc_decrypt(&key, &iv, &cipher).as_deref(),
            Some(&b"plain"[..])
        );
        assert_eq!(aes256_cbc_decrypt(&key, &iv, &cipher[..15]), None);
        assert_eq!(aes256_cbc_decrypt(&key, &iv, &[]), None);
        assert_eq!(aes256_cbc_decrypt(&[3; 32], &iv, &cipher), None);
    }
}
