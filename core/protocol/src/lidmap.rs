//! Which phone number (PN) and which hidden identity (LID) are one account.
//!
//! ```text
//! LidOfPn / <pn user>  -> lid user        PnOfLid / <lid user> -> pn user      (account scope)
//! learn(pn, lid): a pair that contradicts an older one replaces both of its rows
//! ```
//!
//! If the LID of a phone number is known, it is the address of everything we store, whatever the
//! wire says; so learning a pair also moves the slot's sessions, identities, sender keys and device list.

mod owner;

use core::fmt;

use crate::error::StoreError;
use crate::jid::Jid;
use crate::peer::{DeviceAddress, Names, PeerKey};
use crate::prost_record;
use crate::txn::{Cx, Key, Namespace, Scope, Txn, blocks};
use crate::user::User;
use crate::wap::Node;

pub(crate) use owner::adopt;

/// A phone number and a LID that name the same account. `Debug` is redacted.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mapping {
    pn: User,
    lid: User,
}

impl Mapping {
    /// The pair that two addresses make, in either order and whatever their devices; `None` unless
    /// one is a phone number and the other a LID of a person or business.
    pub fn of(one: &Jid, other: &Jid) -> Option<Self> {
        if one.is_psa() || other.is_psa() || one.is_bot() || other.is_bot() {
            return None;
        }
        match (PeerKey::of(one)?, PeerKey::of(other)?) {
            (PeerKey::Pn(pn), PeerKey::Lid(lid)) | (PeerKey::Lid(lid), PeerKey::Pn(pn)) => {
                Some(Self { pn, lid })
            }
            _ => None,
        }
    }

    /// Every pair that the attributes of a `<message>` name.
    pub fn all_in(message: &Node) -> Vec<Self> {
        const PAIRS: [(&str, &str); 6] = [
            ("from", "sender_pn"),
            ("from", "sender_lid"),
            ("participant", "participant_pn"),
            ("participant", "participant_lid"),
            ("recipient", "peer_recipient_pn"),
            ("recipient", "peer_recipient_lid"),
        ];
        let pair = |(one, other)| Self::of(&message.address(one)?, &message.address(other)?);
        PAIRS.into_iter().filter_map(pair).collect()
    }

    /// The account by phone number.
    pub fn pn(&self) -> PeerKey {
        PeerKey::Pn(self.pn.clone())
    }

    /// The account by LID.
    pub fn lid(&self) -> PeerKey {
        PeerKey::Lid(self.lid.clone())
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mapping(pn:… = lid:…)")
    }
}

/// What learning a pair changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Learned {
    /// One side had another partner before; its rows are gone.
    Changed,
    /// Nothing: the pair was known.
    Known,
    /// The first pair for both sides.
    New,
}

/// Stores a pair for `account` and moves what `slot` holds under the phone number to the LID.
///
/// # Errors
/// What the store says.
pub fn learn(
    cx: &mut Cx<'_>,
    account: &Scope,
    slot: &Scope,
    pair: &Mapping,
) -> Result<Learned, StoreError> {
    let learned = note(&mut cx.txn, account, pair)?;
    // Also for a known pair: another slot of the same account may have learnt it.
    migrate(&mut cx.txn, slot, pair)?;
    Ok(learned)
}

/// [`learn`] for many pairs, with few reads. What each changed, in their order.
///
/// # Errors
/// What the store says.
pub fn learn_all(
    cx: &mut Cx<'_>,
    account: &Scope,
    slot: &Scope,
    pairs: &[Mapping],
) -> Result<Vec<Learned>, StoreError> {
    let txn = &mut cx.txn;
    let provisional = holds_provisional(txn, slot)?;
    let mut learned = Vec::with_capacity(pairs.len());
    for block in blocks(pairs) {
        let keys = block.iter().flat_map(|pair| {
            [
                Key::new(account, Namespace::LidOfPn, &pair.pn),
                Key::new(account, Namespace::PnOfLid, &pair.lid),
            ]
        });
        txn.read_ahead(keys.collect())?;
        for pair in block {
            learned.push(note(txn, account, pair)?);
            if provisional {
                migrate(txn, slot, pair)?;
            }
        }
    }
    Ok(learned)
}

