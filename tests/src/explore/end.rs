//! What is one end? The machines of the core put together as the stack does it, with an application
//! that follows its plan, and what an onlooker knows of it.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tcp_core::buffer::Payload;
use tcp_core::config::TcpConfig;
use tcp_core::connection::{Connection, Limits, OpenParams, State, Timer, Verdict};
use tcp_core::error::{End as Ending, UserError};
use tcp_core::listen::{HalfOpen, HalfOpenTimeout, HalfOpenVerdict};
use tcp_core::time_wait::{TimeWait, TimeWaitVerdict};
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple, reset};

use super::{Action, Plan};
use crate::fuzz::{Who, deadlines, octet};

/// Octets of one segment on the wire.
pub(super) type Packet = Arc<[u8]>;

/// Who answers segments, as in the stack's demultiplexer.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    Nobody,
    HalfOpen(HalfOpen),
    /// The connection that the application holds, or held.
    Connection,
    TimeWait(TimeWait),
}

/// How long a deadline is, next to the others: see [`super::world`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Span {
    /// Below a round trip with an answer: delayed ACKs.
    Short,
    /// Above it: retransmissions and probes.
    Medium,
    /// Longer than any packet lives: TIME-WAIT and the like.
    Long,
}

/// What an onlooker knows of an end, beside its machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Seen {
    /// Octets that the application wrote, and that it read.
    pub(super) written: u8,
    pub(super) read: u8,
    /// The application read the end of the peer's text.
    pub(super) eof: bool,
    /// The application was told that the connection failed.
    pub(super) failed: Option<Ending>,
    /// Octets that have arrived in order, ever.
    pub(super) taken: u8,
    /// Octets that the peer has acknowledged.
    pub(super) acked: u8,
    /// The peer's FIN has arrived in order.
    pub(super) took_fin: bool,
    /// The application has no more to send.
    pub(super) closed: bool,
    pub(super) sent_rst: bool,
    /// It may reset what the peer takes for a good connection: it aborted, let go of the
    /// connection before the peer had closed or of text unread, or gave up.
    pub(super) rude: bool,
    /// Its connection is over, for this reason.
    pub(super) ended: Option<Ending>,
    /// ISS and IRS of every record or connection that it ever had.
    pub(super) agreed: Vec<(SeqNum, SeqNum)>,
}

#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) who: Who,
    /// The clock of this end alone.
    pub(super) now: Instant,
    config: Arc<TcpConfig>,
    listens: bool,
    isn: SeqNum,
    pub(super) owner: Owner,
    /// What the application holds; after it let go, until it is over.
    pub(super) conn: Option<Box<Connection>>,
    /// Actions of the plan that are done.
    pub(super) done: u8,
    pub(super) gone: bool,
    pub(super) seen: Seen,
}

impl End {
    pub(super) fn new(who: Who, config: Arc<TcpConfig>, isn: SeqNum, listens: bool) -> End {
        End {
            who,
            now: Instant::from_millis(1000),
            config,
            listens,
            isn,
            owner: Owner::Nobody,
            conn: None,
            done: 0,
            gone: false,
            seen: Seen::default(),
        }
    }

    /// All that decides the future, and what the onlooker still compares.
    pub(super) fn canonical<H: Hasher>(&self, h: &mut H) {
        // The configuration is such that spans don't matter, but a timestamp tells the time.
        let now = Some(self.now).filter(|_| self.config.timestamps);
        std::mem::discriminant(&self.owner).hash(h);
        match &self.owner {
            Owner::HalfOpen(r) => r.canonical(now, h),
            Owner::TimeWait(r) => r.canonical(now, h),
            Owner::Nobody | Owner::Connection => {}
        }
        if let Some(c) = &self.conn {
            c.canonical(now, h);
        }
        (self.who == Who::A, self.listens).hash(h);
        (self.isn, self.done, self.gone, self.conn.is_some(), &self.seen).hash(h);
        now.hash(h);
    }

    /// The state that a table of connections shows.
    pub(super) fn state(&self) -> State {
        match (&self.owner, &self.conn) {
            (Owner::Nobody, _) if self.listens => State::Listen,
            (Owner::HalfOpen(_), _) => State::SynReceived,
            (Owner::TimeWait(_), _) => State::TimeWait,
            (Owner::Connection, Some(c)) => c.state(),
            (Owner::Nobody | Owner::Connection, _) => State::Closed,
        }
    }

    pub(super) fn deadline(&self) -> Option<(Instant, Span)> {
        match (&self.owner, &self.conn) {
            (Owner::HalfOpen(r), _) => Some((r.deadline(), Span::Medium)),
            (Owner::TimeWait(r), _) => Some((r.expires, Span::Long)),
            // Giving memory back changes nothing that a peer or an application could tell; it
            // is done when the next deadline that counts is reached.
            (Owner::Connection, Some(c)) => {
                let counts = c.deadlines().filter(|d| d.timer != Timer::Trim);
                counts.min_by_key(|d| d.at).map(|d| (d.at, span(d.timer)))
            }
            _ => None,
        }
    }

