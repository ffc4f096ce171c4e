//! The server side of the Noise handshake, written out by hand.
//!
//! ```text
//! XX:  -> e      <- e, ee, s, es(certificate)      -> s, se(client payload)
//! ```
//! Source: spec 2.1 to 2.4. The empty payload of message 1 is *not* mixed into the hash; a server
//! that did so would hide exactly the mistake that every standard Noise library makes. An IK hello
//! is always declined by answering with our static key under the XXfallback name.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use prost::Message;
use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sha2::{Digest, Sha256};

use crate::schema::{ClientFinish, ClientHello, HandshakeMessage, ServerHello};

/// "WA", protocol 6, dictionary 3: the intro header and the prologue.
pub const PROLOGUE: [u8; 4] = [b'W', b'A', 6, 3];

const XX: [u8; 32] = *b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0";
const XX_FALLBACK: &[u8] = b"Noise_XXfallback_25519_AESGCM_SHA256";

/// Why a handshake ended early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandshakeError {
    /// A key agreement gave the all-zero result.
    BadKey,
    /// A ciphertext does not open.
    Decrypt,
    /// Not the protobuf message that is due.
    Malformed,
}

/// `h`, `ck`, `k`, `n` of the Noise framework.
struct Symmetric {
    hash: [u8; 32],
    chain: [u8; 32],
    cipher: Option<Cipher>,
}

impl Symmetric {
    fn new(name: &[u8]) -> Self {
        let start = <[u8; 32]>::try_from(name).unwrap_or_else(|_| Sha256::digest(name).into());
        let mut state = Self {
            hash: start,
            chain: start,
            cipher: None,
        };
        state.mix_hash(&PROLOGUE);
        state
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = Sha256::new()
            .chain_update(self.hash)
            .chain_update(data)
            .finalize()
            .into();
    }

    fn mix_key(&mut self, ours: &KeyPair, theirs: &PublicKey) -> Result<(), HandshakeError> {
        let shared = ours.private.agree(theirs).ok_or(HandshakeError::BadKey)?;
        let (chain, key) = derive_pair(&self.chain, shared.expose());
        self.chain = chain;
        self.cipher = Some(Cipher::new(&key));
        Ok(())
    }

    fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let cipher = self.cipher.as_mut().ok_or(HandshakeError::Malformed)?;
        let sealed = cipher.seal(plain, &self.hash)?;
        self.mix_hash(&sealed);
        Ok(sealed)
    }

    fn decrypt(&mut self, sealed: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let cipher = self.cipher.as_mut().ok_or(HandshakeError::Malformed)?;
        let plain = cipher.open(sealed, &self.hash)?;
        self.mix_hash(sealed);
        Ok(plain)
    }
}

fn derive_pair(salt: &[u8; 32], ikm: &[u8]) -> ([u8; 32], [u8; 32]) {
    let mut okm = [0; 64];
    // 64 bytes are always within the output limit of HKDF-SHA256, so the result is never an error.
    let _ = Hkdf::<Sha256>::new(Some(salt), ikm).expand(&[], &mut okm);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&okm[..32]);
    second.copy_from_slice(&okm[32..]);
    (first, second)
}

/// One direction: a key and its counter.
pub struct Cipher {
    aead: Aes256Gcm,
    counter: u32,
}

impl Cipher {
    fn new(key: &[u8; 32]) -> Self {
        Self {
            aead: Aes256Gcm::new(key.into()),
            counter: 0,
        }
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        nonce
    }

    /// Seals the next message of this direction.
    pub fn seal(&mut self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let nonce = self.nonce();
        self.aead
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad })
            .map_err(|_| HandshakeError::Decrypt)
    }

    /// Opens the next message of this direction.
    pub fn open(&mut self, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let nonce = self.nonce();
        self.aead
            .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad })
            .map_err(|_| HandshakeError::Decrypt)
    }
}

/// The responder after our hello, waiting for the client's finish.
pub struct Responder {
    state: Symmetric,
    ephemeral: KeyPair,
}

/// What the handshake gave.
pub struct Handshaken {
    /// Opens what the client sends.
    pub incoming: Cipher,
    /// Seals what we send.
    pub outgoing: Cipher,
    /// The client's static ("noise") key.
    pub client_static: [u8; 32],
    /// Its encoded ClientPayload.
    pub payload: Vec<u8>,
}

