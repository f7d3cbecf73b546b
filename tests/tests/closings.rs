//! Half-close, reset and simultaneous close over every kind of bad network end in the right
//! states at both ends, and after 2MSL no record is left.

use stack_tests::closing::simultaneous_close;
use stack_tests::matrix::{Batch, Kind};
use stack_tests::scenario::Scenario;
use tcp_core::connection::State;
use tcp_sim::profiles;

fn over_every_network(kind: Kind) {
    for (name, link) in profiles::all() {
        let batch = Batch { kind, link, first: 0, seeds: 32, octets: 0, jobs: 1 };
        assert_eq!(batch.run().failed, [0; 0], "failing seeds of {name}");
    }
}

// MUST-12, MUST-13
#[test]
fn half_close_leaves_the_other_direction_open() {
    over_every_network(Kind::HalfClose);
}

// MUST-12
#[test]
fn abort_resets_the_peer_even_if_the_reset_is_lost() {
    over_every_network(Kind::Reset);
}

// MUST-13
#[test]
fn simultaneous_close_ends_in_time_wait_at_both_ends() {
    over_every_network(Kind::SimultaneousClose);
}

#[test]
fn fins_that_cross_make_both_ends_closing() {
    let clean = profiles::profile("clean").expect("a profile");
    let mut seen = Vec::new();
    simultaneous_close(&Scenario::of_seed(0, clean, 1000), |s| seen.push(s));
    assert!(seen.contains(&(State::Closing, State::Closing)), "{seen:?}");
}
