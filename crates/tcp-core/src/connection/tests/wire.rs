//! How do the conversation tests talk to a connection? One [`Connection`] that opened actively, a
//! scripted peer and a clock. Sequence numbers are told as offsets into the two streams, so that
//! 0 is the first octet of text in either direction.

use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::vec::Vec;

use super::super::{
    Connection, Events, IcmpVerdict, Limits, OpenParams, SendReason, State, Timer, Verdict,
};
use crate::buffer::Payload;
use crate::config::{SocketOptions, TcpConfig};
use crate::error::{End, IcmpError};
use crate::wire::{Flags, Options, SackBlock, SackBlocks, Segment, Timestamps};
use crate::{Endpoint, Instant, SeqNum, Tuple};

/// Segment size of both ends, in octets, without timestamps.
pub(super) const MSS: u32 = 1000;
/// The round trip that the handshake shows.
pub(super) const RTT: Duration = Duration::from_millis(100);
/// The retransmission time-out after it: SRTT + max(200 ms, 4 * RTTVAR).
pub(super) const RTO: u64 = 300;

const ISS: SeqNum = SeqNum(u32::MAX - 3000);
const IRS: SeqNum = SeqNum(u32::MAX - 500);

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What the peer offers in its SYN.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) mss: u16,
    /// Window in octets; above 65,535 the peer scales by 7.
    pub(super) window: u32,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
}

impl Default for Peer {
    fn default() -> Peer {
        Peer { mss: MSS as u16, window: 60_000, sack: true, timestamps: false }
    }
}

/// A packet that the connection sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) seq: u32,
    pub(super) text: Vec<u8>,
    pub(super) flags: Flags,
    /// Where urgent text ends, if the segment says it, as an offset.
    pub(super) urgent: Option<u32>,
    pub(super) ack: u32,
    /// In octets, scaled.
    pub(super) window: u32,
    pub(super) timestamps: Option<Timestamps>,
    pub(super) sack: Vec<(u32, u32)>,
    pub(super) gso: Option<u16>,
    pub(super) reason: SendReason,
}

impl Sent {
    pub(super) fn len(&self) -> u32 {
        self.text.len() as u32
    }

    pub(super) fn range(&self) -> (u32, u32) {
        (self.seq, self.seq + self.len())
    }

    pub(super) fn pushed(&self) -> bool {
        self.flags.contains(Flags::PSH)
    }
}

/// The ranges of text in `sent`, pure ACKs left out.
pub(super) fn ranges(sent: &[Sent]) -> Vec<(u32, u32)> {
    sent.iter().filter(|s| s.len() > 0).map(Sent::range).collect()
}

/// When each was sent, in milliseconds after `since`.
pub(super) fn times(sent: &[Sent], since: Instant) -> Vec<u64> {
    sent.iter().map(|s| s.at.since(since).as_millis() as u64).collect()
}

