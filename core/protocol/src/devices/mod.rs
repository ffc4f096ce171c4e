//! The devices of an account, cached by its canonical key.
//!
//! ```text
//! Devices / <peer>  -> devices [id, key index, hosted], hash, raw id, time      (slot scope)
//! ```
//!
//! A list is believed for [`MAX_AGE`], until a notification, a participant hash that differs from
//! ours, or a prekey error 406 says otherwise.

mod filter;
mod hash;
mod notify;
mod record;

use std::collections::BTreeSet;

use crate::error::StoreError;
use crate::lidmap;
use crate::peer::{DeviceAddress, PeerKey};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Scope, Txn};
use crate::wap::Node;

pub use filter::{KeyIndexList, ReportedList, Verdict, judge};
pub use hash::participant_hash;
pub use notify::{Applied, Notification, OwnList, apply, apply_own};
pub use record::{Device, DeviceList};

/// How long a list is believed, in seconds: 24 hours. Longer misses devices if a notification was
/// lost, shorter asks the server more often.
pub const MAX_AGE: i64 = 24 * 3600;

/// The list of `peer` (a canonical key), however old it is.
///
/// # Errors
/// What the store says.
pub fn load(txn: &Txn<'_>, slot: &Scope, peer: &PeerKey) -> Result<Option<DeviceList>, StoreError> {
    txn.get(slot, peer.storage())
}

/// Those of the `wanted` accounts (in any namespace) whose list must be asked for.
///
/// # Errors
/// What the store says.
pub fn missing(
    txn: &Txn<'_>,
    account: &Scope,
    slot: &Scope,
    wanted: &BTreeSet<PeerKey>,
    now: UnixSeconds,
) -> Result<BTreeSet<PeerKey>, StoreError> {
    let mut missing = BTreeSet::new();
    for peer in wanted {
        let list = load(txn, slot, &lidmap::canonical(txn, account, peer)?)?;
        if !list.is_some_and(|list| list.is_fresh(now)) {
            missing.insert(peer.clone());
        }
    }
    Ok(missing)
}

/// Stores what the server said about `peer` (a canonical key) and answers whom to send to.
///
/// An account that was registered anew loses its sessions; its identities stay, so that the next
/// bundle shows the change. `None` when the server said nothing of use and nothing was stored.
///
/// # Errors
/// What the store says.
pub fn record(
    cx: &mut Cx<'_>,
    slot: &Scope,
    peer: &PeerKey,
    reported: &ReportedList,
) -> Result<Option<DeviceList>, StoreError> {
    let stored = cx.txn.get::<DeviceList>(slot, peer.storage())?;
    match judge(reported, stored.as_ref(), cx.now.unix()) {
        Verdict::Keep => Ok(stored),
        Verdict::Replace {
            list,
            registered_anew,
        } => {
            if registered_anew {
                forget_sessions(&mut cx.txn, slot, peer)?;
            }
            cx.txn.put(slot, peer.storage(), &list);
            Ok(Some(list))
        }
    }
}

/// Stores the list that a query brought for `peer` (in any namespace) under its canonical key.
/// Learn the answer's mappings first.
///
/// # Errors
/// What the store says.
pub fn store(
    cx: &mut Cx<'_>,
    account: &Scope,
    slot: &Scope,
    peer: &PeerKey,
    reported: &ReportedList,
) -> Result<(), StoreError> {
    let peer = lidmap::canonical(&cx.txn, account, peer)?;
    record(cx, slot, &peer, reported)?;
    Ok(())
}

/// Applies a `devices` or `account_sync` notification. Learn its mapping first.
///
/// # Errors
/// What the store says.
pub fn notified(
    cx: &mut Cx<'_>,
    account: &Scope,
    slot: &Scope,
    node: &Node,
) -> Result<Applied, StoreError> {
    if let Some(change) = Notification::parse(node) {
        let Some(peer) = PeerKey::of(&change.account) else {
            return Ok(Applied::Nothing);
        };
        let peer = lidmap::canonical(&cx.txn, account, &peer)?;
        return apply(&mut cx.txn, slot, &peer, &change);
    }
    match OwnList::parse(node) {
        Some(told) => {
            let own = lidmap::canonical(&cx.txn, account, told.account())?;
            Ok(apply_own(cx, slot, &own, &told))
        }
        None => Ok(Applied::Nothing),
    }
}

/// Drops the list of `peer`; the next send asks for it.
pub fn forget(txn: &mut Txn<'_>, slot: &Scope, peer: &PeerKey) {
    txn.delete(slot, Namespace::Devices, peer.storage());
}

/// Takes one device off its account's list: the server says it is gone (prekey error 406).
///
/// # Errors
/// What the store says.
pub fn forget_device(
    txn: &mut Txn<'_>,
    slot: &Scope,
    address: &DeviceAddress,
) -> Result<(), StoreError> {
    let peer = address.peer.storage();
    let Some(mut list) = txn.get::<DeviceList>(slot, &peer)? else {
        return Ok(());
    };
    list.devices.retain(|device| device.id != address.device);
    list.hash = None;
    txn.put(slot, peer, &list);
    Ok(())
}

/// Rows of one account that are deleted at a time. It has far fewer devices, but a sender key for
/// each device and group.
const PAGE: usize = 256;

/// Deletes the sessions with every device of `peer`, and their sender keys.
///
/// # Errors
/// What the store says.
pub fn forget_sessions(txn: &mut Txn<'_>, slot: &Scope, peer: &PeerKey) -> Result<(), StoreError> {
    delete_rows(txn, slot, Namespace::SenderKey, peer)?;
    delete_rows(txn, slot, Namespace::Session, peer)
}

