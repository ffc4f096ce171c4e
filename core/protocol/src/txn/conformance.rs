//! The suite that every backend must pass.
//!
//! ```ignore
//! // in the tests of a backend: one #[test] for each check, each on a fresh store
//! sendpath_protocol::store_conformance!({
//!     let place = temporary_place();
//!     move || MyStore::open(&place)
//! });
//! ```
//! The expression gives a function that opens the *same* store each time it is called, also while
//! earlier handles are alive. Hosts with stores of their own call [`run`]. Every check clears its
//! own scope first, so one store can serve all of them, several times.

mod case;

use crate::error::StoreError;
use crate::txn::{Changes, Key, Namespace, Scope, Store};

use case::Case;

/// Opens the store under test; every call opens the same one.
pub type Open<'a> = dyn FnMut() -> Result<Box<dyn Store>, StoreError> + 'a;

/// One check: panics with a message when the backend breaks a rule.
pub type Check = fn(&mut Open<'_>) -> Result<(), StoreError>;

/// Every check by name.
pub const SUITE: &[(&str, Check)] = crate::__store_checks!(__store_suite);

/// Runs the whole suite on one store.
///
/// # Errors
/// The name of the check and the error the store failed with.
///
/// # Panics
/// When the store breaks a rule; the message tells which.
pub fn run(open: &mut Open<'_>) -> Result<(), (&'static str, StoreError)> {
    SUITE
        .iter()
        .try_for_each(|(name, check)| check(open).map_err(|error| (*name, error)))
}

/// What is committed is read back at once; overwriting and removing work; absence is `None`.
pub fn rows_are_written_read_back_and_removed(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "rows")?;
    assert_eq!(case.row(b"a")?, None, "a row nobody wrote");
    case.put(&[(b"a", b"1"), (b"b", b"2")])?;
    assert_eq!(case.row(b"a")?, Some(b"1".to_vec()));
    case.put(&[(b"a", b"changed")])?;
    assert_eq!(case.row(b"a")?, Some(b"changed".to_vec()));
    case.write(|scope, changes| {
        changes.delete(Key::new(scope, NS, b"a"));
        changes.delete(Key::new(scope, NS, b"never written"));
    })?;
    assert_eq!(case.row(b"a")?, None, "a removed row");
    assert_eq!(case.row(b"b")?, Some(b"2".to_vec()), "its neighbour");
    Ok(())
}

/// Many keys at once answer as one after the other: in the order asked, absent and repeated ones
/// included, whatever their number, scope and namespace.
pub fn many_rows_are_read_at_once(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "many")?;
    let scope = case.scope.clone();
    assert_eq!(case.store.get_many(&[])?, []);
    case.write(|scope, changes| {
        for n in (0..1_500).step_by(2) {
            let id = format!("{n}");
            changes.put(Key::new(scope, NS, &id), id.into_bytes());
        }
        changes.put(Key::new(scope, NS, b"empty"), vec![]);
    })?;
    let other = Scope::slot("conformance-many-2");
    let mut keys: Vec<Key> = (0..1_500)
        .rev()
        .map(|n| Key::new(&scope, NS, format!("{n}")))
        .collect();
    keys.extend([
        Key::new(&scope, NS, b"4"),
        Key::new(&scope, NS, b"empty"),
        Key::new(&other, NS, b"4"),
        Key::new(&scope, Namespace::Device, b"4"),
        Key::new(&scope, NS, b"4"),
    ]);
    let rows = case.store.get_many(&keys)?;
    assert_eq!(rows.len(), keys.len());
    for (key, row) in keys.iter().zip(rows) {
        assert_eq!(row, case.store.get(key)?, "{key:?}");
    }
    Ok(())
}

/// A row of no bytes is there; a row of 1 MiB comes back whole.
pub fn rows_may_be_empty_or_a_mebibyte(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "sizes")?;
    let big: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
    case.put(&[(b"big", &big), (b"empty", b"")])?;
    assert_eq!(case.row(b"empty")?, Some(vec![]), "empty is not absent");
    assert!(case.row(b"big")? == Some(big.clone()), "1 MiB by get");
    let rows = case.scan(b"b", None, 1)?;
    assert!(
        rows.first().is_some_and(|(_, row)| *row == big),
        "1 MiB by scan"
    );
    Ok(())
}

