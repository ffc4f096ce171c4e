//! The suite that every backend must pass, across the table of functions that a C host fills in.
#![expect(clippy::unreachable, reason = "helpers of tests fail like tests")]

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex};

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{
    Changes, Fence, Key, MemoryStore, Namespace, Reader, Scope, Store, conformance,
};

use super::bytes::{Buf, Slice, sp_buf_set};
use super::store::{Change, FenceRow, HostStore, RowsObject, StoreResult, StoreTable, sp_rows_add};
use crate::facade::Status;

/// What a host keeps behind its context.
#[derive(Default)]
struct Host {
    rows: MemoryStore,
    /// What every function answers instead of doing its work, and why.
    broken: Option<(i32, Vec<u8>)>,
}

type Shared = Arc<Mutex<Host>>;

sendpath_protocol::store_conformance!({
    let host = Shared::default();
    move || Ok::<_, StoreError>(open(&host))
});

#[test]
fn the_whole_suite_runs_on_one_store_and_every_handle_is_freed() {
    let host = Shared::default();
    let suite = conformance::run(&mut || Ok(Box::new(open(&host))));
    assert_eq!(suite, Ok(()));
    assert_eq!(conformance::SUITE.len(), 16);
    assert_eq!(Arc::strong_count(&host), 1);
}

#[test]
fn a_failing_host_is_quoted_to_200_characters() {
    let long = "ü".repeat(300);
    for (said, quoted) in [
        (&b"the disk is on fire"[..], "the disk is on fire".into()),
        (b"not \xff text", "not \u{fffd} text".into()),
        (long.as_bytes(), "ü".repeat(200)),
        (b"", "result 5".into()),
    ] {
        let wanted = StoreError::Host(quoted);
        assert_eq!(every_call(5, said), [0; 4].map(|_| wanted.clone()));
    }
}

#[test]
fn every_number_is_the_error_it_stands_for() {
    for (number, wanted) in [
        (StoreResult::Fenced as i32, StoreError::Fenced),
        (StoreResult::Busy as i32, StoreError::Busy),
        (StoreResult::Full as i32, StoreError::Full),
        (-1, StoreError::Host("result -1".into())),
        (4711, StoreError::Host("result 4711".into())),
    ] {
        assert_eq!(every_call(number, b""), [0; 4].map(|_| wanted.clone()));
    }
}

/// A host that means "failed" by 1 must not be taken at its word.
#[test]
fn only_a_read_can_be_told_that_there_is_no_row() {
    let host = Shared::default();
    let mut store = open(&host);
    let scope = Scope::slot("a");
    let fence = store.acquire(&scope).unwrap();
    host.lock().unwrap().broken = Some((StoreResult::Absent as i32, Vec::new()));
    let wanted = StoreError::Host("result 1".into());
    let key = Key::new(&scope, Namespace::Scratch, b"id");
    assert_eq!(store.get(&key), Ok(None));
    assert_eq!(store.acquire(&scope), Err(wanted.clone()));
    assert_eq!(
        store.commit(&[(&Changes::default(), &fence)]),
        Err(wanted.clone())
    );
    let scan = store.scan(&scope, Namespace::Scratch, b"", None, 9);
    assert_eq!(scan, Err(wanted));
}

/// The errors of the four functions when the host answers `number`.
fn every_call(number: i32, said: &[u8]) -> [StoreError; 4] {
    let host = Shared::default();
    let mut store = open(&host);
    let scope = Scope::slot("a");
    let fence = store.acquire(&scope).unwrap();
    host.lock().unwrap().broken = Some((number, said.to_vec()));
    let key = Key::new(&scope, Namespace::Scratch, b"id");
    [
        store.acquire(&scope).unwrap_err(),
        store.get(&key).unwrap_err(),
        store
            .scan(&scope, Namespace::Scratch, b"", None, 9)
            .unwrap_err(),
        store.commit(&[(&Changes::default(), &fence)]).unwrap_err(),
    ]
}

/// A handle that the library owns and frees.
fn open(host: &Shared) -> HostStore {
    let table = StoreTable {
        struct_size: 56,
        reserved: 0,
        ctx: Arc::into_raw(Arc::clone(host)).cast_mut().cast(),
        acquire: Some(acquire),
        get: Some(get),
        scan: Some(scan),
        commit: Some(commit),
        free: Some(free),
    };
    let (store, ownership) = HostStore::new(table).unwrap();
    ownership.take();
    store
}

