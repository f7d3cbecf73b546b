//! Two connections over the worst link: seeded inputs, and those that once found something.

use std::path::Path;

use stack_tests::fuzz::{from_octets, pair, seeded_octets};
use tcp_sim::SeedGuard;

#[test]
fn seeded_inputs() {
    for seed in 0..4000 {
        let _guard = SeedGuard::new(seed, "pair");
        let octets = seeded_octets(seed, 64 + (seed as usize % 32) * 32);
        if let Some(input) = from_octets(&octets) {
            pair::run(&input);
        }
    }
}

#[test]
fn kept_inputs() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/pair");
    for file in std::fs::read_dir(dir).expect("seeds") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        if let Some(input) = from_octets(&std::fs::read(&path).expect("octets")) {
            pair::run(&input);
        }
    }
}
