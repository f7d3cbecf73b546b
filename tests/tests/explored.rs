//! Does anything go wrong in any state that two small conversations can come to? A small bound of
//! what `cargo run --release -p stack-tests --bin explore` searches further (RFC 9293 3.3.2, 3.10).

use stack_tests::explore::{Bounds, Outcome, scenarios, search};
use tcp_core::SeqNum;

/// Explores everything within the bounds on two threads.
fn explore(bounds: Bounds) -> Outcome {
    let all = scenarios(bounds);
    let half = |n: usize| {
        let mut total = Outcome::default();
        for s in all.iter().skip(n).step_by(2) {
            total.add(search(s).unwrap_or_else(|failure| panic!("{failure}")));
        }
        total
    };
    let total = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut total = half(0);
        total.add(other.join().expect("the other half"));
        total
    });
    println!("{bounds:?}: {total:?}");
    total
}

fn bounds(writes: usize, disruptions: u8, isn: u32) -> Bounds {
    let isns = [SeqNum(isn), SeqNum(isn.wrapping_mul(3))];
    Bounds { writes, disruptions, timestamps: false, every_order: false, isns }
}

#[test]
fn one_lost_doubled_or_late_packet_harms_nobody() {
    let total = explore(bounds(1, 1, 1000));
    assert!(total.states > 100_000, "{total:?}");
}

#[test]
fn two_segments_each_way_in_every_order_on_a_good_network() {
    let total = explore(Bounds { every_order: true, ..bounds(2, 0, 0x7fff_fffe) });
    assert!(total.states > 100_000, "{total:?}");
}

#[test]
fn two_disruptions_harm_no_conversation_without_text() {
    let total = explore(bounds(0, 2, 0x7fff_fffe));
    assert!(total.states > 100_000, "{total:?}");
}

#[test]
fn the_search_does_not_depend_on_the_sequence_numbers() {
    let count = |isn| {
        let t = explore(bounds(1, 0, isn));
        (t.states, t.local, t.transitions, t.finals, t.depth)
    };
    // Far from any edge, and over the sign.
    assert_eq!(count(1000), count(0x7fff_fffd));
}

#[test]
fn numbers_that_wrap_in_the_window_harm_nobody() {
    // More states: a reset of a port that was closed has SEQ=0 (RFC 9293 3.10.7.1), which lies in the
    // window here and is challenged.
    let total = explore(bounds(1, 0, u32::MAX - 100));
    assert!(total.states > 10_000, "{total:?}");
}

#[test]
fn timestamps_change_nothing() {
    let total = explore(Bounds { timestamps: true, ..bounds(1, 0, 1000) });
    assert!(total.states > 10_000, "{total:?}");
}
