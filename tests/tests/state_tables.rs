//! Does the stack answer every segment in every state, and follow every arrow of the state diagram,
//! as the tables in `src/tables/` say? (RFC 9293 3.3.2, 3.10; RFC 5961)

use stack_tests::tables::rig::{Variant, check_arrow, check_cell};
use stack_tests::tables::{Acks, Place, Start, segments, transitions};

use tcp_core::wire::Flags;

/// Both families, and numbers that wrap at the SYN, in the window and at the sign.
fn variants() -> impl Iterator<Item = Variant> {
    let irs = [500_000, u32::MAX, u32::MAX - 1, u32::MAX - 50, 0x7fff_ffff];
    let one = move |v6| irs.into_iter().zip(1..).map(move |(irs, seed)| Variant { v6, irs, seed });
    [false, true].into_iter().flat_map(one)
}

/// Tries `check` with every variant on every row, and says which rows fail.
fn all<T: std::fmt::Debug>(rows: &[T], check: impl Fn(&T, Variant) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for row in rows {
        for v in variants() {
            if let Err(why) = check(row, v) {
                wrong.push(format!("{row:?}\n  {v:?}\n  {why}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_state_answers_every_segment() {
    let cells = segments();
    let mut wrong = Vec::new();
    for cell in &cells {
        for v in variants() {
            if let Err(why) = check_cell(cell, v) {
                wrong.push(format!("{cell}: {why} ({v:?})"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
}

#[test]
fn every_arrow_of_the_state_diagram_is_followed() {
    all(&transitions(), check_arrow);
}

#[test]
fn the_table_of_segments_is_complete() {
    let cells = segments();
    let mut kinds: Vec<_> = cells.iter().map(|c| c.segment.name).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    for start in Start::ALL {
        for &name in &kinds {
            let of_kind: Vec<_> =
                cells.iter().filter(|c| c.start == start && c.segment.name == name).collect();
            let acks = of_kind.first().map(|c| c.segment.flags.contains(Flags::ACK));
            let numbers = match acks {
                Some(true) => &Acks::NUMBERS[..],
                _ => &[Acks::Nothing],
            };
            for acks in numbers {
                for place in Place::ALL {
                    let n = of_kind.iter().filter(|c| c.acks == *acks && c.place == place).count();
                    assert_eq!(n, 1, "{} {name} {acks:?} {place:?}", start.name());
                }
            }
        }
    }
}

#[test]
fn the_table_of_arrows_leaves_no_state_out() {
    let arrows = transitions();
    for start in Start::ALL {
        assert!(arrows.iter().any(|a| a.from == start), "no arrow from {}", start.name());
        assert!(
            start == Start::Closed || arrows.iter().any(|a| a.to == start.state()),
            "no arrow to {}",
            start.name()
        );
    }
}
