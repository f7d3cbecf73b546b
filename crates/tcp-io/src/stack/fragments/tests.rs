//! Reassembly without a stack: every order, every contradiction, and a simple model.

use proptest::prelude::*;

use super::*;

const T0: Instant = Instant::from_millis(1000);
const PATIENCE: Duration = Duration::from_secs(30);

/// An IPv4 header as `finish_reassembled` wants it.
const HEADER: [u8; 20] = [0x45, 0, 0, 0, 0, 7, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];

fn table(most: usize) -> Reassembly {
    Reassembly::new([9; 16], most, PATIENCE)
}

fn piece(id: u32, offset: u32, payload: &[u8], more: bool) -> Fragment<'_> {
    let (src, dst) = ([10, 0, 0, 2].into(), [10, 0, 0, 1].into());
    Fragment { src, dst, id, key_protocol: 17, offset, more, header: &HEADER, payload }
}

fn text(from: u32, to: u32) -> Vec<u8> {
    (from..to).map(|i| (i ^ (i >> 8)) as u8).collect()
}

fn put(t: &mut Reassembly, id: u32, from: u32, to: u32, end: u32) -> Outcome {
    t.on_fragment(T0, &piece(id, from, &text(from, to), to < end))
}

#[track_caller]
fn whole(o: Outcome) -> Vec<u8> {
    match o {
        Outcome::Whole(p) => p,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(o: Outcome, why: PacketDrop) {
    assert!(matches!(o, Outcome::Refused(w) if w == why), "{o:?}");
}

#[test]
fn pieces_come_in_any_order() {
    let ranges = [(0, 16), (16, 24), (24, 30)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut t = table(1 << 20);
        let mut last = None;
        for i in order {
            last = Some(put(&mut t, 1, ranges[i].0, ranges[i].1, 30));
        }
        let p = whole(last.unwrap());
        assert_eq!(p[20..], text(0, 30));
        assert_eq!((p[2..4].to_vec(), p[6..8].to_vec()), (vec![0, 50], vec![0, 0]));
        assert_eq!((t.len(), t.memory(), t.index.len()), (0, 0, 0));
    }
}

#[test]
fn datagrams_do_not_mix() {
    let mut t = table(1 << 20);
    put(&mut t, 1, 0, 8, 16);
    assert!(matches!(put(&mut t, 2, 8, 16, 16), Outcome::Kept));
    let other = Fragment { key_protocol: 6, ..piece(1, 8, &[1; 8], false) };
    assert!(matches!(t.on_fragment(T0, &other), Outcome::Kept));
    assert_eq!(t.len(), 3);
    whole(put(&mut t, 1, 8, 16, 16));
}

// RFC 5722 4
#[test]
fn an_overlap_refuses_the_datagram_and_what_is_still_to_come() {
    // Before, behind, within, around; and ends that contradict each other.
    for (from, to, end) in
        [(8, 24, 64), (24, 40, 64), (24, 28, 28), (0, 48, 64), (16, 40, 64), (32, 36, 36)]
    {
        let mut t = table(1 << 20);
        put(&mut t, 1, 16, 32, 64);
        put(&mut t, 1, 40, 48, 64);
        refused(put(&mut t, 1, from, to, end), PacketDrop::FragmentOverlap);
        assert_eq!((t.len(), t.memory()), (1, DATAGRAM_COST));
        refused(put(&mut t, 1, 0, 8, 64), PacketDrop::FragmentOverlap);
        let gone = t.take_expired(T0 + PATIENCE).unwrap();
        assert!(gone.first.is_none() && gone.pieces == 0);
        assert_eq!((t.len(), t.memory()), (0, 0));
    }
    let mut t = table(1 << 20);
    put(&mut t, 1, 16, 20, 20);
    refused(put(&mut t, 1, 24, 32, 64), PacketDrop::FragmentOverlap);
}

// RFC 8200 4.5
#[test]
fn an_exact_copy_is_dropped_alone() {
    let mut t = table(1 << 20);
    put(&mut t, 1, 0, 8, 16);
    refused(put(&mut t, 1, 0, 8, 16), PacketDrop::FragmentDuplicate);
    assert_eq!(whole(put(&mut t, 1, 8, 16, 16)).len(), 36);
}

#[test]
fn pieces_are_bounded() {
    let mut t = table(1 << 20);
    for i in 0..MAX_PIECES as u32 {
        put(&mut t, 1, i * 16, i * 16 + 8, 65_000);
    }
    refused(put(&mut t, 1, 60_000, 60_008, 65_000), PacketDrop::FragmentTooMany);
    assert_eq!(t.memory(), DATAGRAM_COST);
}

#[test]
fn the_oldest_gives_way_and_memory_is_bounded() {
    let mut t = table(10_000);
    for id in 0..1000 {
        put(&mut t, id, 8, 1008, 5000);
        assert!(t.memory() <= 10_000);
    }
    assert_eq!(t.take_evicted() + t.len() as u64, 1000);
    let newest = put(&mut t, 999, 0, 8, 5000);
    assert!(matches!(newest, Outcome::Kept));
    refused(put(&mut table(2000), 1, 0, 1600, 5000), PacketDrop::FragmentMemory);
    refused(put(&mut table(0), 1, 0, 8, 5000), PacketDrop::FragmentMemory);
}

#[test]
fn patience_ends_with_the_first_packet_if_it_came() {
    let mut t = table(1 << 20);
    put(&mut t, 1, 0, 8, 16);
    put(&mut t, 2, 8, 16, 16);
    assert_eq!(t.deadline(), Some(T0 + PATIENCE));
    assert!(t.take_expired(T0 + PATIENCE - Duration::from_nanos(1)).is_none());
    let first = t.take_expired(T0 + PATIENCE).unwrap();
    assert_eq!(first.first.unwrap()[20..], text(0, 8));
    let second = t.take_expired(T0 + PATIENCE).unwrap();
    assert!(second.first.is_none() && second.pieces == 1);
    assert!(t.take_expired(T0 + PATIENCE).is_none());
    assert_eq!((t.len(), t.memory(), t.deadline()), (0, 0, None));
}

/// What a reassembly does, octet by octet: `None` in a cell is a hole.
struct Model {
    cells: Vec<Option<u8>>,
    seen: Vec<(u32, u32, bool)>,
    end: Option<u32>,
    refused: bool,
}

impl Model {
    fn put(&mut self, from: u32, octets: &[u8], more: bool) -> Option<Vec<u8>> {
        let to = from + octets.len() as u32;
        if self.refused || self.seen.contains(&(from, to, more)) {
            return None;
        }
        let taken = self.cells[from as usize..to as usize].iter().any(Option::is_some);
        let beyond = self.end.is_some_and(|e| to > e || (!more && to != e));
        let short = !more && self.cells[to as usize..].iter().any(Option::is_some);
        if taken || beyond || short {
            self.refused = true;
            return None;
        }
        for (i, o) in octets.iter().enumerate() {
            self.cells[from as usize + i] = Some(*o);
        }
        self.seen.push((from, to, more));
        if !more {
            self.end = Some(to);
        }
        let end = self.end? as usize;
        self.cells[..end].iter().copied().collect()
    }
}

proptest! {
    #[test]
    fn agrees_with_a_simple_model(
        pieces in proptest::collection::vec((0u32..12, 1u32..5, 0u32..8, any::<u8>()), 1..40)
    ) {
        let mut t = table(1 << 20);
        let mut m = Model { cells: vec![None; 200], seen: vec![], end: None, refused: false };
        for (at, len, odd, salt) in pieces {
            let from = at * 8;
            let more = salt % 4 != 0;
            let len = if more { len * 8 } else { len * 8 - odd };
            let octets = vec![salt; len as usize];
            let expected = m.put(from, &octets, more);
            match t.on_fragment(T0, &piece(1, from, &octets, more)) {
                Outcome::Whole(p) => {
                    prop_assert_eq!(Some(p[20..].to_vec()), expected);
                    prop_assert_eq!(t.memory(), 0);
                    return Ok(());
                }
                Outcome::Kept => prop_assert!(!m.refused && expected.is_none()),
                Outcome::Refused(PacketDrop::FragmentDuplicate) => prop_assert!(!m.refused),
                Outcome::Refused(_) => prop_assert!(m.refused),
            }
        }
    }
}
