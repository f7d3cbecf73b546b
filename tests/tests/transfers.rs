//! Exact bytes over every kind of bad network (virtual time; the seed is printed on failure).

use stack_tests::transfer::transfer;
use tcp_io::stack::StackConfig;
use tcp_sim::profiles;

#[test]
fn every_profile() {
    for (name, link) in profiles::all() {
        for seed in 0..20 {
            let t = transfer(seed, link.clone(), &StackConfig::default(), 1 << 20);
            if seed < 3 {
                println!("{name} seed {seed}: {t:?}");
            }
        }
    }
}
