//! App state: what the account's phone keeps equal on all devices, and the server keeps sealed.
//!
//! ```text
//! phone: change -> patch { sealed rows, MACs } -> server: next version -> <notification type="server_sync">
//! client: <sync><collection name version/></sync> -> the patches behind that version
//! ```
//! Source: spec 10.8, 10.11, 10.12. The phone and the server are one here, but the server's part never
//! looks into a patch.

mod obey;
pub(crate) mod schema;
mod seal;

use std::collections::BTreeMap;

use prost::Message;
use sendpath_protocol::media::MediaKind;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;
use serde::{Deserialize, Serialize};

use crate::connection::ConnectionId;
use crate::iq::Answer;
use crate::people::{ClientId, PersonId};
use crate::phone_media;
use crate::schema::{ChatMessage, ProtocolMessage};
use crate::world::World;
use schema::{
    Action, Bytes, FileReference, Fingerprint, KeyData, KeyRequest, KeyShare, Mutation, Mutations,
    Patch, PushName, SharedKey, Snapshot, Value, Version,
};
use seal::{Key, Op, Sealed};

/// `APP_STATE_SYNC_KEY_SHARE`.
const KEY_SHARE: i32 = 6;

/// Patches of one answer.
const PAGE: usize = 3;

const NAMES: [&str; 5] = [
    "critical_block",
    "critical_unblock_low",
    "regular_high",
    "regular_low",
    "regular",
];

/// What a phone does with one row.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RowChange {
    /// The action and what it is about.
    pub index: Vec<String>,
    /// `nctSaltSyncAction`, in hex.
    #[serde(default)]
    pub salt: Option<String>,
    /// `pushNameSetting`.
    #[serde(default)]
    pub name: Option<String>,
    /// Removes the row instead.
    #[serde(default)]
    pub remove: bool,
}

/// What the server does to a patch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "every fault is explained in README.md")]
pub enum PatchFault {
    PatchMac,
    SnapshotMac,
    ValueMac,
}

/// The app state of one account.
#[derive(Clone, Default)]
pub(crate) struct AppState {
    keys: Vec<Key>,
    collections: BTreeMap<String, Collection>,
}

#[derive(Clone, Default)]
struct Collection {
    /// Rows by index, each with the key that it is sealed with.
    rows: BTreeMap<String, (Key, Sealed)>,
    /// The version of the snapshot, and the reference to it.
    snapshot: (u64, Vec<u8>),
    /// Behind the snapshot.
    patches: Vec<Vec<u8>>,
}

impl Collection {
    /// What a client at version `has` does not know.
    fn behind(&self, mut answer: Node, has: u64) -> Node {
        let (first, reference) = &self.snapshot;
        if has < *first {
            answer.push(Node::new("snapshot").bytes(reference.clone()));
        }
        let known = usize::try_from(has.saturating_sub(*first)).unwrap_or(usize::MAX);
        let behind = self.patches.get(known..).unwrap_or_default();
        let page = behind.iter().take(PAGE);
        let page = page.map(|patch| Node::new("patch").bytes(patch.clone()));
        let more = if behind.len() > PAGE { "true" } else { "false" };
        let list = Node::new("patches").children(page);
        answer.attr("has_more_patches", more).child(list)
    }

    fn version(&self) -> u64 {
        self.snapshot.0 + self.patches.len() as u64
    }
}

impl World {
    /// The phone changes rows; `fresh_key` seals them with a key that no companion has, `external`
    /// puts them into a file.
    pub(crate) fn change_app_state(
        &mut self,
        account: PersonId,
        name: &str,
        changes: &[RowChange],
        (fresh_key, external): (bool, bool),
        fault: Option<PatchFault>,
    ) -> Result<(), String> {
        if !NAMES.contains(&name) {
            return Err(format!("no collection is called {name}"));
        }
        let key = self.app_state_key(account, fresh_key);
        let mut mutations = Vec::new();
        for change in changes {
            self.change_row(account, name, change, &key, &mut mutations)?;
        }
        let collection = self.people[account]
            .app_state
            .collections
            .entry(name.into());
        let collection = collection.or_default();
        let version = collection.version() + 1;
        let hash = seal::hash(
            collection
                .rows
                .values()
                .map(|(_, sealed)| &sealed.value_mac),
        );
        let mut snapshot_mac = key.snapshot_mac(&hash, version, name);
        if fault == Some(PatchFault::SnapshotMac) {
            snapshot_mac[0] ^= 1;
        }
        let macs: Vec<_> = mutations
            .iter()
            .map(|(_, sealed)| sealed.value_mac)
            .collect();
        let mut patch_mac = key.patch_mac(&snapshot_mac, &macs, version, name);
        if fault == Some(PatchFault::PatchMac) {
            patch_mac[0] ^= 1;
        }
        let mutation = |(op, sealed): (Op, Sealed)| Mutation {
            operation: Some(i32::from(op == Op::Remove)),
            row: Some(sealed.row),
        };
        let mut patch = Patch {
            version: Some(Version {
                number: Some(version),
            }),
            mutations: mutations.into_iter().map(mutation).collect(),
            snapshot_mac: Some(snapshot_mac),
            patch_mac: Some(patch_mac),
            key: Bytes::of(&key.id),
            device_index: Some(0),
            external: None,
        };
        if fault == Some(PatchFault::ValueMac) {
            spoil(&mut patch);
        }
        if external {
            let mutations = core::mem::take(&mut patch.mutations);
            patch.external = Some(self.upload(&Mutations { mutations }.encode_to_vec()));
        }
        let collections = &mut self.people[account].app_state.collections;
        if let Some(collection) = collections.get_mut(name) {
            collection.patches.push(patch.encode_to_vec());
        }
        Ok(())
    }

