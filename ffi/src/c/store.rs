//! A store of the host: five functions and a context.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};

use super::bytes::{Buf, Slice};
use super::error::ErrorObject;
use super::guard;
use super::raw::{self, Versioned};
use crate::facade::{Error, Status, within_library};

/// Longer texts of a host are cut, so that a stack trace does not travel in an error.
const FAILURE_TEXT: usize = 200;

/// What a function of a host's store returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum StoreResult {
    /// Done; for `get`: the row is there.
    Ok = 0,
    /// For `get`: there is no such row.
    Absent = 1,
    /// For `commit`: a generation is not the newest of its scope. Nothing was written.
    Fenced = 2,
    /// Somebody else holds the store. Nothing was written.
    Busy = 3,
    /// No room. Nothing was written.
    Full = 4,
    /// Anything else; as every number that is not listed here.
    #[expect(dead_code, reason = "named for hosts; here it is whatever is left")]
    Failed = 5,
}

/// One write of a commit.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Change {
    /// Who owns the row.
    pub scope: Slice,
    /// The kind of row.
    pub ns: u32,
    /// 1 removes the row, 0 writes `row`.
    pub remove: u32,
    /// Id within the kind.
    pub id: Slice,
    /// The row; empty when it is removed.
    pub row: Slice,
}

/// A right to write.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FenceRow {
    /// The scope that was acquired.
    pub scope: Slice,
    /// What `acquire` gave.
    pub generation: u64,
}

/// Where `scan` puts its rows, with `sp_rows_add`.
#[derive(Debug, Default)]
pub struct RowsObject(Rows);

/// A store of the host. All functions block, are called on threads of the library, for a guest inside
/// its calls, one at a time, and return an `sp_store_result`. Slices live for the call. `failure` may
/// be filled with a text for people.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct StoreTable {
    /// `sizeof(sp_store)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Given to every function.
    pub ctx: *mut c_void,
    /// Counts an opening of `scope`, durably, and gives the count: 1 for the first.
    pub acquire: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            scope: Slice,
            generation: *mut u64,
            failure: *mut Buf,
        ) -> i32,
    >,
    /// Reads one row into `row` with `sp_buf_set`.
    pub get: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            scope: Slice,
            ns: u32,
            id: Slice,
            row: *mut Buf,
            failure: *mut Buf,
        ) -> i32,
    >,
    /// Adds to `rows`, in bytewise order of ids, up to `limit` rows whose id begins with `prefix` and
    /// is greater than `after`; an empty `after` is before every id.
    pub scan: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            scope: Slice,
            ns: u32,
            prefix: Slice,
            after: Slice,
            limit: usize,
            rows: *mut RowsObject,
            failure: *mut Buf,
        ) -> i32,
    >,
    /// Writes all changes or none, and only if every fence's generation is the newest of its scope;
    /// durable when it returns.
    pub commit: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            changes: *const Change,
            change_count: usize,
            fences: *const FenceRow,
            fence_count: usize,
            failure: *mut Buf,
        ) -> i32,
    >,
    /// Called once when the engine, or the last guest, on the store is closed; may be NULL.
    pub free: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
}

// SAFETY: repr(C), a u32 first; integers, raw pointers and optional function pointers only. A host
// that writes something else into a function pointer breaks its promise (`raw`).
unsafe impl Versioned for StoreTable {
    const FIRST_SIZE: usize = 56;
    const DEFAULT: Self = Self {
        struct_size: 56,
        reserved: 0,
        ctx: std::ptr::null_mut(),
        acquire: None,
        get: None,
        scan: None,
        commit: None,
        free: None,
    };
}

/// Adds a row to the result of a scan.
#[unsafe(no_mangle)]
pub extern "C" fn sp_rows_add(
    rows: *mut RowsObject,
    id: Slice,
    row: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        // SAFETY: not NULL means it is the object given to this very scan (`raw`).
        let rows = unsafe { rows.as_mut() }.ok_or_else(|| raw::null("rows"))?;
        rows.0
            .push((id.bytes("id")?.into(), row.bytes("row")?.to_vec()));
        Ok(())
    })
}

type AcquireFn = unsafe extern "C" fn(*mut c_void, Slice, *mut u64, *mut Buf) -> i32;
type GetFn = unsafe extern "C" fn(*mut c_void, Slice, u32, Slice, *mut Buf, *mut Buf) -> i32;
type ScanFn = unsafe extern "C" fn(
    *mut c_void,
    Slice,
    u32,
    Slice,
    Slice,
    usize,
    *mut RowsObject,
    *mut Buf,
) -> i32;
type CommitFn = unsafe extern "C" fn(
    *mut c_void,
    *const Change,
    usize,
    *const FenceRow,
    usize,
    *mut Buf,
) -> i32;

/// The host's functions behind our own trait.
pub(super) struct HostStore {
    ctx: *mut c_void,
    acquire: AcquireFn,
    get: GetFn,
    scan: ScanFn,
    commit: CommitFn,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
    owned: Arc<AtomicBool>,
}

