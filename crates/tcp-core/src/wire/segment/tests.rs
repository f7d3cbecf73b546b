//! Known headers, bit by bit, and lengths that lie.

use super::*;
use crate::wire::Timestamps;
use std::format;

/// 40000 -> 443, PSH|ACK, timestamps, five octets of text.
const DATA: [u8; 37] = [
    0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 5, 0, 0, 1, 0, 0x80, 0x18, 0x12, 0x34, 0, 0, 0, 0, 1, 1, 8,
    10, 0, 0, 0, 1, 0, 0, 0, 2, b'h', b'e', b'l', b'l', b'o',
];

fn data() -> Segment<'static> {
    Segment {
        src_port: 40000,
        dst_port: 443,
        seq: SeqNum(5),
        ack: SeqNum(256),
        flags: Flags::PSH | Flags::ACK,
        window: 0x1234,
        options: Options {
            timestamps: Some(Timestamps { value: 1, echo: 2 }),
            ..Options::default()
        },
        payload: b"hello",
        ..Segment::default()
    }
}

#[test]
fn a_data_segment_both_ways() {
    let segment = Segment::parse(&DATA).unwrap();
    assert_eq!(segment, data());
    let mut buf = [0xaa; MAX_HEADER_LEN];
    assert_eq!(segment.emit_header(&mut buf), 32);
    assert_eq!(buf[..32], DATA[..32]);
    assert!(buf[32..].iter().all(|&octet| octet == 0xaa));
}

#[test]
fn debug_is_one_line() {
    let bare = Segment { options: Options::default(), ..data() };
    assert_eq!(format!("{bare:?}"), "40000->443 PSH|ACK seq 5 ack 256 win 4660 len 5");
}

#[test]
fn nine_flags_and_no_reserved_bit() {
    let mut bytes = DATA;
    for bit in 0..9u16 {
        let word = 0x8000 | 0x0e00 | 1u16 << bit;
        bytes[12..14].copy_from_slice(&word.to_be_bytes());
        let segment = Segment::parse(&bytes).unwrap();
        assert_eq!(segment.flags, Flags::from_bits(1 << bit));
        let mut buf = [0; MAX_HEADER_LEN];
        segment.emit_header(&mut buf);
        assert_eq!(u16::from_be_bytes([buf[12], buf[13]]), 0x8000 | 1u16 << bit);
    }
}

#[test]
fn acknowledgment_needs_its_bit() {
    let mut bytes = DATA;
    bytes[13] = Flags::RST.bits() as u8;
    assert_eq!(Segment::parse(&bytes).unwrap().ack, SeqNum(0));
    let stale = Segment { flags: Flags::RST, ..data() };
    let mut buf = [0xff; MAX_HEADER_LEN];
    stale.emit_header(&mut buf);
    assert_eq!(buf[8..12], [0; 4]);
}

#[test]
fn syn_and_fin_take_a_sequence_number() {
    // RFC 9293 3.4
    let len = |flags| Segment { flags, ..data() }.seq_len();
    assert_eq!(len(Flags::ACK), 5);
    assert_eq!(len(Flags::SYN), 6);
    assert_eq!(len(Flags::FIN | Flags::ACK), 6);
    assert_eq!(len(Flags::SYN | Flags::FIN), 7);
}

#[test]
fn lengths_that_lie() {
    for len in 0..MIN_HEADER_LEN {
        assert_eq!(Segment::parse(&DATA[..len]), Err(SegmentError::TooShort));
    }
    for len in MIN_HEADER_LEN..32 {
        assert_eq!(Segment::parse(&DATA[..len]), Err(SegmentError::BadDataOffset));
    }
    for words in 0..16u8 {
        let mut bytes = DATA;
        bytes[12] = words << 4;
        match Segment::parse(&bytes) {
            Ok(segment) => {
                assert!((5..=9).contains(&words));
                assert_eq!(segment.payload.len(), DATA.len() - usize::from(words) * 4);
            }
            Err(error) => {
                assert!(!(5..=9).contains(&words));
                assert_eq!(error, SegmentError::BadDataOffset);
            }
        }
    }
}

#[test]
fn options_count_on_every_segment() {
    // MUST-5
    let mut bytes = DATA;
    bytes[20..24].copy_from_slice(&[2, 4, 5, 0xb4]);
    bytes[24..32].fill(1);
    for flags in 0..=255 {
        bytes[13] = flags;
        assert_eq!(Segment::parse(&bytes).unwrap().options.mss, Some(1460));
    }
}
