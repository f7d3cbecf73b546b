//! Do requests keep their tables whole whatever comes when? Seeded sequences of SYNs, resets, ACKs,
//! decisions, time and closed listeners.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tcp_core::wire::Segment;

use super::peer::*;
use crate::cell::{ConnCell, RequestCell};
use crate::stack::{
    Foreign, ListenOptions, ListenScope, ListenerId, PendingOptions, Rejection, StackConfig,
    Unreachability,
};

const MOST: usize = 5;
const TEXT: usize = 40;

struct Run {
    rig: Rig,
    rng: SmallRng,
    listener: Option<ListenerId>,
    held: Vec<Arc<RequestCell>>,
    conns: Vec<Arc<ConnCell>>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let foreign = Foreign::Take { echo: false };
        let rig = Rig::with(StackConfig { foreign, syn_text_budget: TEXT, ..config() });
        let rng = SmallRng::seed_from_u64(seed);
        Run { rig, rng, listener: None, held: Vec::new(), conns: Vec::new() }
    }

    fn listen(&mut self) {
        let pending = PendingOptions {
            max_undecided: MOST,
            timeout: Duration::from_secs(10),
            on_timeout: Rejection::Unreachable(Unreachability::Host),
        };
        let scope = ListenScope::Any;
        let options = ListenOptions { pending: Some(pending), scope, ..Default::default() };
        self.listener = Some(self.rig.stack.listen(at("[::]:0"), options).unwrap());
    }

    /// A segment of one of a few peers, often with the numbers that count.
    fn segment_of_a_peer(&mut self) {
        let n = self.rng.random_range(0..8);
        let (me, to) = if n % 2 == 0 {
            (format!("10.0.0.2:{}", 4000 + n), "192.0.2.7:443")
        } else {
            (format!("[fd00::2]:{}", 4000 + n), "[2001:db8::7]:443")
        };
        let flags = [SYN, SYN, SYN, SYN | FIN, RST, ACK, SYN | ACK, FIN | ACK];
        let flags = flags[self.rng.random_range(0..flags.len())];
        let seq = IRS + self.rng.random_range(0..3);
        let ack = tcp_core::SeqNum(self.rng.random());
        let text = vec![7; self.rng.random_range(0..3) * 9];
        let s = Segment { seq, flags, ack, ..syn() };
        self.rig.put(&packet(at(&me), at(to), s, &text));
        // The peer completes some handshakes.
        for bytes in std::iter::from_fn(|| self.rig.next()).collect::<Vec<_>>() {
            let p = whole(&bytes);
            let Ok(s) = Segment::parse(p.payload) else { continue };
            if p.protocol == crate::stack::ip::TCP && s.flags == SYN | ACK && self.rng.random() {
                let (src, dst) = ((p.src, s.src_port).into(), (p.dst, s.dst_port).into());
                let last = segment(ACK, s.ack, s.seq + 1);
                self.rig.say(dst, src, last);
            }
        }
    }

    fn decide(&mut self) {
        let (now, stack) = (self.rig.now, &mut self.rig.stack);
        if let Some(l) = self.listener {
            self.held.extend(stack.take_request(l).unwrap());
        }
        if self.held.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.held.len());
        let cell = self.held[at].clone();
        let undecided = cell.is_undecided();
        let result = match self.rng.random_range(0..6) {
            0..3 => stack.admit(now, &cell, None),
            3 => stack.reject(now, &cell, Rejection::Reset),
            4 => stack.reject(now, &cell, Rejection::Ignore),
            _ => stack.reject(now, &cell, Rejection::Unreachable(Unreachability::Network)),
        };
        assert_eq!(result.is_ok(), undecided);
        if self.rng.random_ratio(1, 4) {
            stack.abandon(now, &cell);
            assert!(cell.is_over());
        }
        match cell.take_established() {
            Ok(None) => {}
            Ok(Some(conn)) => self.conns.push(conn),
            Err(_) => {
                self.held.swap_remove(at);
            }
        }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..40) {
            0..20 => self.segment_of_a_peer(),
            20..32 => self.decide(),
            32..36 => {
                let span = Duration::from_millis(self.rng.random_range(0..4000));
                self.rig.wait_quietly(span);
            }
            36..38 => {
                if let Some(c) = self.conns.pop() {
                    c.abort();
                }
            }
            _ => match self.listener.take() {
                Some(l) => self.rig.stack.close_listener(l),
                None => self.listen(),
            },
        }
        while self.rig.next().is_some() {}
    }

    fn check(&self) {
        let s = &self.rig.stack;
        let rows = s.connections();
        let known = rows.iter().filter(|r| r.remote.is_some()).count();
        assert_eq!(s.demux_count(), known, "{rows:?}");
        assert!(s.request_count() <= MOST && s.half_open.text <= TEXT);
        assert!(s.timer_count() <= known, "timers leak: {rows:?}");
        if self.listener.is_none() {
            assert_eq!((s.request_count(), s.half_open_count()), (0, 0));
        }
    }
}

#[test]
fn tables_stay_whole_and_end_empty() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for _ in 0..200 {
            run.step();
            run.check();
        }
        if let Some(l) = run.listener.take() {
            run.rig.stack.close_listener(l);
        }
        for cell in &run.held {
            run.rig.stack.abandon(run.rig.now, cell);
        }
        run.conns.drain(..).for_each(|c| c.abort());
        while run.rig.next().is_some() {}
        run.rig.wait_quietly(Duration::from_secs(400));
        assert_eq!(run.rig.stack.half_open.text, 0);
        run.rig.assert_empty();
    }
}
