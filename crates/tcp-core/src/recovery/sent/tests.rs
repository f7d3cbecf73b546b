//! The scoreboard against a model that keeps one entry for each octet, and its bounds.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const MSS: u32 = 50;
const THRESHOLD: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Octet {
    fate: Fate,
    transmissions: u8,
    delivered: bool,
}

/// The octets from `una` on.
struct Model {
    una: SeqNum,
    octets: Vec<Octet>,
}

impl Model {
    fn count(&self, fate: Fate) -> u32 {
        self.octets.iter().filter(|o| o.fate == fate).count() as u32
    }

    /// RFC 6675 4, word by word, for each octet by itself.
    fn is_lost(&self, index: usize) -> bool {
        let above = &self.octets[index + 1..];
        let octets = above.iter().filter(|o| o.fate == Fate::Sacked).count() as u32;
        let mut ranges = 0;
        let mut before = Fate::InFlight;
        for o in above {
            ranges += u32::from(o.fate == Fate::Sacked && before != Fate::Sacked);
            before = o.fate;
        }
        ranges >= THRESHOLD || octets > (THRESHOLD - 1) * MSS
    }

    fn mark_lost(&mut self) {
        for i in 0..self.octets.len() {
            let o = self.octets[i];
            if o.fate == Fate::InFlight && o.transmissions == 1 && self.is_lost(i) {
                self.octets[i].fate = Fate::Lost;
            }
        }
    }

    fn deliver(octets: &mut [Octet]) -> u32 {
        let mut new = 0;
        for o in octets {
            new += u32::from(!o.delivered);
            o.delivered = true;
        }
        new
    }
}

/// Positions are taken modulo what is outstanding.
#[derive(Debug, Clone)]
enum Op {
    Send { len: u32, later: bool },
    Ack { to: u32 },
    Sack { at: u32, len: u32 },
    RetransmitLost { len: u32 },
    RetransmitAny { at: u32, len: u32 },
    HeadLost,
    Timeout,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1u32..200, any::<bool>()).prop_map(|(len, later)| Op::Send { len, later }),
        3 => any::<u32>().prop_map(|to| Op::Ack { to }),
        8 => (any::<u32>(), 1u32..80).prop_map(|(at, len)| Op::Sack { at, len }),
        4 => (1u32..120).prop_map(|len| Op::RetransmitLost { len }),
        1 => (any::<u32>(), 1u32..80).prop_map(|(at, len)| Op::RetransmitAny { at, len }),
        1 => Just(Op::HeadLost),
        1 => Just(Op::Timeout),
    ]
}

/// Does `op` to both.
fn apply(op: &Op, now: &mut Instant, board: &mut Scoreboard, model: &mut Model) {
    let n = model.octets.len() as u32;
    match *op {
        Op::Send { len, later } => {
            if later {
                *now += core::time::Duration::from_millis(1);
            }
            board.on_sent(*now, model.una + n, len);
            let new = Octet { fate: Fate::InFlight, transmissions: 1, delivered: false };
            model.octets.extend((0..len).map(|_| new));
        }
        Op::Ack { to } => {
            let acked = to % (n / 4 + 1);
            let mut d = Delivery::default();
            board.on_cumulative_ack(model.una + acked, &mut d);
            let mut gone: Vec<_> = model.octets.drain(..acked as usize).collect();
            model.una += acked;
            assert_eq!(d.acked, acked);
            assert_eq!(d.retransmission_acked.is_some(), gone.iter().any(|o| o.transmissions > 1));
            assert_eq!(d.delivered, Model::deliver(&mut gone));
        }
        Op::Sack { at, len } if n > 0 => {
            let (at, mut d) = (at % n, Delivery::default());
            let block = SackBlock { start: model.una + at, end: model.una + at + len };
            board.on_sack(block, &mut d);
            if at > 0 && at + len <= n {
                let part = &mut model.octets[at as usize..(at + len) as usize];
                assert_eq!(d.delivered, Model::deliver(part));
                let new = part.iter().filter(|o| o.fate != Fate::Sacked).count();
                assert_eq!(d.sacked, new as u32);
                part.iter_mut().for_each(|o| o.fate = Fate::Sacked);
            } else {
                assert_eq!((d.sacked, d.delivered), (0, 0));
            }
            board.mark_lost(THRESHOLD, MSS);
            model.mark_lost();
        }
        Op::RetransmitLost { len } => {
            if let Some((start, lost)) = board.next_lost() {
                retransmit(*now, board, model, start, len.min(lost));
            }
        }
        Op::RetransmitAny { at, len } if n > 0 => {
            let start = model.una + at % n;
            retransmit(*now, board, model, start, len.min(n - at % n));
        }
        Op::HeadLost => {
            board.mark_head_lost(MSS);
            let first = model.octets.first().copied();
            let could = first.is_some_and(|o| o.fate == Fate::InFlight && o.transmissions == 1);
            // The model knows no records: the mark may end with the record.
            let marked =
                board.head().filter(|r| could && r.fate == Fate::Lost).map_or(0, |r| r.len());
            assert!(marked <= MSS && (marked > 0) == could);
            model.octets[..marked as usize].iter_mut().for_each(|o| o.fate = Fate::Lost);
        }
        Op::Timeout => {
            board.lose_all();
            model.octets.iter_mut().for_each(|o| o.fate = Fate::Lost);
        }
        Op::Sack { .. } | Op::RetransmitAny { .. } => {}
    }
}

