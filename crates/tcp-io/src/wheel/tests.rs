//! Laws of the wheel: against a sorted map, over jumps of any size, and that virtual time that
//! goes from deadline to deadline always arrives.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

const TICK: u64 = 1 << TICK_BITS;

fn at(ns: u64) -> Instant {
    Instant::from_nanos(ns)
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u64),
    Cancel(usize),
    Reschedule(usize, u64),
    Advance(u64),
    ToNextDeadline,
}

/// Spans of every magnitude, so that every level and the parking place get their share.
fn span() -> impl Strategy<Value = u64> {
    (0u32..60, any::<u64>()).prop_map(|(bits, noise)| noise & ((1 << bits) - 1))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => span().prop_map(Op::Insert),
        2 => any::<usize>().prop_map(Op::Cancel),
        2 => (any::<usize>(), span()).prop_map(|(i, s)| Op::Reschedule(i, s)),
        2 => span().prop_map(Op::Advance),
        3 => Just(Op::ToNextDeadline),
    ]
}

/// A sorted map beside the wheel.
struct Model {
    wheel: TimerWheel<u32>,
    sorted: BTreeSet<(u64, u32)>,
    keys: HashMap<u32, (TimerKey, u64)>,
    all_keys: Vec<(u32, TimerKey)>,
    now: u64,
}

impl Model {
    fn new(start: u64) -> Model {
        Model {
            wheel: TimerWheel::new(at(start)),
            sorted: BTreeSet::new(),
            keys: HashMap::new(),
            all_keys: Vec::new(),
            now: start,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(span) => {
                let (when, token) = (self.now.saturating_add(span), self.all_keys.len() as u32);
                let key = self.wheel.insert(at(when), token);
                self.sorted.insert((when, token));
                self.keys.insert(token, (key, when));
                self.all_keys.push((token, key));
            }
            Op::Cancel(i) if !self.all_keys.is_empty() => {
                let (token, key) = self.all_keys[i % self.all_keys.len()];
                let known = self.keys.remove(&token);
                assert_eq!(self.wheel.cancel(key), known.map(|_| token));
                if let Some((_, when)) = known {
                    self.sorted.remove(&(when, token));
                }
            }
            Op::Reschedule(i, span) if !self.all_keys.is_empty() => {
                let (token, key) = self.all_keys[i % self.all_keys.len()];
                let when = self.now.saturating_add(span);
                let known = self.keys.get_mut(&token);
                assert_eq!(self.wheel.reschedule(key, at(when)), known.is_some());
                if let Some((_, old)) = known {
                    self.sorted.remove(&(*old, token));
                    self.sorted.insert((when, token));
                    *old = when;
                }
            }
            Op::Advance(span) => self.poll(self.now.saturating_add(span)),
            Op::ToNextDeadline => {
                if let Some(next) = self.wheel.next_deadline() {
                    self.poll(next.as_nanos().max(self.now));
                }
            }
            Op::Cancel(_) | Op::Reschedule(..) => {}
        }
        self.check_deadline();
    }

    fn poll(&mut self, now: u64) {
        self.now = now;
        let mut last = 0;
        while let Some(token) = self.wheel.pop_expired(at(now)) {
            let (_, when) = self.keys.remove(&token).expect("armed");
            assert!(when <= now || now / TICK == LAST_TICK, "never early");
            assert!(when.div_ceil(TICK) >= last, "in order of ticks");
            last = when.div_ceil(TICK);
            assert!(self.sorted.remove(&(when, token)));
        }
        if let Some((when, _)) = self.sorted.first() {
            assert!(when.saturating_add(TICK) > now, "at most one tick late");
        }
    }

    fn check_deadline(&self) {
        assert_eq!(self.wheel.len(), self.sorted.len());
        assert_eq!(self.wheel.is_empty(), self.sorted.is_empty());
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), !self.sorted.is_empty());
        if let (Some(next), Some((first, _))) = (next, self.sorted.first()) {
            let latest = first.max(&self.now).saturating_add(TICK);
            assert!(next.as_nanos() <= latest, "{next:?} after {first}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_sorted_map(start in span(), ops in prop::collection::vec(op(), 1..200)) {
        let mut model = Model::new(start);
        for op in ops {
            model.apply(op);
        }
        // Virtual time from deadline to deadline: each step fires, moves a slot down a level, or
        // brings a timer that is beyond the range (2^60 ns at most here) one turn nearer.
        let turns = (1 << 60) / ((63 * TICK) << (TOP as u32 * LEVEL_BITS)) as usize + 1;
        let mut steps = model.wheel.len() * (LEVELS + turns + 1) + 1;
        while let Some(next) = model.wheel.next_deadline() {
            model.poll(next.as_nanos().max(model.now));
            steps = steps.checked_sub(1).expect("virtual time gets on");
        }
        prop_assert!(model.sorted.is_empty());
    }
}

