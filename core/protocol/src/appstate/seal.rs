//! One encrypted row.
//!
//! ```text
//! blob      = iv 16 || AES-256-CBC(value key, SyncActionData) || MAC 32
//! MAC       = HMAC-SHA512(value MAC key, op || key id || blob without MAC || u64 of (key id length + 1))[..32]
//! index MAC = HMAC-SHA256(index key, SyncActionData.index);   op: 01 SET, 02 REMOVE
//! ```

use prost::Message;

use super::fields::{Fields, Value, inner};
use super::keys::Keys;
use super::{Forgery, Malformed};
use crate::crypto::symmetric::{aes256_cbc_decrypt, ct_eq, hmac_sha256, hmac_sha512};
use crate::nct::Operation;
use crate::pb;

/// A row as the server keeps it; views into the bytes it came in.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Names the row without telling what it is.
    pub index_mac: &'a [u8; 32],
    /// The key it is sealed with.
    pub key_id: &'a [u8],
    /// The MAC at the end of the blob; the collection's hash is made from these.
    pub value_mac: &'a [u8; 32],
    iv: &'a [u8; 16],
    cipher: &'a [u8],
    /// Everything that `value_mac` covers of the blob.
    body: &'a [u8],
}

/// What is inside a row.
#[derive(Clone, Debug)]
pub struct Opened {
    /// A JSON array of texts: the action's name, then what it is about.
    pub index: Vec<u8>,
    /// What the row says; a removal may say nothing.
    pub value: Option<pb::SyncActionValue>,
}

impl<'a> Record<'a> {
    /// Reads a `SyncdRecord`.
    ///
    /// # Errors
    /// [`Malformed`] when a part is missing or too short.
    pub fn parse(record: &'a [u8]) -> Result<Self, Malformed> {
        let (mut index_mac, mut blob, mut key_id) = (None, None, None);
        for field in Fields::of(record) {
            match field? {
                (1, Value::Bytes(index)) => index_mac = inner(index, 1)?,
                (2, Value::Bytes(value)) => blob = inner(value, 1)?,
                (3, Value::Bytes(id)) => key_id = inner(id, 1)?,
                _ => {}
            }
        }
        let (body, value_mac) = blob.and_then(<[u8]>::split_last_chunk).ok_or(Malformed)?;
        let (iv, cipher) = body.split_first_chunk().ok_or(Malformed)?;
        Ok(Self {
            index_mac: index_mac
                .and_then(|mac| mac.try_into().ok())
                .ok_or(Malformed)?,
            key_id: key_id.ok_or(Malformed)?,
            value_mac,
            iv,
            cipher,
            body,
        })
    }
}

/// Opens a row that `operation` sets or removes.
///
/// # Errors
/// What does not match.
pub fn open(keys: &Keys, operation: Operation, record: &Record<'_>) -> Result<Opened, Forgery> {
    let op = match operation {
        Operation::Remove => 2,
        Operation::Set => 1,
    };
    let covered = u64::try_from(record.key_id.len())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let parts = [
        &[op][..],
        record.key_id,
        record.body,
        &covered.to_be_bytes(),
    ];
    let mac = hmac_sha512(keys.value_mac.expose(), &parts);
    if !ct_eq(mac.split_at(32).0, record.value_mac) {
        return Err(Forgery::ValueMac);
    }
    let plain = aes256_cbc_decrypt(keys.value.expose(), record.iv, record.cipher);
    let data = plain.and_then(|plain| pb::SyncActionData::decode(&*plain).ok());
    let data = data.ok_or(Forgery::Malformed)?;
    let index = data.index.ok_or(Forgery::Malformed)?;
    if !ct_eq(
        &hmac_sha256(keys.index.expose(), &[&index]),
        record.index_mac,
    ) {
        return Err(Forgery::IndexMac);
    }
    Ok(Opened {
        index,
        value: data.value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appstate::testdata::{bytes, case, keys};

    /// The `SyncdRecord` of a vector.
    fn record(case: &serde_json::Value) -> Vec<u8> {
        let record = pb::SyncdRecord {
            index: Some(pb::SyncdIndex {
                blob: Some(bytes(&case["index_mac"])),
            }),
            value: Some(pb::SyncdValue {
                blob: Some(bytes(&case["value_blob"])),
            }),
            key_id: Some(pb::SyncdKeyId {
                id: Some(bytes(&super::super::testdata::case("mutations")["key_id"])),
            }),
        };
        record.encode_to_vec()
    }

    fn operation(case: &serde_json::Value) -> Operation {
        match case["operation"].as_str().unwrap() {
            "SET" => Operation::Set,
            _ => Operation::Remove,
        }
    }

    fn cases() -> Vec<serde_json::Value> {
        case("mutations")["cases"].as_array().unwrap().clone()
    }

    #[test]
    fn rows_of_the_vectors_open() {
        assert_eq!(cases().len(), 3);
        for case in cases() {
            let bytes_of_record = record(&case);
            let record = Record::parse(&bytes_of_record).unwrap();
            assert_eq!(record.value_mac.to_vec(), bytes(&case["value_mac"]));
            let opened = open(&keys(), operation(&case), &record).unwrap();
            assert_eq!(
                opened.index,
                case["index_json"].as_str().unwrap().as_bytes()
            );
            let value = pb::SyncActionValue::decode(&*bytes(&case["value"])).unwrap();
            assert_eq!(opened.value, Some(value));
        }
    }

    #[test]
    fn a_changed_bit_or_another_operation_is_seen() {
        let case = &cases()[0];
        let whole = record(case);
        let parsed = Record::parse(&whole).unwrap();
        let other = open(&keys(), Operation::Remove, &parsed);
        assert_eq!(other.unwrap_err(), Forgery::ValueMac);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            // What is no record any more cannot be opened either.
            if let Ok(record) = Record::parse(&changed) {
                assert!(open(&keys(), Operation::Set, &record).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_record_without_a_part_is_malformed() {
        let whole = pb::SyncdRecord::decode(&*record(&cases()[0])).unwrap();
        let short = pb::SyncdValue {
            blob: Some(vec![0; 47]),
        };
        for broken in [
            pb::SyncdRecord {
                index: None,
                ..whole.clone()
            },
            pb::SyncdRecord {
                value: None,
                ..whole.clone()
            },
            pb::SyncdRecord {
                key_id: None,
                ..whole.clone()
            },
            pb::SyncdRecord {
                value: Some(short),
                ..whole
            },
        ] {
            assert_eq!(
                Record::parse(&broken.encode_to_vec()).err(),
                Some(Malformed)
            );
        }
    }
}
