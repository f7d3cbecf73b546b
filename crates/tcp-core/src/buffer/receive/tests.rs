//! Does the ring hold every byte at its place? Random arrivals and reads against a map from
//! positions to bytes, and the bounds by example.

use super::super::assembler::MAX_RANGES;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

/// The stream as a map: each position to the byte that came for it first.
struct Model {
    isn: SeqNum,
    held: BTreeMap<u64, u8>,
    rcv_nxt: u64,
    read: u64,
    /// Where the segments past a gap started, the most recent first.
    arrivals: Vec<u64>,
}

impl Model {
    fn seq(&self, position: u64) -> SeqNum {
        self.isn + position as u32
    }

    fn block(&self, from: u64, to: u64) -> SeqRange {
        SeqRange { start: self.seq(from), end: self.seq(to) }
    }

    fn end_of_run(&self, from: u64, limit: u64) -> u64 {
        (from..limit).find(|p| !self.held.contains_key(p)).unwrap_or(limit)
    }

    fn insert(&mut self, offset: u32, data: &[u8]) -> Inserted {
        let start = self.rcv_nxt + u64::from(offset);
        let end = start + data.len() as u64;
        let first = (start..end).find(|p| self.held.contains_key(p));
        let duplicate = first.map(|p| self.block(p, self.end_of_run(p, end)));
        for (position, &byte) in (start..).zip(data) {
            self.held.entry(position).or_insert(byte);
        }
        let before = self.rcv_nxt;
        self.rcv_nxt = self.end_of_run(before, u64::MAX);
        if offset > 0 && !data.is_empty() {
            self.arrivals.insert(0, start);
        }
        Inserted { advance: (self.rcv_nxt - before) as u32, duplicate, stored: true }
    }

