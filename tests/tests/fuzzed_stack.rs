//! A whole stack among strangers: seeded inputs, and those that once found something.

use std::path::Path;

use stack_tests::fuzz::{from_octets, seeded_octets, stack};
use tcp_sim::SeedGuard;

#[test]
fn seeded_inputs() {
    for seed in 0..4000 {
        let _guard = SeedGuard::new(seed, "stack");
        let octets = seeded_octets(seed, 64 + (seed as usize % 32) * 32);
        if let Some(input) = from_octets(&octets) {
            stack::run(&input);
        }
    }
}

#[test]
fn kept_inputs() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/stack");
    for file in std::fs::read_dir(dir).expect("seeds") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        if let Some(input) = from_octets(&std::fs::read(&path).expect("octets")) {
            stack::run(&input);
        }
    }
}