    /// The server makes one snapshot of all patches of a collection.
    pub(crate) fn compact_app_state(
        &mut self,
        account: PersonId,
        name: &str,
    ) -> Result<(), String> {
        let state = &self.people[account].app_state;
        let (held, key) = state
            .collections
            .get(name)
            .zip(state.keys.last())
            .ok_or("nothing there")?;
        let rows = held.rows.values();
        let hash = seal::hash(rows.clone().map(|(_, sealed)| &sealed.value_mac));
        let version = held.version();
        let snapshot = Snapshot {
            version: Some(Version {
                number: Some(version),
            }),
            rows: rows.map(|(_, sealed)| sealed.row.clone()).collect(),
            mac: Some(key.snapshot_mac(&hash, version, name)),
            key: Bytes::of(&key.id),
        };
        let reference = self.upload(&snapshot.encode_to_vec()).encode_to_vec();
        if let Some(held) = self.people[account].app_state.collections.get_mut(name) {
            held.snapshot = (version, reference);
            held.patches.clear();
        }
        Ok(())
    }

    fn upload(&mut self, plain: &[u8]) -> FileReference {
        let media_key: [u8; 32] = self.rng.bytes();
        let (file, sealed) = phone_media::seal(&media_key, MediaKind::AppState, plain);
        FileReference {
            media_key: Some(media_key.to_vec()),
            direct_path: Some(self.media.store(file)),
            size: Some(sealed.file_length),
            sha256: Some(sealed.file_sha256.to_vec()),
            enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
        }
    }

    fn change_row(
        &mut self,
        account: PersonId,
        name: &str,
        change: &RowChange,
        key: &Key,
        mutations: &mut Vec<(Op, Sealed)>,
    ) -> Result<(), String> {
        let index = serde_json::to_string(&change.index).map_err(|error| error.to_string())?;
        let salt = change.salt.as_ref().map(hex::decode).transpose();
        let salt = salt.map_err(|error| error.to_string())?;
        if name == "regular_high" && change.index == ["nct_salt_sync"] {
            self.people[account].nct_salt = salt.clone().filter(|_| !change.remove);
        }
        let push_name = change
            .name
            .clone()
            .map(|name| PushName { name: Some(name) });
        let action = Action {
            index: Some(index.clone().into_bytes()),
            value: Some(Value {
                timestamp: Some(self.now().0 * 1000),
                push_name,
                salt: salt.as_deref().and_then(Bytes::of),
            }),
            padding: Some(Vec::new()),
            version: Some(1),
        };
        let ivs: [[u8; 16]; 2] = [self.rng.bytes(), self.rng.bytes()];
        let collection = self.people[account]
            .app_state
            .collections
            .entry(name.into());
        let rows = &mut collection.or_default().rows;
        // Another key names the row differently, so the old one must go by itself.
        let known = rows.get(&index).map(|(known, _)| known.clone());
        if let Some(old) = known.filter(|old| change.remove || old.id != key.id) {
            mutations.push((Op::Remove, old.seal(Op::Remove, &action, ivs[0])));
            rows.remove(&index);
        } else if change.remove {
            mutations.push((Op::Remove, key.seal(Op::Remove, &action, ivs[0])));
        }
        if !change.remove {
            let sealed = key.seal(Op::Set, &action, ivs[1]);
            mutations.push((Op::Set, sealed.clone()));
            rows.insert(index, (key.clone(), sealed));
        }
        Ok(())
    }