    /// What is left to do has a deadline.
    pub(super) fn waits_for_something(&self) -> Result<(), String> {
        let Some(c) = &self.conn else { return Ok(()) };
        let waits = deadlines::check(&c.info(), c.deadlines().map(|d| d.timer));
        waits.map_err(|why| format!("{:?}: {why}", self.who))
    }

    /// The next action of the plan, if it is possible now.
    pub(super) fn next_action(&self, plan: &Plan) -> Option<Action> {
        let next = *plan.actions.get(usize::from(self.done))?;
        if next == Action::Open {
            return Some(next);
        }
        let c = self.conn.as_ref()?;
        let opening = matches!(c.state(), State::SynSent | State::SynReceived);
        let waits = opening && matches!(next, Action::Write | Action::Shutdown);
        (!waits).then_some(next)
    }

    fn open_params(&mut self) -> OpenParams {
        let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
        let tuple = Tuple { local: at(1, 4000), remote: at(2, 80) };
        let tuple = if self.who == Who::A { tuple } else { tuple.flipped() };
        let isn = self.isn;
        // A successor has numbers of its own.
        self.isn += 1 << 20;
        OpenParams { tuple, isn, timestamp_offset: isn.0.rotate_left(7), mtu: 1500 }
    }

    pub(super) fn act(&mut self, action: Action, out: &mut Vec<Packet>) {
        self.done += 1;
        let now = self.now;
        if action == Action::Open {
            let open = self.open_params();
            self.conn = Some(Box::new(Connection::connect(now, open, self.config.clone())));
            self.owner = Owner::Connection;
        }
        let early = !self.seen.took_fin;
        let Some(c) = &mut self.conn else { return };
        match action {
            Action::Open => {}
            Action::Write => {
                let text = [octet(self.who, self.seen.written.into())];
                if c.write(now, &text).is_ok() {
                    self.seen.written += 1;
                }
            }
            Action::Shutdown => self.seen.closed |= c.close_write().is_ok(),
            Action::Close => {
                self.seen.rude |= early || c.readable() > 0;
                c.close(now);
                (self.seen.closed, self.gone) = (true, true);
            }
            Action::Abort => {
                c.abort();
                (self.seen.rude, self.gone) = (true, true);
            }
        }
        self.settle(out);
    }

    /// Time has come to the next deadline.
    pub(super) fn fire(&mut self, out: &mut Vec<Packet>) {
        let Some((at, _)) = self.deadline() else { return };
        self.now = self.now.max(at);
        let (now, config) = (self.now, self.config.clone());
        match &mut self.owner {
            Owner::Nobody => {}
            Owner::HalfOpen(r) => match r.on_timeout(now, config.syn_ack_retries, &config) {
                HalfOpenTimeout::SynAck => {
                    let s = r.syn_ack(now, &config);
                    self.send(&s, out);
                }
                HalfOpenTimeout::Wait => {}
                HalfOpenTimeout::Remove => {
                    self.owner = Owner::Nobody;
                    self.seen.rude = true;
                }
            },
            Owner::TimeWait(_) => self.owner = Owner::Nobody,
            Owner::Connection => {
                if let Some(c) = &mut self.conn {
                    c.on_timeout(now);
                }
            }
        }
        self.settle(out);
    }

    pub(super) fn receive(&mut self, packet: &[u8], out: &mut Vec<Packet>) {
        let seg = Segment::parse(packet).expect("what an end emits parses");
        let now = self.now;
        match &mut self.owner {
            Owner::Nobody => self.for_listener(&seg, out),
            Owner::HalfOpen(_) => self.for_half_open(&seg, out),
            Owner::TimeWait(_) => self.for_time_wait(&seg, out),
            Owner::Connection => {
                let c = self.conn.as_mut().expect("its owner");
                if let Verdict::DroppedReset(_) = c.on_segment(now, &seg, 0) {
                    self.refuse(&seg, out);
                }
            }
        }
        self.settle(out);
    }

    fn for_listener(&mut self, seg: &Segment<'_>, out: &mut Vec<Packet>) {
        let flags = seg.flags;
        let request = flags.contains(Flags::SYN) && !flags.intersects(Flags::ACK | Flags::RST);
        if !(self.listens && request) {
            return self.refuse(seg, out);
        }
        let open = self.open_params();
        let record = HalfOpen::on_syn(self.now, open, seg, 1460, &self.config);
        self.seen.agreed.push((record.isn, record.irs));
        let answer = record.syn_ack(self.now, &self.config);
        self.owner = Owner::HalfOpen(record);
        self.send(&answer, out);
    }