/// Ids are bytes: NUL, text that is not UTF-8 and every single byte are different ids.
pub fn ids_are_any_bytes(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "ids")?;
    let mut ids: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    ids.extend([
        b"a\0".to_vec(),
        b"a\0b".to_vec(),
        b"A".repeat(300),
        vec![0xC3, 0x28],
    ]);
    case.write(|scope, changes| {
        for id in &ids {
            changes.put(Key::new(scope, NS, id), [&b"row of "[..], id].concat());
        }
    })?;
    for id in &ids {
        let row = [&b"row of "[..], id].concat();
        assert_eq!(case.row(id)?, Some(row), "id {id:x?}");
    }
    ids.sort();
    assert_eq!(case.ids(b"", None, usize::MAX)?, ids);
    Ok(())
}

/// Scans return ids in bytewise order, shorter before longer, whatever the order of writing.
pub fn scans_are_in_bytewise_order(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "order")?;
    for id in [&b"b"[..], b"a", b"\xff", b"Z", b"aa", b"a\0", b"\x7f"] {
        case.put(&[(id, b"")])?;
    }
    let sorted = [&b"Z"[..], b"a", b"a\0", b"aa", b"b", b"\x7f", b"\xff"];
    assert_eq!(case.ids(b"", None, 100)?, sorted);
    Ok(())
}

/// A prefix takes exactly the ids that begin with it, also where the next prefix does not exist.
pub fn prefixes_end_exactly(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "prefix")?;
    for id in [
        &b"lid:1"[..],
        b"lid:1:0",
        b"lid:1:9",
        b"lid:10:0",
        b"lie",
        b"\xfe\xff",
        b"\xfe\xff\xff",
        b"\xff",
        b"\xff\x00",
        b"\xff\xff\x01",
    ] {
        case.put(&[(id, b"")])?;
    }
    assert_eq!(case.ids(b"lid:1:", None, 9)?, [&b"lid:1:0"[..], b"lid:1:9"]);
    assert_eq!(case.ids(b"lid:", None, 9)?.len(), 4);
    assert_eq!(
        case.ids(b"\xfe\xff", None, 9)?,
        [&b"\xfe\xff"[..], b"\xfe\xff\xff"]
    );
    assert_eq!(
        case.ids(b"\xff", None, 9)?,
        [&b"\xff"[..], b"\xff\x00", b"\xff\xff\x01"]
    );
    assert_eq!(case.ids(b"\xff\xff", None, 9)?, [b"\xff\xff\x01"]);
    assert_eq!(case.ids(b"m", None, 9)?, NONE);
    Ok(())
}

/// `after` is exclusive, need not exist, and may lie before or behind the prefix.
pub fn after_is_exclusive(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "after")?;
    case.put(&[(b"a1", b""), (b"a2", b""), (b"a3", b""), (b"b1", b"")])?;
    assert_eq!(case.ids(b"a", Some(b"a1"), 9)?, [b"a2", b"a3"]);
    assert_eq!(case.ids(b"a", Some(b"a11"), 9)?, [b"a2", b"a3"]);
    assert_eq!(case.ids(b"a", Some(b"A"), 9)?, [b"a1", b"a2", b"a3"]);
    assert_eq!(case.ids(b"a1", Some(b"a1"), 9)?, NONE);
    assert_eq!(case.ids(b"a", Some(b"a3"), 9)?, NONE);
    assert_eq!(case.ids(b"a", Some(b"b"), 9)?, NONE);
    assert_eq!(case.ids(b"", Some(b"a3"), 9)?, [b"b1"]);
    Ok(())
}

/// A limit cuts from the end; pages of any size give every row once.
pub fn limits_cut_and_pages_join(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "limit")?;
    let ids: Vec<Vec<u8>> = (0..300).map(|n| format!("{n:04}").into_bytes()).collect();
    case.write(|scope, changes| {
        for id in &ids {
            changes.put(Key::new(scope, NS, id), id.clone());
        }
    })?;
    assert_eq!(case.ids(b"", None, 0)?, NONE);
    assert_eq!(case.ids(b"", None, 2)?, ids[..2]);
    assert_eq!(case.ids(b"", None, usize::MAX)?, ids);
    for page in [1, 7, 299, 300, 301] {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        loop {
            let next = case.ids(b"", seen.last().map(Vec::as_slice), page)?;
            if next.is_empty() {
                break;
            }
            seen.extend(next);
        }
        assert_eq!(seen, ids, "pages of {page}");
    }
    Ok(())
}

