//! Are the octets handed out the octets written, whatever the order of writes, slices and
//! acknowledgements? Random ones against a vector, and memory and cost by example.

use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

impl SendBuffer {
    /// As a connection without limits asks.
    fn slices(&mut self, offset: usize, len: usize, out: &mut Payload) -> usize {
        self.slices_granted(offset, len, out, |_| true)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    WriteBytes(usize),
    Slices { offset: usize, len: usize },
    Advance(usize),
}

fn amount() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..40, 3 => 0usize..3000, 2 => 0usize..70_000, 1 => 0usize..200_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => amount().prop_map(Step::Write),
        2 => amount().prop_map(Step::WriteBytes),
        4 => (amount(), amount()).prop_map(|(offset, len)| Step::Slices { offset, len }),
        3 => amount().prop_map(Step::Advance),
    ]
}

/// The next `n` octets of a stream that repeats late, continued over calls.
fn stream(at: &mut u64, n: usize) -> Vec<u8> {
    let from = *at;
    *at += n as u64;
    (from..*at).map(|p| (p ^ (p >> 8).wrapping_mul(7)) as u8).collect()
}

fn clipped(model: &[u8], offset: usize, len: usize) -> &[u8] {
    let from = offset.min(model.len());
    &model[from..from.saturating_add(len).min(model.len())]
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut buffer = SendBuffer::new();
    let mut model: Vec<u8> = Vec::new();
    let mut written = 0;
    let mut handed_out: Vec<(Payload, Vec<u8>)> = Vec::new();
    for step in steps {
        match step {
            Step::Write(n) => {
                let data = stream(&mut written, n);
                buffer.write(&data);
                model.extend(data);
            }
            Step::WriteBytes(n) => {
                let data = stream(&mut written, n);
                model.extend(&data);
                buffer.write_bytes(Bytes::from(data));
            }
            Step::Slices { offset, len } => {
                let mut out = Payload::new();
                let covered = buffer.slices(offset, len, &mut out);
                let expected = clipped(&model, offset, len);
                prop_assert!(covered == expected.len() || out.len() == MAX_SLICES);
                prop_assert!(out.len() <= MAX_SLICES && out.iter().all(|s| !s.is_empty()));
                prop_assert_eq!(out.concat(), &expected[..covered]);
                handed_out.push((out, expected[..covered].to_vec()));
            }
            Step::Advance(n) => {
                buffer.advance(n);
                model.drain(..n.min(model.len()));
            }
        }
        prop_assert_eq!(buffer.len(), model.len());
        prop_assert_eq!(buffer.is_empty(), model.is_empty());
        prop_assert!(buffer.memory() >= model.len());
        if model.is_empty() {
            let kept = (1 + POOL) * CHUNK + buffer.chunks().capacity() * 64 + 1024;
            prop_assert!(buffer.memory() <= kept, "{} is kept", buffer.memory());
        }
        let charges =
            buffer.chunks().iter().map(|c| c.charge as usize).sum::<usize>() + buffer.tail_charge;
        prop_assert_eq!(buffer.charged, charges);
    }
    buffer.advance(usize::MAX);
    buffer.release_spare();
    prop_assert_eq!(buffer.memory(), 0);
    for (slices, expected) in handed_out {
        prop_assert_eq!(slices.concat(), expected, "handed-out bytes have changed");
    }
    Ok(())
}

proptest! {
    #[test]
    fn octets_come_out_as_written(steps in proptest::collection::vec(step(), 1..80)) {
        run(steps)?;
    }
}

fn slices(buffer: &mut SendBuffer, offset: usize, len: usize) -> Payload {
    let mut out = Payload::new();
    buffer.slices(offset, len, &mut out);
    out
}

#[test]
fn slices_outlive_what_happens_to_the_buffer() {
    let mut buffer = SendBuffer::new();
    buffer.write(&[1; 3000]);
    buffer.write(&[2; 1500]);
    let first = slices(&mut buffer, 0, 4500);
    buffer.write(&[3; 5000]);
    let second = slices(&mut buffer, 4500, 5000);
    buffer.advance(2000);
    buffer.write(&[4; 100_000]);
    buffer.advance(usize::MAX);
    buffer.write(&[5; 100_000]);
    assert_eq!(first.concat(), [vec![1; 3000], vec![2; 1500]].concat());
    assert_eq!(second.concat(), [3; 5000]);
}

