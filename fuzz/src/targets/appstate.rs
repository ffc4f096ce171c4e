//! App state: keys of the phone, patches, snapshots, and what is in a row.

use std::cell::RefCell;

use prost::Message;
use sendpath_protocol::appstate::keys::Keys;
use sendpath_protocol::appstate::{AppState, Collection, Patch, Snapshot, State, Work};
use sendpath_protocol::crypto::symmetric;
use sendpath_protocol::pb;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::stream::iq::IqEnd;
use sendpath_protocol::wap::Node;

use crate::bench::{Bench, NOW, parts, split};

const HIGH: Collection = Collection::RegularHigh;

/// The key of the known answers.
fn share() -> pb::AppStateSyncKeyShare {
    let expansion = crate::seeds::case("app_state", 0);
    let mutations = crate::seeds::case("app_state", 1);
    let key = pb::AppStateSyncKey {
        key_id: Some(pb::AppStateSyncKeyId {
            key_id: Some(crate::seeds::bytes(&mutations, "key_id")),
        }),
        key_data: Some(pb::AppStateSyncKeyData {
            key_data: Some(crate::seeds::bytes(&expansion, "key_data")),
            timestamp: Some(1),
            ..pb::AppStateSyncKeyData::default()
        }),
    };
    pb::AppStateSyncKeyShare { keys: vec![key] }
}

fn cached() -> pb::AppStateSyncKeyShare {
    thread_local!(static SHARE: RefCell<Option<pb::AppStateSyncKeyShare>> = const { RefCell::new(None) });
    SHARE.with_borrow_mut(|known| known.get_or_insert_with(share).clone())
}

struct World {
    bench: Bench,
    state: AppState,
}

impl World {
    /// Connected, with the key, every collection asked for.
    fn new() -> Self {
        let mut world = Self {
            bench: Bench::new(6),
            state: AppState::default(),
        };
        let share = cached();
        let state = &mut world.state;
        world.bench.step(|cx, slot| {
            state.connected(cx, slot)?;
            state.shared(cx, slot, &share)
        });
        let _ = world.state.take_work();
        world
    }

    /// The server's answer; what is to be fetched then, and whether rows changed.
    fn answer(&mut self, part: Node) -> (Vec<Work>, bool) {
        let part = part.attr("name", HIGH.name());
        let iq = Node::new("iq").child(Node::new("sync").child(part));
        let (state, end) = (&mut self.state, IqEnd::Result(iq));
        let ((), wrote) = self
            .bench
            .step(|cx, slot| state.answered(cx, slot, &[HIGH], &end, NOW.unix()));
        (self.state.take_work(), wrote)
    }

    fn version(&mut self) -> u64 {
        let load = |cx: &mut sendpath_protocol::txn::Cx<'_>, slot: &_| {
            Ok(State::load(&cx.txn, slot, HIGH)?)
        };
        self.bench.step(load).0.version
    }
}

pub(crate) fn run(data: &[u8]) {
    match split(data) {
        Some((0, rest)) => views(rest),
        Some((1, rest)) => patches(rest),
        Some((2, rest)) => fetched(rest),
        Some((3, rest)) => keys(rest),
        Some((_, rest)) => rows(rest),
        None => {}
    }
}

/// Without a key.
fn views(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::decode(data) {
        assert!(snapshot.records().count() <= data.len());
    }
    if let Ok(patch) = Patch::decode(data) {
        assert!(patch.mutations(None).count() <= data.len());
        assert!(patch.mutations(Some(data)).count() <= data.len());
        let _ = format!("{patch:?}");
    }
}