/// Deletes sessions, identities and device list of `peer`: its phone was registered anew.
///
/// # Errors
/// What the store says.
pub fn forget_peer(txn: &mut Txn<'_>, slot: &Scope, peer: &PeerKey) -> Result<(), StoreError> {
    forget_sessions(txn, slot, peer)?;
    delete_rows(txn, slot, Namespace::Identity, peer)?;
    forget(txn, slot, peer);
    Ok(())
}

fn delete_rows(
    txn: &mut Txn<'_>,
    slot: &Scope,
    ns: Namespace,
    peer: &PeerKey,
) -> Result<(), StoreError> {
    let prefix = format!("{}:", peer.storage());
    loop {
        let rows = txn.scan(slot, ns, prefix.as_bytes(), None, PAGE)?;
        let full = rows.len() == PAGE;
        for (id, _) in rows {
            txn.delete(slot, ns, id);
        }
        if !full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lidmap::Mapping;
    use crate::peer::AccountKey;
    use crate::testkit::Bench;
    use crate::time::UnixMillis;
    use crate::txn::{Key, Reader};

    fn peer() -> PeerKey {
        PeerKey::Lid("7".into())
    }

    fn phone_only() -> ReportedList {
        ReportedList {
            devices: vec![Device::phone()],
            ..ReportedList::default()
        }
    }

    fn record_in(bench: &mut Bench, reported: &ReportedList) -> Option<DeviceList> {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(record(cx, &slot, &peer(), reported)?))
    }

    fn load_in(bench: &mut Bench) -> Option<DeviceList> {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(load(&cx.txn, &slot, &peer())?))
    }

    fn account() -> Scope {
        Scope::account(&AccountKey(PeerKey::Lid("1".into())))
    }

    fn missing_in(bench: &mut Bench, wanted: &[PeerKey]) -> Vec<PeerKey> {
        let slot = bench.slot.clone();
        let wanted = wanted.iter().cloned().collect();
        let missing = bench.run(|cx| {
            let now = cx.now.unix();
            Ok(missing(&cx.txn, &account(), &slot, &wanted, now)?)
        });
        missing.into_iter().collect()
    }

    #[test]
    fn a_list_is_believed_for_a_day_and_never_from_the_future() {
        let mut bench = Bench::new(1);
        record_in(&mut bench, &phone_only());
        let start = bench.now.wall.0;
        for (seconds, believed) in [(0, true), (86_399, true), (86_400, false), (-1, false)] {
            bench.now.wall = UnixMillis(start + seconds * 1000);
            let missing = missing_in(&mut bench, &[peer()]);
            assert_eq!(missing.is_empty(), believed, "{seconds}");
        }
    }

    #[test]
    fn a_list_is_found_under_either_name_of_its_account() {
        let mut bench = Bench::new(1);
        let pn = PeerKey::Pn("49".into());
        record_in(&mut bench, &phone_only());
        let unknown = missing_in(&mut bench, &[pn.clone(), peer()]);
        assert_eq!(unknown, std::slice::from_ref(&pn));
        let slot = bench.slot.clone();
        let pair = Mapping::of(&pn.jid(), &peer().jid()).unwrap();
        bench.run(|cx| Ok(lidmap::learn(cx, &account(), &slot, &pair)?));
        assert_eq!(missing_in(&mut bench, &[pn, peer()]), []);
    }

    #[test]
    fn an_empty_answer_keeps_the_list_there_is() {
        let mut bench = Bench::new(1);
        assert_eq!(record_in(&mut bench, &ReportedList::default()), None);
        let list = record_in(&mut bench, &phone_only());
        assert_eq!(record_in(&mut bench, &ReportedList::default()), list);
    }

    #[test]
    fn a_device_that_is_gone_leaves_the_list() {
        let mut bench = Bench::new(1);
        record_in(&mut bench, &phone_only());
        let slot = bench.slot.clone();
        let address = DeviceAddress {
            peer: peer(),
            device: 0,
            hosted: false,
        };
        bench.run(|cx| Ok(forget_device(&mut cx.txn, &slot, &address)?));
        assert_eq!(load_in(&mut bench).unwrap().devices, []);
        bench.run(|cx| {
            forget(&mut cx.txn, &slot, &peer());
            Ok(())
        });
        assert_eq!(load_in(&mut bench), None);
    }

    #[test]
    fn forgetting_a_peer_leaves_other_peers_alone() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let key = |ns, id: &str| Key::new(&slot, ns, id);
        let rows = [
            (Namespace::Session, "lid:7:0", false),
            (Namespace::Session, "lid:7:9", false),
            (Namespace::Identity, "lid:7:0", false),
            (Namespace::SenderKey, "lid:7:9/1@g.us", false),
            (Namespace::SenderKey, "lid:77:9/1@g.us", true),
            (Namespace::Devices, "lid:7", false),
            (Namespace::Session, "lid:77:0", true),
            (Namespace::Session, "pn:7:0", true),
        ];
        bench.run(|cx| {
            for (ns, id, _) in rows {
                cx.txn.put_row(key(ns, id), vec![1]);
            }
            Ok(forget_peer(&mut cx.txn, &slot, &peer())?)
        });
        for (ns, id, stays) in rows {
            let row = bench.store.get(&key(ns, id)).unwrap();
            assert_eq!(row.is_some(), stays, "{id}");
        }
    }
}