#[test]
fn handing_out_twice_copies_nothing() {
    let mut buffer = SendBuffer::new();
    buffer.write(&[1; 10_000]);
    let (a, b) = (slices(&mut buffer, 100, 5000), slices(&mut buffer, 100, 5000));
    assert_eq!((a.len(), a[0].as_ptr()), (1, b[0].as_ptr()));
    // What comes behind lies in the same allocation while it has room.
    buffer.write(&[2; 2000]);
    let c = slices(&mut buffer, 10_000, 2000);
    buffer.write(&[3; 2000]);
    let d = slices(&mut buffer, 12_000, 2000);
    assert_eq!(c[0].as_ptr().wrapping_add(2000), d[0].as_ptr());
}

#[test]
fn bytes_are_taken_by_reference() {
    let data = Bytes::from(vec![7; 5000]);
    let mut buffer = SendBuffer::new();
    buffer.write(b"head");
    buffer.write_bytes(data.clone());
    buffer.write(b"tail");
    let out = slices(&mut buffer, 0, usize::MAX);
    assert_eq!(out.len(), 3);
    assert_eq!(out[1].as_ptr(), data.as_ptr());
    assert_eq!(out.concat(), [b"head", &data[..], b"tail"].concat());
}

#[test]
fn single_octets_share_few_chunks() {
    let mut buffer = SendBuffer::new();
    for i in 0..CHUNK {
        buffer.write(&[i as u8]);
    }
    let mut out = Payload::new();
    assert_eq!(buffer.slices(0, CHUNK, &mut out), CHUNK);
    assert!(out.len() <= 12, "{} slices", out.len());
    assert!(buffer.memory() < 3 * CHUNK);
}

#[test]
fn single_octets_sent_at_once_stay_together() {
    let mut buffer = SendBuffer::new();
    for i in 0..10_000 {
        buffer.write(&[i as u8]);
        assert_eq!(slices(&mut buffer, i, 1).concat(), [i as u8]);
    }
    // Retransmitted as one segment, they are a few slices.
    let mut out = Payload::new();
    assert_eq!(buffer.slices(0, 10_000, &mut out), 10_000);
}

#[test]
fn small_messages_hold_little_and_leave_it_to_the_next() {
    let mut buffer = SendBuffer::new();
    assert_eq!(buffer.memory(), 0);
    for len in [1, 64, 700, 5000] {
        buffer.write(&vec![1; len]);
        slices(&mut buffer, 0, len);
        assert!(buffer.memory() <= len.max(SMALLEST) + 256, "{} for {len}", buffer.memory());
        buffer.advance(len);
        let kept = buffer.memory();
        assert!((len..=len.max(SMALLEST) + 400).contains(&kept), "{kept} for {len}");
        for _ in 0..10 {
            buffer.write_granted(&vec![1; len], |_, _| panic!("the next finds room"));
            slices(&mut buffer, 0, len);
            buffer.advance(len);
            assert_eq!(buffer.memory(), kept);
        }
    }
    buffer.release_spare();
    assert_eq!(buffer.memory(), 0);
}

#[test]
fn a_segment_stops_at_the_most_slices() {
    let mut buffer = SendBuffer::new();
    for i in 0..40 {
        buffer.write_bytes(Bytes::from(vec![i; LEAST_REFERENCE]));
    }
    let mut out = Payload::new();
    assert_eq!(buffer.slices(0, 40 * LEAST_REFERENCE, &mut out), MAX_SLICES * LEAST_REFERENCE);
    assert_eq!(out.len(), MAX_SLICES);
}

