//! Options that peers send, and options that only an attacker sends.

use super::*;
use crate::SeqNum;
use std::vec::Vec;

const CLOCK: Timestamps = Timestamps { value: 0x0102_0304, echo: 0x0506_0708 };
const CLOCK_BYTES: [u8; 12] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];

fn sack(blocks: &[(u32, u32)]) -> SackBlocks {
    let mut sack = SackBlocks::default();
    for &(start, end) in blocks {
        assert!(sack.push(SackBlock { start: SeqNum(start), end: SeqNum(end) }));
    }
    sack
}

fn emitted(options: &Options<'_>) -> Vec<u8> {
    let mut buf = [0xaa; MAX_OPTIONS_LEN];
    let len = options.emit(&mut buf);
    assert_eq!(len, options.emitted_len());
    assert!(buf[len..].iter().all(|&octet| octet == 0xaa), "wrote past its length");
    buf[..len].to_vec()
}

#[test]
fn syn_of_a_common_stack() {
    // MUST-4, MUST-14, RFC 7323 2.2, RFC 2018 2
    let area = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7];
    let options = Options::parse(&area);
    let expected = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(CLOCK),
        ..Options::default()
    };
    assert_eq!(options, expected);
    assert_eq!(emitted(&options), area);
}

#[test]
fn timestamps_alone_and_with_sack() {
    let options = Options::parse(&CLOCK_BYTES);
    assert_eq!(options, Options { timestamps: Some(CLOCK), ..Options::default() });
    assert_eq!(emitted(&options), CLOCK_BYTES);

    let mut area = CLOCK_BYTES.to_vec();
    area.extend([1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 1, 0]);
    let options = Options::parse(&area);
    assert_eq!(options.timestamps, Some(CLOCK));
    assert_eq!(options.sack, sack(&[(9, 256)]));
    assert_eq!(emitted(&options), area);
}

#[test]
fn twelve_octets_that_only_look_like_timestamps() {
    let mut area = CLOCK_BYTES;
    area[3] = 9;
    // Length 9 is not a timestamp option; its last octet then is a kind without a length.
    let options = Options::parse(&area);
    assert_eq!(options.timestamps, None);
    assert_eq!(options.unknown().next(), Some((TIMESTAMPS, &area[4..11])));
    assert!(options.malformed);
}

#[test]
fn options_start_at_any_octet() {
    // MUST-64
    for shift in 0..4 {
        let mut area = std::vec![NOP; shift];
        area.extend([2, 4, 2, 0, 3, 3, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
        let options = Options::parse(&area);
        assert_eq!(options.mss, Some(512));
        assert_eq!(options.window_scale, Some(2));
        assert_eq!(options.timestamps, Some(CLOCK));
        assert!(!options.malformed);
    }
}

#[test]
fn unknown_options_are_skipped_by_their_length() {
    // MUST-6, MUST-68
    let area = [34, 6, 1, 2, 3, 4, 253, 2, 2, 4, 5, 0xb4, 254, 4, 9, 9, 0, 77];
    let options = Options::parse(&area);
    assert_eq!(options.mss, Some(1460));
    assert!(!options.malformed);
    let unknown: Vec<_> = options.unknown().collect();
    assert_eq!(unknown, [(34, &[1u8, 2, 3, 4][..]), (253, &[]), (254, &[9, 9])]);
    let bytes = emitted(&options);
    // MUST-69: the padding is zero.
    assert_eq!(bytes, [2, 4, 5, 0xb4, 34, 6, 1, 2, 3, 4, 253, 2, 254, 4, 9, 9]);
    assert_eq!(Options::parse(&bytes), options);
}

#[test]
fn known_kinds_of_a_wrong_length_are_skipped() {
    // MUST-7: the list is sound, only the one option is not.
    let area = [2, 3, 1, 3, 4, 1, 1, 4, 3, 0, 5, 9, 1, 2, 3, 4, 5, 6, 7, 5, 2, 8, 2, 2, 4, 0, 9];
    let options = Options::parse(&area);
    assert_eq!(options.mss, Some(9));
    assert_eq!((options.window_scale, options.sack_permitted), (None, false));
    assert!(options.sack.is_empty() && options.timestamps.is_none() && !options.malformed);
    assert_eq!(options.unknown().count(), 6);
}

#[test]
fn hostile_lengths_stop_the_parsing() {
    // MUST-7: zero, one, one past the end, far past the end, and no length at all.
    for tail in [&[5, 0][..], &[5, 1, 1], &[5, 3], &[5, 255, 0, 0], &[5], &[2, 4, 1], &[200, 0]] {
        let mut area = std::vec![2, 4, 5, 0xb4];
        area.extend(tail);
        let options = Options::parse(&area);
        assert!(options.malformed, "{tail:?}");
        assert_eq!(options.mss, Some(1460), "what came before counts");
        assert_eq!(options.unknown().count(), 0);
    }
}

#[test]
fn nothing_counts_behind_the_end_of_the_list() {
    // MUST-4
    let options = Options::parse(&[1, 0, 2, 4, 5, 0xb4, 9, 0]);
    assert_eq!(options, Options::default());
    let mut long = [1; 60];
    long[50..54].copy_from_slice(&[2, 4, 5, 0xb4]);
    assert_eq!(Options::parse(&long), Options::default());
}

#[test]
fn of_two_the_last_counts_and_shifts_are_limited() {
    // RFC 7323 2.3: 14 is the largest shift.
    let options = Options::parse(&[3, 3, 2, 2, 4, 0, 1, 2, 4, 0, 2, 3, 3, 255]);
    assert_eq!((options.mss, options.window_scale), (Some(2), Some(14)));
}

#[test]
fn four_blocks_fit_alone_three_beside_timestamps() {
    // RFC 2018 3
    let four = sack(&[(1, 2), (3, 4), (5, 6), (7, 8)]);
    let alone = Options { sack: four, ..Options::default() };
    assert_eq!(alone.emitted_len(), 36);
    assert_eq!(Options::parse(&emitted(&alone)), alone);

    let beside = Options { timestamps: Some(CLOCK), ..alone };
    assert_eq!(beside.emitted_len(), 40);
    assert_eq!(Options::parse(&emitted(&beside)).sack, sack(&[(1, 2), (3, 4), (5, 6)]));

    let mut full = four;
    assert!(!full.push(SackBlock::default()));
    assert_eq!(full, four);
}

#[test]
fn layouts_without_timestamps() {
    let options = Options { sack_permitted: true, window_scale: Some(3), ..Options::default() };
    assert_eq!(emitted(&options), [1, 1, 4, 2, 1, 3, 3, 3]);
    assert_eq!(emitted(&Options::default()), []);
    let odd = Options { unknown: UnknownOptions::new(&[253, 3, 7]), ..Options::default() };
    // MUST-69
    assert_eq!(emitted(&odd), [253, 3, 7, 0]);
    let broken = Options { unknown: UnknownOptions::new(&[253, 0, 7]), ..Options::default() };
    assert_eq!(emitted(&broken), []);
}

#[test]
fn unknown_options_that_do_not_fit_are_left_out() {
    let mut raw = std::vec![253, 30];
    raw.extend([7; 28]);
    raw.extend([254, 4, 1, 2]);
    let options = Options {
        timestamps: Some(CLOCK),
        unknown: UnknownOptions::new(&raw),
        ..Options::default()
    };
    let bytes = emitted(&options);
    assert_eq!(bytes[12..], [254, 4, 1, 2]);
}
