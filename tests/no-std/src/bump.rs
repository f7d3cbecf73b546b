//! Where does memory come from? A fixed block, handed out from the front and never taken back.
//!
//! Enough for a program that runs once and ends; what does not fit is refused.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 16 << 20;

/// The block and how much of it is given away.
pub struct Bump {
    block: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

impl Bump {
    /// All free.
    pub const fn new() -> Bump {
        Bump { block: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) }
    }
}

// SAFETY: the block is only reached through `alloc`, which gives every byte away at most once.
unsafe impl Sync for Bump {}

// SAFETY: `used` only grows, so no two allocations overlap; each lies inside the block and is aligned.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.block.get().cast::<u8>();
        let fit = |used: usize| {
            let start =
                (base as usize + used).checked_next_multiple_of(layout.align())? - base as usize;
            let end = start.checked_add(layout.size())?;
            (end <= SIZE).then_some((start, end))
        };
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            fit(used).map(|(_, end)| end)
        });
        match taken.ok().and_then(fit) {
            Some((start, _)) => base.wrapping_add(start),
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