impl Responder {
    /// Reads the client's hello and answers; `certificate` is the encoded chain.
    pub fn hello(
        frame: &[u8],
        ephemeral: KeyPair,
        static_key: &KeyPair,
        certificate: &[u8],
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let hello = decode(frame)?
            .client_hello
            .ok_or(HandshakeError::Malformed)?;
        let theirs = public(hello.ephemeral.as_deref())?;
        let mut state = Symmetric::new(pattern(&hello));
        state.mix_hash(theirs.as_bytes());
        state.mix_hash(ephemeral.public.as_bytes());
        state.mix_key(&ephemeral, &theirs)?;
        let sealed_static = state.encrypt(static_key.public.as_bytes())?;
        state.mix_key(static_key, &theirs)?;
        let sealed_payload = state.encrypt(certificate)?;
        let answer = HandshakeMessage {
            server_hello: Some(ServerHello {
                ephemeral: Some(ephemeral.public.as_bytes().to_vec()),
                r#static: Some(sealed_static),
                payload: Some(sealed_payload),
            }),
            ..HandshakeMessage::default()
        };
        Ok((Self { state, ephemeral }, answer.encode_to_vec()))
    }

    /// Reads the client's finish; the handshake is then complete.
    pub fn finish(mut self, frame: &[u8]) -> Result<Handshaken, HandshakeError> {
        let ClientFinish { r#static, payload } = decode(frame)?
            .client_finish
            .ok_or(HandshakeError::Malformed)?;
        let client_static = self
            .state
            .decrypt(&r#static.ok_or(HandshakeError::Malformed)?)?;
        let client_static = public(Some(&client_static))?;
        self.state.mix_key(&self.ephemeral, &client_static)?;
        let payload = self
            .state
            .decrypt(&payload.ok_or(HandshakeError::Malformed)?)?;
        let (incoming, outgoing) = derive_pair(&self.state.chain, &[]);
        Ok(Handshaken {
            incoming: Cipher::new(&incoming),
            outgoing: Cipher::new(&outgoing),
            client_static: *client_static.as_bytes(),
            payload,
        })
    }
}

fn pattern(hello: &ClientHello) -> &'static [u8] {
    match hello.r#static {
        None => &XX,
        Some(_) => XX_FALLBACK,
    }
}

fn decode(frame: &[u8]) -> Result<HandshakeMessage, HandshakeError> {
    HandshakeMessage::decode(frame).map_err(|_| HandshakeError::Malformed)
}

fn public(bytes: Option<&[u8]>) -> Result<PublicKey, HandshakeError> {
    bytes
        .and_then(PublicKey::from_raw)
        .ok_or(HandshakeError::Malformed)
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::crypto::curve::PrivateKey;
    use serde_json::Value;

    use super::*;

    fn vector(name: &str) -> Value {
        let file = include_str!("../../../core/protocol/tests/vectors/noise.json");
        let vectors: Value = serde_json::from_str(file).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        cases
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
            .clone()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    fn pair(value: &Value) -> KeyPair {
        KeyPair::from_private(PrivateKey::from_slice(&bytes(value)).unwrap())
    }

    #[test]
    fn the_known_handshake_is_reproduced_byte_for_byte() {
        let case = vector("own full XX");
        let (responder, hello) = Responder::hello(
            &bytes(&case["client_hello"]),
            pair(&case["server_ephemeral_priv"]),
            &pair(&case["server_static_priv"]),
            &bytes(&case["server_payload"]),
        )
        .unwrap();
        assert_eq!(hello, bytes(&case["server_hello"]));
        let mut done = responder.finish(&bytes(&case["client_finish"])).unwrap();
        assert_eq!(done.payload, bytes(&case["client_payload"]));
        for frame in case["transport_client_to_server"].as_array().unwrap() {
            let opened = done
                .incoming
                .open(&bytes(&frame["frame"])[3..], &[])
                .unwrap();
            assert_eq!(opened, frame["plaintext"].as_str().unwrap().as_bytes());
        }
        for frame in case["transport_server_to_client"].as_array().unwrap() {
            let plain = frame["plaintext"].as_str().unwrap().as_bytes();
            assert_eq!(
                done.outgoing.seal(plain, &[]).unwrap(),
                bytes(&frame["frame"])[3..]
            );
        }
    }

    #[test]
    fn a_changed_finish_does_not_open() {
        let case = vector("own full XX");
        let (responder, _) = Responder::hello(
            &bytes(&case["client_hello"]),
            pair(&case["server_ephemeral_priv"]),
            &pair(&case["server_static_priv"]),
            &bytes(&case["server_payload"]),
        )
        .unwrap();
        let mut finish = bytes(&case["client_finish"]);
        let last = finish.len() - 1;
        finish[last] ^= 1;
        assert_eq!(
            responder.finish(&finish).err(),
            Some(HandshakeError::Decrypt)
        );
    }
}