/// The connection and its scripted peer.
pub(super) struct Wire {
    pub(super) conn: Connection,
    pub(super) now: Instant,
    pub(super) limits: Limits,
    pub(super) peer: Peer,
    /// What the peer echoes; by default the value of our last packet.
    pub(super) echo: u32,
    /// What the peer's next ACKs offer, in octets.
    pub(super) window: u32,
    /// What the peer acknowledges with text, as an offset.
    acked: u32,
    /// Next octet of the peer.
    peer_next: u32,
    written: u32,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire::open(Peer::default(), TcpConfig::default())
    }

    /// An established connection, `RTT` after its SYN; everything it had to say is said.
    pub(super) fn open(peer: Peer, config: TcpConfig) -> Wire {
        let mut w = Wire::dial(peer, config);
        w.now += RTT;
        w.answer_syn();
        assert_eq!(w.conn.state(), State::Established);
        w.sends();
        assert!(w.conn.take_events().contains(Events::ESTABLISHED));
        w
    }

    /// A connection whose SYN is out.
    pub(super) fn dial(peer: Peer, config: TcpConfig) -> Wire {
        let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
        let tuple = Tuple { local: at(1, 1000), remote: at(2, 80) };
        let now = Instant::from_millis(10_000);
        let open = OpenParams { tuple, isn: ISS, timestamp_offset: 77, mtu: 1500 };
        let conn = Connection::connect(now, open, Arc::new(config));
        let window = peer.window;
        let limits = Limits::default();
        let mut w =
            Wire { conn, now, limits, peer, echo: 0, window, acked: 0, peer_next: 0, written: 0 };
        assert_eq!(w.sends().len(), 1);
        w
    }

    pub(super) fn answer_syn(&mut self) {
        let scaled = self.peer.window > 0xffff;
        let options = Options {
            mss: Some(self.peer.mss),
            window_scale: scaled.then_some(7),
            sack_permitted: self.peer.sack,
            timestamps: self.timestamps(),
            ..Options::default()
        };
        let syn = Segment {
            seq: IRS,
            ack: ISS + 1,
            flags: Flags::SYN | Flags::ACK,
            window: self.peer.window.min(0xffff) as u16,
            options,
            ..self.blank()
        };
        assert_eq!(self.conn.on_segment(self.now, &syn, 0), Verdict::Accepted);
    }

    fn timestamps(&self) -> Option<Timestamps> {
        let value = self.now.as_millis() as u32;
        self.peer.timestamps.then_some(Timestamps { value, echo: self.echo })
    }

    fn blank(&self) -> Segment<'static> {
        Segment { src_port: 80, dst_port: 1000, ..Segment::default() }
    }

    /// The peer's next pure ACK, for tests that change a field.
    pub(super) fn segment(&self) -> Segment<'static> {
        let shift = if self.peer.window > 0xffff { 7 } else { 0 };
        let options = Options { timestamps: self.timestamps(), ..Options::default() };
        Segment {
            seq: self.peer_seq(self.peer_next),
            ack: self.our_seq(self.acked),
            flags: Flags::ACK,
            window: (self.window >> shift) as u16,
            options,
            ..self.blank()
        }
    }

    pub(super) fn our_seq(&self, offset: u32) -> SeqNum {
        ISS + 1 + offset
    }

    pub(super) fn peer_seq(&self, offset: u32) -> SeqNum {
        IRS + 1 + offset
    }

    pub(super) fn deliver(&mut self, seg: &Segment<'_>) -> Verdict {
        self.conn.on_segment(self.now, seg, 0)
    }

    /// The peer acknowledges our text up to `to`.
    pub(super) fn ack(&mut self, to: u32) -> Verdict {
        self.acked = self.acked.max(to);
        let seg = Segment { ack: self.our_seq(to), ..self.segment() };
        self.deliver(&seg)
    }

    /// The same with a window of `window` octets from here on.
    pub(super) fn ack_window(&mut self, to: u32, window: u32) -> Verdict {
        self.window = window;
        self.ack(to)
    }

    /// An ACK with SACK blocks.
    pub(super) fn sack(&mut self, to: u32, blocks: &[(u32, u32)]) -> Verdict {
        self.acked = self.acked.max(to);
        let mut seg = Segment { ack: self.our_seq(to), ..self.segment() };
        seg.options.sack = self.blocks(blocks);
        self.deliver(&seg)
    }

    fn blocks(&self, blocks: &[(u32, u32)]) -> SackBlocks {
        let mut sack = SackBlocks::default();
        for (start, end) in blocks {
            sack.push(SackBlock { start: self.our_seq(*start), end: self.our_seq(*end) });
        }
        sack
    }

    /// The peer sends `len` octets of its stream from `start` on.
    pub(super) fn text(&mut self, start: u32, len: u32) -> Verdict {
        let payload = pattern(start, len);
        self.peer_next = self.peer_next.max(start + len);
        let seg = Segment { seq: self.peer_seq(start), payload: &payload, ..self.segment() };
        self.conn.on_segment(self.now, &seg, 0)
    }

    /// Writes `n` octets of our stream; returns how many were taken.
    pub(super) fn write(&mut self, n: u32) -> u32 {
        let taken = self.conn.write(self.now, &pattern(self.written, n)).unwrap() as u32;
        self.written += taken;
        taken
    }

    /// Writes `n` octets that end in urgent text; returns how many were taken.
    pub(super) fn write_urgent(&mut self, n: u32) -> u32 {
        let taken = self.conn.write_urgent(self.now, &pattern(self.written, n)).unwrap() as u32;
        self.written += taken;
        taken
    }

    /// The peer sends `len` octets from `start` on, and says that urgent text ends at `end`.
    pub(super) fn urgent_text(&mut self, start: u32, len: u32, end: u32) -> Verdict {
        let payload = pattern(start, len);
        self.peer_next = self.peer_next.max(start + len);
        let seg = Segment {
            seq: self.peer_seq(start),
            flags: Flags::ACK | Flags::URG,
            urgent: (end - start) as u16,
            payload: &payload,
            ..self.segment()
        };
        self.conn.on_segment(self.now, &seg, 0)
    }

    /// Writes `n` octets by reference.
    pub(super) fn write_bytes(&mut self, n: u32) {
        let mut data = bytes::Bytes::from(pattern(self.written, n));
        let taken = self.conn.write_bytes(self.now, &mut data).unwrap() as u32;
        assert_eq!(taken, n);
        self.written += n;
    }

    /// Reads up to `n` octets; returns how many there were.
    pub(super) fn read(&mut self, n: usize) -> usize {
        let mut buf = std::vec![0; n];
        self.conn.read(self.now, &mut buf).unwrap_or(0)
    }

    /// What the connection sends now.
    pub(super) fn sends(&mut self) -> Vec<Sent> {
        let mut all = Vec::new();
        let mut payload = Payload::new();
        while let Some(t) = self.conn.poll_transmit(self.now, &self.limits, &mut payload) {
            let text: Vec<u8> = payload.drain(..).flatten().collect();
            assert_eq!(text.len() as u32, t.payload_len);
            let s = &t.segment;
            let seq = s.seq.distance_from(ISS + 1);
            assert_eq!(text, pattern(seq, text.len() as u32), "wrong octets from {seq} on");
            let shift = if s.flags.contains(Flags::SYN) { 0 } else { self.conn.rcv.shift };
            if let Some(ts) = s.options.timestamps {
                self.echo = ts.value;
            }
            let block =
                |b: &SackBlock| (b.start.distance_from(IRS + 1), b.end.distance_from(IRS + 1));
            all.push(Sent {
                at: self.now,
                seq,
                text,
                flags: s.flags,
                urgent: s.flags.contains(Flags::URG).then(|| seq.wrapping_add(s.urgent.into())),
                ack: s.ack.distance_from(IRS + 1),
                window: u32::from(s.window) << shift,
                timestamps: s.options.timestamps,
                sack: s.options.sack.iter().map(block).collect(),
                gso: t.gso_size,
                reason: t.reason,
            });
            assert!(all.len() < 10_000, "sends without end");
        }
        all
    }

    /// Lets time pass, handling every deadline at its moment; returns what was sent meanwhile.
    pub(super) fn wait(&mut self, d: Duration) -> Vec<Sent> {
        let end = self.now + d;
        let mut all = self.sends();
        while let Some(next) = self.conn.poll_timeout().filter(|n| n.at <= end) {
            self.now = self.now.max(next.at);
            self.conn.on_timeout(self.now);
            all.extend(self.sends());
        }
        self.now = end;
        all
    }

    /// Lets time pass until the connection has ended; returns what was sent meanwhile.
    pub(super) fn wait_for_end(&mut self) -> Vec<Sent> {
        let mut all = self.sends();
        while let Some(next) = self.conn.poll_timeout() {
            self.now = self.now.max(next.at);
            self.conn.on_timeout(self.now);
            all.extend(self.sends());
            assert!(all.len() < 10_000, "no end");
        }
        assert!(self.conn.end().is_some());
        all
    }

    /// Writes `n` octets, lets them be acknowledged one round trip later, until the congestion
    /// window holds `window` octets.
    pub(super) fn grow_window(&mut self, window: u32) {
        while self.conn.info().congestion_window < window {
            let n = self.conn.info().congestion_window + MSS;
            self.write(n);
            loop {
                let sent = self.sends();
                if sent.is_empty() {
                    break;
                }
                self.now += RTT;
                let end = sent.last().map_or(0, |s| s.range().1);
                self.ack(end);
            }
        }
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut SocketOptions)) {
        self.conn.set_options(self.now, change);
    }

    pub(super) fn icmp(&mut self, offset: u32, error: IcmpError) -> bool {
        self.icmp_verdict(offset, error) != IcmpVerdict::NotBelieved
    }

    pub(super) fn icmp_verdict(&mut self, offset: u32, error: IcmpError) -> IcmpVerdict {
        self.conn.on_icmp(self.now, self.our_seq(offset), error)
    }

    pub(super) fn end(&self) -> Option<End> {
        self.conn.end()
    }

    pub(super) fn outstanding(&self) -> u32 {
        self.conn.info().send_queue as u32
    }

    pub(super) fn written(&self) -> u32 {
        self.written
    }

    /// Milliseconds from now to a deadline.
    pub(super) fn deadline(&self, timer: Timer) -> Option<u64> {
        let d = self.conn.deadlines().find(|d| d.timer == timer)?;
        Some(d.at.since(self.now).as_millis() as u64)
    }
}

fn pattern(start: u32, len: u32) -> Vec<u8> {
    (start..start + len).map(|i| (i ^ (i >> 8)) as u8).collect()
}
