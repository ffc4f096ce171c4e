//! Our supply of one-time prekeys at the server.
//!
//! ```text
//! <iq xmlns="encrypt" type="get"><count/></iq>                 -> <count value="N"/>
//! <iq xmlns="encrypt" type="set"> <registration/> <type/> <identity/>
//!   <list> <key><id/><value/></key> … </list> <skey><id/><value/><signature/></skey> </iq>
//! <notification type="encrypt"><count value="N"/></notification>      the supply runs low
//! ```
//!
//! Keys and the next id become durable, marked as uploaded, in the step that sends them. A lost
//! reply therefore never leads to two keys with one id: the next upload has new ids.

use crate::crypto::curve::KeyPair;
use crate::device::{DeviceRecord, KeyRange};
use crate::error::Fault;
use crate::jid::Jid;
use crate::prekeys::{identity, key_type, next_id, one_time_key, registration, signed_key};
use crate::signal::keys::{PreKeyRecord, prekey_row_id};
use crate::txn::{Cx, Namespace, Scope};
use crate::wap::Node;

/// Keys of the first upload after pairing, as WhatsApp Web does. Fewer run out sooner.
pub const FIRST_UPLOAD: u32 = 812;

/// Keys of a later upload. Fewer means more uploads, more means more keys that are never used.
pub const REFILL: u32 = 50;

/// The server's supply is low below this number.
pub const LOW: u32 = 5;

/// Asks how many keys the server still has: an IQ without an id.
pub fn count_query() -> Node {
    request("get").child(Node::new("count"))
}

/// The server's number in the answer to [`count_query`] or in a notification; no number is 0.
/// `None` if there is no `<count>` at all.
pub fn count(node: &Node) -> Option<u32> {
    let count = node.find("count")?;
    Some(count.number("value").unwrap_or(0))
}

/// An upload that brings the supply up again when `left` keys are left at the server: an IQ without
/// an id, whose keys are durable with this step. `None` when there is nothing to do.
///
/// When it succeeds, call [`succeeded`], after an error [`refused`]. After either failure or a lost
/// reply call this again.
///
/// # Errors
/// What the store says.
pub fn top_up(
    cx: &mut Cx<'_>,
    slot: &Scope,
    device: &mut DeviceRecord,
    left: u32,
) -> Result<Option<Node>, Fault> {
    let Some(paired) = device.paired() else {
        return Ok(None);
    };
    let number = match paired.server_has_prekeys {
        false => FIRST_UPLOAD,
        true if left < LOW => REFILL,
        true => return Ok(None),
    };
    device.upload = Some(KeyRange {
        first: device.next_prekey_id,
        count: number,
    });
    let mut list = Node::new("list");
    for _ in 0..number {
        let key = next_key(cx, slot, device);
        list.push(one_time_key(key.id, &key.pair.public));
    }
    device.save(cx, slot);
    Ok(Some(request("set").children([
        registration(device.registration_id),
        key_type(),
        identity(&device.identity.public),
        list,
        our_signed_key(device),
    ])))
}

/// The server took the upload.
pub fn succeeded(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord) {
    device.upload = None;
    if let Some(paired) = device.paired_mut() {
        paired.server_has_prekeys = true;
    }
    device.save(cx, slot);
}

/// The server refused the upload: nobody will ever use its keys, and they would pile up with every
/// attempt. Their ids are not used again.
pub fn refused(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord) {
    let Some(KeyRange { first, count }) = device.upload.take() else {
        return;
    };
    let ids = core::iter::successors(Some(first), |id| Some(next_id(*id)));
    for id in ids.zip(0..count).map(|(id, _)| id) {
        cx.txn.delete(slot, Namespace::PreKey, prekey_row_id(id));
    }
    device.save(cx, slot);
}

/// `<keys>` of a retry receipt: our identity, signed prekey and a fresh one-time key that the
/// server never sees. The `<device-identity>` is the caller's to add.
///
/// # Errors
/// What the store says.
pub fn retry_keys(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord) -> Result<Node, Fault> {
    let key = next_key(cx, slot, device);
    device.save(cx, slot);
    Ok(Node::new("keys").children([
        key_type(),
        identity(&device.identity.public),
        one_time_key(key.id, &key.pair.public),
        our_signed_key(device),
    ]))
}

fn request(kind: &'static str) -> Node {
    Node::new("iq")
        .attr("xmlns", "encrypt")
        .attr("type", kind)
        .jid("to", Jid::whatsapp())
}

fn our_signed_key(device: &DeviceRecord) -> Node {
    let key = &device.signed_prekey;
    signed_key(key.id, &key.public, &key.signature)
}

