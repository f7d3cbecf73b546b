//! Do segments survive the way to bytes and back? Properties of `wire` over arbitrary values,
//! arbitrary octets, and octets that are nearly right.

mod checks;

use proptest::prelude::*;
use tcp_core::SeqNum;
use tcp_core::wire::{
    Flags, MAX_HEADER_LEN, Options, SackBlock, SackBlocks, Segment, Timestamps, UnknownOptions,
};

prop_compose! {
    fn sack_blocks(most: usize)(ends in proptest::collection::vec(any::<(u32, u32)>(), 0..=most)) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        for (start, end) in ends {
            blocks.push(SackBlock { start: SeqNum(start), end: SeqNum(end) });
        }
        blocks
    }
}

fn timestamps() -> impl Strategy<Value = Timestamps> {
    any::<(u32, u32)>().prop_map(|(value, echo)| Timestamps { value, echo })
}

/// Options that fit: two blocks beside everything that a SYN has, or four alone.
fn fitting_options() -> impl Strategy<Value = Options<'static>> {
    let syn = (
        proptest::option::of(any::<u16>()),
        proptest::option::of(0..=14u8),
        any::<bool>(),
        proptest::option::of(timestamps()),
        sack_blocks(2),
    )
        .prop_map(|(mss, window_scale, sack_permitted, timestamps, sack)| Options {
            mss,
            window_scale,
            sack_permitted,
            timestamps,
            sack,
            ..Options::default()
        });
    let sack = sack_blocks(4).prop_map(|sack| Options { sack, ..Options::default() });
    let clock = (timestamps(), sack_blocks(3)).prop_map(|(timestamps, sack)| Options {
        timestamps: Some(timestamps),
        sack,
        ..Options::default()
    });
    let experiment = proptest::option::of(timestamps()).prop_map(|timestamps| Options {
        timestamps,
        unknown: UnknownOptions::new(&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 253, 3, 9]),
        ..Options::default()
    });
    prop_oneof![syn, sack, clock, experiment]
}

/// Octets of an option area made of mostly sound pieces, so that a test gets past the first one.
fn option_area() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(vec![1]),
        2 => any::<[u8; 2]>().prop_map(|v| vec![2, 4, v[0], v[1]]),
        2 => any::<u8>().prop_map(|v| vec![3, 3, v]),
        2 => Just(vec![4, 2]),
        2 => any::<[u8; 8]>().prop_map(|v| [&[8, 10], &v[..]].concat()),
        2 => proptest::collection::vec(any::<[u8; 8]>(), 0..5)
            .prop_map(|v| [&[5, 2 + 8 * v.len() as u8], v.concat().as_slice()].concat()),
        2 => (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(kind, v)| [&[kind, 2 + v.len() as u8], v.as_slice()].concat()),
        1 => any::<[u8; 2]>().prop_map(|v| v.to_vec()),
        1 => Just(vec![0]),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| {
        let mut area = pieces.concat();
        area.truncate(40);
        area.resize(area.len().next_multiple_of(4), 0);
        area
    })
}

/// A header whose offset is right, around `area`.
fn segment_around(fixed: [u8; 20], area: &[u8], text: &[u8]) -> Vec<u8> {
    let mut bytes = [&fixed, area, text].concat();
    let words = (5 + area.len() / 4) as u8;
    bytes[12] = words << 4 | bytes[12] & 0x0f;
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_value_survives(
        fields: (u16, u16, u32, u32, u16, u16, u16),
        options in fitting_options(),
        text in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let (src_port, dst_port, seq, ack, flags, window, urgent) = fields;
        let flags = Flags::from_bits(flags);
        let ack = if flags.contains(Flags::ACK) { ack } else { 0 };
        let segment = Segment {
            src_port, dst_port, seq: SeqNum(seq), ack: SeqNum(ack), flags, window, urgent, options,
            payload: &text,
        };
        let mut buf = [0; MAX_HEADER_LEN];
        let len = segment.emit_header(&mut buf);
        let bytes = [&buf[..len], &text].concat();
        prop_assert_eq!(Segment::parse(&bytes), Ok(segment));
    }

    #[test]
    fn likely_octets(
        fixed: [u8; 20],
        area in option_area(),
        text in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        checks::segment(&segment_around(fixed, &area, &text));
    }

    #[test]
    fn truncated_octets(fixed: [u8; 20], area in option_area(), cut in 0usize..60) {
        // MUST-7: no cut panics, of the segment or of its options.
        let bytes = segment_around(fixed, &area, &[]);
        checks::segment(&bytes[..cut.min(bytes.len())]);
        checks::options(&area[..cut.min(area.len())]);
    }

    #[test]
    fn garbage(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        // MUST-7
        checks::segment(&bytes);
        checks::options(&bytes);
    }

    #[test]
    fn likely_options(area in option_area()) {
        checks::options(&area);
    }
}
