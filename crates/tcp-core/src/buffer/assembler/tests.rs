//! Does the set of ranges join, refuse and report as RFC 2018 4 and RFC 2883 4 ask? By example;
//! the receive buffer's tests compare it with a model.

use super::*;
use std::vec::Vec;

const BASE: SeqNum = SeqNum(u32::MAX - 2_000);

fn range(from: u32, to: u32) -> SeqRange {
    SeqRange { start: BASE + from, end: BASE + to }
}

fn holding(ranges: &[(u32, u32)]) -> Assembler {
    let mut set = Assembler::default();
    ranges.iter().for_each(|&(from, to)| set.add(range(from, to)));
    set
}

fn in_order(set: &Assembler) -> Vec<SeqRange> {
    set.in_order().collect()
}

fn recent(set: &Assembler) -> Vec<SeqRange> {
    set.most_recent_first().collect()
}

#[test]
fn ranges_that_touch_are_joined() {
    let set = holding(&[(1500, 2000), (3000, 3500), (2000, 3000)]);
    assert_eq!(in_order(&set), [range(1500, 3500)]);
    assert_eq!(set.octets(), 2000);
    let set = holding(&[(10, 20), (30, 40), (50, 60), (15, 55)]);
    assert_eq!(in_order(&set), [range(10, 60)]);
    assert_eq!(set.highest(), Some(BASE + 60));
}

#[test]
fn order_survives_the_wrap() {
    let set = holding(&[(3000, 3100), (100, 200), (1990, 2010)]);
    assert_eq!(in_order(&set), [range(100, 200), range(1990, 2010), range(3000, 3100)]);
    assert_eq!(set.octets(), 220);
}

// RFC 2018 4: the first block holds the segment that triggered the report, the others repeat the
// most recently reported blocks.
#[test]
fn the_range_of_the_last_segment_is_reported_first() {
    let mut set = holding(&[(100, 200), (300, 400), (500, 600)]);
    assert_eq!(recent(&set), [range(500, 600), range(300, 400), range(100, 200)]);
    set.add(range(200, 250));
    assert_eq!(recent(&set), [range(100, 250), range(500, 600), range(300, 400)]);
    // A joined range takes the place of both.
    set.add(range(400, 500));
    assert_eq!(recent(&set), [range(300, 600), range(100, 250)]);
}

// RFC 2883 4: after the D-SACK block follows the block that holds the duplicate segment.
#[test]
fn a_duplicate_makes_its_range_the_most_recent() {
    let mut set = holding(&[(100, 200), (300, 400)]);
    assert_eq!(set.first_duplicate(range(120, 150)), Some(range(120, 150)));
    set.add(range(120, 150));
    assert_eq!(recent(&set), [range(100, 200), range(300, 400)]);
    assert_eq!(set.octets(), 200);
}

// RFC 2883 4: of several duplicate parts the first is reported.
#[test]
fn the_first_duplicate_part_is_reported() {
    let set = holding(&[(100, 200), (300, 400)]);
    assert_eq!(set.first_duplicate(range(50, 350)), Some(range(100, 200)));
    assert_eq!(set.first_duplicate(range(150, 350)), Some(range(150, 200)));
    assert_eq!(set.first_duplicate(range(200, 300)), None);
    assert_eq!(set.first_duplicate(range(0, 100)), None);
    assert_eq!(set.first_duplicate(range(400, 500)), None);
}

#[test]
fn gaps_are_what_is_not_held() {
    let set = holding(&[(100, 200), (300, 400)]);
    let gaps = |from, to| set.gaps_in(range(from, to)).collect::<Vec<_>>();
    assert_eq!(gaps(50, 450), [range(50, 100), range(200, 300), range(400, 450)]);
    assert_eq!(gaps(100, 400), [range(200, 300)]);
    assert_eq!(gaps(150, 250), [range(200, 250)]);
    assert_eq!(gaps(120, 180), []);
    assert_eq!(gaps(200, 300), [range(200, 300)]);
    assert_eq!(gaps(500, 600), [range(500, 600)]);
}

#[test]
fn the_front_swallows_what_it_reaches() {
    let mut set = holding(&[(100, 200), (300, 400), (500, 600)]);
    assert_eq!(set.fill_front(BASE + 50), BASE + 50);
    assert_eq!(set.fill_front(BASE + 100), BASE + 200);
    assert_eq!(set.fill_front(BASE + 350), BASE + 400);
    assert_eq!(in_order(&set), [range(500, 600)]);
    assert_eq!(set.fill_front(BASE + 700), BASE + 700);
    assert!(set.is_empty());
    assert_eq!(set.octets(), 0);
}

#[test]
fn a_full_table_takes_only_what_touches_a_range() {
    let full: Vec<_> = (0..MAX_RANGES as u32).map(|i| (10 + 4 * i, 12 + 4 * i)).collect();
    let mut set = holding(&full);
    assert_eq!(set.ranges.len(), MAX_RANGES);
    let last = 12 + 4 * (MAX_RANGES as u32 - 1);
    set.add(range(last + 1, last + 2));
    assert_eq!(set.ranges.len(), MAX_RANGES);
    assert!(!set.has_room_for(range(last + 1, last + 2)));
    assert!(set.has_room_for(range(last, last + 2)));
    set.add(range(12, 14));
    assert_eq!(set.ranges.len(), MAX_RANGES - 1);
    assert!(set.has_room_for(range(last + 1, last + 2)));
}
