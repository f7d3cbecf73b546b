//! How do tests talk to a connection? [`Peer`] crafts segments against one connection, as an exact
//! or a forging peer would. Two connections that talk to each other are in `pair`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::super::{Connection, Limits, OpenParams, SendReason, State, Transmit, Verdict};
use crate::buffer::Payload;
use crate::config::{BufferLimits, TcpConfig};
use crate::reset::reply_to;
use crate::wire::{Flags, Options, Segment};
use crate::{Endpoint, Instant, SeqNum, Tuple};

pub(super) use super::pair::{Fate, Pair};

pub(super) const SYN: Flags = Flags::SYN;
pub(super) const ACK: Flags = Flags::ACK;
pub(super) const RST: Flags = Flags::RST;
pub(super) const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
pub(super) const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
pub(super) const RST_ACK: Flags = Flags::RST.union(Flags::ACK);

/// Receive buffer of [`small_config`] and so the window: no scale, easy to see in a trace.
pub(super) const WINDOW: u32 = 10_000;

/// Our and the peer's initial sequence numbers: far from the wrap, and wrapping in the handshake,
/// in the text and in the window.
pub(super) const ISNS: [Isns; 5] = [
    Isns { ours: SeqNum(1000), theirs: SeqNum(500_000) },
    Isns { ours: SeqNum(u32::MAX), theirs: SeqNum(u32::MAX) },
    Isns { ours: SeqNum(u32::MAX - 1), theirs: SeqNum(u32::MAX - 50) },
    Isns { ours: SeqNum(u32::MAX - 5), theirs: SeqNum(u32::MAX - 5_000) },
    Isns { ours: SeqNum(0x7fff_fffe), theirs: SeqNum(0x7fff_ffff) },
];

/// The two initial sequence numbers of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Isns {
    pub(super) ours: SeqNum,
    pub(super) theirs: SeqNum,
}

/// Two hosts: 1 is us, 2 is the peer.
pub(super) fn v4() -> Tuple {
    let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
    Tuple { local: at(1, 4000), remote: at(2, 80) }
}

pub(super) fn v6() -> Tuple {
    let at = |n, port| Endpoint::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n)), port);
    Tuple { local: at(1, 4000), remote: at(2, 80) }
}

pub(super) fn params(tuple: Tuple, isn: SeqNum) -> OpenParams {
    OpenParams { tuple, isn, timestamp_offset: 77, mtu: 1500 }
}

/// A fixed window without scale and no timestamps, so that every number is plain.
pub(super) fn small_config() -> TcpConfig {
    let receive_buffer = BufferLimits { initial: WINDOW as usize, max: WINDOW as usize };
    TcpConfig { timestamps: false, window_scaling: false, receive_buffer, ..TcpConfig::default() }
}

pub(super) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A packet that came out of a connection.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) head: Segment<'static>,
    pub(super) text: Vec<u8>,
    /// Why; none for an answer made without a connection.
    pub(super) reason: Option<SendReason>,
}

impl Sent {
    pub(super) fn bare(at: Instant, head: Segment<'static>) -> Sent {
        Sent { at, head, text: Vec::new(), reason: None }
    }

    fn new(at: Instant, t: Transmit, payload: &Payload) -> Sent {
        let text = payload.iter().flat_map(|b| b.iter().copied()).collect();
        Sent { at, head: t.segment, text, reason: Some(t.reason) }
    }

    pub(super) fn segment(&self) -> Segment<'_> {
        Segment { payload: &self.text, ..self.head }
    }

    pub(super) fn end(&self) -> SeqNum {
        self.head.seq + self.segment().seq_len()
    }

    pub(super) fn is(&self, flags: Flags) -> bool {
        self.head.flags.without(Flags::PSH) == flags
    }
}

/// Everything `c` wants to send now.
pub(super) fn drain(c: &mut Connection, now: Instant) -> Vec<Sent> {
    let mut out = Vec::new();
    let mut payload = Payload::new();
    while let Some(t) = c.poll_transmit(now, &Limits::default(), &mut payload) {
        out.push(Sent::new(now, t, &payload));
        payload.clear();
        assert!(out.len() < 10_000, "the connection never stops sending");
    }
    out
}

/// What a segment was answered with.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) verdict: Verdict,
    pub(super) sent: Vec<Sent>,
}

impl Reply {
    /// The only packet of the answer.
    #[track_caller]
    pub(super) fn one(&self) -> &Sent {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        &self.sent[0]
    }

    #[track_caller]
    pub(super) fn assert_silent(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }
}

/// A peer that says what the test wants, against one connection. It remembers what an exact peer
/// would know: what it has sent, what it has seen, and the window it was offered.
pub(super) struct Peer {
    pub(super) c: Connection,
    pub(super) now: Instant,
    /// The peer's SND.NXT.
    pub(super) nxt: SeqNum,
    /// The peer's RCV.NXT: what it has seen of us.
    pub(super) seen: SeqNum,
    /// The highest ACK and the right edge we have told the peer.
    pub(super) acked: SeqNum,
    pub(super) edge: SeqNum,
    /// Options of the peer's SYN.
    pub(super) options: Options<'static>,
}

impl Peer {
    /// We connect: our SYN is out.
    pub(super) fn connecting(isns: Isns) -> Peer {
        let (p, syn) = Peer::connect(v4(), isns, small_config());
        assert!(syn.is(SYN));
        p
    }

