//! Does a whole stack stand whatever packets, times and calls it meets?
//! The operations and invariants are those of the tests' crate, which runs seeded ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_tests::fuzz::stack::{Input, run};

fuzz_target!(|input: Input| run(&input));
