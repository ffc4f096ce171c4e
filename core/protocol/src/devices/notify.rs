//! Notifications that change a device list.
//!
//! ```text
//! <notification type="devices" from="user" [lid]>
//!   <remove|add|update [device_hash] [device_lid_hash]>
//!     <device jid="user:3@…" [lid] key-index/> … <key-index-list ts>…</key-index-list></…>
//! <notification type="account_sync" from="own account"><devices dhash><device jid key-index/> … </devices>
//! ```
//!
//! The hash names the whole list after the change. If ours differs, it is dropped and asked for at
//! the next send; so a change that we understand only half costs a query, never a device.

use crate::devices::filter::KeyIndexList;
use crate::devices::{self, Device, DeviceList, participant_hash};
use crate::error::StoreError;
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::peer::PeerKey;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Scope, Txn};
use crate::wap::Node;

/// A change of somebody's device list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notification {
    /// The account.
    pub account: Jid,
    /// The account's two names, if the notification tells both.
    pub mapping: Option<Mapping>,
    change: Change,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Change {
    Add(Edit),
    Remove(Edit),
    /// Only a hint that something changed.
    Update,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Edit {
    devices: Vec<Device>,
    hash: Option<String>,
    lid_hash: Option<String>,
    key_indexes: Option<KeyIndexList>,
}

/// What became of the stored list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// It was dropped; the next send asks for it.
    Dropped,
    /// There was none.
    Nothing,
    /// It was changed and agrees with the server's hash.
    Updated,
}

impl Notification {
    /// Reads a `devices` notification; `None` if it is not about an account or has no change.
    pub fn parse(node: &Node) -> Option<Self> {
        let from = node.address("from").filter(Jid::is_user)?;
        let edit = |tag| node.find(tag).map(Edit::parse);
        let change = edit("remove")
            .map(Change::Remove)
            .or_else(|| edit("add").map(Change::Add))
            .or_else(|| node.find("update").map(|_| Change::Update))?;
        let lid = node.address("lid");
        Some(Self {
            mapping: lid.and_then(|lid| Mapping::of(&from, &lid)),
            account: from.account(),
            change,
        })
    }
}

impl Edit {
    fn parse(node: &Node) -> Self {
        let device = |node: &Node| {
            let jid = node.address("jid").filter(Jid::is_user)?;
            Some(Device::of(&jid, node.number("key-index")))
        };
        let key_indexes = node.find("key-index-list").and_then(Node::payload);
        Self {
            devices: node.all("device").filter_map(device).collect(),
            hash: node.text("device_hash").map(Into::into),
            lid_hash: node.text("device_lid_hash").map(Into::into),
            key_indexes: key_indexes.and_then(KeyIndexList::parse),
        }
    }

    /// Whether `list` is what the server's hash names; false when there is no hash to tell.
    fn agrees(&self, list: &DeviceList, notification: &Notification) -> bool {
        let matches = |hash: &Option<String>, peer: &PeerKey| {
            let hash = hash.as_deref();
            hash.is_some_and(|hash| hash == hash_at(list, peer))
        };
        let Some(from) = PeerKey::of(&notification.account) else {
            return false;
        };
        let lid = notification.mapping.as_ref().map(Mapping::lid);
        match from {
            PeerKey::Lid(_) if self.lid_hash.is_some() => matches(&self.lid_hash, &from),
            _ if self.hash.is_some() => matches(&self.hash, &from),
            _ => lid.is_some_and(|lid| matches(&self.lid_hash, &lid)),
        }
    }
}

fn hash_at(list: &DeviceList, peer: &PeerKey) -> String {
    let jids: Vec<Jid> = list.addresses(peer).iter().map(|a| a.jid()).collect();
    participant_hash(&jids)
}

