//! What one operation takes from the heap. Memory that SQLite takes is its own and not counted; its
//! page cache is bounded.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

#[global_allocator]
static COUNTING: Counting = Counting;

static ON: AtomicBool = AtomicBool::new(false);
/// Bytes taken since the count began, less what was given back; below zero when older memory is.
static TAKEN: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Heap figures.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heap {
    /// Most bytes held at once, beyond those held before.
    pub(crate) peak: u64,
    /// Blocks asked for; growing one counts.
    pub(crate) allocations: u64,
}

impl Heap {
    /// What was counted behind it, in the same iteration.
    pub(crate) fn add(&mut self, next: Self) {
        self.peak = self.peak.max(next.peak);
        self.allocations += next.allocations;
    }
}

/// Runs `work` and counts.
pub(crate) fn count(work: impl FnOnce()) -> Heap {
    TAKEN.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    ALLOCATIONS.store(0, Relaxed);
    ON.store(true, Relaxed);
    work();
    ON.store(false, Relaxed);
    Heap {
        peak: PEAK.load(Relaxed).unsigned_abs(),
        allocations: ALLOCATIONS.load(Relaxed),
    }
}

struct Counting;

fn taken(bytes: usize) {
    if ON.load(Relaxed) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let now = TAKEN.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(now, Relaxed);
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

fn given_back(bytes: usize) {
    if ON.load(Relaxed) {
        TAKEN.fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX), Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new block may exist at the same time.
        taken(size);
        // SAFETY: as above.
        let grown = unsafe { System.realloc(block, layout, size) };
        given_back(layout.size());
        grown
    }
}
