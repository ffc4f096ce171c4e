//! Sender keys of model devices, written a second time.
//!
//! ```text
//! distribution: 33 || {id 1, iteration 2, chainKey 3, signingKey 4 (05 || 32)}
//! skmsg: 33 || {id 1, iteration 2, ciphertext 3} || XEdDSA 64
//! seed = HMAC(chain, 01), chain' = HMAC(chain, 02), iv 16 | key 32 = HKDF(seed, "WhisperGroup", 48)
//! ```
//! Source: spec 7.5. Deliberately not the code of the protocol crate, so that a mistake there shows.

use std::collections::BTreeMap;

use prost::Message;
use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sendpath_protocol::crypto::symmetric::{
    aes256_cbc_decrypt, aes256_cbc_encrypt, hkdf_sha256, hmac_sha256,
};
use sendpath_protocol::secret::{Entropy, EntropyExt};
use sendpath_protocol::signal::padding;

#[derive(Clone, PartialEq, Message)]
struct Distribution {
    #[prost(uint32, optional, tag = "1")]
    id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    chain: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    signing: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct GroupMessage {
    #[prost(uint32, optional, tag = "1")]
    id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    ciphertext: Option<Vec<u8>>,
}

/// What a device was given to read another one's group messages with.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    id: u32,
    iteration: u32,
    chain: [u8; 32],
    signing: PublicKey,
    skipped: BTreeMap<u32, [u8; 32]>,
}

/// The public part of a group message: key id and iteration.
pub(crate) fn numbers(bytes: &[u8]) -> Option<(u32, u32)> {
    let (message, _) = parse(bytes)?;
    Some((message.id?, message.iteration?))
}

fn parse(bytes: &[u8]) -> Option<(GroupMessage, &[u8])> {
    let end = bytes.len().checked_sub(64)?;
    let signed = &bytes[..end];
    let body = signed.strip_prefix(&[0x33])?;
    Some((GroupMessage::decode(body).ok()?, signed))
}

impl Reader {
    pub(crate) fn new(distribution: &[u8]) -> Option<Self> {
        let told = Distribution::decode(distribution.strip_prefix(&[0x33])?).ok()?;
        Some(Self {
            id: told.id?,
            iteration: told.iteration?,
            chain: told.chain?.try_into().ok()?,
            signing: PublicKey::from_typed(&told.signing?)?,
            skipped: BTreeMap::new(),
        })
    }

    /// The unpadded plaintext; the error is the reason in words.
    pub(crate) fn open(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let (message, signed) = parse(bytes).ok_or("no group message of version 3")?;
        let signature = bytes[signed.len()..]
            .try_into()
            .map_err(|_| "no signature")?;
        if message.id != Some(self.id) {
            return Err("another key".into());
        }
        if !self.signing.verify(signed, signature) {
            return Err("the signature is wrong".into());
        }
        let iteration = message.iteration.ok_or("no iteration")?;
        let seed = self
            .seed(iteration)
            .ok_or("read before, or too far ahead")?;
        let (iv, key) = derive(&seed);
        let ciphertext = message.ciphertext.ok_or("no ciphertext")?;
        let padded = aes256_cbc_decrypt(&key, &iv, &ciphertext).ok_or("bad ciphertext")?;
        padding::unpad(padded).ok_or_else(|| "bad padding".into())
    }

    fn seed(&mut self, iteration: u32) -> Option<[u8; 32]> {
        if iteration.checked_sub(self.iteration)? > 2000 {
            return None;
        }
        while self.iteration <= iteration {
            let seed = hmac_sha256(&self.chain, &[&[1]]);
            self.skipped.insert(self.iteration, seed);
            self.chain = hmac_sha256(&self.chain, &[&[2]]);
            self.iteration += 1;
        }
        self.skipped.remove(&iteration)
    }
}

fn derive(seed: &[u8; 32]) -> ([u8; 16], [u8; 32]) {
    let okm = hkdf_sha256::<48>(seed, None, b"WhisperGroup");
    let mut key = [0; 32];
    key.copy_from_slice(&okm[16..]);
    (core::array::from_fn(|i| okm[i]), key)
}

/// A device's own key of a group.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    id: u32,
    iteration: u32,
    chain: [u8; 32],
    signing: KeyPair,
}

impl Writer {
    pub(crate) fn generate(rng: &mut dyn Entropy) -> Self {
        Self {
            id: rng.below(1 << 31),
            iteration: 0,
            chain: rng.bytes(),
            signing: KeyPair::generate(rng),
        }
    }

    pub(crate) fn distribution(&self) -> Vec<u8> {
        let told = Distribution {
            id: Some(self.id),
            iteration: Some(self.iteration),
            chain: Some(self.chain.to_vec()),
            signing: Some(self.signing.public.typed().to_vec()),
        };
        [vec![0x33], told.encode_to_vec()].concat()
    }

    pub(crate) fn seal(&mut self, rng: &mut dyn Entropy, plain: &[u8]) -> Vec<u8> {
        let (iv, key) = derive(&hmac_sha256(&self.chain, &[&[1]]));
        let padded = padding::pad(rng, plain.to_vec());
        let message = GroupMessage {
            id: Some(self.id),
            iteration: Some(self.iteration),
            ciphertext: Some(aes256_cbc_encrypt(&key, &iv, &padded)),
        };
        self.chain = hmac_sha256(&self.chain, &[&[2]]);
        self.iteration += 1;
        let mut bytes = [vec![0x33], message.encode_to_vec()].concat();
        let signature = self.signing.private.sign(rng, &bytes);
        bytes.extend(signature);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    #[test]
    fn a_reader_reads_its_writer_in_any_order_and_once() {
        let mut rng = SeededRng::new(1);
        let mut writer = Writer::generate(&mut rng);
        let mut reader = Reader::new(&writer.distribution()).unwrap();
        let (one, two) = (writer.seal(&mut rng, b"1"), writer.seal(&mut rng, b"2"));
        assert_eq!(reader.open(&two).unwrap(), b"2");
        assert!(reader.open(&two).is_err());
        let mut late = Reader::new(&writer.distribution()).unwrap();
        assert!(late.open(&one).is_err(), "written before");
        assert_eq!(numbers(&one).unwrap().1, 0);
    }

    #[test]
    fn the_known_answer_of_the_specification_is_read() {
        let told = "33088486880810001a201111111111111111111111111111111111111111111111111111111111\
                    1111112221053a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24";
        let reader = Reader::new(&hex::decode(told).unwrap()).unwrap();
        assert_eq!((reader.id, reader.iteration), (0x0102_0304, 0));
        let (iv, key) = derive(&hmac_sha256(&reader.chain, &[&[1]]));
        assert_eq!(hex::encode(iv), "99f84d6adaf0663bb79e1f541e232e70");
        assert_eq!(
            hex::encode(key),
            "72000d68346a05ffb143906cf02137458d26f53db8af9aa8f3bfb17c60622a8a"
        );
    }
}
