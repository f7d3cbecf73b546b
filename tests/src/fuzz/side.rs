//! What is one end of the pair? A connection, or the half-open record it grows from, with its
//! application and what both are known to owe each other.

use std::sync::Arc;

use bytes::Bytes;
use tcp_core::buffer::Payload;
use tcp_core::config::TcpConfig;
use tcp_core::connection::{Connection, Events, Info, Limits, OpenParams, State, Verdict};
use tcp_core::error::{End, UserError};
use tcp_core::listen::{HalfOpen, HalfOpenTimeout, HalfOpenVerdict};
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Instant, reset};

use super::deadlines;
use super::wire::Said;
use super::{Who, octet};

/// Packets that one drain may give at most: both buffers in the smallest segments, and answers.
const DRAIN: usize = 8192;

/// A packet on its way: a TCP segment, and the size of its pieces if several were merged.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) octets: Vec<u8>,
    pub(crate) piece: u16,
}

#[derive(Debug)]
pub(crate) enum Machine {
    Listening,
    HalfOpen(HalfOpen),
    Live(Box<Connection>),
}

/// How text is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Writing {
    Copied,
    Owned,
    Urgent,
}

impl Writing {
    pub(crate) fn from_number(n: u16) -> Writing {
        match n % 4 {
            0 | 1 => Writing::Copied,
            2 => Writing::Owned,
            _ => Writing::Urgent,
        }
    }
}

/// Whether the application still reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Application {
    Here,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) who: Who,
    pub(crate) machine: Machine,
    pub(crate) config: Arc<TcpConfig>,
    pub(crate) open: OpenParams,
    pub(crate) limits: Limits,
    /// Super-segments arrive merged instead of cut.
    pub(crate) merges: bool,
    pub(crate) application: Application,
    pub(crate) written: u64,
    pub(crate) read: u64,
    pub(crate) said: Said,
    /// A read found nothing and no event has come since.
    waits_to_read: bool,
    /// A write found no room and no event has come since.
    waits_to_write: bool,
}

impl Side {
    pub(crate) fn new(who: Who, config: TcpConfig, open: OpenParams, limits: Limits) -> Side {
        Side {
            who,
            machine: Machine::Listening,
            config: Arc::new(config),
            open,
            limits,
            merges: false,
            application: Application::Here,
            written: 0,
            read: 0,
            said: Said::default(),
            waits_to_read: false,
            waits_to_write: false,
        }
    }

    pub(crate) fn connect(&mut self, now: Instant) {
        let c = Connection::connect(now, self.open, self.config.clone());
        self.machine = Machine::Live(Box::new(c));
    }

    pub(crate) fn conn(&mut self) -> Option<&mut Connection> {
        match &mut self.machine {
            Machine::Live(c) => Some(c),
            _ => None,
        }
    }

    /// The application closes or aborts, if there is anything yet that it could.
    pub(crate) fn let_go(&mut self, how: impl FnOnce(&mut Connection)) {
        if let Some(c) = self.conn() {
            how(c);
            self.application = Application::Gone;
        }
    }