/// Equal ids in two scopes or two namespaces are two rows, also for scans.
pub fn scopes_and_namespaces_are_apart(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "apart")?;
    let other = Scope::slot("conformance-apart-2");
    case.write(|scope, changes| {
        changes.put(Key::new(scope, NS, b"x"), b"mine".to_vec());
        changes.put(Key::new(scope, Namespace::Device, b"x"), b"device".to_vec());
        changes.put(Key::new(&other, NS, b"x"), b"theirs".to_vec());
    })?;
    assert_eq!(case.ids(b"", None, 9)?, [b"x"]);
    assert_eq!(case.row(b"x")?, Some(b"mine".to_vec()));
    let theirs = case.store.get(&Key::new(&other, NS, b"x"))?;
    assert_eq!(
        theirs,
        Some(b"theirs".to_vec()),
        "a row under another's fence"
    );
    case.write(|scope, changes| {
        changes.delete(Key::new(scope, NS, b"x"));
    })?;
    let device = Key::new(&case.scope, Namespace::Device, b"x");
    assert_eq!(case.store.get(&device)?, Some(b"device".to_vec()));
    assert_eq!(case.store.get(&Key::new(&other, NS, b"x"))?, theirs);
    case.write(|_, changes| {
        changes.delete(Key::new(&other, NS, b"x"));
        changes.delete(device);
    })
}

/// Of two writers of one key in one commit the later wins.
pub fn the_last_write_of_a_batch_wins(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "last")?;
    let mut put = Changes::default();
    put.put(Key::new(&case.scope, NS, b"k"), b"v".to_vec());
    let mut delete = Changes::default();
    delete.delete(Key::new(&case.scope, NS, b"k"));
    case.store
        .commit(&[(&put, &case.fence), (&delete, &case.fence)])?;
    assert_eq!(case.row(b"k")?, None);
    case.store
        .commit(&[(&delete, &case.fence), (&put, &case.fence)])?;
    assert_eq!(case.row(b"k")?, Some(b"v".to_vec()));
    Ok(())
}

/// Nothing to write is fine: no element, or an element without changes.
pub fn an_empty_commit_is_fine(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "empty")?;
    case.store.commit(&[])?;
    case.store.commit(&[(&Changes::default(), &case.fence)])?;
    case.put(&[(b"a", b"1")])
}

/// Acquiring again fences the earlier owner off: its commits fail and write nothing.
pub fn a_second_acquire_fences_the_first(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "fence")?;
    case.put(&[(b"a", b"first")])?;
    let second = case.store.acquire(&case.scope)?;
    assert!(
        second.generation > case.fence.generation,
        "generations only grow"
    );
    assert_eq!(case.put(&[(b"a", b"late")]), Err(StoreError::Fenced));
    assert_eq!(case.row(b"a")?, Some(b"first".to_vec()));
    case.fence = second;
    case.put(&[(b"a", b"second")])
}

/// A fence that nobody was given, or of a scope that nobody acquired, writes nothing.
pub fn an_invented_fence_writes_nothing(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "invented")?;
    let real = case.fence.clone();
    case.fence.generation += 1;
    assert_eq!(case.put(&[(b"a", b"1")]), Err(StoreError::Fenced));
    case.fence.generation = 0;
    assert_eq!(case.put(&[(b"a", b"1")]), Err(StoreError::Fenced));
    case.fence.scope = Scope::slot("conformance-nobody");
    assert_eq!(case.put(&[(b"a", b"1")]), Err(StoreError::Fenced));
    case.fence = real;
    assert_eq!(case.row(b"a")?, None);
    Ok(())
}

/// One stale fence in a commit of several stops all of it; the fences of others stay good.
pub fn a_mixed_commit_is_all_or_nothing(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut fresh = Case::new(open, "mixed-fresh")?;
    let stale = Case::new(open, "mixed-stale")?;
    fresh.store.acquire(&stale.scope)?;
    let mut good = Changes::default();
    good.put(Key::new(&fresh.scope, NS, b"good"), b"1".to_vec());
    let mut bad = Changes::default();
    bad.put(Key::new(&stale.scope, NS, b"bad"), b"1".to_vec());
    for batch in [
        [(&good, &fresh.fence), (&bad, &stale.fence)],
        [(&bad, &stale.fence), (&good, &fresh.fence)],
    ] {
        assert_eq!(fresh.store.commit(&batch), Err(StoreError::Fenced));
        assert_eq!(fresh.row(b"good")?, None);
        assert_eq!(stale.row(b"bad")?, None);
    }
    fresh.store.commit(&[(&good, &fresh.fence)])?;
    assert_eq!(fresh.row(b"good")?, Some(b"1".to_vec()));
    Ok(())
}

