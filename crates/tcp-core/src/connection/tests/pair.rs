//! How do two ends talk in tests? [`Pair`]: two hosts of one connection each, over a link that is
//! perfect unless its hook drops or delays a packet. Exact and forged segments are `harness`'s.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::{Connection, OpenParams, State, Verdict};
use super::harness::{Isns, SYN, Sent, drain, ms, params, secs, v4};
use crate::Instant;
use crate::config::TcpConfig;
use crate::listen::{HalfOpen, HalfOpenTimeout, HalfOpenVerdict};
use crate::reset::reply_to;
use crate::wire::Segment;

/// Half-open record or connection, as a stack holds them for one tuple.
pub(super) enum End {
    Listening,
    HalfOpen(HalfOpen),
    Open(Box<Connection>),
}

/// One end of a [`Pair`].
pub(super) struct Host {
    pub(super) end: End,
    open: OpenParams,
    config: Arc<TcpConfig>,
}

impl Host {
    fn arrives(&mut self, now: Instant, seg: &Segment<'_>) -> Vec<Sent> {
        let mut answers = Vec::new();
        match &mut self.end {
            End::Listening if seg.flags == SYN => {
                let h = HalfOpen::on_syn(now, self.open, seg, 1460, &self.config);
                answers.push(h.syn_ack(now, &self.config));
                self.end = End::HalfOpen(h);
            }
            End::Listening => answers.extend(reply_to(seg)),
            End::HalfOpen(h) => match h.on_segment(now, seg, &self.config) {
                HalfOpenVerdict::Ignore(_) => {}
                HalfOpenVerdict::SynAck => answers.push(h.syn_ack(now, &self.config)),
                HalfOpenVerdict::Ack(_) => answers.push(h.ack(now, &self.config)),
                HalfOpenVerdict::Reset(_) => answers.extend(reply_to(seg)),
                HalfOpenVerdict::Remove => self.end = End::Listening,
                HalfOpenVerdict::Establish => {
                    self.promote(now);
                    return self.arrives(now, seg);
                }
            },
            End::Open(c) => {
                if let Verdict::DroppedReset(_) = c.on_segment(now, seg, 0) {
                    answers.extend(reply_to(seg));
                }
            }
        }
        answers.into_iter().map(|a| Sent::bare(now, a)).collect()
    }

    fn promote(&mut self, now: Instant) {
        if let End::HalfOpen(h) = core::mem::replace(&mut self.end, End::Listening) {
            let c = Connection::from_half_open(now, h, self.open.mtu, self.config.clone());
            self.end = End::Open(Box::new(c));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.end {
            End::Listening => None,
            End::HalfOpen(h) => Some(h.deadline()),
            End::Open(c) => c.poll_timeout().map(|d| d.at),
        }
    }

    fn fires(&mut self, now: Instant) -> Option<Sent> {
        match &mut self.end {
            End::HalfOpen(h) if h.deadline() <= now => {
                match h.on_timeout(now, self.config.syn_ack_retries, &self.config) {
                    HalfOpenTimeout::SynAck => {
                        return Some(Sent::bare(now, h.syn_ack(now, &self.config)));
                    }
                    HalfOpenTimeout::Wait => {}
                    HalfOpenTimeout::Remove => self.end = End::Listening,
                }
            }
            End::Open(c) => c.on_timeout(now),
            _ => {}
        }
        None
    }
}

/// What the link does with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Deliver,
    Drop,
    /// Arrives this much later than the others, so that they overtake it.
    Late(Duration),
}

/// Two ends over a link with 10 ms one way that loses nothing unless its hook says so.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) hosts: [Host; 2],
    /// Decides for every packet, with the sender's number.
    pub(super) hook: fn(usize, &Sent) -> Fate,
    in_flight: Vec<(Instant, usize, Sent)>,
    /// Everything that was sent, with the sender's number.
    pub(super) trace: Vec<(usize, Sent)>,
}

const DELAY: Duration = ms(10);

impl Pair {
    /// Both listen; [`connect`](Self::connect) makes an active end.
    pub(super) fn new(isns: Isns, config: TcpConfig) -> Pair {
        let config = Arc::new(config);
        let host = |tuple, isn| Host {
            end: End::Listening,
            open: params(tuple, isn),
            config: config.clone(),
        };
        Pair {
            now: Instant::from_millis(5000),
            hosts: [host(v4(), isns.ours), host(v4().flipped(), isns.theirs)],
            hook: |_, _| Fate::Deliver,
            in_flight: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// End 0 has connected to end 1, and both are established.
    pub(super) fn established(isns: Isns) -> Pair {
        let mut p = Pair::new(isns, TcpConfig::default());
        p.connect(0);
        p.run(secs(1));
        assert_eq!(p.states(), [State::Established; 2]);
        p
    }

    pub(super) fn connect(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        let c = Connection::connect(self.now, h.open, h.config.clone());
        h.end = End::Open(Box::new(c));
    }

    #[track_caller]
    pub(super) fn c(&mut self, host: usize) -> &mut Connection {
        match &mut self.hosts[host].end {
            End::Open(c) => c,
            _ => panic!("no connection"),
        }
    }

    pub(super) fn states(&self) -> [State; 2] {
        let state = |h: &Host| match &h.end {
            End::Listening => State::Listen,
            End::HalfOpen(_) => State::SynReceived,
            End::Open(c) => c.state(),
        };
        [state(&self.hosts[0]), state(&self.hosts[1])]
    }

    fn post(&mut self, from: usize, sent: Vec<Sent>) {
        for s in sent {
            let at = match (self.hook)(from, &s) {
                Fate::Deliver => Some(self.now + DELAY),
                Fate::Late(d) => Some(self.now + DELAY + d),
                Fate::Drop => None,
            };
            self.trace.push((from, s.clone()));
            self.in_flight.extend(at.map(|at| (at, from, s)));
        }
    }

    fn drain(&mut self) {
        for n in 0..2 {
            if let End::Open(c) = &mut self.hosts[n].end {
                let sent = drain(c, self.now);
                self.post(n, sent);
            }
        }
    }

    /// Lets `time` pass.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.drain();
            let arrival = self.in_flight.iter().map(|f| f.0).min();
            let timers = self.hosts.iter().filter_map(Host::deadline).min();
            let next = arrival.into_iter().chain(timers).min();
            let Some(next) = next.filter(|n| *n <= until) else { break };
            self.now = self.now.max(next);
            for n in 0..2 {
                let fired = self.hosts[n].fires(self.now);
                self.post(n, fired.into_iter().collect());
            }
            while let Some(i) = self.in_flight.iter().position(|f| f.0 <= self.now) {
                let (_, from, s) = self.in_flight.remove(i);
                let answers = self.hosts[1 - from].arrives(self.now, &s.segment());
                self.post(1 - from, answers);
            }
        }
        self.now = until;
    }

    pub(super) fn read(&mut self, host: usize) -> Vec<u8> {
        let now = self.now;
        let mut buf = [0; 65_536];
        let n = self.c(host).read(now, &mut buf).unwrap_or(0);
        buf[..n].to_vec()
    }

    pub(super) fn write(&mut self, host: usize, text: &[u8]) {
        let now = self.now;
        assert_eq!(self.c(host).write(now, text), Ok(text.len()));
    }
}
