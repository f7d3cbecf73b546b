//! The sum against a slow reference, over every way to cut the text, and known vectors.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// RFC 1071 1, word by word, without any of the shortcuts.
fn reference(bytes: &[u8]) -> u16 {
    let mut sum = 0u16;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (low, carry) = sum.overflowing_add(word);
        sum = low + u16::from(carry);
    }
    sum
}

fn pseudo_header_bytes(src: IpAddr, dst: IpAddr, protocol: u8, len: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        _ => unreachable!("the tests do not mix families"),
    }
    bytes.extend(len.to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

fn address_pair() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.into(), b.into())),
    ]
}

#[test]
fn example_of_rfc_1071() {
    // RFC 1071 3: the worked example.
    let sum = Sum::new().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.fold(), 0xddf2);
    assert_eq!(sum.finish(), 0x220d);
}

#[test]
fn zero_and_all_ones_stay_apart() {
    assert_eq!(Sum::new().fold(), 0);
    assert_eq!(Sum::new().add(&[0; 200]).fold(), 0);
    assert_eq!(Sum::new().add(&[0xff; 200]).fold(), 0xffff);
    assert_eq!(Sum::new().add(&[0xff; 8]).add(&[0, 0]).fold(), 0xffff);
}

#[test]
fn lanes_do_not_overflow() {
    // All ones fill a lane fastest; the length crosses two runs and ends in a partial block.
    let len = BLOCK * BLOCKS_PER_RUN * 2 + 3 * BLOCK + 7;
    let mut bytes = std::vec![0xff; len];
    bytes[len / 2] = 0x12;
    assert_eq!(Sum::new().add(&bytes).fold(), reference(&bytes));
}

#[test]
fn a_real_segment_verifies() {
    // MUST-2, MUST-3: a SYN from 10.0.0.1:40000 to 10.0.0.2:80, summed by hand.
    let (src, dst) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    let mut syn = [0; 20];
    syn[..4].copy_from_slice(&[0x9c, 0x40, 0, 80]);
    syn[12..14].copy_from_slice(&[0x50, 0x02]);
    // 0a00 + 0001 + 0a00 + 0002 + 0006 + 0014 + 9c40 + 0050 + 5002 = 1 00af
    syn[16..18].copy_from_slice(&(!0x00b0u16).to_be_bytes());
    assert!(verify(src, dst, 6, &syn));
    assert!(!verify(src, dst, 17, &syn));
    assert!(!verify(src, IpAddr::from([10, 0, 0, 3]), 6, &syn));
    assert!(!verify(src, dst, 6, &syn[..19]));
    assert!(!verify(src, dst, 6, &[]));
}

proptest! {
    #[test]
    fn equals_the_reference(bytes in proptest::collection::vec(any::<u8>(), 0..700), skip in 0usize..16) {
        // `skip` moves the start over every alignment.
        let bytes = &bytes[skip.min(bytes.len())..];
        prop_assert_eq!(Sum::new().add(bytes).fold(), reference(bytes));
    }

    #[test]
    fn any_split_gives_the_same_sum(
        bytes in proptest::collection::vec(any::<u8>(), 0..700),
        cuts in proptest::collection::vec(0usize..700, 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut sum = Sum::new();
        let mut from = 0;
        for cut in cuts {
            sum = sum.add(&bytes[from..cut]);
            from = cut;
        }
        prop_assert_eq!(sum.fold(), reference(&bytes));
    }

    #[test]
    fn pseudo_header_equals_its_bytes((src, dst) in address_pair(), protocol: u8, len: u32) {
        let bytes = pseudo_header_bytes(src, dst, protocol, len);
        prop_assert_eq!(Sum::pseudo_header(src, dst, protocol, len).fold(), reference(&bytes));
    }

    #[test]
    fn what_was_finished_verifies_until_a_bit_flips(
        (src, dst) in address_pair(),
        mut segment in proptest::collection::vec(any::<u8>(), 20..300),
        flip in any::<proptest::sample::Index>(),
        bit in 0u8..8,
    ) {
        // MUST-2, MUST-3
        segment[16..18].fill(0);
        let sum = Sum::pseudo_header(src, dst, 6, segment.len() as u32).add(&segment);
        segment[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        prop_assert!(verify(src, dst, 6, &segment));
        let at = flip.index(segment.len());
        segment[at] ^= 1 << bit;
        prop_assert!(!verify(src, dst, 6, &segment));
    }
}
