//! The keys that the phone shares, and what is derived from them.
//!
//! ```text
//! HKDF-SHA256(key data, info "WhatsApp Mutation Keys", 160) = index | value | value MAC | snapshot MAC | patch MAC
//! row: AppStateKey / hex(key id) -> data, time stamp, fingerprint; or only when we asked for it
//! ```

use core::fmt;
use std::collections::BTreeMap;

use prost::Message;
use zeroize::Zeroize;

use super::Collection;
use super::lthash::LtHash;
use crate::crypto::symmetric::{hkdf_sha256, hmac_sha256};
use crate::error::{Fault, StoreError};
use crate::pb;
use crate::secret::{Secret, SecretBytes};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Record, Scope, Txn};

/// Bytes of a key id; 6 were seen.
const MOST_ID_BYTES: usize = 64;

/// Rows of keys; the phone makes a new one about once a month, and when a device is unlinked.
const MOST_ROWS: usize = 1_024;

/// Keys of one share that are read.
const MOST_SHARED: usize = 256;

/// How long we wait for the phone before we ask again for the same key (spec: 24 h).
const ASK_AGAIN: i64 = 86_400;

/// Names a key; not secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyId(Box<[u8]>);

impl KeyId {
    /// `None` for an id that no key has: empty or longer than 64 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=MOST_ID_BYTES)
            .contains(&bytes.len())
            .then(|| Self(bytes.into()))
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn row(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::new(), |mut text, byte| {
            // Writing into a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// A key as it lies in the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyRecord {
    /// The key; `None` while we wait for it.
    pub data: Option<SecretBytes>,
    /// When the phone made it, in its own unit.
    pub timestamp: Option<i64>,
    /// The devices that have it.
    pub fingerprint: Option<pb::AppStateSyncKeyFingerprint>,
    /// When we asked the phone for it; `None` when we never had to.
    pub asked: Option<UnixSeconds>,
}

/// What a share brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Shared {
    /// Keys that we did not have.
    pub(super) fresh: usize,
    /// Entries without a usable id or key.
    pub(super) odd: usize,
}

/// Stores the keys of a share. A key that is there is replaced only by a newer one.
///
/// # Errors
/// What the store says.
pub(super) fn share(
    cx: &mut Cx<'_>,
    slot: &Scope,
    share: &pb::AppStateSyncKeyShare,
) -> Result<Shared, Fault> {
    let mut shared = Shared::default();
    for key in share.keys.iter().take(MOST_SHARED) {
        let id = key
            .key_id
            .as_ref()
            .and_then(|id| KeyId::new(id.key_id.as_deref()?));
        let (Some(id), Some(data)) = (id, &key.key_data) else {
            shared.odd += 1;
            continue;
        };
        let Some(bytes) = data.key_data.clone().filter(|bytes| !bytes.is_empty()) else {
            shared.odd += 1;
            continue;
        };
        let known = load(&cx.txn, slot, &id)?.unwrap_or_default();
        if known.data.is_some() && known.timestamp >= data.timestamp {
            continue;
        }
        shared.fresh += usize::from(known.data.is_none());
        let record = KeyRecord {
            data: Some(SecretBytes::new(bytes)),
            timestamp: data.timestamp,
            fingerprint: data.fingerprint.clone(),
            asked: known.asked,
        };
        cx.txn.put(slot, id.row(), &record);
    }
    Ok(shared)
}

/// Whether any key is there.
///
/// # Errors
/// What the store says.
pub(super) fn any(txn: &Txn<'_>, slot: &Scope) -> Result<bool, StoreError> {
    let rows = txn.scan(slot, Namespace::AppStateKey, b"", None, MOST_ROWS)?;
    let usable = |row: &[u8]| KeyRecord::from_row(row).is_ok_and(|key| key.data.is_some());
    Ok(rows.iter().any(|(_, row)| usable(row)))
}

/// Those of `ids` that the phone was not asked for within a day.
///
/// # Errors
/// What the store says.
pub fn to_ask(
    txn: &Txn<'_>,
    slot: &Scope,
    ids: impl IntoIterator<Item = KeyId>,
    now: UnixSeconds,
) -> Result<Vec<KeyId>, StoreError> {
    let mut due = Vec::new();
    for id in ids {
        let known = load(txn, slot, &id)?.unwrap_or_default();
        let waits = known
            .asked
            .is_some_and(|t| (0..ASK_AGAIN).contains(&now.since(t)));
        if known.data.is_none() && !waits {
            due.push(id);
        }
    }
    Ok(due)
}

/// The phone got our question for these keys.
///
/// # Errors
/// What the store says.
pub fn asked(cx: &mut Cx<'_>, slot: &Scope, ids: &[KeyId], now: UnixSeconds) -> Result<(), Fault> {
    let rows = cx
        .txn
        .scan(slot, Namespace::AppStateKey, b"", None, MOST_ROWS)?;
    let room = MOST_ROWS - rows.len();
    for id in ids.iter().take(room) {
        let mut record = load(&cx.txn, slot, id)?.unwrap_or_default();
        record.asked = Some(now);
        cx.txn.put(slot, id.row(), &record);
    }
    Ok(())
}

fn load(txn: &Txn<'_>, slot: &Scope, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
    txn.get(slot, id.row())
}

/// What one key is used for.
pub struct Keys {
    /// MACs of indexes.
    pub index: Secret<32>,
    /// AES of values.
    pub value: Secret<32>,
    /// MACs of values.
    pub value_mac: Secret<32>,
    snapshot_mac: Secret<32>,
    patch_mac: Secret<32>,
}

impl Keys {
    /// The keys that follow from the data of a shared one.
    pub fn expand(data: &SecretBytes) -> Self {
        let mut okm: [u8; 160] = hkdf_sha256(data.expose(), None, b"WhatsApp Mutation Keys");
        let (parts, _) = okm.as_chunks::<32>();
        let part = |at: usize| Secret::new(parts.get(at).copied().unwrap_or_default());
        let keys = Self {
            index: part(0),
            value: part(1),
            value_mac: part(2),
            snapshot_mac: part(3),
            patch_mac: part(4),
        };
        okm.zeroize();
        keys
    }