/// Applies a notification to the list of `peer`, the account's canonical key.
///
/// # Errors
/// What the store says.
pub fn apply(
    txn: &mut Txn<'_>,
    slot: &Scope,
    peer: &PeerKey,
    notification: &Notification,
) -> Result<Applied, StoreError> {
    let Some(mut list) = txn.get::<DeviceList>(slot, peer.storage())? else {
        return Ok(Applied::Nothing);
    };
    let edit = match &notification.change {
        Change::Add(edit) => {
            for device in &edit.devices {
                list.devices.retain(|known| known.id != device.id);
                list.devices.push(*device);
            }
            edit
        }
        Change::Remove(edit) => {
            let gone = |id| edit.devices.iter().any(|device| device.id == id);
            list.devices
                .retain(|known| known.id == 0 || !gone(known.id));
            edit
        }
        Change::Update => {
            devices::forget(txn, slot, peer);
            return Ok(Applied::Dropped);
        }
    };
    let raw_id = edit.key_indexes.as_ref().and_then(KeyIndexList::raw_id);
    let same_account = raw_id.is_none() || list.raw_id.is_none() || raw_id == list.raw_id;
    if !same_account || !edit.agrees(&list, notification) {
        // With another raw id the row stays, stale, so that the next answer shows the change.
        list.fetched = UnixSeconds(0);
        list.hash = None;
        txn.put(slot, peer.storage(), &list);
        return Ok(Applied::Dropped);
    }
    list.raw_id = raw_id.or(list.raw_id);
    list.hash = None;
    txn.put(slot, peer.storage(), &list);
    Ok(Applied::Updated)
}

/// Our own device list, as an `account_sync` notification tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnList {
    account: PeerKey,
    devices: Vec<Device>,
    hash: Option<String>,
}

impl OwnList {
    /// Reads the list; `None` when the notification is about something else or names nobody.
    pub fn parse(notification: &Node) -> Option<Self> {
        let node = notification.find("devices")?;
        let jid = |node: &Node| node.address("jid").filter(Jid::is_user);
        let device = |node: &Node| Some(Device::of(&jid(node)?, node.number("key-index")));
        Some(Self {
            account: PeerKey::of(&node.all("device").find_map(jid)?)?,
            devices: node.all("device").filter_map(device).collect(),
            hash: node.text("dhash").map(Into::into),
        })
    }

    /// Our account, in the namespace that the notification used.
    pub const fn account(&self) -> &PeerKey {
        &self.account
    }
}