/// Two handles on one store see each other's commits and fences.
pub fn another_handle_sees_commits_and_fences(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut first = Case::new(open, "handles")?;
    let mut other = open()?;
    first.put(&[(b"a", b"1")])?;
    let key = Key::new(&first.scope, NS, b"a");
    assert_eq!(other.get(&key)?, Some(b"1".to_vec()));
    let fence = other.acquire(&first.scope)?;
    assert_eq!(first.put(&[(b"a", b"2")]), Err(StoreError::Fenced));
    let mut changes = Changes::default();
    changes.put(key, b"3".to_vec());
    other.commit(&[(&changes, &fence)])?;
    assert_eq!(first.row(b"a")?, Some(b"3".to_vec()));
    Ok(())
}

/// Rows and generations outlive the handle.
pub fn reopening_keeps_rows_and_fences(open: &mut Open<'_>) -> Result<(), StoreError> {
    let mut case = Case::new(open, "reopen")?;
    case.put(&[(b"a", b"1"), (b"b", b"2")])?;
    let Case {
        store,
        scope,
        fence,
    } = case;
    drop(store);
    let mut case = Case {
        store: open()?,
        scope,
        fence,
    };
    assert_eq!(case.ids(b"", None, 9)?, [b"a", b"b"]);
    case.put(&[(b"c", b"3")])?;
    let again = case.store.acquire(&case.scope)?;
    assert!(
        again.generation > case.fence.generation,
        "a reopened store does not count anew"
    );
    assert_eq!(case.put(&[(b"d", b"4")]), Err(StoreError::Fenced));
    Ok(())
}

/// Turns the suite into one `#[test]` for each check; see [`txn::conformance`](crate::txn::conformance).
#[macro_export]
macro_rules! store_conformance {
    (@checks [$fresh:expr] $($check:ident)*) => {$(
        #[test]
        fn $check() -> Result<(), $crate::error::StoreError> {
            let open = $fresh;
            $crate::txn::conformance::$check(&mut || Ok(Box::new(open()?)))
        }
    )*};
    ($fresh:expr) => {
        $crate::__store_checks!(store_conformance $fresh);
    };
}

/// The list of checks, once.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_checks {
    ($then:ident $($argument:tt)*) => {
        $crate::$then! { @checks [$($argument)*]
            rows_are_written_read_back_and_removed
            many_rows_are_read_at_once
            rows_may_be_empty_or_a_mebibyte
            ids_are_any_bytes
            scans_are_in_bytewise_order
            prefixes_end_exactly
            after_is_exclusive
            limits_cut_and_pages_join
            scopes_and_namespaces_are_apart
            the_last_write_of_a_batch_wins
            an_empty_commit_is_fine
            a_second_acquire_fences_the_first
            an_invented_fence_writes_nothing
            a_mixed_commit_is_all_or_nothing
            another_handle_sees_commits_and_fences
            reopening_keeps_rows_and_fences
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_suite {
    (@checks [] $($check:ident)*) => { &[$((stringify!($check), $check)),*] };
}

const NS: Namespace = Namespace::Scratch;
const NONE: [&[u8]; 0] = [];

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::txn::{Fence, MemoryStore, Reader, Rows};

    crate::store_conformance!({
        let store = Shared::default();
        move || Ok::<_, StoreError>(store.clone())
    });

    #[test]
    fn the_whole_suite_runs_twice_on_one_store() {
        let store = Shared::default();
        for _ in 0..2 {
            assert_eq!(run(&mut || Ok(Box::new(store.clone()))), Ok(()));
        }
    }

    /// Several handles on one store in memory.
    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<MemoryStore>>);

    impl Reader for Shared {
        fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.borrow().get(key)
        }

        fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
            self.0.borrow().get_many(keys)
        }

        fn scan(
            &self,
            scope: &Scope,
            ns: Namespace,
            prefix: &[u8],
            after: Option<&[u8]>,
            limit: usize,
        ) -> Result<Rows, StoreError> {
            self.0.borrow().scan(scope, ns, prefix, after, limit)
        }
    }

    impl Store for Shared {
        fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
            self.0.borrow_mut().acquire(scope)
        }

        fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
            self.0.borrow_mut().commit(changes)
        }
    }
}