    fn for_half_open(&mut self, seg: &Segment<'_>, out: &mut Vec<Packet>) {
        let (now, config) = (self.now, self.config.clone());
        let Owner::HalfOpen(record) = &mut self.owner else { return };
        match record.on_segment(now, seg, &config) {
            HalfOpenVerdict::Ignore(_) => {}
            HalfOpenVerdict::SynAck => {
                let s = record.syn_ack(now, &config);
                self.send(&s, out);
            }
            HalfOpenVerdict::Ack(_) => {
                let s = record.ack(now, &config);
                self.send(&s, out);
            }
            HalfOpenVerdict::Reset(_) => self.refuse(seg, out),
            HalfOpenVerdict::Remove => self.owner = Owner::Nobody,
            HalfOpenVerdict::Establish => {
                assert!(
                    self.conn.is_none() && self.done == 0,
                    "a second connection of old packets"
                );
                let half = record.clone();
                let mut c = Connection::from_half_open(now, half, 1500, config);
                let verdict = c.on_segment(now, seg, 0);
                self.conn = Some(Box::new(c));
                self.owner = Owner::Connection;
                if let Verdict::DroppedReset(_) = verdict {
                    self.refuse(seg, out);
                }
            }
        }
    }

    fn for_time_wait(&mut self, seg: &Segment<'_>, out: &mut Vec<Packet>) {
        let now = self.now;
        let Owner::TimeWait(record) = &mut self.owner else { return };
        match record.on_segment(now, seg, &self.config) {
            TimeWaitVerdict::Ignore => {}
            TimeWaitVerdict::Ack => {
                let s = record.ack(now);
                self.send(&s, out);
            }
            TimeWaitVerdict::Over => self.owner = Owner::Nobody,
            TimeWaitVerdict::NewConnection(_) => {
                let s = record.ack(now);
                if self.listens {
                    self.owner = Owner::Nobody;
                    self.for_listener(seg, out);
                } else {
                    self.send(&s, out);
                }
            }
        }
    }

    fn refuse(&mut self, seg: &Segment<'_>, out: &mut Vec<Packet>) {
        if let Some(r) = reset::reply_to(seg) {
            self.send(&r, out);
        }
    }

    fn send(&mut self, seg: &Segment<'_>, out: &mut Vec<Packet>) {
        self.seen.sent_rst |= seg.flags.contains(Flags::RST);
        let mut octets = vec![0; seg.header_len()];
        seg.emit_header(&mut octets);
        octets.extend_from_slice(seg.payload);
        out.push(octets.into());
    }

    /// The turn of a touched connection: the application reads, packets go out, records take over.
    fn settle(&mut self, out: &mut Vec<Packet>) {
        let Some(mut c) = self.conn.take() else { return };
        self.note(&c);
        let mut payload = Payload::new();
        for n in 0.. {
            assert!(n < 100, "never stops sending");
            let Some(t) = c.poll_transmit(self.now, &Limits::default(), &mut payload) else {
                break;
            };
            let text = payload.concat();
            payload.clear();
            self.send(&Segment { payload: &text, ..t.segment }, out);
        }
        if matches!(self.owner, Owner::Connection) {
            if let Some(record) = c.hand_over_time_wait(self.now) {
                self.owner = Owner::TimeWait(record);
            } else if c.end().is_some() {
                self.owner = Owner::Nobody;
            }
        }
        self.note(&c);
        if !(self.gone && c.end().is_some()) {
            self.conn = Some(c);
        }
    }

    /// What the onlooker learns from the machine.
    fn note(&mut self, c: &Connection) {
        let stats = c.info().stats;
        let seen = &mut self.seen;
        seen.taken = stats.octets_in as u8;
        seen.acked = stats.octets_acked as u8;
        seen.took_fin |= c.peer_closed();
        seen.ended = c.end();
        seen.rude |= matches!(c.end(), Some(Ending::TimedOut | Ending::Unreachable(_)));
        let numbers = c.initial_numbers();
        let known = !matches!(c.state(), State::SynSent | State::Closed);
        if known && !seen.agreed.contains(&numbers) {
            seen.agreed.push(numbers);
        }
    }

    /// The application takes all that there is, and checks it.
    pub(super) fn read(&mut self, out: &mut Vec<Packet>) -> Result<(), String> {
        let Some(c) = self.conn.as_mut().filter(|_| !self.gone) else { return Ok(()) };
        let mut buf = [0; 16];
        loop {
            match c.read(self.now, &mut buf) {
                Ok(0) => {
                    self.seen.eof = true;
                    break;
                }
                Ok(n) => {
                    for b in &buf[..n] {
                        if *b != octet(self.who.other(), self.seen.read.into()) {
                            return Err(format!(
                                "{:?} reads a wrong octet {}",
                                self.who, self.seen.read
                            ));
                        }
                        self.seen.read += 1;
                    }
                }
                Err(UserError::Ended(e)) => {
                    self.seen.failed = Some(e);
                    break;
                }
                Err(_) => break,
            }
        }
        // Reading may open the window.
        self.settle(out);
        Ok(())
    }
}

fn span(timer: Timer) -> Span {
    match timer {
        Timer::DelayedAck | Timer::Cork => Span::Short,
        Timer::Retransmit | Timer::Probe => Span::Medium,
        _ => Span::Long,
    }
}