    /// Proves a whole collection: `HMAC-SHA256(hash || version || name)`.
    pub fn snapshot_mac(&self, hash: &LtHash, version: u64, collection: Collection) -> [u8; 32] {
        let version = version.to_be_bytes();
        let name = collection.name().as_bytes();
        hmac_sha256(
            self.snapshot_mac.expose(),
            &[hash.as_bytes(), &version, name],
        )
    }

    /// Proves a patch: `HMAC-SHA256(snapshot MAC || value MACs in order || version || name)`.
    pub fn patch_mac(
        &self,
        snapshot_mac: &[u8],
        value_macs: &[&[u8; 32]],
        version: u64,
        collection: Collection,
    ) -> [u8; 32] {
        let version = version.to_be_bytes();
        let mut parts = vec![snapshot_mac];
        parts.extend(value_macs.iter().map(|mac| mac.as_slice()));
        parts.extend([&version[..], collection.name().as_bytes()]);
        hmac_sha256(self.patch_mac.expose(), &parts)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(160 bytes)")
    }
}

/// Keys that one piece of work has expanded, and ids that it did not find.
pub struct Ring<'a> {
    slot: &'a Scope,
    held: BTreeMap<KeyId, Option<Keys>>,
}

/// Different keys in one snapshot or patch; what would need more is not ours.
const MOST_HELD: usize = 64;

impl<'a> Ring<'a> {
    /// Nothing is expanded yet.
    pub const fn new(slot: &'a Scope) -> Self {
        Self {
            slot,
            held: BTreeMap::new(),
        }
    }

    /// The keys with that id; `None` when the id is none, or the key is not here
    /// ([`Ring::missing`]).
    ///
    /// # Errors
    /// What the store says.
    pub fn keys(&mut self, txn: &Txn<'_>, id: &[u8]) -> Result<Option<&Keys>, StoreError> {
        let Some(id) = KeyId::new(id) else {
            return Ok(None);
        };
        if !self.held.contains_key(&id) {
            if self.held.len() >= MOST_HELD {
                return Ok(None);
            }
            let record = load(txn, self.slot, &id)?.unwrap_or_default();
            let keys = record.data.as_ref().map(Keys::expand);
            self.held.insert(id.clone(), keys);
        }
        Ok(self.held.get(&id).and_then(Option::as_ref))
    }