    pub(crate) fn live(&self) -> Option<&Connection> {
        match &self.machine {
            Machine::Live(c) => Some(c),
            _ => None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Listening => None,
            Machine::HalfOpen(h) => Some(h.deadline()),
            Machine::Live(c) => c.poll_timeout().map(|d| d.at),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match &self.machine {
            Machine::Listening => true,
            Machine::HalfOpen(_) => false,
            Machine::Live(c) => c.state() == State::Closed,
        }
    }

    fn shift(&self) -> u8 {
        let scaled = match &self.machine {
            Machine::Listening => false,
            Machine::HalfOpen(h) => self.config.window_scaling && h.peer.window_scale.is_some(),
            Machine::Live(c) => c.info().negotiated.window_scaling,
        };
        if scaled { self.config.window_scale() } else { 0 }
    }

    /// Puts a segment on the wire.
    fn send(&mut self, seg: &Segment<'_>, piece: u16, peer: &Said, out: &mut Vec<Packet>) {
        let shift = self.shift();
        self.said.note(self.who, seg, shift, peer, self.written);
        let mut octets = vec![0; seg.header_len()];
        seg.emit_header(&mut octets);
        octets.extend_from_slice(seg.payload);
        out.push(Packet { octets, piece });
    }

    /// A packet arrives; answers that belong to nobody go to `out` at once.
    pub(crate) fn receive(&mut self, now: Instant, p: &Packet, peer: &Said, out: &mut Vec<Packet>) {
        let seg = Segment::parse(&p.octets).expect("what was emitted parses");
        let config = self.config.clone();
        let refused = match &mut self.machine {
            Machine::Listening => {
                let syn = seg.flags.contains(Flags::SYN);
                if syn && !seg.flags.intersects(Flags::ACK | Flags::RST) {
                    let h = HalfOpen::on_syn(now, self.open, &seg, 1460, &config);
                    let answer = h.syn_ack(now, &config);
                    self.said = Said::default();
                    self.machine = Machine::HalfOpen(h);
                    self.send(&answer, 0, peer, out);
                    return;
                }
                true
            }
            Machine::HalfOpen(h) => match h.on_segment(now, &seg, &config) {
                HalfOpenVerdict::Ignore(_) => false,
                HalfOpenVerdict::SynAck => {
                    let s = h.syn_ack(now, &config);
                    self.send(&s, 0, peer, out);
                    false
                }
                HalfOpenVerdict::Ack(_) => {
                    let s = h.ack(now, &config);
                    self.send(&s, 0, peer, out);
                    false
                }
                HalfOpenVerdict::Reset(_) => true,
                HalfOpenVerdict::Remove => {
                    self.machine = Machine::Listening;
                    false
                }
                HalfOpenVerdict::Establish => self.promote(now, &seg, p.piece),
            },
            Machine::Live(c) => {
                matches!(c.on_segment(now, &seg, p.piece), Verdict::DroppedReset(_))
            }
        };
        if let Some(r) = reset::reply_to(&seg).filter(|_| refused) {
            self.send(&r, 0, peer, out);
        }
    }

    fn promote(&mut self, now: Instant, seg: &Segment<'_>, piece: u16) -> bool {
        let Machine::HalfOpen(h) = std::mem::replace(&mut self.machine, Machine::Listening) else {
            unreachable!("only a half-open record is promoted")
        };
        let mut c = Connection::from_half_open(now, h, self.open.mtu, self.config.clone());
        let verdict = c.on_segment(now, seg, piece);
        self.machine = Machine::Live(Box::new(c));
        matches!(verdict, Verdict::DroppedReset(_))
    }

    pub(crate) fn on_timeout(&mut self, now: Instant, peer: &Said, out: &mut Vec<Packet>) {
        let config = self.config.clone();
        match &mut self.machine {
            Machine::Listening => {}
            Machine::HalfOpen(h) if h.deadline() > now => {}
            Machine::HalfOpen(h) => match h.on_timeout(now, config.syn_ack_retries, &config) {
                HalfOpenTimeout::SynAck => {
                    let s = h.syn_ack(now, &config);
                    self.send(&s, 0, peer, out);
                }
                HalfOpenTimeout::Wait => {}
                HalfOpenTimeout::Remove => self.machine = Machine::Listening,
            },
            Machine::Live(c) => c.on_timeout(now),
        }
    }

    /// Sends all there is to send.
    pub(crate) fn drain(&mut self, now: Instant, peer: &Said, out: &mut Vec<Packet>) {
        for n in 0.. {
            assert!(n < DRAIN, "{:?} never stops sending", self.who);
            let limits = self.limits;
            let Machine::Live(c) = &mut self.machine else { return };
            let mut payload = Payload::new();
            let Some(t) = c.poll_transmit(now, &limits, &mut payload) else {
                let waits = deadlines::check(&c.info_at(now), c.deadlines().map(|d| d.timer));
                return waits.unwrap_or_else(|why| panic!("{:?}: {why}", self.who));
            };
            let text = payload.concat();
            assert_eq!(text.len(), t.payload_len as usize);
            self.send_cut(&t.segment, &text, t.gso_size, peer, out);
        }
    }

    /// Cuts a super-segment as a device does, or leaves it merged.
    fn send_cut(
        &mut self,
        header: &Segment<'static>,
        text: &[u8],
        size: Option<u16>,
        peer: &Said,
        out: &mut Vec<Packet>,
    ) {
        let Some(size) = size.filter(|_| !self.merges) else {
            let seg = Segment { payload: text, ..*header };
            self.send(&seg, size.unwrap_or(0), peer, out);
            return;
        };
        let pieces = text.len().div_ceil(usize::from(size));
        for (i, piece) in text.chunks(usize::from(size)).enumerate() {
            let seq = header.seq + (i * usize::from(size)) as u32;
            let last = i + 1 == pieces;
            let flags =
                if last { header.flags } else { header.flags.without(Flags::FIN | Flags::PSH) };
            self.send(&Segment { seq, flags, payload: piece, ..*header }, 0, peer, out);
        }
    }

    pub(crate) fn write(&mut self, now: Instant, len: usize, how: Writing) {
        let (who, from) = (self.who, self.written);
        let Some(c) = self.conn() else { return };
        let data: Vec<u8> = (0..len as u64).map(|i| octet(who, from + i)).collect();
        let written = match how {
            Writing::Copied => c.write(now, &data),
            Writing::Urgent => c.write_urgent(now, &data),
            Writing::Owned => {
                let mut data = Bytes::from(data);
                let written = c.write_bytes(now, &mut data);
                assert_eq!(data.len(), len - written.unwrap_or(0), "{who:?} takes and leaves all");
                written
            }
        };
        match written {
            Ok(n) => {
                assert!(n > 0 || len == 0, "{who:?} wrote nothing");
                self.written += n as u64;
            }
            Err(UserError::WouldBlock) => self.waits_to_write = true,
            Err(_) => {}
        }
    }

    /// Reads and checks up to `len` octets; returns how many there were.
    pub(crate) fn read(&mut self, now: Instant, len: usize, owned: bool) -> usize {
        if self.application == Application::Gone {
            return 0;
        }
        let (who, from) = (self.who.other(), self.read);
        let Some(c) = self.conn() else { return 0 };
        let text = if owned {
            c.read_bytes(now, len)
        } else {
            let mut buf = vec![0; len];
            c.read(now, &mut buf).map(|n| Bytes::from(buf).slice(..n))
        };
        match text {
            Ok(text) => {
                assert!(text.len() <= len);
                for (b, at) in text.iter().zip(from..) {
                    assert_eq!(*b, octet(who, at), "octet {at} of {who:?}");
                }
                self.read += text.len() as u64;
                text.len()
            }
            Err(UserError::WouldBlock) => {
                self.waits_to_read = true;
                0
            }
            Err(_) => 0,
        }
    }

    /// The application wants to read no more: who waits to read finds the end.
    pub(crate) fn shutdown_read(&mut self) {
        if self.application == Application::Here
            && let Some(c) = self.conn()
        {
            let _ = c.shutdown_read();
        }
    }

    /// What must hold of this end at any time.
    pub(crate) fn check(&mut self, peer: &Said, peer_written: u64) {
        let who = self.who;
        let (waits_to_read, waits_to_write) = (self.waits_to_read, self.waits_to_write);
        let (read, written, here) = (self.read, self.written, self.application);
        let said_acked = self.said.acked;
        let Some(c) = self.conn() else { return };
        let events = c.take_events();
        let info = c.info();
        let over = c.state() == State::Closed;
        check_send(who, &info, written, over);
        assert!(read <= peer_written, "{who:?} read more than was written");
        if here == Application::Here {
            let urgent = u64::from(c.urgent_left());
            assert!(read + urgent <= peer_written, "{who:?} waits for urgent text of nobody");
        }
        if c.peer_closed() {
            assert!(peer.fin.is_some(), "{who:?} saw a FIN that was not sent");
        }
        if here == Application::Here {
            let fin = u64::from(c.peer_closed());
            let got = read + info.receive_queue as u64;
            assert!(u64::from(said_acked) <= 1 + got + fin, "{who:?} acknowledged what it lost");
            assert!(got <= peer_written);
            if c.end() == Some(End::Closed) {
                assert!(c.peer_closed(), "{who:?} ended in order without the peer's FIN");
            }
        }
        if c.end() == Some(End::Closed) {
            assert_eq!(info.stats.octets_acked, written, "{who:?} lost what it wrote");
        }
        let readable =
            !matches!(c.check_readable(1), Err(UserError::WouldBlock | UserError::NotConnected));
        let missed = waits_to_read && readable && !events.contains(Events::READABLE);
        assert!(!missed, "{who:?}: a reader is not woken: {info:?}");
        let room = over || info.send_queue <= info.send_buffer / 3 * 2;
        let missed = waits_to_write && room && !events.contains(Events::WRITABLE);
        assert!(!missed, "{who:?}: a writer is not woken: {info:?}");
        self.waits_to_read &= !events.contains(Events::READABLE);
        self.waits_to_write &= !events.contains(Events::WRITABLE);
    }
}

fn check_send(who: Who, info: &Info, written: u64, over: bool) {
    assert!(info.outstanding < 1 << 30, "{who:?}: SND.UNA is beyond SND.NXT: {info:?}");
    assert!(info.stats.octets_acked <= written);
    if !over {
        assert!(info.in_flight <= info.outstanding, "{who:?}: more in flight than sent: {info:?}");
        assert_eq!(info.stats.octets_acked + info.send_queue as u64, written, "{who:?}");
    }
    assert!(info.receive_window < 1 << 30, "{who:?}: the window is negative: {info:?}");
}