/// Stores a pair.
fn note(txn: &mut Txn<'_>, account: &Scope, pair: &Mapping) -> Result<Learned, StoreError> {
    let lid = txn.get::<LidOfPn>(account, &pair.pn)?;
    let pn = txn.get::<PnOfLid>(account, &pair.lid)?;
    let same_lid = lid.as_ref().is_some_and(|row| *row.lid == *pair.lid);
    let same_pn = pn.as_ref().is_some_and(|row| *row.pn == *pair.pn);
    let learned = match (&lid, &pn) {
        _ if same_lid && same_pn => Learned::Known,
        (None, None) => Learned::New,
        _ => Learned::Changed,
    };
    if learned != Learned::Known {
        if let Some(old) = lid.filter(|_| !same_lid) {
            txn.delete(account, Namespace::PnOfLid, old.lid);
        }
        if let Some(old) = pn.filter(|_| !same_pn) {
            txn.delete(account, Namespace::LidOfPn, old.pn);
        }
        let lid = pair.lid.to_string();
        let pn = pair.pn.to_string();
        txn.put(account, &pair.pn, &LidOfPn { lid });
        txn.put(account, &pair.lid, &PnOfLid { pn });
    }
    Ok(learned)
}

/// The key of `peer` in the store: its LID if that is known.
///
/// # Errors
/// What the store says.
pub fn canonical(txn: &Txn<'_>, account: &Scope, peer: &PeerKey) -> Result<PeerKey, StoreError> {
    let PeerKey::Pn(pn) = peer else {
        return Ok(peer.clone());
    };
    let row = txn.get::<LidOfPn>(account, pn)?;
    Ok(row.map_or_else(|| peer.clone(), |row| PeerKey::Lid(row.lid.into())))
}

/// The address under which sessions with that device are kept: the LID one if it is known.
///
/// # Errors
/// What the store says.
pub fn canonical_address(
    txn: &Txn<'_>,
    account: &Scope,
    address: &DeviceAddress,
) -> Result<DeviceAddress, StoreError> {
    Ok(DeviceAddress {
        peer: canonical(txn, account, &address.peer)?,
        ..address.clone()
    })
}

/// Both names of `peer`.
///
/// # Errors
/// What the store says.
pub fn resolve(txn: &Txn<'_>, account: &Scope, peer: &PeerKey) -> Result<Names, StoreError> {
    let (lid, pn) = match peer {
        PeerKey::Pn(pn) => {
            let row = txn.get::<LidOfPn>(account, pn)?;
            let lid = row.map(|row| PeerKey::Lid(row.lid.into()));
            (lid, Some(peer.clone()))
        }
        PeerKey::Lid(lid) => {
            let row = txn.get::<PnOfLid>(account, lid)?;
            let pn = row.map(|row| PeerKey::Pn(row.pn.into()));
            (Some(peer.clone()), pn)
        }
    };
    Ok(Names { lid, pn })
}

/// [`resolve`] for many, with few reads.
///
/// # Errors
/// What the store says.
pub fn resolve_all(
    txn: &mut Txn<'_>,
    account: &Scope,
    peers: &[PeerKey],
) -> Result<Vec<Names>, StoreError> {
    let mut names = Vec::with_capacity(peers.len());
    for block in blocks(peers) {
        let keys = block.iter().map(|peer| match peer {
            PeerKey::Pn(pn) => Key::new(account, Namespace::LidOfPn, pn),
            PeerKey::Lid(lid) => Key::new(account, Namespace::PnOfLid, lid),
        });
        txn.read_ahead(keys.collect())?;
        for peer in block {
            names.push(resolve(txn, account, peer)?);
        }
    }
    Ok(names)
}

/// Rows of one account that are moved at a time. It has far fewer devices, but a sender key for each
/// device and group.
const PAGE: usize = 256;

