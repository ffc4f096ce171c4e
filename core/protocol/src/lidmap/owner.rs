//! Pairs that change their owner.

use crate::error::StoreError;
use crate::lidmap::{LidOfPn, PnOfLid};
use crate::txn::{Key, Namespace, Record, Scope, Txn};

/// Pairs that are read at a time.
const PAGE: usize = 1_000;

/// Moves the pairs of one owner to another. The other's pairs stay: a pair that contradicts one of
/// them is dropped. Rows of a newer version are left to the caller. Gives the number of rows that were moved.
///
/// # Errors
/// What the store says.
pub(crate) fn adopt(txn: &mut Txn<'_>, from: &Scope, to: &Scope) -> Result<u64, StoreError> {
    let (mut moved, mut after) = (0, None);
    loop {
        let rows = txn.scan(from, Namespace::LidOfPn, b"", after.as_deref(), PAGE)?;
        let full = rows.len() == PAGE;
        for (pn, row) in rows {
            moved += adopt_pair(txn, from, to, &pn, row)?;
            after = Some(pn);
        }
        if !full {
            return Ok(moved);
        }
    }
}

fn adopt_pair(
    txn: &mut Txn<'_>,
    from: &Scope,
    to: &Scope,
    id: &[u8],
    row: Vec<u8>,
) -> Result<u64, StoreError> {
    let (pn, lid) = match (LidOfPn::from_row(&row), core::str::from_utf8(id)) {
        (Err(StoreError::Version { .. }), _) => return Ok(0),
        (Ok(LidOfPn { lid }), Ok(pn)) => (pn, lid),
        _ => {
            txn.delete(from, Namespace::LidOfPn, id);
            return Ok(0);
        }
    };
    txn.delete(from, Namespace::LidOfPn, id);
    txn.delete(from, Namespace::PnOfLid, &lid);
    let forth = Key::new(to, Namespace::LidOfPn, id);
    let back = Key::new(to, Namespace::PnOfLid, &lid);
    if txn.row(&forth)?.is_some() || txn.row(&back)?.is_some() {
        return Ok(0);
    }
    let pn = pn.to_owned();
    txn.put(to, &lid, &PnOfLid { pn });
    txn.put_row(forth, row);
    Ok(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::Jid;
    use crate::lidmap::{Mapping, learn, resolve};
    use crate::peer::{AccountKey, Names, PeerKey};
    use crate::testkit::Bench;
    use crate::txn::Reader;

    fn owner(peer: PeerKey) -> Scope {
        Scope::account(&AccountKey(peer))
    }

    fn pn(user: &str) -> PeerKey {
        PeerKey::Pn(user.into())
    }

    fn lid(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    #[test]
    fn pairs_move_and_the_new_owners_win_over_contradicting_ones() {
        let mut bench = Bench::new(1);
        let (from, to, slot) = (owner(pn("1")), owner(lid("2")), bench.slot.clone());
        let learnt = [
            (&from, "40", "70"),
            (&from, "41", "71"),
            (&from, "42", "72"),
            (&from, "43", "73"),
            (&to, "41", "171"),
            (&to, "142", "72"),
            (&to, "43", "73"),
        ];
        bench.run(|cx| {
            for (owner, pn, lid) in learnt {
                let pair = Mapping::of(&Jid::pn(pn), &Jid::lid(lid)).unwrap();
                learn(cx, owner, &slot, &pair)?;
            }
            Ok(())
        });
        let moved = bench.run(|cx| Ok(adopt(&mut cx.txn, &from, &to)?));
        assert_eq!((moved, bench.store.len()), (2, 8));
        for (number, name) in [("40", "70"), ("41", "171"), ("142", "72"), ("43", "73")] {
            for peer in [pn(number), lid(name)] {
                let names = bench.run(|cx| Ok(resolve(&cx.txn, &to, &peer)?));
                assert_eq!(names, Names::pair(lid(name), pn(number)));
            }
        }
    }

    #[test]
    fn damaged_pairs_go_and_newer_ones_stay() {
        let mut bench = Bench::new(1);
        let (from, to) = (owner(pn("1")), owner(lid("2")));
        let key = |id| Key::new(&from, Namespace::LidOfPn, id);
        bench.run(|cx| {
            cx.txn.put_row(key("40"), vec![9]);
            cx.txn.put_row(key("41"), vec![1, 0xff]);
            Ok(())
        });
        assert_eq!(bench.run(|cx| Ok(adopt(&mut cx.txn, &from, &to)?)), 0);
        assert_eq!(bench.store.len(), 1);
        assert_eq!(bench.store.get(&key("40")).unwrap(), Some(vec![9]));
    }
}
