//! Our signed prekey, which changes every 27 days.
//!
//! ```text
//! <iq xmlns="encrypt" type="set"><rotate><skey><id/><value/><signature/></skey></rotate></iq>
//! ```
//! The next key is durable before it leaves and stays the next one until the server has it: whatever
//! was lost on the way, the private half of every key that the server may hand out is here. Messages
//! that were begun with older keys still come, so three are kept (spec 6.4; pitfall 31).

use crate::crypto::curve::PublicKey;
use crate::device::{DeviceRecord, Rotation, SignedPreKey};
use crate::error::Fault;
use crate::jid::Jid;
use crate::prekeys::{next_id, signed_key};
use crate::signal::keys::{SignedPreKeyRecord, prekey_row_id};
use crate::stream::iq::IqEnd;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Record, Scope};
use crate::wap::Node;

/// Age at which a key changes, in seconds. Older keys help whoever stole one for longer.
const PERIOD: i64 = 27 * 86_400;

/// Seconds until the next attempt when the server could not.
const AGAIN: i64 = 86_400;

/// Private keys that are kept, the current one included. Fewer lose messages that took long.
const KEPT: usize = 3;

/// Rows that are looked at: far more than there ever are.
const MOST_ROWS: usize = 100;

/// When the next attempt is due.
pub fn due(device: &DeviceRecord) -> UnixSeconds {
    match &device.rotation {
        Some(rotation) => rotation.at,
        None => device.signed_prekey.created.plus(PERIOD),
    }
}

/// The question that gives the server our next key, without an id: it is durable with this step. End
/// it with [`ended`].
pub fn rotate(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord, now: UnixSeconds) -> Node {
    let rotation = device.rotation.take();
    let key = rotation.map_or_else(|| next_key(cx, slot, device, now), |rotation| rotation.key);
    let skey = signed_key(key.id, &key.public, &key.signature);
    let at = now.plus(AGAIN);
    device.rotation = Some(Rotation { key, at });
    device.save(cx, slot);
    Node::new("iq")
        .attr("xmlns", "encrypt")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("rotate").child(skey))
}

/// The question ended.
///
/// # Errors
/// What the store says.
pub fn ended(
    cx: &mut Cx<'_>,
    slot: &Scope,
    device: &mut DeviceRecord,
    end: &IqEnd,
    now: UnixSeconds,
) -> Result<(), Fault> {
    let wait = match end {
        IqEnd::Result(_) => return taken(cx, slot, device),
        // The server may have it or not: the next login asks again.
        IqEnd::Disconnected => 0,
        IqEnd::Timeout
        | IqEnd::Error {
            code: 429 | 500.., ..
        } => AGAIN,
        IqEnd::Error { .. } => PERIOD,
    };
    if let Some(rotation) = &mut device.rotation {
        rotation.at = now.plus(wait);
        device.save(cx, slot);
    }
    Ok(())
}

/// The server has our next key: it is the current one now.
///
/// # Errors
/// What the store says.
pub fn taken(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord) -> Result<(), Fault> {
    let Some(rotation) = device.rotation.take() else {
        return Ok(());
    };
    device.signed_prekey = rotation.key;
    device.save(cx, slot);
    let rows = cx
        .txn
        .scan(slot, Namespace::SignedPreKey, b"", None, MOST_ROWS)?;
    let read = |row: &[u8]| SignedPreKeyRecord::from_row(row).ok();
    let mut keys: Vec<_> = rows.iter().filter_map(|(_, row)| read(row)).collect();
    let current = device.signed_prekey.id;
    keys.sort_by_key(|key| core::cmp::Reverse((key.id == current, key.created)));
    for old in keys.iter().skip(KEPT) {
        cx.txn
            .delete(slot, Namespace::SignedPreKey, prekey_row_id(old.id));
    }
    Ok(())
}

/// Whether the server's key is the one that we want it to have.
pub fn is_next(device: &DeviceRecord, id: u32, public: &PublicKey) -> bool {
    let next = device.rotation.as_ref().map(|rotation| &rotation.key);
    next.is_some_and(|key| key.id == id && key.public == *public)
}