/// Whether `slot` has anything under a phone number; rarely, since LIDs became the rule.
fn holds_provisional(txn: &Txn<'_>, slot: &Scope) -> Result<bool, StoreError> {
    for ns in [
        Namespace::Session,
        Namespace::Identity,
        Namespace::SenderKey,
        Namespace::Devices,
    ] {
        if !txn.scan(slot, ns, b"pn:", None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves rows from the phone number's keys to the LID's. A row that the LID already has wins:
/// it is the one in use.
fn migrate(txn: &mut Txn<'_>, slot: &Scope, pair: &Mapping) -> Result<(), StoreError> {
    let (from, to) = (pair.pn().storage(), pair.lid().storage());
    let prefix = format!("{from}:");
    for ns in [
        Namespace::Session,
        Namespace::Identity,
        Namespace::SenderKey,
    ] {
        loop {
            let rows = txn.scan(slot, ns, prefix.as_bytes(), None, PAGE)?;
            let full = rows.len() == PAGE;
            for (id, row) in rows {
                let target = [to.as_bytes(), b":", &id[prefix.len()..]].concat();
                relocate(txn, slot, ns, &id, &target, row)?;
            }
            if !full {
                break;
            }
        }
    }
    let list = Key::new(slot, Namespace::Devices, &from);
    if let Some(row) = txn.row(&list)? {
        relocate(
            txn,
            slot,
            Namespace::Devices,
            from.as_bytes(),
            to.as_bytes(),
            row,
        )?;
    }
    Ok(())
}

fn relocate(
    txn: &mut Txn<'_>,
    slot: &Scope,
    ns: Namespace,
    from: &[u8],
    to: &[u8],
    row: Vec<u8>,
) -> Result<(), StoreError> {
    let target = Key::new(slot, ns, to);
    if txn.row(&target)?.is_none() {
        txn.put_row(target, row);
    }
    txn.delete(slot, ns, from);
    Ok(())
}

#[derive(Clone, PartialEq, prost::Message)]
struct LidOfPn {
    #[prost(string, tag = "1")]
    lid: String,
}
prost_record!(LidOfPn, LidOfPn, version 1);

#[derive(Clone, PartialEq, prost::Message)]
struct PnOfLid {
    #[prost(string, tag = "1")]
    pn: String,
}
prost_record!(PnOfLid, PnOfLid, version 1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::peer::AccountKey;
    use crate::testkit::Bench;
    use crate::txn::{Reader, Record};

    fn account() -> Scope {
        Scope::account(&AccountKey(PeerKey::Lid("1".into())))
    }

    fn pair(pn: &str, lid: &str) -> Mapping {
        Mapping::of(&Jid::pn(pn), &Jid::lid(lid)).unwrap()
    }

    fn learn_in(bench: &mut Bench, pn: &str, lid: &str) -> Learned {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(learn(cx, &account(), &slot, &pair(pn, lid))?))
    }

    fn names(bench: &mut Bench, peer: PeerKey) -> Names {
        bench.run(|cx| Ok(resolve(&cx.txn, &account(), &peer)?))
    }

    fn lid(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    fn pn(user: &str) -> PeerKey {
        PeerKey::Pn(user.into())
    }

    #[test]
    fn a_pair_needs_one_of_each_kind() {
        let with_device = Jid::device("49", 7, crate::jid::Server::Pn);
        assert_eq!(
            Mapping::of(&Jid::lid("7"), &with_device),
            Some(pair("49", "7"))
        );
        assert_eq!(Mapping::of(&Jid::pn("49"), &Jid::pn("50")), None);
        assert_eq!(Mapping::of(&Jid::lid("7"), &Jid::whatsapp()), None);
        assert_eq!(Mapping::of(&Jid::lid("7"), &Jid::pn("0")), None);
        assert_eq!(Mapping::of(&Jid::lid("7"), &Jid::pn("13135550002")), None);
    }

    #[test]
    fn a_learnt_pair_is_found_from_both_sides() {
        let mut bench = Bench::new(1);
        assert_eq!(learn_in(&mut bench, "49", "7"), Learned::New);
        assert_eq!(learn_in(&mut bench, "49", "7"), Learned::Known);
        let both = Names {
            lid: Some(lid("7")),
            pn: Some(pn("49")),
        };
        assert_eq!(names(&mut bench, pn("49")), both);
        assert_eq!(names(&mut bench, lid("7")), both);
        assert_eq!(names(&mut bench, pn("50")).lid, None);
    }

    #[test]
    fn a_contradicting_pair_removes_both_old_rows() {
        let mut bench = Bench::new(1);
        learn_in(&mut bench, "49", "7");
        learn_in(&mut bench, "50", "8");
        assert_eq!(learn_in(&mut bench, "49", "8"), Learned::Changed);
        assert_eq!(names(&mut bench, lid("7")).pn, None);
        assert_eq!(names(&mut bench, pn("50")).lid, None);
        assert_eq!(names(&mut bench, pn("49")).lid, Some(lid("8")));
        assert_eq!(names(&mut bench, lid("8")).pn, Some(pn("49")));
    }

    #[test]
    fn sessions_move_to_the_lid_unless_it_has_one() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let key = |ns, id: &str| Key::new(&slot, ns, id);
        bench.run(|cx| {
            for (ns, id, row) in [
                (Namespace::Session, "pn:49:0", "old"),
                (Namespace::Session, "pn:49:3:h", "hosted"),
                (Namespace::Session, "lid:7:0", "in use"),
                (Namespace::Session, "pn:491:0", "another account"),
                (Namespace::Identity, "pn:49:0", "identity"),
                (Namespace::SenderKey, "pn:49:3/1@g.us", "sender key"),
                (Namespace::Devices, "pn:49", "devices"),
            ] {
                cx.txn.put_row(key(ns, id), row.into());
            }
            Ok(())
        });
        learn_in(&mut bench, "49", "7");
        let row = |ns, id| bench.store.get(&key(ns, id)).unwrap();
        assert_eq!(row(Namespace::Session, "lid:7:0"), Some(b"in use".to_vec()));
        assert_eq!(
            row(Namespace::Session, "lid:7:3:h"),
            Some(b"hosted".to_vec())
        );
        assert!(row(Namespace::Session, "pn:491:0").is_some());
        assert!(row(Namespace::Identity, "lid:7:0").is_some());
        assert!(row(Namespace::SenderKey, "lid:7:3/1@g.us").is_some());
        assert!(row(Namespace::Devices, "lid:7").is_some());
        for (ns, id) in [
            (Namespace::Session, "pn:49:0"),
            (Namespace::Session, "pn:49:3:h"),
            (Namespace::Identity, "pn:49:0"),
            (Namespace::SenderKey, "pn:49:3/1@g.us"),
            (Namespace::Devices, "pn:49"),
        ] {
            assert_eq!(row(ns, id), None, "{id}");
        }
    }

    #[test]
    fn a_slot_that_was_away_is_migrated_when_it_hears_the_known_pair() {
        let mut bench = Bench::new(1);
        learn_in(&mut bench, "49", "7");
        let old = Key::new(&bench.slot, Namespace::Session, "pn:49:0");
        bench.run(|cx| {
            cx.txn.put_row(old.clone(), b"s".to_vec());
            Ok(())
        });
        assert_eq!(learn_in(&mut bench, "49", "7"), Learned::Known);
        assert_eq!(bench.store.get(&old).unwrap(), None);
    }

    #[test]
    fn addresses_become_lid_addresses_and_keep_their_device() {
        let mut bench = Bench::new(1);
        learn_in(&mut bench, "49", "7");
        let wire: Jid = "49:99@hosted".parse().unwrap();
        let address = DeviceAddress::of(&wire).unwrap();
        let stored = bench.run(|cx| Ok(canonical_address(&cx.txn, &account(), &address)?));
        assert_eq!(stored.jid().reveal(), "7:99@hosted.lid");
    }

    #[test]
    fn the_stored_bytes_do_not_change() {
        let row = LidOfPn { lid: "7".into() }.to_row();
        assert_eq!(hex::encode(row), "010a0137");
        let row = PnOfLid { pn: "49".into() }.to_row();
        assert_eq!(hex::encode(row), "010a023439");
    }

    proptest! {
        #[test]
        fn the_two_directions_never_disagree(pairs in prop::collection::vec((0u8..4, 0u8..4), 1..20)) {
            let mut bench = Bench::new(1);
            for (pn, lid) in &pairs {
                learn_in(&mut bench, &format!("4{pn}"), &format!("7{lid}"));
            }
            for user in 0..4 {
                let by_pn = names(&mut bench, pn(&format!("4{user}")));
                if let Some(lid) = by_pn.lid {
                    prop_assert_eq!(names(&mut bench, lid).pn, by_pn.pn);
                }
                let by_lid = names(&mut bench, lid(&format!("7{user}")));
                if let Some(pn) = by_lid.pn {
                    prop_assert_eq!(names(&mut bench, pn).lid, by_lid.lid);
                }
            }
        }
    }
}