/// A new key with the next id, written as given away. The caller saves the device.
fn next_key(cx: &mut Cx<'_>, slot: &Scope, device: &mut DeviceRecord) -> PreKeyRecord {
    let key = PreKeyRecord {
        id: device.next_prekey_id,
        pair: KeyPair::generate(cx.rng),
        uploaded: true,
    };
    key.store(&mut cx.txn, slot);
    device.next_prekey_id = next_id(key.id);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Link, Paired};
    use crate::signal::keys::MAX_PREKEY_ID;
    use crate::testkit::Bench;

    fn device(bench: &mut Bench, server_has_prekeys: bool) -> DeviceRecord {
        let slot = bench.slot.clone();
        let mut device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
        device.link = Link::Paired(Box::new(Paired {
            server_has_prekeys,
            ..Paired::new("49:7@s.whatsapp.net".parse().unwrap(), None, vec![1])
        }));
        device
    }

    fn top_up_in(bench: &mut Bench, device: &mut DeviceRecord, left: u32) -> Option<Node> {
        let slot = bench.slot.clone();
        bench.run(|cx| top_up(cx, &slot, device, left))
    }

    fn ids(upload: &Node) -> Vec<u32> {
        let keys = upload.find("list").unwrap().nodes();
        let id = |key: &Node| match key.find("id").unwrap().payload().unwrap() {
            [a, b, c] => u32::from_be_bytes([0, *a, *b, *c]),
            other => panic!("{} bytes", other.len()),
        };
        keys.iter().map(id).collect()
    }

    #[test]
    fn the_first_upload_has_812_keys_whatever_the_server_counts() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, false);
        let upload = top_up_in(&mut bench, &mut device, 100).unwrap();
        assert_eq!(ids(&upload), (1..=812).collect::<Vec<u32>>());
        let tags: Vec<&str> = upload.nodes().iter().map(|node| &*node.tag).collect();
        assert_eq!(tags, ["registration", "type", "identity", "list", "skey"]);
        assert!(upload.is("xmlns", "encrypt") && upload.is("type", "set"));
        assert_eq!(upload.text("id"), None);
        let size = |path: &[&str]| {
            let node = path
                .iter()
                .fold(&upload, |node, tag| node.find(tag).unwrap());
            node.payload().unwrap().len()
        };
        assert_eq!(
            (
                size(&["registration"]),
                size(&["type"]),
                size(&["identity"])
            ),
            (4, 1, 32)
        );
        assert_eq!(
            (
                size(&["skey", "id"]),
                size(&["skey", "value"]),
                size(&["skey", "signature"])
            ),
            (3, 32, 64)
        );
        assert_eq!(size(&["list", "key", "value"]), 32);
    }

    #[test]
    fn a_supply_is_filled_up_only_when_it_is_low() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, true);
        assert_eq!(top_up_in(&mut bench, &mut device, 5), None);
        let upload = top_up_in(&mut bench, &mut device, 4).unwrap();
        assert_eq!(ids(&upload).len(), 50);
    }

    #[test]
    fn keys_and_the_next_id_are_durable_with_the_upload() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, true);
        let first = ids(&top_up_in(&mut bench, &mut device, 0).unwrap());
        let slot = bench.slot.clone();
        let (stored, mut reloaded) = bench.run(|cx| {
            let rows = cx.txn.scan(&slot, Namespace::PreKey, b"", None, 1000)?;
            let key = PreKeyRecord::load(&cx.txn, &slot, first[0])?.unwrap();
            assert!(key.uploaded);
            Ok((rows.len(), DeviceRecord::load(&cx.txn, &slot)?.unwrap()))
        });
        assert_eq!(stored, 50);
        let second = ids(&top_up_in(&mut bench, &mut reloaded, 0).unwrap());
        assert!(first.iter().all(|id| !second.contains(id)));
    }

    #[test]
    fn ids_wrap_at_24_bits_to_one() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, true);
        device.next_prekey_id = 0x00ff_ffff;
        let upload = top_up_in(&mut bench, &mut device, 0).unwrap();
        assert_eq!(ids(&upload)[..3], [0x00ff_ffff, 1, 2]);
    }

    #[test]
    fn a_taken_upload_is_remembered() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, false);
        let slot = bench.slot.clone();
        bench.run(|cx| {
            succeeded(cx, &slot, &mut device);
            Ok(())
        });
        let stored = bench.run(|cx| Ok(DeviceRecord::load(&cx.txn, &slot)?.unwrap()));
        assert!(stored.paired().unwrap().server_has_prekeys);
    }

    #[test]
    fn refused_keys_do_not_pile_up_and_lost_ones_stay() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, true);
        let slot = bench.slot.clone();
        let rows = |bench: &mut Bench| {
            let scan =
                |cx: &mut Cx<'_>| Ok(cx.txn.scan(&slot, Namespace::PreKey, b"", None, 999)?);
            bench.run(scan).len()
        };
        device.next_prekey_id = MAX_PREKEY_ID - 1;
        let first = ids(&top_up_in(&mut bench, &mut device, 0).unwrap());
        bench.run(|cx| retry_keys(cx, &slot, &mut device));
        assert_eq!(rows(&mut bench), 51);
        bench.run(|cx| {
            refused(cx, &slot, &mut device);
            refused(cx, &slot, &mut device);
            Ok(())
        });
        assert_eq!(rows(&mut bench), 1);
        let second = ids(&top_up_in(&mut bench, &mut device, 0).unwrap());
        assert!(first.iter().all(|id| !second.contains(id)));
        top_up_in(&mut bench, &mut device, 0);
        assert_eq!(rows(&mut bench), 101);
    }

    #[test]
    fn an_unlinked_device_uploads_nothing() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, false);
        device.link = Link::Unpaired;
        assert_eq!(top_up_in(&mut bench, &mut device, 0), None);
    }

    #[test]
    fn a_count_without_a_number_is_none_left() {
        let answer = |count| Node::new("iq").child(count);
        assert_eq!(
            count(&answer(Node::new("count").attr("value", "7"))),
            Some(7)
        );
        assert_eq!(count(&answer(Node::new("count"))), Some(0));
        assert_eq!(count(&answer(Node::new("digest"))), None);
        assert!(count_query().find("count").is_some());
    }

    #[test]
    fn a_retry_receipt_gets_a_key_of_its_own() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench, true);
        let slot = bench.slot.clone();
        let first = bench.run(|cx| retry_keys(cx, &slot, &mut device));
        let second = bench.run(|cx| retry_keys(cx, &slot, &mut device));
        assert_ne!(first.find("key"), second.find("key"));
        assert_eq!(first.find("skey"), second.find("skey"));
        assert_eq!(device.next_prekey_id, 3);
    }
}
