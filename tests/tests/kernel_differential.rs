//! Does our TCP answer as the kernel's does? The same raw segments to both: every cell of the
//! table of segments, the same in states reached with something on the way, and random
//! conversations of fixed seeds. What differs is explained in `docs/linux-differences.md`.
#![cfg(target_os = "linux")]

use std::thread;

use stack_tests::differ::{Case, Differ, KNOWN, Tally, random, rows};

/// Seeds of the random conversations.
const SEEDS: std::ops::Range<u64> = 0..600;

/// Plays cases on two threads, each with a kernel's network of its own.
fn play(cases: &[Case]) -> Tally {
    thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn(move || {
                    let (mut differ, mut tally) = (Differ::new(), Tally::default());
                    for case in cases.iter().skip(half).step_by(2) {
                        let report = differ.run(case);
                        tally.count(case, &report);
                        if report.different().is_some() {
                            let small = differ.shrink(case);
                            println!("{}\n{}", small.heading(), differ.run(&small));
                        }
                    }
                    tally
                })
            })
            .collect();
        let tallies = halves.into_iter().map(|t| t.join().expect("a thread that ends well"));
        tallies.reduce(Tally::merge).unwrap_or_default()
    })
}

fn assert_explained(tally: &Tally) {
    println!("{tally}");
    assert!(tally.different.is_empty(), "{} differences are not explained", tally.different.len());
    // What is not there a second time was the machine's load; more would hide something.
    assert!(tally.unsteady * 100 <= tally.cases, "{} of {}", tally.unsteady, tally.cases);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn every_row_of_the_table_is_alike_or_explained() {
    let tally = play(&rows(3));
    assert!(tally.cases > 10_000, "{}", tally.cases);
    assert!(tally.same > tally.cases / 2, "{}", tally.same);
    assert_explained(&tally);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn random_conversations_are_alike_or_explained() {
    let cases: Vec<_> = SEEDS.map(random).collect();
    assert_explained(&play(&cases));
}

/// A comparison that finds no difference where there is one would be worth nothing.
#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_comparison_sees_what_is_known_to_differ() {
    let tally = play(&rows(10));
    for name in ["no-ack-bit", "copy-ack", "right-edge", "reset-left", "crossing-options"] {
        assert!(tally.known.contains_key(name), "{name} was not met");
    }
}

#[test]
fn every_explained_difference_is_in_the_document() {
    let document = include_str!("../../docs/linux-differences.md");
    for known in &KNOWN {
        let row = document.lines().find(|l| l.starts_with(&format!("| `{}` |", known.name)));
        let row = row.unwrap_or_else(|| panic!("{} has no row", known.name));
        assert!(row.contains(known.section), "{}: not `{}`", known.name, known.section);
    }
    let rows = document.lines().filter(|l| l.starts_with("| `")).count();
    assert_eq!(rows, KNOWN.len(), "a row without a matcher");
}
