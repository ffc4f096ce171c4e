//! How the phone seals rows, and how it proves a collection.
//!
//! ```text
//! HKDF-SHA256(key, info "WhatsApp Mutation Keys", 160) = index | value | value MAC | snapshot MAC | patch MAC
//! blob = iv || AES-256-CBC(SyncActionData) || HMAC-SHA512(op || key id || iv || cipher || u64 length)[..32]
//! hash = sum over all rows of HKDF-SHA256(value MAC, info "WhatsApp Patch Integrity", 128), as 64 u16
//! ```
//! Source: spec 10.12. Written a second time: the hash is the sum over what there is, not a difference.

use aes::Aes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::{Sha256, Sha512};

use super::schema::{Action, Bytes, Row};

/// A key of the phone.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: Vec<u8>,
    pub(crate) data: [u8; 32],
}

/// Set or remove.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Op {
    Set,
    Remove,
}

/// A sealed row.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) row: Row,
    pub(crate) value_mac: [u8; 32],
}

impl Key {
    /// One of the five keys that follow, by place.
    fn part(&self, place: usize) -> [u8; 32] {
        let all = expand::<160>(&self.data, b"WhatsApp Mutation Keys");
        let mut part = [0; 32];
        part.copy_from_slice(&all[place * 32..place * 32 + 32]);
        part
    }

    pub(crate) fn seal(&self, op: Op, action: &Action, iv: [u8; 16]) -> Sealed {
        let index = action.index.clone().unwrap_or_default();
        let cipher = cbc::Encryptor::<Aes256>::new(&self.part(1).into(), &iv.into());
        let mut blob = iv.to_vec();
        blob.extend(cipher.encrypt_padded_vec::<Pkcs7>(&action.encode_to_vec()));
        let code = match op {
            Op::Set => 1_u8,
            Op::Remove => 2,
        };
        let mut covered = vec![code];
        covered.extend_from_slice(&self.id);
        let length = covered.len() as u64;
        covered.extend_from_slice(&blob);
        covered.extend_from_slice(&length.to_be_bytes());
        let mut value_mac = [0; 32];
        value_mac.copy_from_slice(&hmac512(&self.part(2), &covered)[..32]);
        blob.extend_from_slice(&value_mac);
        let row = Row {
            index: Bytes::of(&hmac256(&self.part(0), &index)),
            value: Bytes::of(&blob),
            key: Bytes::of(&self.id),
        };
        Sealed { row, value_mac }
    }

    pub(crate) fn snapshot_mac(&self, hash: &[u8], version: u64, name: &str) -> Vec<u8> {
        let mut covered = hash.to_vec();
        covered.extend_from_slice(&version.to_be_bytes());
        covered.extend_from_slice(name.as_bytes());
        hmac256(&self.part(3), &covered)
    }

    pub(crate) fn patch_mac(
        &self,
        snapshot_mac: &[u8],
        value_macs: &[[u8; 32]],
        version: u64,
        name: &str,
    ) -> Vec<u8> {
        let mut covered = snapshot_mac.to_vec();
        covered.extend(value_macs.iter().flatten());
        covered.extend_from_slice(&version.to_be_bytes());
        covered.extend_from_slice(name.as_bytes());
        hmac256(&self.part(4), &covered)
    }
}

/// The hash of a collection.
pub(crate) fn hash<'a>(value_macs: impl Iterator<Item = &'a [u8; 32]>) -> Vec<u8> {
    let mut sums = [0_u32; 64];
    for mac in value_macs {
        let expanded = expand::<128>(mac, b"WhatsApp Patch Integrity");
        for (sum, pair) in sums.iter_mut().zip(expanded.chunks(2)) {
            *sum += u32::from(pair[0]) + 256 * u32::from(pair[1]);
        }
    }
    let low = |sum: &u32| {
        let [low, high, ..] = sum.to_le_bytes();
        [low, high]
    };
    sums.iter().flat_map(low).collect()
}

fn expand<const N: usize>(key: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    // Both lengths are far below the limit of HKDF.
    let _ = Hkdf::<Sha256>::new(None, key).expand(info, &mut out);
    out
}

fn hmac256(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    // A key of HMAC is filled up with zeros to a block.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

fn hmac512(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    let mut block = [0; 128];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha512>::new(&block.into());
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn case(name: &str) -> Json {
        let file = include_str!("../../../../core/protocol/tests/vectors/app_state.json");
        let file: Json = serde_json::from_str(file).unwrap();
        let cases = file["cases"].as_array().unwrap();
        cases
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
            .clone()
    }

    fn bytes(text: &Json) -> Vec<u8> {
        hex::decode(text.as_str().unwrap()).unwrap()
    }

    fn macs(list: &Json) -> Vec<[u8; 32]> {
        let list = list.as_array().unwrap().iter();
        list.map(|mac| bytes(mac).try_into().unwrap()).collect()
    }

    #[test]
    fn rows_hashes_and_macs_are_those_of_the_vectors() {
        let mutations = case("mutations");
        let key = Key {
            id: bytes(&mutations["key_id"]),
            data: bytes(&case("key expansion")["key_data"])
                .try_into()
                .unwrap(),
        };
        for row in mutations["cases"].as_array().unwrap() {
            let action = Action::decode(&*bytes(&row["sync_action_data"])).unwrap();
            if action.encode_to_vec() != bytes(&row["sync_action_data"]) {
                // It has a value that this schema does not know.
                continue;
            }
            let op = if row["operation"] == "SET" {
                Op::Set
            } else {
                Op::Remove
            };
            let sealed = key.seal(op, &action, bytes(&row["iv"]).try_into().unwrap());
            assert_eq!(sealed.row.value, Bytes::of(&bytes(&row["value_blob"])));
            assert_eq!(sealed.row.index, Bytes::of(&bytes(&row["index_mac"])));
        }
        let sum = case("lthash");
        let hash = hash(macs(&sum["add_value_macs"]).iter());
        assert_eq!(hash, bytes(&sum["hash"]));
        let snapshot = key.snapshot_mac(&hash, 7, "regular_high");
        assert_eq!(snapshot, bytes(&case("snapshot mac")["mac"]));
        let patch = case("patch mac");
        let mac = key.patch_mac(&snapshot, &macs(&patch["value_macs"]), 7, "regular_high");
        assert_eq!(mac, bytes(&patch["mac"]));
    }
}
