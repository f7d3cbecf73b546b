//! Does the way to a value and back hold for any octets that claim to be a segment?
//! The checks themselves are those of tcp-core's property tests.
#![no_main]

#[path = "../../crates/tcp-core/tests/checks/mod.rs"]
#[allow(dead_code, reason = "each target uses one of the checks")]
mod checks;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| checks::segment(bytes));
