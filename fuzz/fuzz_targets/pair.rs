//! Do two connections stay right over the worst link that operations on packets can make?
//! The operations and invariants are those of the tests' crate, which runs seeded ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_tests::fuzz::pair::{Input, run};

fuzz_target!(|input: Input| run(&input));