/// In an answer of the server. What the phone did not make changes nothing.
fn patches(data: &[u8]) {
    let mut world = World::new();
    let patches: Vec<_> = parts(data).take(4).collect();
    let nodes = patches.iter().map(|patch| Node::new("patch").bytes(*patch));
    let part = Node::new("collection").child(Node::new("patches").children(nodes));
    let (work, _) = world.answer(part);
    assert!(work.len() <= 8, "too much work");
    let genuine = crate::seeds::bytes(&crate::seeds::case("app_state", 6), "hex");
    if !patches.iter().any(|patch| same_rows(patch, &genuine)) {
        assert!(world.version() == 0, "somebody else's patch");
    }
}

/// Whether it is the known patch, perhaps with fields that nobody reads.
fn same_rows(patch: &[u8], genuine: &[u8]) -> bool {
    let macs = |bytes: &[u8]| {
        let patch = pb::SyncdPatch::decode(bytes).ok()?;
        Some((patch.patch_mac, patch.snapshot_mac))
    };
    macs(patch).is_some_and(|found| Some(found) == macs(genuine))
}

/// Rows that the phone really sealed, whatever they say.
fn rows(data: &[u8]) {
    let share = cached().keys.remove(0);
    let (id, key) = (share.key_id, share.key_data.and_then(|key| key.key_data));
    let id = id.and_then(|id| id.key_id).expect("there is one");
    let keys = Keys::expand(&SecretBytes::new(key.expect("there is one")));
    let records = parts(data).take(6).enumerate().map(|(at, plain)| {
        let index = index_of(at);
        let iv = [1; 16];
        let mut blob = iv.to_vec();
        blob.extend(symmetric::aes256_cbc_encrypt(
            keys.value.expose(),
            &iv,
            plain,
        ));
        let covered = (id.len() as u64 + 1).to_be_bytes();
        let mac = symmetric::hmac_sha512(keys.value_mac.expose(), &[&[1], &id, &blob, &covered]);
        blob.extend(&mac[..32]);
        pb::SyncdRecord {
            index: Some(pb::SyncdIndex {
                blob: Some(symmetric::hmac_sha256(keys.index.expose(), &[index]).to_vec()),
            }),
            value: Some(pb::SyncdValue { blob: Some(blob) }),
            key_id: Some(pb::SyncdKeyId {
                id: Some(id.clone()),
            }),
        }
    });
    let snapshot = pb::SyncdSnapshot {
        version: Some(pb::SyncdVersion { version: Some(3) }),
        records: records.collect(),
        mac: Some(vec![0; 32]),
        key_id: Some(pb::SyncdKeyId {
            id: Some(id.clone()),
        }),
    };
    fetched(&snapshot.encode_to_vec());
}

fn index_of(at: usize) -> &'static [u8] {
    match at {
        0 => br#"["nct_salt_sync"]"#,
        1 => br#"["setting_pushName"]"#,
        _ => b"[]",
    }
}

/// As a file: a snapshot, and the mutations of a patch.
fn fetched(data: &[u8]) {
    let mut world = World::new();
    let reference = pb::ExternalBlobReference {
        direct_path: Some("/v/a".into()),
        media_key: Some(vec![1; 32]),
        file_enc_sha256: Some(vec![2; 32]),
        file_sha256: Some(vec![3; 32]),
        ..pb::ExternalBlobReference::default()
    };
    let reference = Node::new("snapshot").bytes(reference.encode_to_vec());
    let (work, _) = world.answer(Node::new("collection").child(reference));
    assert!(!work.is_empty(), "a file is fetched");
    let state = &mut world.state;
    world
        .bench
        .step(|cx, slot| state.fetched(cx, slot, HIGH, Some(data), NOW.unix()));
    assert!(world.state.take_work().len() <= 8, "too much work");
}

fn keys(data: &[u8]) {
    let Ok(share) = pb::AppStateSyncKeyShare::decode(data) else {
        return;
    };
    let mut world = World::new();
    let before = world.bench.store.len();
    let state = &mut world.state;
    world.bench.step(|cx, slot| state.shared(cx, slot, &share));
    let most = before + share.keys.len();
    assert!(world.bench.store.len() <= most, "more rows than keys");
}
