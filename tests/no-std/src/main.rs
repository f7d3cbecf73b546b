//! Does tcp-core run in a program without the standard library?
//!
//! A host program with an allocator and a panic handler of its own, as firmware has them; only the
//! start-up code is the C library's. Exit status 0 says yes, any other which check failed.
#![no_std]
#![no_main]

extern crate alloc;

mod bump;
mod checks;
mod conversation;

use core::ffi::{c_char, c_int};
use core::panic::PanicInfo;

#[global_allocator]
static HEAP: bump::Bump = bump::Bump::new();

unsafe extern "C" {
    fn abort() -> !;
}

/// The entry point, as the C library's start-up code calls it.
// SAFETY: the program has no other symbol `main`: `no_main` leaves it to us.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    match checks::run() {
        Ok(()) => 0,
        Err(failed) => failed as c_int,
    }
}

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` takes nothing, may be called at any time and does not return.
    unsafe { abort() }
}

/// What an unwinder would call for each frame. The toolchain's `alloc` for hosts is built to unwind
/// and names it; nothing here unwinds, so it is never called.
// SAFETY: the symbol is the standard library's elsewhere, and that is not linked.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}