/// Replaces our own list, kept under `own` (our canonical key), if it agrees with its hash; else
/// drops it.
pub fn apply_own(cx: &mut Cx<'_>, slot: &Scope, own: &PeerKey, told: &OwnList) -> Applied {
    let list = DeviceList {
        devices: told.devices.clone(),
        hash: told.hash.clone(),
        raw_id: None,
        fetched: cx.now.unix(),
    };
    if told.hash.as_deref() != Some(&hash_at(&list, &told.account)) {
        devices::forget(&mut cx.txn, slot, own);
        return Applied::Dropped;
    }
    cx.txn.put(slot, own.storage(), &list);
    Applied::Updated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Bench, any_node};

    fn peer() -> PeerKey {
        PeerKey::Lid("7".into())
    }

    fn stored(ids: &[u16]) -> DeviceList {
        let device = |id: &u16| Device {
            id: *id,
            key_index: None,
            hosted: false,
        };
        DeviceList {
            devices: ids.iter().map(device).collect(),
            hash: Some("2:old".into()),
            raw_id: Some(5),
            fetched: UnixSeconds(1_790_000_000),
        }
    }

    fn notification(change: Node) -> Notification {
        let node = Node::new("notification")
            .attr("type", "devices")
            .jid("from", Jid::pn("49"))
            .jid("lid", Jid::lid("7"))
            .child(change);
        Notification::parse(&node).unwrap()
    }

    fn device(jid: &str) -> Node {
        let jid: Jid = jid.parse().unwrap();
        Node::new("device").jid("jid", jid).attr("key-index", "2")
    }

    fn hash(devices: &[&str]) -> String {
        let devices: Vec<Jid> = devices.iter().map(|text| text.parse().unwrap()).collect();
        participant_hash(&devices)
    }

    fn apply_to(list: &DeviceList, change: Node) -> (Applied, Option<Vec<u16>>) {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        bench.run(|cx| {
            cx.txn.put(&slot, peer().storage(), list);
            let applied = apply(&mut cx.txn, &slot, &peer(), &notification(change))?;
            let left = devices::load(&cx.txn, &slot, &peer())?;
            let fresh = left.filter(|list| list.is_fresh(cx.now.unix()));
            let ids = fresh.map(|list| list.devices.iter().map(|device| device.id).collect());
            Ok((applied, ids))
        })
    }

    #[test]
    fn an_added_device_is_used_at_once_if_the_hash_agrees() {
        let both = hash(&["49@s.whatsapp.net", "49:3@s.whatsapp.net"]);
        let add = Node::new("add")
            .attr("device_hash", both)
            .child(device("49:3@s.whatsapp.net"));
        let result = apply_to(&stored(&[0]), add);
        assert_eq!(result, (Applied::Updated, Some(vec![0, 3])));
    }

    #[test]
    fn a_removed_device_is_gone_at_once_and_a_phone_never() {
        let remove = Node::new("remove")
            .attr("device_lid_hash", hash(&["7@lid"]))
            .children([device("49:3@s.whatsapp.net"), device("49@s.whatsapp.net")]);
        let result = apply_to(&stored(&[0, 3]), remove);
        assert_eq!(result, (Applied::Updated, Some(vec![0])));
    }

    #[test]
    fn a_list_that_disagrees_with_the_hash_is_not_believed() {
        let added = device("49:3@s.whatsapp.net");
        for add in [
            Node::new("add")
                .attr("device_hash", "2:wrong")
                .child(added.clone()),
            Node::new("add").child(added),
        ] {
            assert_eq!(apply_to(&stored(&[0]), add), (Applied::Dropped, None));
        }
    }

    #[test]
    fn an_update_without_content_drops_the_list() {
        let update = Node::new("update").attr("hash", "abcd");
        assert_eq!(apply_to(&stored(&[0]), update), (Applied::Dropped, None));
    }

    #[test]
    fn the_pair_of_names_is_read_from_the_notification() {
        let parsed = notification(Node::new("update"));
        assert_eq!(parsed.mapping, Mapping::of(&Jid::pn("49"), &Jid::lid("7")));
        assert_eq!(parsed.account, Jid::pn("49"));
        let group = Node::new("notification")
            .attr("from", "1@g.us")
            .child(Node::new("update"));
        assert_eq!(Notification::parse(&group), None);
    }

    #[test]
    fn our_own_list_is_replaced_only_if_its_hash_agrees() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let sync = |hash: String| {
            let list = Node::new("devices").attr("dhash", hash).children([
                Node::new("device").jid("jid", Jid::pn("49")),
                device("49:4@s.whatsapp.net"),
            ]);
            OwnList::parse(&Node::new("notification").child(list)).unwrap()
        };
        let good = sync(hash(&["49@s.whatsapp.net", "49:4@s.whatsapp.net"]));
        let load = |cx: &Cx<'_>| devices::load(&cx.txn, &slot, &peer());
        let (applied, list) = bench.run(|cx| {
            let applied = apply_own(cx, &slot, &peer(), &good);
            Ok((applied, load(cx)?))
        });
        assert_eq!(applied, Applied::Updated);
        assert_eq!(list.unwrap().devices.len(), 2);
        let (applied, list) = bench.run(|cx| {
            let applied = apply_own(cx, &slot, &peer(), &sync("2:wrong".into()));
            Ok((applied, load(cx)?))
        });
        assert_eq!((applied, list), (Applied::Dropped, None));
    }

    #[test]
    fn a_notification_finds_the_list_under_the_canonical_key() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let account = Scope::account(&crate::peer::AccountKey(peer()));
        let pair = Mapping::of(&Jid::pn("49"), &Jid::lid("7")).unwrap();
        let node = Node::new("notification")
            .jid("from", Jid::pn("49"))
            .child(Node::new("update"));
        let (applied, other) = bench.run(|cx| {
            crate::lidmap::learn(cx, &account, &slot, &pair)?;
            cx.txn.put(&slot, peer().storage(), &stored(&[0]));
            let applied = devices::notified(cx, &account, &slot, &node)?;
            Ok((
                applied,
                devices::notified(cx, &account, &slot, &Node::new("x"))?,
            ))
        });
        assert_eq!((applied, other), (Applied::Dropped, Applied::Nothing));
    }

    proptest::proptest! {
        #[test]
        fn no_node_panics(node in any_node()) {
            let from = Node::new("notification").jid("from", Jid::lid("7"));
            let wrapped = from.child(node);
            let _ = Notification::parse(&wrapped);
            let _ = OwnList::parse(&wrapped);
        }
    }
}
