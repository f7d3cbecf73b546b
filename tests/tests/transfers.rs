//! Exact octets over every kind of bad network (virtual time; the seed is printed on failure).
//! A thousand seeds: `cargo run --release -p stack-tests --bin matrix -- --seeds 1000`.

use std::time::Duration;

use stack_tests::matrix::{Batch, Kind, Summary};
use stack_tests::scenario::{Scenario, Wraps};
use stack_tests::transfer::transfer;
use tcp_core::SeqNum;
use tcp_sim::profiles;

/// IPv4 and IPv6, with and without SACK, timestamps and window scaling, and either side's
/// sequence numbers wrapping: all combinations.
const COMBINATIONS: u64 = 32;

fn all_combinations(name: &str) -> Summary {
    let link = profiles::profile(name).expect("a profile");
    let (kind, octets) = (Kind::Transfer, 1 << 20);
    let summary = Batch { kind, link, first: 0, seeds: COMBINATIONS, octets, jobs: 1 }.run();
    assert_eq!(summary.failed, [0; 0], "failing seeds of {name}");
    summary
}

/// No run takes far longer than the others.
fn evenly(name: &str) {
    let summary = all_combinations(name);
    let slow: Vec<_> = summary.outliers().collect();
    assert!(slow.is_empty(), "{name}: median {:?}, but {slow:?}", summary.median());
}

#[test]
fn clean_network() {
    evenly("clean");
}

#[test]
fn loss_of_5_percent() {
    evenly("loss5");
}

#[test]
fn reordering_of_20_percent() {
    evenly("reorder20");
}

#[test]
fn duplication_of_5_percent() {
    evenly("duplicate5");
}

// MUST-3: a damaged segment is dropped, whatever was damaged.
#[test]
fn corruption_of_1_percent() {
    evenly("corrupt1");
}

// A burst of the simulator ends with a packet, not with time: a lone retransmission that meets one
// meets it again after every back-off. So no bound on the time here and in the last profile.
#[test]
fn bursts_of_loss() {
    all_combinations("bursts");
}

#[test]
fn outage_of_3_seconds() {
    evenly("outage3s");
}

#[test]
fn mtu_576() {
    evenly("mtu576");
}

#[test]
fn mtu_65535() {
    evenly("jumbo65535");
}

#[test]
fn all_together() {
    all_combinations("all_together");
}

#[test]
fn sixteen_mebibytes_over_every_network() {
    for (seed, (_, link)) in profiles::all().enumerate() {
        transfer(&Scenario::of_seed(seed as u64 * 17, link, 16 << 20));
    }
}

#[test]
fn chosen_sequence_numbers_wrap_in_mid_stream() {
    for seed in 0..COMBINATIONS {
        let s = Scenario::of_seed(seed, profiles::profile("clean").expect("a profile"), 1 << 20);
        let (client, server) = s.rehearse(s.start());
        let chosen = if s.wraps == Wraps::Client { client } else { server };
        assert_eq!(chosen + (1 << 19), SeqNum(0), "{s:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let link = profiles::profile("all_together").expect("a profile");
    let s = Scenario::of_seed(3, link, 1 << 18);
    let took = transfer(&s);
    assert!(took > Duration::ZERO);
    assert_eq!(transfer(&s), took);
}