    fn app_state_key(&mut self, account: PersonId, fresh: bool) -> Key {
        let data = self.rng.bytes();
        let keys = &mut self.people[account].app_state.keys;
        match keys.last() {
            Some(key) if !fresh => key.clone(),
            _ => {
                let id = (keys.len() as u64 + 65).to_be_bytes()[2..].to_vec();
                keys.push(Key { id, data });
                keys[keys.len() - 1].clone()
            }
        }
    }

    /// The phone shares all its keys with the companions; the message id.
    pub(crate) fn share_keys(&mut self, account: PersonId) -> Result<String, String> {
        self.app_state_key(account, false);
        let ids = self.people[account].app_state.keys.iter();
        let ids: Vec<_> = ids.map(|key| key.id.clone()).collect();
        self.share_these(account, &ids)
    }

    fn share_these(&mut self, account: PersonId, ids: &[Vec<u8>]) -> Result<String, String> {
        let (t, person) = (self.now().0, &self.people[account]);
        let fingerprint = Fingerprint {
            raw_id: Some(person.raw_id),
            current_index: Some(person.used_indexes),
            device_indexes: person.key_indexes(),
        };
        let shared = |id: &Vec<u8>| {
            let key = person.app_state.keys.iter().find(|key| key.id == *id);
            SharedKey {
                id: Bytes::of(id),
                data: key.map(|key| KeyData {
                    data: Some(key.data.to_vec()),
                    fingerprint: Some(fingerprint.clone()),
                    timestamp: Some(t),
                }),
            }
        };
        let keys = ids.iter().map(shared).collect();
        let body = ChatMessage {
            protocol: Some(ProtocolMessage {
                kind: Some(KEY_SHARE),
                key_share: Some(KeyShare { keys }),
                ..ProtocolMessage::default()
            }),
            ..ChatMessage::default()
        };
        let phone = ClientId {
            person: account,
            device: 0,
        };
        self.write_body(phone, account, &body, None, false)
    }

    /// A companion asks its phone for keys.
    pub(crate) fn keys_wanted(
        &mut self,
        connection: ConnectionId,
        account: PersonId,
        request: &KeyRequest,
    ) {
        let ids: Vec<_> = request
            .ids
            .iter()
            .filter_map(|id| id.bytes.clone())
            .collect();
        if ids.is_empty() {
            self.violation(connection, "key_request", "no key id");
        } else if let Err(error) = self.share_these(account, &ids) {
            self.journal
                .unexpected
                .push(format!("key request: {error}"));
        }
    }

    /// Tells the companions that a collection changed.
    pub(crate) fn push_server_sync(&mut self, account: PersonId, name: &str) {
        let collection = self.people[account].app_state.collections.get(name);
        let version = collection.map_or(0, Collection::version);
        let (from, t) = (self.people[account].jid(false), self.now());
        self.post_all(account, |id| {
            let collection = Node::new("collection")
                .attr("name", name.to_owned())
                .num("version", version);
            Node::new("notification")
                .attr("type", "server_sync")
                .attr("id", id)
                .jid("from", from.clone())
                .num("t", t)
                .child(collection)
        });
    }

    /// `w:sync:app:state`: patches behind the version that the client has.
    pub(crate) fn app_state(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        let Some(sync) = node.find("sync").filter(|_| node.is("type", "set")) else {
            return Answer::bad_request();
        };
        let mut answers = Vec::new();
        for asked in sync.all("collection") {
            let name = asked.text("name").unwrap_or_default().into_owned();
            let has: Option<u64> = asked.number("version");
            if asked.is("return_snapshot", "true") == has.is_some() || !NAMES.contains(&&*name) {
                let detail = format!("{name} {has:?}");
                self.violation(connection, "app_state_query", detail);
                return Answer::bad_request();
            }
            let held = self.people[client.person].app_state.collections.get(&name);
            let version = held.map_or(0, Collection::version);
            let has = has.unwrap_or(0);
            let answer = Node::new("collection")
                .attr("name", name.clone())
                .num("version", version);
            if has > version {
                self.violation(connection, "app_state_query", format!("{name} ahead of us"));
                let error = Node::new("error").attr("code", "400");
                answers.push(answer.attr("type", "error").child(error));
                continue;
            }
            answers.push(held.map_or(answer.clone(), |held| held.behind(answer, has)));
        }
        Answer::Result(vec![Node::new("sync").children(answers)])
    }
}

/// Changes a byte of the first row; the MACs stay.
fn spoil(patch: &mut Patch) {
    let row = patch
        .mutations
        .first_mut()
        .and_then(|mutation| mutation.row.as_mut());
    let value = row.and_then(|row| row.value.as_mut());
    if let Some(bytes) = value.and_then(|value| value.bytes.as_mut()) {
        bytes[16] ^= 1;
    }
}