fn retransmit(now: Instant, board: &mut Scoreboard, model: &mut Model, start: SeqNum, len: u32) {
    board.on_retransmitted(now, start, len);
    let at = start.distance_from(model.una) as usize;
    for o in &mut model.octets[at..at + len as usize] {
        if o.fate != Fate::Sacked {
            o.fate = Fate::InFlight;
            o.transmissions = o.transmissions.saturating_add(1);
        }
    }
}

fn agree(board: &Scoreboard, model: &Model) {
    let n = model.octets.len() as u32;
    assert_eq!(board.outstanding(), n);
    assert_eq!(board.lost(), model.count(Fate::Lost));
    assert_eq!(board.sacked, model.count(Fate::Sacked));
    assert_eq!(board.in_flight(), model.count(Fate::InFlight));
    let mut at = model.una;
    let mut before = None;
    for r in &board.records {
        assert_eq!(r.start, at, "no gap");
        assert!(r.start.before(r.end));
        let from = r.start.distance_from(model.una) as usize;
        for o in &model.octets[from..from + r.len() as usize] {
            assert_eq!((o.fate, o.delivered), (r.fate, r.delivered));
            assert!(r.fate == Fate::Sacked || o.transmissions == r.transmissions);
        }
        assert!(r.fate != Fate::Sacked || before != Some(Fate::Sacked), "SACKed ranges merge");
        before = Some(r.fate);
        at = r.end;
    }
    let first = model.octets.iter().position(|o| o.fate == Fate::Lost);
    let run =
        |from: usize| model.octets[from..].iter().take_while(|o| o.fate == Fate::Lost).count();
    let want = first.map(|i| (model.una + i as u32, run(i) as u32));
    assert_eq!(board.next_lost(), want);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn agrees_with_the_model(
        una in prop_oneof![any::<u32>(), (u32::MAX - 3_000)..=u32::MAX],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut model = Model { una: SeqNum(una), octets: Vec::new() };
        let mut board = Scoreboard::default();
        let mut now = Instant::from_millis(1);
        for op in &ops {
            apply(op, &mut now, &mut board, &mut model);
            // A SACKed octet's count of transmissions is the record's after a timeout.
            for r in &board.records {
                let from = r.start.distance_from(model.una) as usize;
                for o in &mut model.octets[from..from + r.len() as usize] {
                    if o.fate == Fate::Sacked {
                        o.transmissions = r.transmissions;
                    }
                }
            }
            agree(&board, &model);
        }
    }
}

fn block(start: u32, end: u32) -> SackBlock {
    SackBlock { start: SeqNum(start), end: SeqNum(end) }
}

#[test]
fn hostile_blocks_make_a_bounded_number_of_records() {
    let mut board = Scoreboard::default();
    let mut d = Delivery::default();
    board.on_sent(Instant::ZERO, SeqNum(0), 1_000_000);
    for i in 0..400_000 {
        board.on_sack(block(2 * i + 1, 2 * i + 2), &mut d);
    }
    assert!(board.records.len() <= MAX_RECORDS);
    assert_eq!(board.in_flight() + board.sacked, 1_000_000);
    // What cuts nothing is still understood.
    board.on_sack(block(1, 1_000_000), &mut d);
    assert_eq!((board.records.len(), board.in_flight()), (2, 1));
}

#[test]
fn tiny_writes_make_a_bounded_number_of_records() {
    let mut board = Scoreboard::default();
    for i in 0..50_000_u32 {
        board.on_sent(Instant::from_micros(u64::from(i)), SeqNum(i), 1);
    }
    assert_eq!((board.records.len(), board.in_flight()), (MAX_RECORDS, 50_000));
}

#[test]
fn blocks_outside_what_is_outstanding_are_ignored() {
    // RFC 2018 5: only what was sent and not acknowledged can be reported
    let mut board = Scoreboard::default();
    board.on_sent(Instant::ZERO, SeqNum(1_000), 1_000);
    let mut d = Delivery::default();
    for b in [
        block(0, 500),
        block(900, 1_100),
        block(1_000, 1_100),
        block(1_900, 2_001),
        block(1_500, 1_500),
        block(1_600, 1_500),
        block(1_500, 0x8000_0000),
        block(0x9000_0000, 1_500),
    ] {
        board.on_sack(b, &mut d);
        assert_eq!(board.in_flight(), 1_000, "{b:?}");
    }
    board.on_sack(block(1_900, 2_000), &mut d);
    assert_eq!((board.in_flight(), d.delivered), (900, 100));
}

#[test]
fn transmissions_of_one_moment_share_a_record() {
    let mut board = Scoreboard::default();
    board.on_sent(Instant::ZERO, SeqNum(0), 65_000);
    board.on_sent(Instant::ZERO, SeqNum(65_000), 65_000);
    board.on_sent(Instant::from_millis(1), SeqNum(130_000), 65_000);
    assert_eq!(board.records.len(), 2);
}
