//! Which devices have our current key of a group: one row for each group.
//!
//! ```text
//! SenderKeyMarks / <group>  -> key id, accounts [name, devices]      (slot scope)
//! ```
//!
//! A mark is set when the server has taken a message that carried the key, and goes when the device
//! asks for a message again. Our own devices are never marked. A device counts only while its phone
//! does. Source: spec sections 9.2 and 9.3.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use crate::error::StoreError;
use crate::jid::Jid;
use crate::peer::{DeviceAddress, PeerKey};
use crate::txn::{Namespace, Record, Scope, Txn};

/// Devices by account. Hosted devices get no group keys, so a number names a device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeviceSet(BTreeMap<PeerKey, BTreeSet<u16>>);

impl DeviceSet {
    /// Adds a device.
    pub fn insert(&mut self, device: &DeviceAddress) {
        let devices = self.0.entry(device.peer.clone()).or_default();
        devices.insert(device.device);
    }

    /// The accounts.
    pub fn peers(&self) -> impl Iterator<Item = &PeerKey> {
        self.0.keys()
    }

    /// No device at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The devices that have our key with that id.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Marks {
    /// The key.
    pub key: u32,
    /// Who has it.
    pub devices: DeviceSet,
}

impl Marks {
    /// Whether the device need not get the key again.
    pub fn is_warm(&self, device: &DeviceAddress) -> bool {
        let devices = self.devices.0.get(&device.peer);
        devices.is_some_and(|devices| devices.contains(&device.device) && devices.contains(&0))
    }
}

/// The marks of our key with that id; those of another key are none.
///
/// # Errors
/// What the store says.
pub fn load(txn: &Txn<'_>, slot: &Scope, group: &Jid, key: u32) -> Result<Marks, StoreError> {
    let marks = stored(txn, slot, group)?.filter(|marks| marks.key == key);
    Ok(marks.unwrap_or_else(|| Marks {
        key,
        devices: DeviceSet::default(),
    }))
}

/// The server has taken a message that carried the key to these devices.
///
/// # Errors
/// What the store says.
pub fn set(
    txn: &mut Txn<'_>,
    slot: &Scope,
    group: &Jid,
    key: u32,
    devices: DeviceSet,
) -> Result<(), StoreError> {
    if devices.is_empty() {
        return Ok(());
    }
    let mut marks = load(txn, slot, group, key)?;
    for (peer, devices) in devices.0 {
        marks.devices.0.entry(peer).or_default().extend(devices);
    }
    txn.put(slot, group.reveal(), &marks);
    Ok(())
}

/// The device does not have the key, whatever we thought.
///
/// # Errors
/// What the store says.
pub fn forget_device(
    txn: &mut Txn<'_>,
    slot: &Scope,
    group: &Jid,
    device: &DeviceAddress,
) -> Result<(), StoreError> {
    let Some(mut marks) = stored(txn, slot, group)? else {
        return Ok(());
    };
    let devices = marks.devices.0.get_mut(&device.peer);
    if devices.is_some_and(|devices| devices.remove(&device.device)) {
        txn.put(slot, group.reveal(), &marks);
    }
    Ok(())
}

/// No device of the account has the key.
///
/// # Errors
/// What the store says.
pub fn forget_peer(
    txn: &mut Txn<'_>,
    slot: &Scope,
    group: &Jid,
    peer: &PeerKey,
) -> Result<(), StoreError> {
    let Some(mut marks) = stored(txn, slot, group)? else {
        return Ok(());
    };
    if marks.devices.0.remove(peer).is_some() {
        txn.put(slot, group.reveal(), &marks);
    }
    Ok(())
}

/// Nobody has a key of ours: it is changed.
pub fn forget(txn: &mut Txn<'_>, slot: &Scope, group: &Jid) {
    txn.delete(slot, Namespace::SenderKeyMarks, group.reveal());
}

/// Rows of one read; a row may hold a thousand accounts.
const PAGE: usize = 16;

/// The groups whose key a device of the account has.
///
/// # Errors
/// What the store says.
pub fn groups_of(txn: &Txn<'_>, slot: &Scope, peer: &PeerKey) -> Result<Vec<Jid>, StoreError> {
    let (mut groups, mut after) = (Vec::new(), None::<Box<[u8]>>);
    loop {
        let ns = Namespace::SenderKeyMarks;
        let rows = txn.scan(slot, ns, b"", after.as_deref(), PAGE)?;
        let full = rows.len() == PAGE;
        for (id, row) in rows {
            let marks = Marks::from_row(&row).unwrap_or_default();
            let group = core::str::from_utf8(&id).ok().map(str::parse);
            if let (true, Some(Ok(group))) = (marks.devices.0.contains_key(peer), group) {
                groups.push(group);
            }
            after = Some(id);
        }
        if !full {
            return Ok(groups);
        }
    }
}

fn stored(txn: &Txn<'_>, slot: &Scope, group: &Jid) -> Result<Option<Marks>, StoreError> {
    match txn.get(slot, group.reveal()) {
        // Without marks everybody gets the key once more.
        Err(StoreError::Corrupt(_)) => Ok(None),
        loaded => loaded,
    }
}

