//! Known answers for the primitives and for XEdDSA.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

use sendpath_protocol::crypto::curve::{PrivateKey, PublicKey};
use sendpath_protocol::crypto::symmetric::{
    aes256_cbc_encrypt, aes256_gcm_open, aes256_gcm_seal, hkdf_sha256, hmac_sha256, md5,
};
use sendpath_protocol::secret::Entropy;
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap()
}

struct Given(Vec<u8>);

impl Entropy for Given {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

#[test]
fn every_xeddsa_case_signs_and_verifies_in_both_forms() {
    let cases = cases(include_str!("vectors/xeddsa.json"));
    for case in &cases {
        let private = PrivateKey::from_bytes(array(case, "private"));
        let public = PublicKey::new(array(case, "public"));
        let message = bytes(case, "message");
        assert_eq!(private.public(), public);
        let signature = private.sign(&mut Given(bytes(case, "random64")), &message);
        assert_eq!(signature, array(case, "signature_libsignal_form"));
        assert!(public.verify(&message, &signature));
        assert!(public.verify(&message, &array(case, "signature_sign0_form")));
        assert!(!public.verify(&message, &array(case, "invalid_signature")));
    }
    assert_eq!(cases.len(), 8);
}

#[test]
fn every_primitive_we_have_gives_its_known_answer() {
    let mut checked = 0;
    for case in cases(include_str!("vectors/primitives.json")) {
        checked += 1;
        match case["algo"].as_str().unwrap() {
            "HKDF-SHA256" => {
                let salt = case["salt"].as_str().map(|salt| hex::decode(salt).unwrap());
                let (ikm, info) = (bytes(&case, "ikm"), bytes(&case, "info"));
                let okm = hkdf_sha256::<42>(&ikm, salt.as_deref(), &info);
                assert_eq!(okm, array(&case, "okm"));
            }
            "X25519" => {
                let a = PrivateKey::from_bytes(array(&case, "a_priv"));
                let b = PrivateKey::from_bytes(array(&case, "b_priv"));
                assert_eq!(a.public().as_bytes(), &array(&case, "a_pub"));
                assert_eq!(b.public().as_bytes(), &array(&case, "b_pub"));
                let shared = array(&case, "shared");
                assert_eq!(a.agree(&b.public()).unwrap().expose(), &shared);
                assert_eq!(b.agree(&a.public()).unwrap().expose(), &shared);
            }
            "HMAC-SHA256" => {
                let (key, data) = (bytes(&case, "key"), bytes(&case, "data"));
                let mac = hmac_sha256(&key, &[&data[..5], &data[5..]]);
                assert_eq!(mac, array(&case, "mac"));
            }
            "AES-256-GCM" => {
                let (key, iv) = (array(&case, "key"), array(&case, "iv"));
                let (aad, plain) = (bytes(&case, "aad"), bytes(&case, "plaintext"));
                let sealed = bytes(&case, "ciphertext_tag");
                assert_eq!(aes256_gcm_seal(&key, &iv, &aad, &plain), sealed);
                assert_eq!(aes256_gcm_open(&key, &iv, &aad, &sealed), Some(plain));
            }
            "AES-256-CBC (no padding)" => {
                let (key, iv) = (array(&case, "key"), array(&case, "iv"));
                let sealed = aes256_cbc_encrypt(&key, &iv, &bytes(&case, "plaintext"));
                let known = bytes(&case, "ciphertext");
                assert_eq!(sealed[..known.len()], known);
                assert_eq!(sealed.len(), known.len() + 16);
            }
            "MD5" => assert_eq!(md5(&bytes(&case, "data")), array(&case, "digest")),
            // The pairing code and its media counterpart need these; not the QR path.
            "AES-256-CTR" | "PBKDF2-HMAC-SHA256" => checked -= 1,
            other => panic!("no check for {other}"),
        }
    }
    assert_eq!(checked, 7);
}