    /// We connect; also gives the SYN.
    pub(super) fn connect(tuple: Tuple, isns: Isns, config: TcpConfig) -> (Peer, Sent) {
        let now = Instant::from_millis(5000);
        let c = Connection::connect(now, params(tuple, isns.ours), Arc::new(config));
        let mut p = Peer {
            c,
            now,
            nxt: isns.theirs,
            seen: isns.ours,
            acked: isns.theirs,
            edge: isns.theirs,
            options: Options { mss: Some(1000), sack_permitted: true, ..Options::default() },
        };
        let sent = p.drain();
        let [syn] = &sent[..] else { panic!("{sent:?}") };
        (p, syn.clone())
    }

    pub(super) fn established(isns: Isns) -> Peer {
        let mut p = Peer::connecting(isns);
        p.accept();
        p
    }

    pub(super) fn established_with(config: TcpConfig) -> Peer {
        let (mut p, _) = Peer::connect(v4(), ISNS[1], config);
        p.accept();
        p
    }

    /// Answers our SYN in order.
    pub(super) fn accept(&mut self) {
        let reply = self.give(SYN_ACK, b"");
        assert!(reply.one().is(ACK));
        assert_eq!(self.c.state(), State::Established);
    }

    /// A connection that has come to `state` in order, with nothing owed in either direction but
    /// what makes the state.
    pub(super) fn in_state(state: State, isns: Isns) -> Peer {
        let mut p = Peer::connecting(isns);
        match state {
            State::SynSent => return p,
            State::SynReceived => {
                p.give(SYN, b"");
                return p;
            }
            _ => p.accept(),
        }
        if matches!(state, State::CloseWait | State::LastAck) {
            p.give(FIN_ACK, b"");
        }
        if !matches!(state, State::Established | State::CloseWait) {
            p.close_write();
        }
        match state {
            // The peer sends its FIN before it has seen ours.
            State::Closing => {
                let before = p.c.snd.una;
                p.give_segment(&Segment { ack: before, ..p.segment(FIN_ACK) });
                p.nxt += 1;
            }
            State::FinWait2 => p.give(ACK, b"").assert_silent(),
            State::TimeWait => {
                p.give(FIN_ACK, b"");
            }
            _ => {}
        }
        assert_eq!(p.c.state(), state);
        p
    }

    /// The application closes its direction; our FIN is seen by the peer, not acknowledged.
    pub(super) fn close_write(&mut self) {
        self.c.close_write().expect("close");
        let sent = self.drain();
        assert!(sent.last().is_some_and(|s| s.head.flags.contains(Flags::FIN)), "{sent:?}");
    }

    /// A segment as an exact peer would send it now.
    pub(super) fn segment(&self, flags: Flags) -> Segment<'static> {
        let tuple = self.c.tuple();
        let acks = flags.contains(Flags::ACK);
        let options = if flags.contains(Flags::SYN) { self.options } else { Options::default() };
        Segment {
            src_port: tuple.remote.port,
            dst_port: tuple.local.port,
            seq: self.nxt,
            ack: if acks { self.seen } else { SeqNum(0) },
            flags,
            window: 20_000,
            urgent: 0,
            options,
            payload: &[],
        }
    }

    /// Sends the next segment in order; its sequence numbers count as sent.
    pub(super) fn give(&mut self, flags: Flags, text: &[u8]) -> Reply {
        let seg = Segment { payload: text, ..self.segment(flags) };
        self.nxt = seg.seq + seg.seq_len();
        self.give_segment(&seg)
    }

    /// Sends exactly `seg`; answers as a stack would.
    pub(super) fn give_segment(&mut self, seg: &Segment<'_>) -> Reply {
        let verdict = self.c.on_segment(self.now, seg, 0);
        let mut sent = Vec::new();
        if let Verdict::DroppedReset(_) = verdict {
            sent.extend(reply_to(seg).map(|r| Sent::bare(self.now, r)));
        }
        sent.extend(self.drain());
        Reply { verdict, sent }
    }

    /// Takes what the connection sends.
    pub(super) fn drain(&mut self) -> Vec<Sent> {
        let sent = drain(&mut self.c, self.now);
        for s in &sent {
            if s.head.flags.contains(Flags::RST) {
                continue;
            }
            self.seen = self.seen.max(s.end());
            if s.head.flags.contains(Flags::ACK) {
                // RFC 7323 2.2: the window of a SYN is never scaled.
                let shift = if s.head.flags.contains(SYN) { 0 } else { self.c.rcv.shift };
                let edge = s.head.ack + (u32::from(s.head.window) << shift);
                self.acked = s.head.ack;
                assert!(edge.at_or_after(self.edge), "SHLD-14: the window shrank: {s:?}");
                self.edge = edge;
            }
        }
        sent
    }

    /// Lets time pass, timers firing when they are due; what is sent is gone for the peer, but
    /// it is returned.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<Sent> {
        let until = self.now + time;
        let mut sent = Vec::new();
        while let Some(d) = self.c.poll_timeout().filter(|d| d.at <= until) {
            self.now = self.now.max(d.at);
            self.c.on_timeout(self.now);
            sent.extend(self.drain());
        }
        self.now = until;
        sent
    }

    pub(super) fn read(&mut self) -> Vec<u8> {
        let mut buf = [0; 65_536];
        let n = self.c.read(self.now, &mut buf).unwrap_or(0);
        buf[..n].to_vec()
    }
}
