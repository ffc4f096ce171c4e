//! The known answers, and a phone that seals rows of its own.

use std::collections::BTreeMap;

use prost::Message as _;
use serde_json::Value;

use super::keys::Keys;
use super::{Collection, LtHash};
use crate::crypto::symmetric;
use crate::pb;
use crate::secret::SecretBytes;

/// The case with that name.
pub(crate) fn case(name: &str) -> Value {
    let file: Value =
        serde_json::from_str(include_str!("../../tests/vectors/app_state.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    cases
        .iter()
        .find(|case| case["name"] == name)
        .unwrap()
        .clone()
}

pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().unwrap()).unwrap()
}

pub(crate) fn list(hex: &Value) -> Vec<Vec<u8>> {
    hex.as_array().unwrap().iter().map(bytes).collect()
}

/// The keys of the vectors.
pub(crate) fn keys() -> Keys {
    let data = bytes(&case("key expansion")["key_data"]);
    Keys::expand(&SecretBytes::new(data))
}

/// A phone: seals rows as the vectors' program does, with the crate's ciphers.
pub(crate) struct Phone {
    pub(crate) id: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) collection: Collection,
    pub(crate) version: u64,
    rows: BTreeMap<Vec<u8>, [u8; 32]>,
    serial: u8,
}

/// A change: the index, and the value of a set one.
pub(crate) type Change<'a> = (&'a str, Option<pb::SyncActionValue>);

impl Phone {
    pub(crate) fn new(collection: Collection) -> Self {
        let (id, data) = (vec![0, 0, 0, 0, 0, 1], vec![7; 32]);
        Self {
            id,
            data,
            collection,
            version: 0,
            rows: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::expand(&SecretBytes::new(self.data.clone()))
    }

    /// What it tells its companions.
    pub(crate) fn share(&self) -> pb::AppStateSyncKeyShare {
        let key = pb::AppStateSyncKey {
            key_id: Some(pb::AppStateSyncKeyId {
                key_id: Some(self.id.clone()),
            }),
            key_data: Some(pb::AppStateSyncKeyData {
                key_data: Some(self.data.clone()),
                timestamp: Some(1),
                ..pb::AppStateSyncKeyData::default()
            }),
        };
        pb::AppStateSyncKeyShare { keys: vec![key] }
    }

    fn key_id(&self) -> Option<pb::SyncdKeyId> {
        Some(pb::SyncdKeyId {
            id: Some(self.id.clone()),
        })
    }

    fn seal(&mut self, index: &str, value: Option<pb::SyncActionValue>) -> pb::SyncdMutation {
        let keys = self.keys();
        let op: u8 = if value.is_some() { 1 } else { 2 };
        let data = pb::SyncActionData {
            index: Some(index.into()),
            value: value.clone(),
            padding: Some(Vec::new()),
            version: Some(1),
        };
        self.serial += 1;
        let iv = [self.serial; 16];
        let mut blob = iv.to_vec();
        blob.extend(symmetric::aes256_cbc_encrypt(
            keys.value.expose(),
            &iv,
            &data.encode_to_vec(),
        ));
        let covered = u64::try_from(self.id.len() + 1).unwrap().to_be_bytes();
        let parts = [&[op][..], &self.id, &blob, &covered];
        let mac: [u8; 32] = symmetric::hmac_sha512(keys.value_mac.expose(), &parts)[..32]
            .try_into()
            .unwrap();
        blob.extend(mac);
        let index_mac = symmetric::hmac_sha256(keys.index.expose(), &[index.as_bytes()]).to_vec();
        match value {
            Some(_) => self.rows.insert(index_mac.clone(), mac),
            None => self.rows.remove(&index_mac),
        };
        pb::SyncdMutation {
            operation: Some(i32::from(op) - 1),
            record: Some(pb::SyncdRecord {
                index: Some(pb::SyncdIndex {
                    blob: Some(index_mac),
                }),
                value: Some(pb::SyncdValue { blob: Some(blob) }),
                key_id: self.key_id(),
            }),
        }
    }

    pub(crate) fn hash(&self) -> LtHash {
        let mut hash = LtHash::default();
        self.rows.values().for_each(|mac| hash.add(mac));
        hash
    }

    /// The next patch.
    pub(crate) fn patch(&mut self, changes: &[Change<'_>]) -> pb::SyncdPatch {
        let changes: Vec<_> = changes
            .iter()
            .map(|(index, value)| self.seal(index, value.clone()))
            .collect();
        self.version += 1;
        let keys = self.keys();
        let snapshot_mac = keys.snapshot_mac(&self.hash(), self.version, self.collection);
        let mut patch = pb::SyncdPatch {
            version: Some(pb::SyncdVersion {
                version: Some(self.version),
            }),
            mutations: changes,
            snapshot_mac: Some(snapshot_mac.to_vec()),
            key_id: self.key_id(),
            ..pb::SyncdPatch::default()
        };
        self.sign(&mut patch);
        patch
    }

    /// Makes the patch MAC anew.
    pub(crate) fn sign(&self, patch: &mut pb::SyncdPatch) {
        let blob = |mutation: &pb::SyncdMutation| {
            mutation
                .record
                .clone()
                .unwrap()
                .value
                .unwrap()
                .blob
                .unwrap()
        };
        let macs: Vec<[u8; 32]> = patch
            .mutations
            .iter()
            .map(|mutation| *blob(mutation).last_chunk().unwrap())
            .collect();
        let macs: Vec<&[u8; 32]> = macs.iter().collect();
        let snapshot_mac = patch.snapshot_mac.clone().unwrap();
        let version = patch.version.clone().unwrap().version.unwrap();
        let mac = self
            .keys()
            .patch_mac(&snapshot_mac, &macs, version, self.collection);
        patch.patch_mac = Some(mac.to_vec());
    }

    /// The whole of a collection with these rows only.
    pub(crate) fn snapshot(&mut self, rows: &[Change<'_>]) -> pb::SyncdSnapshot {
        self.rows.clear();
        let records = rows
            .iter()
            .map(|(index, value)| self.seal(index, value.clone()).record.unwrap());
        let records = records.collect();
        self.version += 1;
        let mac = self
            .keys()
            .snapshot_mac(&self.hash(), self.version, self.collection);
        pb::SyncdSnapshot {
            version: Some(pb::SyncdVersion {
                version: Some(self.version),
            }),
            records,
            mac: Some(mac.to_vec()),
            key_id: self.key_id(),
        }
    }
}

/// The index and a value of the salt.
pub(crate) const SALT: &str = r#"["nct_salt_sync"]"#;

pub(crate) fn salt(salt: &[u8]) -> Option<pb::SyncActionValue> {
    Some(pb::SyncActionValue {
        nct_salt_sync_action: Some(pb::NctSaltSyncAction {
            salt: Some(salt.to_vec()),
        }),
        ..pb::SyncActionValue::default()
    })
}

/// A value of a kind that nobody here reads.
pub(crate) fn other() -> Option<pb::SyncActionValue> {
    Some(pb::SyncActionValue {
        timestamp: Some(5),
        ..pb::SyncActionValue::default()
    })
}
