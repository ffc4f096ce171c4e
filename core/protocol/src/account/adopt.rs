//! Rows of an account that change their owner, and rows that must go.
//!
//! ```text
//! own LID learnt    acct:pn:<own>/..  ->  acct:lid:<own>/..      row by row, merged where both exist
//! forget            acct:../..        ->  nothing                in batches
//! ```
//!
//! The owner of rows is our LID, and our phone number only until the LID is known (spec: "required
//! data model"). All rows move in one step: half of them would be tokens that nobody finds.

use crate::abprops::PropsRecord;
use crate::device::{self, FORGET_ORDER, Forgotten};
use crate::error::{Fault, StoreError};
use crate::jid::Jid;
use crate::lidmap;
use crate::limits::breaker::BreakerRecord;
use crate::limits::capping::CappingRecord;
use crate::limits::timelock::TimelockRecord;
use crate::mex::Update;
use crate::nct::SaltRecord;
use crate::peer::{AccountKey, PeerKey};
use crate::tctoken::record::TokenRecord;
use crate::tctoken::timeline::Timeline;
use crate::txn::{Cx, Key, Namespace, Record, Scope, Txn};

/// Rows that are read at a time.
const PAGE: usize = 1_000;

/// Where a push about a changed LID has its data. Only the name of this object is known, not the
/// `op_name` of the push (spec: open questions).
const LID_CHANGE: &str = "xwa2_notify_lid_change";

/// What became of the rows of the former owner.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Adopted {
    /// Rows that the new owner did not have.
    pub moved: u64,
    /// Rows that both had; one is left.
    pub merged: u64,
    /// Rows of a newer version that both had; both are left as they are.
    pub newer: u64,
}

/// Our own LID is known: what belonged to our account by phone number belongs to it by LID. Without
/// rows under the phone number nothing changes, so calling it at every start does no harm. Machines
/// of the account must be made anew afterwards.
///
/// # Errors
/// What the store says.
pub fn own_lid(cx: &mut Cx<'_>, pn: &AccountKey, lid: &AccountKey) -> Result<Adopted, Fault> {
    let mut adopted = Adopted::default();
    if pn == lid {
        return Ok(adopted);
    }
    let (from, to) = (Scope::account(pn), Scope::account(lid));
    adopted.moved += lidmap::adopt(&mut cx.txn, &from, &to)?;
    for ns in FORGET_ORDER {
        let mut after = None;
        loop {
            let rows = cx.txn.scan(&from, ns, b"", after.as_deref(), PAGE)?;
            let full = rows.len() == PAGE;
            for (id, row) in rows {
                move_row(cx, &from, Key::new(&to, ns, &id), row, &mut adopted)?;
                after = Some(id);
            }
            if !full {
                break;
            }
        }
    }
    Ok(adopted)
}