    /// Ids of keys that were looked for and are not here.
    pub fn missing(&self) -> impl Iterator<Item = &KeyId> {
        self.held
            .iter()
            .filter(|(_, keys)| keys.is_none())
            .map(|(id, _)| id)
    }
}

impl Record for KeyRecord {
    const NAMESPACE: Namespace = Namespace::AppStateKey;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let Self {
            data,
            timestamp,
            fingerprint,
            asked,
        } = self;
        let row = KeyRow {
            data: data.as_ref().map(|data| data.expose().to_vec()),
            timestamp: *timestamp,
            fingerprint: fingerprint.as_ref().map(Message::encode_to_vec),
            asked: asked.map(|t| t.0),
        };
        row.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = KeyRow::decode(body).ok()?;
        let fingerprint = row.fingerprint.as_deref();
        Some(Self {
            data: row.data.map(SecretBytes::new),
            timestamp: row.timestamp,
            fingerprint: fingerprint.map(Message::decode).transpose().ok()?,
            asked: row.asked.map(UnixSeconds),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct KeyRow {
    #[prost(bytes = "vec", optional, tag = "1")]
    data: Option<Vec<u8>>,
    #[prost(int64, optional, tag = "2")]
    timestamp: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "3")]
    fingerprint: Option<Vec<u8>>,
    #[prost(int64, optional, tag = "4")]
    asked: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appstate::testdata::{bytes, case, list};
    use crate::testkit::Bench;

    fn keys() -> Keys {
        Keys::expand(&SecretBytes::new(bytes(&case("key expansion")["key_data"])))
    }

    fn shared(id: &[u8], data: Option<&[u8]>, timestamp: i64) -> pb::AppStateSyncKey {
        pb::AppStateSyncKey {
            key_id: Some(pb::AppStateSyncKeyId {
                key_id: Some(id.to_vec()),
            }),
            key_data: Some(pb::AppStateSyncKeyData {
                key_data: data.map(<[u8]>::to_vec),
                timestamp: Some(timestamp),
                fingerprint: Some(pb::AppStateSyncKeyFingerprint {
                    raw_id: Some(5),
                    current_index: Some(1),
                    device_indexes: vec![0, 1],
                }),
            }),
        }
    }

    fn take(bench: &mut Bench, keys: Vec<pb::AppStateSyncKey>) -> Shared {
        let slot = bench.slot.clone();
        let message = pb::AppStateSyncKeyShare { keys };
        bench.run(|cx| share(cx, &slot, &message))
    }

    fn stored(bench: &mut Bench, id: &[u8]) -> Option<KeyRecord> {
        let (slot, id) = (bench.slot.clone(), KeyId::new(id).unwrap());
        bench.run(|cx| Ok(load(&cx.txn, &slot, &id)?))
    }

    #[test]
    fn the_expansion_agrees_with_the_vectors() {
        let (keys, case) = (keys(), case("key expansion"));
        for (name, key) in [
            ("index", &keys.index),
            ("value_encryption", &keys.value),
            ("value_mac", &keys.value_mac),
            ("snapshot_mac", &keys.snapshot_mac),
            ("patch_mac", &keys.patch_mac),
        ] {
            assert_eq!(key.expose().to_vec(), bytes(&case[name]), "{name}");
        }
    }

    #[test]
    fn macs_of_snapshots_and_patches_agree_with_the_vectors() {
        let (keys, case, patch) = (keys(), case("snapshot mac"), case("patch mac"));
        let hash = LtHash::from_bytes(bytes(&case["hash"]).try_into().unwrap());
        let snapshot_mac = keys.snapshot_mac(&hash, 7, Collection::RegularHigh);
        assert_eq!(snapshot_mac.to_vec(), bytes(&case["mac"]));
        let macs: Vec<[u8; 32]> = list(&patch["value_macs"])
            .into_iter()
            .map(|mac| mac.try_into().unwrap())
            .collect();
        let mac =
            |version, name| keys.patch_mac(&snapshot_mac, &[&macs[0], &macs[1]], version, name);
        assert_eq!(
            mac(7, Collection::RegularHigh).to_vec(),
            bytes(&patch["mac"])
        );
        assert_ne!(
            mac(8, Collection::RegularHigh).to_vec(),
            bytes(&patch["mac"])
        );
        assert_ne!(
            mac(7, Collection::RegularLow).to_vec(),
            bytes(&patch["mac"])
        );
    }

    #[test]
    fn a_share_is_kept_and_a_newer_key_with_the_same_id_wins() {
        let mut bench = Bench::new(1);
        let keys = vec![
            shared(b"a", Some(b"1"), 10),
            shared(b"b", None, 10),
            shared(b"", Some(b"1"), 1),
        ];
        assert_eq!(take(&mut bench, keys), Shared { fresh: 1, odd: 2 });
        assert_eq!(
            take(&mut bench, vec![shared(b"a", Some(b"2"), 9)]),
            Shared::default()
        );
        let kept = stored(&mut bench, b"a").unwrap();
        assert_eq!(kept.data, Some(SecretBytes::new(b"1".to_vec())));
        assert_eq!(kept.fingerprint.unwrap().device_indexes, [0, 1]);
        assert_eq!(
            take(&mut bench, vec![shared(b"a", Some(b"2"), 11)]),
            Shared::default()
        );
        assert_eq!(
            stored(&mut bench, b"a").unwrap().data,
            Some(SecretBytes::new(b"2".to_vec()))
        );
    }

    #[test]
    fn a_missing_key_is_asked_for_once_a_day() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        take(&mut bench, vec![shared(b"here", Some(b"1"), 10)]);
        let ids = [&b"here"[..], b"gone"].map(|id| KeyId::new(id).unwrap());
        let due = |bench: &mut Bench, t| {
            bench.run(|cx| Ok(to_ask(&cx.txn, &slot, ids.clone(), UnixSeconds(t))?))
        };
        assert_eq!(due(&mut bench, 100), [ids[1].clone()]);
        bench.run(|cx| asked(cx, &slot, &ids[1..], UnixSeconds(100)));
        assert_eq!(due(&mut bench, 100 + ASK_AGAIN - 1), []);
        assert_eq!(due(&mut bench, 100 + ASK_AGAIN), [ids[1].clone()]);
        assert_eq!(
            due(&mut bench, 99),
            [ids[1].clone()],
            "a clock that went back"
        );
        assert!(bench.run(|cx| Ok(any(&cx.txn, &slot)?)));
        take(&mut bench, vec![shared(b"gone", Some(b"2"), 10)]);
        assert_eq!(due(&mut bench, 100 + ASK_AGAIN), []);
    }

    #[test]
    fn a_key_that_is_only_asked_for_is_not_here() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let id = KeyId::new(b"x").unwrap();
        bench.run(|cx| asked(cx, &slot, &[id], UnixSeconds(1)));
        assert!(!bench.run(|cx| Ok(any(&cx.txn, &slot)?)));
        let missing = bench.run(|cx| {
            let mut ring = Ring::new(&slot);
            assert!(ring.keys(&cx.txn, b"x")?.is_none() && ring.keys(&cx.txn, b"")?.is_none());
            Ok(ring.missing().cloned().collect::<Vec<_>>())
        });
        assert_eq!(missing, [KeyId::new(b"x").unwrap()]);
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = KeyRecord {
            data: Some(SecretBytes::new(vec![9, 9])),
            timestamp: Some(1),
            fingerprint: Some(pb::AppStateSyncKeyFingerprint {
                raw_id: Some(5),
                ..pb::AppStateSyncKeyFingerprint::default()
            }),
            asked: Some(UnixSeconds(2)),
        };
        assert_eq!(hex::encode(record.to_row()), "010a02090910011a0208052002");
        assert_eq!(KeyRecord::from_row(&record.to_row()), Ok(record));
    }
}
