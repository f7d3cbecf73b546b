//! How much of the heap does this process hold? The system's allocator with a count beside it, for
//! the tests that are alone in their file and make it theirs with `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what goes through it to the system's allocator.
pub struct Heap {
    live: AtomicUsize,
    peak: AtomicUsize,
    held: AtomicUsize,
}

/// As the heap's bookkeeping rounds: 8 octets of header, multiples of 16, at least 32 (glibc on
/// 64 bits).
pub fn true_size(octets: usize) -> usize {
    (octets + 8).next_multiple_of(16).max(32)
}

impl Heap {
    /// Nothing is counted yet.
    #[expect(clippy::new_without_default, reason = "for statics, where `default` can't be called")]
    pub const fn new() -> Heap {
        Heap { live: AtomicUsize::new(0), peak: AtomicUsize::new(0), held: AtomicUsize::new(0) }
    }

    /// Octets asked for and not given back.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// The most that was ever live. While a block moves, old and new are live at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// What the live octets take with the heap's own bookkeeping.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    fn take(&self, octets: usize) {
        let live = self.live.fetch_add(octets, Relaxed) + octets;
        self.peak.fetch_max(live, Relaxed);
        self.held.fetch_add(true_size(octets), Relaxed);
    }

    fn give_back(&self, octets: usize) {
        self.live.fetch_sub(octets, Relaxed);
        self.held.fetch_sub(true_size(octets), Relaxed);
    }
}

// SAFETY: every call goes on to the system's allocator unchanged; only sizes are noted.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.give_back(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.take(new_size);
        self.give_back(layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