#[test]
fn fires_within_a_tick_and_not_before() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.insert(at(TICK * 100 + 1), 'a');
    assert_eq!(wheel.pop_expired(at(TICK * 100 + 1)), None);
    assert_eq!(wheel.pop_expired(at(TICK * 101 - 1)), None);
    assert_eq!(wheel.next_deadline(), Some(at(TICK * 101)));
    assert_eq!(wheel.pop_expired(at(TICK * 101)), Some('a'));
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_lone_timer_needs_one_wake_at_any_distance() {
    for span in [1, 5, 60, 3600, 86_400, 30 * 86_400] {
        let mut wheel = TimerWheel::new(Instant::from_millis(12_345));
        let when = Instant::from_millis(12_345) + Duration::from_secs(span);
        wheel.insert(when, ());
        let next = wheel.next_deadline().unwrap();
        assert!(next >= when && next.since(when) < Duration::from_nanos(TICK));
        assert_eq!(wheel.pop_expired(next), Some(()));
    }
}

#[test]
fn a_stale_key_is_harmless() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let old = wheel.insert(Instant::ZERO, 1);
    assert_eq!(wheel.pop_expired(Instant::ZERO), Some(1));
    let new = wheel.insert(Instant::from_millis(1), 2);
    assert_eq!(wheel.cancel(old), None);
    assert!(!wheel.reschedule(old, Instant::ZERO));
    assert_eq!(wheel.cancel(new), Some(2));
    assert_eq!(wheel.cancel(new), None);
    assert!(wheel.is_empty());
}

#[test]
fn an_empty_wheel_keeps_no_crowd_and_takes_no_stale_key() {
    let mut wheel = TimerWheel::new(at(0));
    let crowd = |wheel: &mut TimerWheel<usize>| -> Vec<TimerKey> {
        (0..2 * KEPT).map(|n| wheel.insert(at(1_000_000), n)).collect()
    };
    let mut stale = Vec::new();
    for _ in 0..3 {
        let keys = crowd(&mut wheel);
        stale.iter().for_each(|k| assert_eq!(wheel.cancel(*k), None));
        keys.iter().for_each(|k| assert!(wheel.cancel(*k).is_some()));
        assert_eq!((wheel.len(), wheel.nodes.capacity()), (0, 0));
        stale.extend(keys);
    }
}

#[test]
fn nodes_are_used_again() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    for i in 0..10_000u64 {
        let key = wheel.insert(Instant::from_millis(i), i);
        if i % 2 == 0 {
            wheel.cancel(key);
        } else {
            assert_eq!(wheel.pop_expired(Instant::from_millis(i + 1)), Some(i));
        }
    }
    assert_eq!(wheel.nodes.len(), 1);
}

#[test]
fn never_is_a_deadline_too() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.insert(Instant::FAR_FUTURE, ());
    assert_eq!(wheel.pop_expired(Instant::from_millis(1 << 40)), None);
    assert_eq!(wheel.pop_expired(Instant::FAR_FUTURE), Some(()));
}

#[test]
fn far_timers_do_not_hide_nearer_ones_in_the_ring() {
    let slot = TICK << (TOP as u32 * LEVEL_BITS);
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.insert(at(slot.saturating_mul(1000)), "far");
    assert_eq!(wheel.pop_expired(at(slot * 62 + 5)), None);
    wheel.insert(at(slot * 70), "near");
    let mut fired = Vec::new();
    while let Some(next) = wheel.next_deadline() {
        while let Some(token) = wheel.pop_expired(next) {
            fired.push((token, next));
        }
    }
    assert_eq!(fired, [("near", at(slot * 70)), ("far", at(slot * 1000))]);
}