impl Record for Marks {
    const NAMESPACE: Namespace = Namespace::SenderKeyMarks;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        MarksRow {
            key: self.key,
            devices: Some(DeviceSetRow::from(&self.devices)),
        }
        .encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = MarksRow::decode(body).ok()?;
        Some(Self {
            key: row.key,
            devices: row.devices.unwrap_or_default().read()?,
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct MarksRow {
    #[prost(uint32, tag = "1")]
    key: u32,
    #[prost(message, optional, tag = "2")]
    devices: Option<DeviceSetRow>,
}

/// A [`DeviceSet`] in a row.
#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct DeviceSetRow {
    /// The accounts.
    #[prost(message, repeated, tag = "1")]
    peers: Vec<PeerRow>,
}

#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct PeerRow {
    #[prost(string, tag = "1")]
    peer: String,
    #[prost(uint32, repeated, packed = "true", tag = "2")]
    devices: Vec<u32>,
}

impl From<&DeviceSet> for DeviceSetRow {
    fn from(set: &DeviceSet) -> Self {
        let peers = set.0.iter().map(|(peer, devices)| PeerRow {
            peer: peer.storage(),
            devices: devices.iter().copied().map(u32::from).collect(),
        });
        Self {
            peers: peers.collect(),
        }
    }
}

impl DeviceSetRow {
    /// The set; `None` if it is damaged.
    pub fn read(self) -> Option<DeviceSet> {
        let peer = |row: PeerRow| {
            let devices = row.devices.into_iter().map(u16::try_from);
            let peer = PeerKey::parse_storage(&row.peer)?;
            Some((peer, devices.collect::<Result<_, _>>().ok()?))
        };
        let peers = self.peers.into_iter().map(peer);
        Some(DeviceSet(peers.collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    fn group() -> Jid {
        "1@g.us".parse().unwrap()
    }

    fn device(text: &str) -> DeviceAddress {
        DeviceAddress::of(&text.parse().unwrap()).unwrap()
    }

    fn set_of(devices: &[&str]) -> DeviceSet {
        let mut set = DeviceSet::default();
        devices.iter().for_each(|text| set.insert(&device(text)));
        set
    }

    /// A bench where these devices have key 5.
    fn marked(devices: &[&str]) -> Bench {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(set(&mut cx.txn, &slot, &group(), 5, set_of(devices))?));
        bench
    }

    fn warm(bench: &mut Bench, key: u32, text: &str) -> bool {
        let slot = bench.slot.clone();
        let marks = bench.run(|cx| Ok(load(&cx.txn, &slot, &group(), key)?));
        marks.is_warm(&device(text))
    }

    #[test]
    fn a_device_is_warm_while_its_phone_is() {
        let mut bench = marked(&["7@lid", "7:3@lid", "8:3@lid"]);
        let slot = bench.slot.clone();
        assert!(warm(&mut bench, 5, "7@lid") && warm(&mut bench, 5, "7:3@lid"));
        assert!(!warm(&mut bench, 5, "7:4@lid"), "a new device");
        assert!(!warm(&mut bench, 5, "8:3@lid"), "its phone has nothing");
        bench.run(|cx| {
            Ok(forget_device(
                &mut cx.txn,
                &slot,
                &group(),
                &device("7@lid"),
            )?)
        });
        assert!(!warm(&mut bench, 5, "7:3@lid"));
    }

    #[test]
    fn marks_belong_to_one_key_and_add_up() {
        let mut bench = marked(&["7@lid"]);
        let slot = bench.slot.clone();
        assert!(!warm(&mut bench, 6, "7@lid"));
        bench.run(|cx| Ok(set(&mut cx.txn, &slot, &group(), 5, set_of(&["8@lid"]))?));
        assert!(warm(&mut bench, 5, "7@lid") && warm(&mut bench, 5, "8@lid"));
        bench.run(|cx| Ok(set(&mut cx.txn, &slot, &group(), 6, set_of(&["8@lid"]))?));
        assert!(!warm(&mut bench, 6, "7@lid") && warm(&mut bench, 6, "8@lid"));
    }

    #[test]
    fn an_account_is_found_in_every_group_that_it_has_a_key_of() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let jid = |n: u32| format!("{n:03}@g.us").parse::<Jid>().unwrap();
        let found = bench.run(|cx| {
            for n in 0..40 {
                let member = if n % 2 == 0 { "7:3@lid" } else { "8@lid" };
                set(&mut cx.txn, &slot, &jid(n), n, set_of(&[member]))?;
            }
            forget(&mut cx.txn, &slot, &jid(2));
            forget_peer(&mut cx.txn, &slot, &jid(4), &PeerKey::Lid("7".into()))?;
            Ok(groups_of(&cx.txn, &slot, &PeerKey::Lid("7".into()))?)
        });
        let expected = (0..40).step_by(2).filter(|n| ![2, 4].contains(n));
        assert_eq!(found, expected.map(jid).collect::<Vec<_>>());
    }

    #[test]
    fn the_stored_bytes_do_not_change() {
        let marks = Marks {
            key: 5,
            devices: set_of(&["7@lid", "7:300@lid", "49@s.whatsapp.net"]),
        };
        let row = marks.to_row();
        let lid = "0a0c0a056c69643a37120300ac02";
        let pn = "0a0a0a05706e3a3439120100";
        assert_eq!(hex::encode(&row), format!("01080512{:02x}{lid}{pn}", 26));
        assert_eq!(Marks::from_row(&row), Ok(marks));
    }
}
