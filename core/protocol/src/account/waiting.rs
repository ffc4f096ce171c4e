//! Refused messages that a token of their contact may help.
//!
//! ```text
//! Limits / waiting/<peer>    ids of its refused messages, in the slot that sent them
//! ```
//!
//! A token may come days after the refusal, so they are rows; nothing of them is kept in memory.

use prost::Message;

use crate::error::StoreError;
use crate::peer::{Names, PeerKey};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Namespace, Scope, Txn};
use crate::verdict::MessageId;

/// Contacts whose refused messages are remembered at a time; of more the one that was refused least
/// lately is forgotten.
const MOST: usize = 256;

/// Refused messages of one contact that are remembered.
const MOST_IDS: usize = 16;

const PREFIX: &str = "waiting/";

/// The refused messages of one contact.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WaitingRecord {
    /// Their ids, oldest first.
    #[prost(string, repeated, tag = "1")]
    pub ids: Vec<String>,
    /// Server time of the last refusal, Unix seconds.
    #[prost(int64, tag = "2")]
    pub last: i64,
}

crate::prost_record!(WaitingRecord, Limits, version 1);

/// Message `id` to `peer` was refused for want of a token at server time `now`.
pub(super) fn add(
    cx: &mut Cx<'_>,
    slot: &Scope,
    peer: &PeerKey,
    id: &MessageId,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let row = row(peer);
    let known: Option<WaitingRecord> = cx.txn.get_or_none(slot, &row)?;
    if known.is_none() {
        make_room(cx, slot)?;
    }
    let mut record = known.unwrap_or_default();
    record.last = now.0;
    if record.ids.len() < MOST_IDS && !record.ids.iter().any(|known| known == id.as_str()) {
        record.ids.push(id.as_str().into());
    }
    cx.txn.put(slot, row, &record);
    Ok(())
}

/// Takes out the messages of a contact, under either of its names.
pub(super) fn take(
    cx: &mut Cx<'_>,
    slot: &Scope,
    names: &Names,
) -> Result<Vec<MessageId>, StoreError> {
    let mut ids = Vec::new();
    for peer in [&names.lid, &names.pn].into_iter().flatten() {
        let row = row(peer);
        if let Some(record) = cx.txn.get_or_none::<WaitingRecord>(slot, &row)? {
            cx.txn.delete(slot, Namespace::Limits, row);
            ids.extend(record.ids.iter().filter_map(|id| MessageId::parse(id)));
        }
    }
    Ok(ids)
}

/// Everybody whose messages wait.
pub(super) fn peers(txn: &Txn<'_>, slot: &Scope) -> Result<Vec<PeerKey>, StoreError> {
    let rows = txn.scan(slot, Namespace::Limits, PREFIX.as_bytes(), None, MOST)?;
    let peer = |id: &[u8]| {
        let id = core::str::from_utf8(id).ok()?;
        PeerKey::parse_storage(id.strip_prefix(PREFIX)?)
    };
    Ok(rows.iter().filter_map(|(id, _)| peer(id)).collect())
}

/// Nobody's messages wait any more.
pub(super) fn clear(cx: &mut Cx<'_>, slot: &Scope) -> Result<(), StoreError> {
    for peer in peers(&cx.txn, slot)? {
        cx.txn.delete(slot, Namespace::Limits, row(&peer));
    }
    Ok(())
}

fn make_room(cx: &mut Cx<'_>, slot: &Scope) -> Result<(), StoreError> {
    let rows = cx
        .txn
        .scan(slot, Namespace::Limits, PREFIX.as_bytes(), None, MOST)?;
    if rows.len() < MOST {
        return Ok(());
    }
    let mut oldest = None;
    for (id, _) in rows {
        let record: Option<WaitingRecord> = cx.txn.get_or_none(slot, &id)?;
        let last = record.map_or(i64::MIN, |record| record.last);
        oldest = oldest.into_iter().chain([(last, id)]).min();
    }
    if let Some((_, id)) = oldest {
        cx.txn.delete(slot, Namespace::Limits, id);
    }
    Ok(())
}

fn row(peer: &PeerKey) -> String {
    format!("{PREFIX}{}", peer.storage())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::Record;

    fn lid(number: usize) -> PeerKey {
        PeerKey::Lid(number.to_string().into())
    }

    fn id(number: usize) -> MessageId {
        MessageId::parse(&format!("3EB0{number}")).unwrap()
    }

    fn refuse(bench: &mut Bench, peer: &PeerKey, number: usize, now: i64) {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(add(cx, &slot, peer, &id(number), UnixSeconds(now))?));
    }

    fn taken(bench: &mut Bench, names: &Names) -> Vec<MessageId> {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(take(cx, &slot, names)?))
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = WaitingRecord {
            ids: vec!["A".into(), "B".into()],
            last: 5,
        };
        assert_eq!(hex::encode(record.to_row()), "010a01410a01421005");
        assert_eq!(WaitingRecord::from_row(&record.to_row()), Ok(record));
    }

    #[test]
    fn messages_are_given_out_once_under_both_names() {
        let mut bench = Bench::new(1);
        let pn = PeerKey::Pn("49".into());
        refuse(&mut bench, &pn, 1, 1);
        refuse(&mut bench, &lid(7), 2, 2);
        refuse(&mut bench, &lid(7), 2, 3);
        refuse(&mut bench, &lid(8), 3, 3);
        let both = Names::pair(lid(7), pn);
        assert_eq!(taken(&mut bench, &both), [id(2), id(1)]);
        assert_eq!(taken(&mut bench, &both), []);
        let slot = bench.slot.clone();
        assert_eq!(bench.run(|cx| Ok(peers(&cx.txn, &slot)?)), [lid(8)]);
    }

    #[test]
    fn of_too_many_contacts_and_messages_some_are_forgotten() {
        let mut bench = Bench::new(1);
        for number in 0..MOST {
            let last = if number == 7 { 0 } else { 1 };
            refuse(&mut bench, &lid(number), number, last);
        }
        refuse(&mut bench, &lid(MOST), 1, 2);
        assert_eq!(bench.store.len(), MOST);
        assert_eq!(taken(&mut bench, &Names::of(lid(7))), []);
        assert_eq!(taken(&mut bench, &Names::of(lid(8))), [id(8)]);
        for number in 0..=MOST_IDS {
            refuse(&mut bench, &lid(8), number, 3);
        }
        let ids = taken(&mut bench, &Names::of(lid(8)));
        assert_eq!((ids.len(), ids.first()), (MOST_IDS, Some(&id(0))));
    }
}