// SAFETY: the host was told that its functions run on other threads, one at a time, so its
// context is made for that; the library never looks behind the pointer.
unsafe impl Send for HostStore {}

/// Whether the store is the library's to free.
pub(super) struct Ownership(Arc<AtomicBool>);

impl Ownership {
    pub(super) fn take(self) {
        self.0.store(true, Ordering::Release);
    }
}

impl HostStore {
    /// The store, and the switch that makes it ours.
    pub(super) fn new(table: StoreTable) -> Result<(Self, Ownership), Error> {
        let missing = |name| move || raw::null(name);
        let owned = Arc::new(AtomicBool::new(false));
        let store = Self {
            ctx: table.ctx,
            acquire: table.acquire.ok_or_else(missing("config.store.acquire"))?,
            get: table.get.ok_or_else(missing("config.store.get"))?,
            scan: table.scan.ok_or_else(missing("config.store.scan"))?,
            commit: table.commit.ok_or_else(missing("config.store.commit"))?,
            free: table.free,
            owned: Arc::clone(&owned),
        };
        Ok((store, Ownership(owned)))
    }
}

impl Drop for HostStore {
    fn drop(&mut self) {
        if let (true, Some(free)) = (self.owned.load(Ordering::Acquire), self.free) {
            // SAFETY: a function of the host with its own context; dropped once, so called once.
            within_library(|| unsafe { free(self.ctx) });
        }
    }
}

impl Reader for HostStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let mut row = Buf::EMPTY;
        let (scope, id) = (text(key.scope.as_str()), Slice::of(&key.id));
        let result = called(|failure| {
            // SAFETY: a function of the host with its own context; slices and buffers outlive it.
            unsafe { (self.get)(self.ctx, scope, ns(key.ns), id, &raw mut row, failure) }
        });
        let row = row.take();
        Ok(result?.then_some(row))
    }

    fn scan(
        &self,
        scope: &Scope,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let mut rows = RowsObject::default();
        let (scope, prefix) = (text(scope.as_str()), Slice::of(prefix));
        let after = after.map_or(Slice::EMPTY, Slice::of);
        done(|failure| {
            // SAFETY: as in `get`.
            unsafe {
                (self.scan)(
                    self.ctx,
                    scope,
                    ns(namespace),
                    prefix,
                    after,
                    limit,
                    &raw mut rows,
                    failure,
                )
            }
        })?;
        Ok(rows.0)
    }
}

impl Store for HostStore {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        let mut generation = 0;
        done(|failure| {
            // SAFETY: as in `get`.
            unsafe { (self.acquire)(self.ctx, text(scope.as_str()), &raw mut generation, failure) }
        })?;
        Ok(Fence {
            scope: scope.clone(),
            generation,
        })
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        let fences: Vec<_> = changes
            .iter()
            .map(|(_, fence)| FenceRow {
                scope: text(fence.scope.as_str()),
                generation: fence.generation,
            })
            .collect();
        let changes: Vec<_> = changes
            .iter()
            .flat_map(|(changes, _)| changes.iter())
            .map(|(key, row)| Change {
                scope: text(key.scope.as_str()),
                ns: ns(key.ns),
                remove: u32::from(row.is_none()),
                id: Slice::of(&key.id),
                row: row.map_or(Slice::EMPTY, Slice::of),
            })
            .collect();
        done(|failure| {
            // SAFETY: as in `get`; both arrays live until the call returns.
            unsafe {
                (self.commit)(
                    self.ctx,
                    changes.as_ptr(),
                    changes.len(),
                    fences.as_ptr(),
                    fences.len(),
                    failure,
                )
            }
        })
    }
}

fn text(text: &str) -> Slice {
    Slice::of(text.as_bytes())
}

fn ns(namespace: Namespace) -> u32 {
    namespace.number().into()
}

/// Calls the host for something that cannot be absent.
fn done(call: impl FnOnce(*mut Buf) -> i32) -> Result<(), StoreError> {
    let number = StoreResult::Absent as i32;
    match called(call)? {
        true => Ok(()),
        false => Err(StoreError::Host(format!("result {number}"))),
    }
}

/// Calls the host; true for `Ok`, false for `Absent`.
fn called(call: impl FnOnce(*mut Buf) -> i32) -> Result<bool, StoreError> {
    let mut failure = Buf::EMPTY;
    let result = within_library(|| call(&raw mut failure));
    let failure = failure.take();
    match result {
        n if n == StoreResult::Ok as i32 => Ok(true),
        n if n == StoreResult::Absent as i32 => Ok(false),
        n if n == StoreResult::Fenced as i32 => Err(StoreError::Fenced),
        n if n == StoreResult::Busy as i32 => Err(StoreError::Busy),
        n if n == StoreResult::Full as i32 => Err(StoreError::Full),
        n => {
            let text: String = String::from_utf8_lossy(&failure)
                .chars()
                .take(FAILURE_TEXT)
                .collect();
            Err(StoreError::Host(if text.is_empty() {
                format!("result {n}")
            } else {
                text
            }))
        }
    }
}