/// Whether a device of the account was here before. Our own two names are no sign of that: pairing
/// itself brings them.
///
/// # Errors
/// What the store says.
pub fn is_known(txn: &Txn<'_>, account: &Scope) -> Result<bool, StoreError> {
    for ns in [
        Namespace::Props,
        Namespace::Limits,
        Namespace::Salt,
        Namespace::Timeline,
        Namespace::Token,
    ] {
        if !txn.scan(account, ns, b"", None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes a batch of what is stored for an account: tokens, names, limits, timelines. Until it says
/// [`Forgotten::Done`] it must be called again, in this or in another step. The account must not be
/// in use.
///
/// # Errors
/// What the store says.
pub fn forget_account(cx: &mut Cx<'_>, account: &AccountKey) -> Result<Forgotten, Fault> {
    Ok(device::forget(&mut cx.txn, &Scope::account(account))?)
}

/// The old and the new LID of a contact; `None` when the push is about something else.
pub fn lid_change(update: &Update) -> Option<(PeerKey, PeerKey)> {
    let fields = update.data(LID_CHANGE)?;
    let lid = |key| {
        let jid: Jid = fields.word(key)?.parse().ok()?;
        PeerKey::of(&jid).filter(|peer| matches!(peer, PeerKey::Lid(_)))
    };
    Some((lid("old")?, lid("new")?))
}

fn move_row(
    cx: &mut Cx<'_>,
    from: &Scope,
    target: Key,
    row: Vec<u8>,
    adopted: &mut Adopted,
) -> Result<(), StoreError> {
    let (ns, id) = (target.ns, target.id.clone());
    match cx.txn.row(&target)? {
        None => {
            cx.txn.put_row(target, row);
            adopted.moved += 1;
        }
        Some(there) => match joined(ns, &id, &there, &row) {
            Some(joined) => {
                if joined != there {
                    cx.txn.put_row(target, joined);
                }
                adopted.merged += 1;
            }
            None => {
                adopted.newer += 1;
                return Ok(());
            }
        },
    }
    cx.txn.delete(from, ns, id);
    Ok(())
}

/// The one row for two; `None` when one of them is of a newer version.
fn joined(ns: Namespace, id: &[u8], there: &[u8], moved: &[u8]) -> Option<Vec<u8>> {
    match (ns, id) {
        (Namespace::Token, _) => join(there, moved, TokenRecord::merged),
        (Namespace::Timeline, _) => join(there, moved, Timeline::merged),
        (Namespace::Salt, _) => join(there, moved, |there: SaltRecord, moved| {
            // App state's last word counts, also that there is no salt any more.
            later(there, moved, |salt| {
                let said = salt.authoritative;
                (said, !said && salt.salt.is_some())
            })
        }),
        (Namespace::Props, _) => join(there, moved, |there: PropsRecord, moved| {
            later(there, moved, |props| props.fetched_at)
        }),
        (Namespace::Limits, b"timelock") => join(there, moved, |there: TimelockRecord, moved| {
            later(there, moved, |lock| lock.observed)
        }),
        (Namespace::Limits, b"capping") => join(there, moved, |there: CappingRecord, moved| {
            later(there, moved, |quota| (quota.server_sent, quota.observed))
        }),
        (Namespace::Limits, b"breaker") => join(there, moved, |there: BreakerRecord, moved| {
            later(there, moved, |breaker| breaker.until)
        }),
        _ => Some(there.to_vec()),
    }
}

/// Joins two rows; a damaged one counts for nothing.
fn join<R: Record>(there: &[u8], moved: &[u8], both: impl FnOnce(R, R) -> R) -> Option<Vec<u8>> {
    match (R::from_row(there), R::from_row(moved)) {
        (Err(StoreError::Version { .. }), _) | (_, Err(StoreError::Version { .. })) => None,
        (Ok(there), Ok(moved)) => Some(both(there, moved).to_row()),
        (Err(_), Ok(_)) => Some(moved.to_vec()),
        (_, Err(_)) => Some(there.to_vec()),
    }
}

/// The one with the greater key, on a tie the one that is there.
fn later<R, K: Ord>(there: R, moved: R, key: impl Fn(&R) -> K) -> R {
    if key(&moved) > key(&there) {
        moved
    } else {
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::timelock::Lock;
    use crate::secret::SecretBytes;
    use crate::tctoken::record::{Issued, Source, Theirs};
    use crate::tctoken::timeline::What;
    use crate::testkit::Bench;
    use crate::time::UnixSeconds;
    use crate::txn::Reader;
    use crate::wap::Node;

    fn by_pn() -> AccountKey {
        AccountKey(PeerKey::Pn("4915559999".into()))
    }

    fn by_lid() -> AccountKey {
        AccountKey(PeerKey::Lid("900000000000009".into()))
    }

    fn from() -> Scope {
        Scope::account(&by_pn())
    }

    fn to() -> Scope {
        Scope::account(&by_lid())
    }

    fn put<R: Record>(bench: &mut Bench, scope: &Scope, id: &str, record: &R) {
        bench.run(|cx| {
            cx.txn.put(scope, id, record);
            Ok(())
        });
    }

    fn put_row(bench: &mut Bench, scope: &Scope, ns: Namespace, id: &str, row: &[u8]) {
        bench.run(|cx| {
            cx.txn.put_row(Key::new(scope, ns, id), row.to_vec());
            Ok(())
        });
    }

    fn get<R: Record>(bench: &Bench, id: &str) -> Option<R> {
        let key = Key::new(&to(), R::NAMESPACE, id);
        let row = bench.store.get(&key).unwrap()?;
        Some(R::from_row(&row).unwrap())
    }

    fn adopt(bench: &mut Bench) -> Adopted {
        bench.run(|cx| own_lid(cx, &by_pn(), &by_lid()))
    }

    fn token(text: &str, t: i64, issued: i64) -> TokenRecord {
        TokenRecord {
            theirs: Some(Theirs {
                bytes: SecretBytes::new(text.into()),
                t: UnixSeconds(t),
                source: Source::Notification,
                seen: UnixSeconds(t),
                suspect: false,
            }),
            ours: Some(Issued {
                t: UnixSeconds(issued),
            }),
        }
    }

    fn salt(text: Option<&str>, authoritative: bool) -> SaltRecord {
        SaltRecord {
            salt: text.map(|text| SecretBytes::new(text.into())),
            authoritative,
        }
    }

    #[test]
    fn every_row_moves_when_the_lid_had_none() {
        let mut bench = Bench::new(1);
        for number in 0..PAGE + 5 {
            put(
                &mut bench,
                &from(),
                &format!("lid:{number:04}"),
                &token("x", 5, 6),
            );
        }
        for ns in FORGET_ORDER {
            put_row(&mut bench, &from(), ns, "any", &[9, 9]);
        }
        let rows = bench.store.len();
        let adopted = adopt(&mut bench);
        let moved = u64::try_from(rows).unwrap();
        assert_eq!((adopted.moved, adopted.merged), (moved, 0));
        for ns in FORGET_ORDER {
            let old = bench.store.scan(&from(), ns, b"", None, 1).unwrap();
            assert!(old.is_empty(), "{ns:?}");
            let row = bench.store.get(&Key::new(&to(), ns, "any")).unwrap();
            assert_eq!(row, Some(vec![9, 9]), "{ns:?}");
        }
        assert_eq!(get(&bench, "lid:1004"), Some(token("x", 5, 6)));
        let commits = bench.store.commits();
        assert_eq!(adopt(&mut bench), Adopted::default());
        assert_eq!((bench.store.len(), bench.store.commits()), (rows, commits));
    }

    #[test]
    fn contacts_of_both_owners_are_merged_half_by_half() {
        let mut bench = Bench::new(1);
        put(&mut bench, &from(), "lid:7", &token("newer", 20, 1));
        put(&mut bench, &to(), "lid:7", &token("older", 10, 2));
        let mut timelines = [Timeline::default(), Timeline::default()];
        timelines[0].push(What::IdentityChanged, UnixSeconds(2));
        timelines[1].push(What::Accepted, UnixSeconds(1));
        put(&mut bench, &from(), "lid:7", &timelines[0]);
        put(&mut bench, &to(), "lid:7", &timelines[1]);
        let adopted = adopt(&mut bench);
        assert_eq!((adopted.moved, adopted.merged), (0, 2));
        assert_eq!(get(&bench, "lid:7"), Some(token("newer", 20, 2)));
        let [one, other] = timelines;
        assert_eq!(get(&bench, "lid:7"), Some(other.merged(one)));
        assert_eq!(bench.store.len(), 2);
    }

    #[test]
    fn what_app_state_said_about_the_salt_counts() {
        for (moved, there, left) in [
            (
                salt(Some("m"), false),
                salt(Some("t"), false),
                salt(Some("t"), false),
            ),
            (
                salt(Some("m"), true),
                salt(Some("t"), false),
                salt(Some("m"), true),
            ),
            (salt(None, true), salt(Some("t"), false), salt(None, true)),
            (salt(Some("m"), false), salt(None, true), salt(None, true)),
            (
                salt(Some("m"), false),
                salt(None, false),
                salt(Some("m"), false),
            ),
            (salt(Some("m"), true), salt(None, true), salt(None, true)),
        ] {
            let mut bench = Bench::new(1);
            put(&mut bench, &from(), "nct", &moved);
            put(&mut bench, &to(), "nct", &there);
            adopt(&mut bench);
            assert_eq!(get(&bench, "nct"), Some(left));
        }
    }

    #[test]
    fn the_servers_last_word_on_limits_and_props_counts() {
        let timelock = |observed| TimelockRecord {
            lock: Some(Lock {
                until: UnixSeconds(99),
                provisional: false,
                kind: None,
                since: UnixSeconds(observed),
            }),
            observed: UnixSeconds(observed),
            unknown_since: None,
            source: None,
        };
        let capping = |sent, observed| {
            let mut record = CappingRecord::default();
            (record.server_sent, record.observed) = (Some(sent), observed);
            record
        };
        let breaker = |until| BreakerRecord {
            until,
            ..BreakerRecord::default()
        };
        let props = |fetched_at| PropsRecord {
            fetched_at,
            ..PropsRecord::default()
        };
        for (first, second) in [(1, 2), (2, 1)] {
            let mut bench = Bench::new(1);
            for (scope, at) in [(from(), first), (to(), second)] {
                put(&mut bench, &scope, "timelock", &timelock(at));
                put(&mut bench, &scope, "capping", &capping(at, 3 - at));
                put(
                    &mut bench,
                    &scope,
                    "breaker",
                    &breaker((at > 1).then_some(at)),
                );
                put(&mut bench, &scope, "props", &props(at));
            }
            assert_eq!(adopt(&mut bench).merged, 4);
            assert_eq!(get(&bench, "timelock"), Some(timelock(2)));
            assert_eq!(get(&bench, "capping"), Some(capping(2, 1)));
            assert_eq!(get(&bench, "breaker"), Some(breaker(Some(2))));
            assert_eq!(get(&bench, "props"), Some(props(2)));
        }
    }

    #[test]
    fn a_damaged_row_counts_for_nothing_and_a_newer_one_stays_apart() {
        let (good, damaged, newer) = (token("x", 1, 1).to_row(), vec![1, 0xff], vec![9]);
        for (moved, there, left) in [
            (&good, &damaged, &good),
            (&damaged, &good, &good),
            (&damaged, &damaged, &damaged),
        ] {
            let mut bench = Bench::new(1);
            put_row(&mut bench, &from(), Namespace::Token, "lid:7", moved);
            put_row(&mut bench, &to(), Namespace::Token, "lid:7", there);
            assert_eq!(adopt(&mut bench).merged, 1);
            let key = Key::new(&to(), Namespace::Token, "lid:7");
            assert_eq!(bench.store.get(&key).unwrap().as_ref(), Some(left));
            assert_eq!(bench.store.len(), 1);
        }
        let mut bench = Bench::new(1);
        put_row(&mut bench, &from(), Namespace::Token, "lid:7", &newer);
        put_row(&mut bench, &to(), Namespace::Token, "lid:7", &good);
        assert_eq!(adopt(&mut bench).newer, 1);
        assert_eq!(bench.store.len(), 2);
    }

    #[test]
    fn an_account_is_forgotten_in_batches_and_nobody_else() {
        let mut bench = Bench::new(1);
        for number in 0..700 {
            put_row(
                &mut bench,
                &to(),
                Namespace::Token,
                &number.to_string(),
                &[1],
            );
        }
        put_row(&mut bench, &to(), Namespace::Timeline, "account", &[1]);
        put_row(&mut bench, &from(), Namespace::Token, "lid:7", &[1]);
        let mut calls = 1;
        while bench.run(|cx| forget_account(cx, &by_lid())) == Forgotten::More {
            calls += 1;
        }
        assert_eq!((calls, bench.store.len()), (2, 1));
    }

    #[test]
    fn a_changed_lid_is_read_from_its_push() {
        let push = |inner: &str| {
            let json = format!(r#"{{"data":{{"{LID_CHANGE}":{inner}}}}}"#);
            let update = Node::new("update").attr("op_name", "any").bytes(json);
            lid_change(&Update::parse(&Node::new("notification").child(update)).unwrap())
        };
        assert_eq!(
            push(r#"{"old":"70@lid","new":"71:3@lid"}"#),
            Some((PeerKey::Lid("70".into()), PeerKey::Lid("71".into())))
        );
        for odd in [
            r#"{"old":"70@lid"}"#,
            r#"{"old":"70@lid","new":"49@s.whatsapp.net"}"#,
            r#"{"old":7,"new":8}"#,
        ] {
            assert_eq!(push(odd), None, "{odd}");
        }
    }
}