    /// RFC 2018 4, read literally: the block of the latest segment, then the block of the one
    /// before it unless that is in the list already, and so on.
    fn sack_blocks(&self) -> Vec<SeqRange> {
        let mut blocks = Vec::new();
        for &at in self.arrivals.iter().filter(|&&at| at > self.rcv_nxt) {
            let mut from = at;
            while self.held.contains_key(&(from - 1)) {
                from -= 1;
            }
            let block = self.block(from, self.end_of_run(at, u64::MAX));
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
        blocks
    }

    fn readable(&self) -> Vec<u8> {
        (self.read..self.rcv_nxt).map(|p| self.held[&p]).collect()
    }

    fn read(&mut self, n: usize) -> Vec<u8> {
        let bytes: Vec<_> = self.readable().into_iter().take(n).collect();
        self.read += bytes.len() as u64;
        // Positions that have been read count as held only through RCV.NXT.
        self.held.retain(|&p, _| p >= self.read);
        bytes
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert { offset: u32, len: usize, salt: u8 },
    Read(usize),
    Consume(usize),
    Peek { skip: usize, len: usize },
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![1usize..40, 1usize..1500, Just(0)];
    let offset = prop_oneof![2 => Just(0u32), 5 => 0u32..200, 2 => 0u32..6000];
    prop_oneof![
        8 => (offset, len, any::<u8>())
            .prop_map(|(offset, len, salt)| Step::Insert { offset, len, salt }),
        2 => (0usize..3000).prop_map(Step::Read),
        1 => (0usize..3000).prop_map(Step::Consume),
        1 => (0usize..2000, 0usize..2000).prop_map(|(skip, len)| Step::Peek { skip, len }),
        1 => Just(Step::Release),
    ]
}

fn run(isn: u32, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let isn = SeqNum(isn);
    let mut model = Model { isn, held: BTreeMap::new(), rcv_nxt: 0, read: 0, arrivals: Vec::new() };
    let mut buffer = ReceiveBuffer::new();
    for step in steps {
        match step {
            Step::Insert { offset, len, salt } => {
                // Copies of one octet differ by `salt`, so that it shows which one was kept.
                let first = model.rcv_nxt + u64::from(offset);
                let data: Vec<_> =
                    (0..len).map(|i| ((first + i as u64) as u8).wrapping_mul(31) ^ salt).collect();
                let got = buffer.insert(model.seq(model.rcv_nxt), offset, &data);
                prop_assert_eq!(got, model.insert(offset, &data));
            }
            Step::Read(n) => {
                let mut out = vec![0; n];
                let n = buffer.read(&mut out);
                prop_assert_eq!(&out[..n], model.read(out.len()));
            }
            Step::Consume(n) => {
                buffer.consume(n);
                model.read(n);
            }
            Step::Peek { skip, len } => {
                let mut out = vec![0; len];
                let n = buffer.peek_at(skip, &mut out);
                let expected: Vec<_> = model.readable().into_iter().skip(skip).take(len).collect();
                prop_assert_eq!(&out[..n], expected);
            }
            Step::Release => buffer.release_if_empty(),
        }
        let (a, b) = buffer.as_slices();
        prop_assert_eq!([a, b].concat(), model.readable());
        prop_assert_eq!(buffer.readable() as u64, model.rcv_nxt - model.read);
        let past = model.held.range(model.rcv_nxt..);
        prop_assert_eq!(buffer.out_of_order(), past.clone().count());
        prop_assert_eq!(buffer.highest(), past.last().map(|(&p, _)| model.seq(p + 1)));
        let blocks: Vec<_> = buffer.sack_ranges().most_recent_first().collect();
        prop_assert_eq!(blocks, model.sack_blocks());
    }
    Ok(())
}

proptest! {
    // SHLD-31, RFC 2018 4, RFC 2883 4.
    #[test]
    fn arrivals_are_held_read_and_reported_as_in_the_model(
        isn in prop_oneof![any::<u32>(), (u32::MAX - 20_000)..=u32::MAX],
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        run(isn, steps)?;
    }
}

fn octets(from: u64, len: usize) -> Vec<u8> {
    (from..from + len as u64).map(|p| (p ^ (p >> 8)) as u8).collect()
}

#[derive(Clone, Debug)]
enum Large {
    Arrives(usize),
    Ahead { gap: u32, len: usize },
    Reads(usize),
    HandsOver { replace: bool },
}

fn large() -> impl Strategy<Value = Large> {
    prop_oneof![
        4 => (1usize..60_000).prop_map(Large::Arrives),
        1 => (1u32..3000, 1usize..3000).prop_map(|(gap, len)| Large::Ahead { gap, len }),
        2 => (1usize..40_000).prop_map(Large::Reads),
        3 => any::<bool>().prop_map(|replace| Large::HandsOver { replace }),
    ]
}

proptest! {
    // What is handed out is what a read would have copied, keeps at most twice its length, and
    // nothing that happens later changes it.
    #[test]
    fn the_ring_is_handed_out_with_its_octets(steps in proptest::collection::vec(large(), 1..40)) {
        let mut buffer = ReceiveBuffer::new();
        let (mut nxt, mut read, mut out) = (0u64, 0u64, Vec::new());
        for step in steps {
            let at = NXT + nxt as u32;
            match step {
                Large::Arrives(len) => {
                    nxt += u64::from(buffer.insert(at, 0, &octets(nxt, len)).advance);
                }
                Large::Ahead { gap, len } => {
                    buffer.insert(at, gap, &octets(nxt + u64::from(gap), len));
                }
                Large::Reads(n) => {
                    let mut text = vec![0; n];
                    let n = buffer.read(&mut text);
                    prop_assert_eq!(&text[..n], octets(read, n));
                    read += n as u64;
                }
                Large::HandsOver { replace } => {
                    let (size, readable) = (buffer.capacity(), buffer.readable());
                    let Some(text) = buffer.hand_over(replace) else { continue };
                    prop_assert_eq!(text.len(), readable);
                    prop_assert!(size <= 2 * readable && readable >= LEAST_HANDED_OVER);
                    prop_assert_eq!(buffer.capacity(), if replace { size } else { 0 });
                    out.push((read, text));
                    read += readable as u64;
                }
            }
            prop_assert_eq!(buffer.readable() as u64, nxt - read);
        }
        for (from, text) in out {
            prop_assert_eq!(octets(from, text.len()), text);
        }
    }
}

#[test]
fn what_would_keep_more_than_it_is_worth_is_not_handed_over() {
    let mut buffer = ReceiveBuffer::new();
    buffer.insert(NXT, 0, &[1; 1000]);
    assert_eq!(buffer.hand_over(true), None, "too little");
    buffer.insert(NXT + 1000, 0, &[1; 99_000]);
    buffer.consume(50_000);
    assert_eq!(buffer.hand_over(true), None, "50,000 octets of a ring of 128 KiB");
    buffer.insert(NXT + 100_000, 0, &[1; 31_000]);
    buffer.insert(NXT + 131_000, 10, &[1; 10]);
    assert_eq!(buffer.hand_over(true), None, "a gap follows");
    buffer.insert(NXT + 131_000, 0, &[1; 10]);
    assert_eq!(buffer.hand_over(false).map(|b| b.len()), Some(81_020));
    assert_eq!(buffer.memory(), 0);
}

const NXT: SeqNum = SeqNum(u32::MAX - 100);

#[test]
fn data_in_order_is_readable_at_once() {
    let mut buffer = ReceiveBuffer::new();
    assert_eq!(buffer.memory(), 0);
    let done = buffer.insert(NXT, 0, b"hello");
    assert_eq!(done, Inserted { advance: 5, duplicate: None, stored: true });
    assert_eq!(buffer.memory(), MIN_CAPACITY);
    let mut out = [0; 8];
    assert_eq!(buffer.read(&mut out), 5);
    assert_eq!(&out[..5], b"hello");
    assert_eq!(buffer.memory(), MIN_CAPACITY);
    buffer.release_if_empty();
    assert_eq!(buffer.memory(), 0);
}

// SHLD-31: segments past a gap are held until it closes.
#[test]
fn data_past_a_gap_waits_for_it() {
    let mut buffer = ReceiveBuffer::new();
    assert_eq!(buffer.insert(NXT, 200, b"late").advance, 0);
    assert_eq!((buffer.readable(), buffer.out_of_order()), (0, 4));
    buffer.release_if_empty();
    assert_eq!(buffer.insert(NXT, 0, &[7; 200]).advance, 204);
    assert_eq!((buffer.readable(), buffer.out_of_order()), (204, 0));
    buffer.consume(200);
    assert_eq!(buffer.as_slices().0, b"late");
}

#[test]
fn growing_keeps_both_sides_of_a_gap_in_place() {
    let mut buffer = ReceiveBuffer::new();
    // The head moves on, so that the ring runs over its end before it grows.
    buffer.insert(NXT, 0, &[1; 2000]);
    buffer.consume(1990);
    let nxt = NXT + 2000;
    buffer.insert(nxt, 50, &[3; 100]);
    buffer.insert(nxt, 100_000, &[5; 10]);
    assert_eq!(buffer.memory() - buffer.beyond.allocated(), 128 * 1024);
    assert_eq!(buffer.insert(nxt, 0, &[2; 50]).advance, 150);
    let (a, b) = buffer.as_slices();
    assert_eq!([a, b].concat(), [&[1; 10][..], &[2; 50], &[3; 100]].concat());
    assert_eq!(buffer.insert(nxt + 150, 0, &[4; 99_850]).advance, 99_860);
    buffer.consume(100_010 - 1);
    assert_eq!(buffer.as_slices().0.len(), 11);
    assert_eq!(buffer.as_slices().0, [4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
}

#[test]
fn a_full_table_drops_new_ranges_but_never_the_first_gap() {
    let mut buffer = ReceiveBuffer::new();
    for i in 0..MAX_RANGES as u32 {
        assert!(buffer.insert(NXT, 1 + 2 * i, &[i as u8]).stored);
    }
    let end = 2 * MAX_RANGES as u32;
    let memory = buffer.memory();
    assert_eq!(buffer.insert(NXT, end + 1, &[0]), Inserted::DROPPED);
    assert_eq!(buffer.insert(NXT, end + 900_000, &[0]), Inserted::DROPPED);
    assert_eq!(buffer.memory(), memory);
    // What adjoins a range needs no other.
    assert!(buffer.insert(NXT, end, &[9]).stored);
    assert_eq!(buffer.insert(NXT, 0, &[0]).advance, 2);
    assert!(buffer.insert(NXT + 2, end, &[0]).stored);
}

#[test]
fn the_front_advances_even_if_the_table_is_full() {
    let mut buffer = ReceiveBuffer::new();
    for i in 0..MAX_RANGES as u32 {
        buffer.insert(NXT, 10 + 2 * i, &[1]);
    }
    let done = buffer.insert(NXT, 0, &[1; 3]);
    assert_eq!(done, Inserted { advance: 3, duplicate: None, stored: true });
    assert_eq!(buffer.sack_ranges().in_order().count(), MAX_RANGES);
}

#[test]
fn data_past_the_largest_window_is_dropped() {
    let mut buffer = ReceiveBuffer::new();
    assert_eq!(buffer.insert(NXT, u32::MAX, &[0; 10]), Inserted::DROPPED);
    assert_eq!(buffer.insert(NXT, MAX_CAPACITY as u32, &[0]), Inserted::DROPPED);
    assert_eq!(buffer.memory(), 0);
}

#[test]
fn a_reader_that_keeps_up_never_splits() {
    let mut buffer = ReceiveBuffer::new();
    let mut nxt = NXT;
    for _ in 0..100 {
        nxt += buffer.insert(nxt, 0, &[1; 1448]).advance;
        assert_eq!(buffer.as_slices(), (&[1; 1448][..], &[][..]));
        buffer.consume(usize::MAX);
    }
    assert_eq!(buffer.memory(), MIN_CAPACITY);
}