#[test]
fn a_super_segment_of_a_large_backlog_is_two_slices() {
    let mut buffer = SendBuffer::new();
    let piece = vec![9; 100_000];
    while buffer.len() < 16 << 20 {
        buffer.write(&piece);
    }
    let (len, step) = (buffer.len(), 65_160);
    for offset in (0..len - step).step_by(step) {
        assert!(slices(&mut buffer, offset, step).len() <= 3);
    }
    assert!(buffer.memory() < len + 2 * CHUNK + buffer.chunks().capacity() * 64);
    buffer.advance(len - 10);
    assert!(buffer.memory() <= (2 + POOL) * CHUNK + buffer.chunks().capacity() * 64);
}

#[test]
fn full_chunks_are_filled_again() {
    let mut b = SendBuffer::new();
    let chunk = std::vec![7; CHUNK];
    b.write(&chunk);
    b.write(&chunk);
    b.write(&[1]);
    let mut out = Payload::new();
    assert_eq!(b.slices(0, CHUNK, &mut out), CHUNK);
    let first = out[0].as_ptr();
    // A slice that is still out keeps its chunk from being reused.
    b.advance(CHUNK);
    assert_eq!(pooled(&b), 0);
    assert!(out[0].iter().all(|o| *o == 7));
    out.clear();
    assert_eq!(b.slices(0, CHUNK, &mut out), CHUNK);
    let second = out[0].as_ptr();
    out.clear();
    b.advance(CHUNK);
    assert_eq!(pooled(&b), 1);
    b.write(&std::vec![9; 2 * CHUNK]);
    assert_eq!(b.slices(b.len() - CHUNK, 1, &mut out), 1);
    assert_ne!(first, second);
    assert_eq!(pooled(&b), 0);
}

#[test]
fn the_pool_is_kept_when_everything_is_acknowledged() {
    let mut b = SendBuffer::new();
    b.write(&vec![7; 20 * CHUNK]);
    let all = b.len();
    slices(&mut b, 0, CHUNK);
    b.advance(all);
    assert_eq!((pooled(&b), b.tail_charge), (POOL, CHUNK), "the tail's comes on top");
    b.write_granted(&vec![8; (1 + POOL) * CHUNK], |_, _| panic!("all of it finds room"));
    assert_eq!(pooled(&b), 0);
    assert_eq!(slices(&mut b, 0, CHUNK).concat(), [8; CHUNK]);
    b.advance(usize::MAX);
    b.release_spare();
    assert_eq!(b.memory(), 0);
}

#[test]
fn spare_chunks_that_nobody_needs_go() {
    let mut b = SendBuffer::new();
    b.write(&vec![7; 9 * CHUNK]);
    b.advance(usize::MAX);
    b.release_unused();
    assert_eq!(pooled(&b), 8, "they were all in use since");
    b.write(&vec![7; 3 * CHUNK]);
    b.advance(usize::MAX);
    b.release_unused();
    assert_eq!(pooled(&b), 2, "the third lies in the tail");
    b.release_unused();
    assert_eq!(pooled(&b), 0);
}

// The size of what is behind a reference is not known.
#[test]
fn allocations_of_the_application_are_not_filled_again() {
    let mut b = SendBuffer::new();
    let large = Bytes::from(vec![1; 10 * CHUNK]);
    for n in 0..3 {
        b.write_bytes(large.slice(n * CHUNK..(n + 1) * CHUNK));
    }
    drop(large);
    b.advance(usize::MAX);
    assert_eq!((pooled(&b), b.tail_charge), (0, 0));
}

// Without memory for the table of chunks, the text goes all the same.
#[test]
fn slices_are_copied_where_the_table_may_not_grow() {
    let mut b = SendBuffer::new();
    b.write(&[7; 5000]);
    let before = b.memory();
    let mut out = Payload::new();
    assert_eq!(b.slices_granted(0, 3000, &mut out, |_| false), 3000);
    assert_eq!((out.concat(), b.memory()), (vec![7; 3000], before));
    out.clear();
    let mut asked = 0;
    b.slices_granted(0, 3000, &mut out, |growth| {
        asked = growth;
        true
    });
    assert_eq!((out.concat(), b.memory()), (vec![7; 3000], before + asked));
}

fn pooled(b: &SendBuffer) -> usize {
    b.backlog.as_ref().map_or(0, |b| b.pool.len())
}