unsafe extern "C" fn acquire(
    ctx: *mut c_void,
    scope: Slice,
    generation: *mut u64,
    failure: *mut Buf,
) -> i32 {
    answer(ctx, failure, |rows| {
        let fence = rows.acquire(&owner(scope))?;
        // SAFETY: the library's own place for it, valid for the call.
        unsafe { *generation = fence.generation };
        Ok(StoreResult::Ok)
    })
}

unsafe extern "C" fn get(
    ctx: *mut c_void,
    scope: Slice,
    ns: u32,
    id: Slice,
    row: *mut Buf,
    failure: *mut Buf,
) -> i32 {
    answer(ctx, failure, |rows| {
        let key = Key::new(&owner(scope), kind(ns), id.bytes("id").unwrap());
        let Some(found) = rows.get(&key)? else {
            return Ok(StoreResult::Absent);
        };
        assert_eq!(
            sp_buf_set(row, Slice::of(&found), ptr::null_mut()),
            Status::Ok
        );
        Ok(StoreResult::Ok)
    })
}

unsafe extern "C" fn scan(
    ctx: *mut c_void,
    scope: Slice,
    ns: u32,
    prefix: Slice,
    after: Slice,
    limit: usize,
    rows: *mut RowsObject,
    failure: *mut Buf,
) -> i32 {
    answer(ctx, failure, |store| {
        let (prefix, after) = (
            prefix.bytes("prefix").unwrap(),
            after.bytes("after").unwrap(),
        );
        let after = Some(after).filter(|after| !after.is_empty());
        for (id, row) in store.scan(&owner(scope), kind(ns), prefix, after, limit)? {
            let added = sp_rows_add(rows, Slice::of(&id), Slice::of(&row), ptr::null_mut());
            assert_eq!(added, Status::Ok);
        }
        Ok(StoreResult::Ok)
    })
}

unsafe extern "C" fn commit(
    ctx: *mut c_void,
    changes: *const Change,
    change_count: usize,
    fences: *const FenceRow,
    fence_count: usize,
    failure: *mut Buf,
) -> i32 {
    // SAFETY: two arrays of the library with these lengths, valid for the call.
    let (changes, fences) = unsafe {
        (
            std::slice::from_raw_parts(changes, change_count),
            std::slice::from_raw_parts(fences, fence_count),
        )
    };
    answer(ctx, failure, |rows| {
        let mut written = Changes::default();
        for change in changes {
            let id = change.id.bytes("id").unwrap();
            let key = Key::new(&owner(change.scope), kind(change.ns), id);
            match change.remove {
                0 => written.put(key, change.row.bytes("row").unwrap().to_vec()),
                _ => written.delete(key),
            }
        }
        let none = Changes::default();
        let fences: Vec<_> = fences
            .iter()
            .map(|fence| Fence {
                scope: owner(fence.scope),
                generation: fence.generation,
            })
            .collect();
        let batch: Vec<_> = fences
            .iter()
            .enumerate()
            .map(|(i, fence)| (if i == 0 { &written } else { &none }, fence))
            .collect();
        assert!(
            !batch.is_empty() || changes.is_empty(),
            "every write has a fence"
        );
        rows.commit(&batch)?;
        Ok(StoreResult::Ok)
    })
}

unsafe extern "C" fn free(ctx: *mut c_void) {
    // SAFETY: what `open` gave away, freed once: a second time would show in the count.
    drop(unsafe { Arc::from_raw(ctx.cast::<Mutex<Host>>()) });
}

/// Does the work of one call, unless the host is broken.
fn answer(
    ctx: *mut c_void,
    failure: *mut Buf,
    work: impl FnOnce(&mut MemoryStore) -> Result<StoreResult, StoreError>,
) -> i32 {
    // SAFETY: the context that `open` gave, not yet freed.
    let host = unsafe { &*ctx.cast::<Mutex<Host>>() };
    let mut host = host.lock().unwrap();
    if let Some((number, said)) = &host.broken {
        assert_eq!(
            sp_buf_set(failure, Slice::of(said), ptr::null_mut()),
            Status::Ok
        );
        return *number;
    }
    match work(&mut host.rows) {
        Ok(result) => result as i32,
        Err(StoreError::Fenced) => StoreResult::Fenced as i32,
        Err(error) => unreachable!("a store in memory fails only when told to: {error}"),
    }
}

fn owner(scope: Slice) -> Scope {
    Scope::from_text(scope.text("scope").unwrap())
}

/// The suite uses these two; a host takes the number as it is.
fn kind(ns: u32) -> Namespace {
    let known = [Namespace::Scratch, Namespace::Device];
    let found = known
        .into_iter()
        .find(|known| u32::from(known.number()) == ns);
    found.unwrap()
}