fn next_key(
    cx: &mut Cx<'_>,
    slot: &Scope,
    device: &DeviceRecord,
    now: UnixSeconds,
) -> SignedPreKey {
    let id = next_id(device.signed_prekey.id);
    let record = SignedPreKeyRecord::generate(cx.rng, &device.identity, id, now);
    record.store(&mut cx.txn, slot);
    SignedPreKey {
        id,
        public: record.pair.public,
        signature: record.signature,
        created: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::keys::MAX_PREKEY_ID;
    use crate::testkit::Bench;

    const START: UnixSeconds = UnixSeconds(1_790_000_000);

    struct World {
        bench: Bench,
        device: DeviceRecord,
    }

    impl World {
        fn new() -> Self {
            let mut bench = Bench::new(1);
            let slot = bench.slot.clone();
            let device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
            Self { bench, device }
        }

        fn rotate(&mut self, now: UnixSeconds) -> Node {
            let slot = self.bench.slot.clone();
            let device = &mut self.device;
            self.bench.run(|cx| Ok(rotate(cx, &slot, device, now)))
        }

        fn ended(&mut self, end: &IqEnd, now: UnixSeconds) {
            let slot = self.bench.slot.clone();
            let device = &mut self.device;
            self.bench.run(|cx| ended(cx, &slot, device, end, now));
        }

        /// The ids of the private keys, and what a restart finds.
        fn kept(&mut self) -> Vec<u32> {
            let slot = self.bench.slot.clone();
            let (rows, stored) = self.bench.run(|cx| {
                let rows = cx.txn.scan(&slot, Namespace::SignedPreKey, b"", None, 99)?;
                Ok((rows, DeviceRecord::load(&cx.txn, &slot)?.unwrap()))
            });
            assert_eq!(stored, self.device, "what is stored is what is believed");
            let id = |row: &[u8]| SignedPreKeyRecord::from_row(row).unwrap().id;
            rows.iter().map(|(_, row)| id(row)).collect()
        }
    }

    fn done() -> IqEnd {
        IqEnd::Result(Node::new("iq"))
    }

    fn sent(query: &Node) -> Node {
        let rotate = query.find("rotate").unwrap();
        rotate.find("skey").unwrap().clone()
    }

    #[test]
    fn a_key_is_due_after_27_days() {
        let world = World::new();
        assert_eq!(due(&world.device), START.plus(27 * 86_400));
    }

    #[test]
    fn the_next_key_is_stored_before_it_leaves_and_current_once_taken() {
        let mut world = World::new();
        let first = world.device.signed_prekey.clone();
        let query = world.rotate(START);
        assert!(query.is("xmlns", "encrypt") && query.is("type", "set"));
        assert_eq!(world.device.signed_prekey, first);
        assert_eq!(world.kept(), [1, 2]);
        world.ended(&done(), START);
        assert_eq!(world.device.signed_prekey.id, 2);
        assert_eq!(world.device.rotation, None);
        assert_eq!(due(&world.device), START.plus(PERIOD));
        let key = &world.device.signed_prekey;
        let identity = &world.device.identity.public;
        assert!(identity.verify(&key.public.typed(), &key.signature));
        assert_eq!(sent(&query), signed_key(2, &key.public, &key.signature));
    }

    #[test]
    fn three_private_keys_are_kept_and_the_current_one_always() {
        let mut world = World::new();
        for round in 1..=4 {
            world.rotate(START.plus(round));
            world.ended(&done(), START.plus(round));
        }
        assert_eq!(world.kept(), [3, 4, 5]);
        // A clock that went back makes the newest key look oldest.
        world.rotate(START.plus(-9));
        world.ended(&done(), START.plus(-9));
        assert_eq!(world.kept(), [4, 5, 6]);
    }

    #[test]
    fn what_the_server_did_not_take_is_offered_again_and_never_pushes_out_an_old_key() {
        let mut world = World::new();
        let error = |code| IqEnd::Error {
            code,
            backoff: None,
        };
        let first = sent(&world.rotate(START));
        for (end, wait) in [
            (error(500), AGAIN),
            (error(429), AGAIN),
            (IqEnd::Timeout, AGAIN),
            (error(406), PERIOD),
            (IqEnd::Disconnected, 0),
        ] {
            world.ended(&end, START);
            assert_eq!(due(&world.device), START.plus(wait), "{end:?}");
            assert_eq!(sent(&world.rotate(START)), first, "{end:?}");
            assert_eq!(world.kept(), [1, 2], "{end:?}");
        }
        assert_eq!(world.device.signed_prekey.id, 1);
    }

    #[test]
    fn ids_wrap_to_one() {
        let mut world = World::new();
        world.device.signed_prekey.id = MAX_PREKEY_ID;
        world.rotate(START);
        world.ended(&done(), START);
        assert_eq!(world.device.signed_prekey.id, 1);
    }
}
