//! Who talks to the stack under test? A network of one: packets in and out by hand, and a peer
//! that keeps its own sequence numbers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tcp_core::buffer::Payload;
use tcp_core::connection::{SendReason, Transmit};
use tcp_core::error::DropReason;
use tcp_core::wire::{Flags, Options, Segment, checksum};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use crate::cell::ConnId;
use crate::device::RxChecksum;
use crate::stack::ip::{self, IpOptions};
use crate::stack::{ListenOptions, ListenerId, PacketDrop, Stack, StackConfig};

pub(super) const SYN: Flags = Flags::SYN;
pub(super) const ACK: Flags = Flags::ACK;
pub(super) const FIN: Flags = Flags::FIN;
pub(super) const RST: Flags = Flags::RST;
pub(super) const PSH: Flags = Flags::PSH;

/// The peer's first sequence number, close to the wrap.
pub(super) const IRS: SeqNum = SeqNum(u32::MAX - 2);

/// An address with a port, from its text.
pub(super) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A configuration with the addresses of the tests: 10.0.0.1/24 and fd00::1/64.
pub(super) fn config() -> StackConfig {
    let addresses = vec!["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()];
    StackConfig { addresses, ..StackConfig::default() }
}

/// The stack under test with its clock.
pub(super) struct Rig {
    pub(super) stack: Stack,
    pub(super) now: Instant,
}

/// A packet that came out of the stack.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) when: Instant,
    pub(super) bytes: Vec<u8>,
    pub(super) src: SocketAddr,
    pub(super) dst: SocketAddr,
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    pub(super) flags: Flags,
    pub(super) mss: Option<u16>,
    pub(super) text: Vec<u8>,
    pub(super) len: u32,
}

impl Heard {
    fn parse(when: Instant, bytes: Vec<u8>) -> Heard {
        let Ok(ip::Parsed::Whole(p)) = ip::parse(&bytes) else { panic!("no packet: {bytes:?}") };
        assert_eq!(p.protocol, ip::TCP);
        // MUST-2
        assert!(checksum::verify(p.src, p.dst, ip::TCP, p.payload), "checksum of our own packet");
        let s = Segment::parse(p.payload).expect("a segment");
        Heard {
            when,
            src: SocketAddr::new(p.src, s.src_port),
            dst: SocketAddr::new(p.dst, s.dst_port),
            seq: s.seq,
            ack: s.ack,
            flags: s.flags,
            mss: s.options.mss,
            text: s.payload.to_vec(),
            len: s.seq_len(),
            bytes: bytes.clone(),
        }
    }
}

/// An IP packet around a segment.
pub(super) fn packet(
    src: SocketAddr,
    dst: SocketAddr,
    s: Segment<'static>,
    text: &[u8],
) -> Vec<u8> {
    let segment = Segment { src_port: src.port(), dst_port: dst.port(), ..s };
    let tuple = Tuple { local: Endpoint::from(src), remote: Endpoint::from(dst) };
    let t = Transmit {
        segment,
        payload_len: text.len() as u32,
        gso_size: None,
        reason: SendReason::Text,
    };
    let payload: Payload = [bytes::Bytes::copy_from_slice(text)].into_iter().collect();
    let o = IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: None };
    ip::build(&tuple, &t, payload, o, false).to_vec()
}

/// A segment without options.
pub(super) fn segment(flags: Flags, seq: SeqNum, ack: SeqNum) -> Segment<'static> {
    Segment { seq, ack, flags, window: 60_000, ..Segment::default() }
}

/// A SYN with an MSS.
pub(super) fn syn() -> Segment<'static> {
    let options = Options { mss: Some(1460), ..Options::default() };
    Segment { options, ..segment(SYN, IRS, SeqNum(0)) }
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(config())
    }

    pub(super) fn with(config: StackConfig) -> Rig {
        let now = Instant::from_millis(1000);
        Rig { stack: Stack::new(now, config, [7; 32]), now }
    }

    pub(super) fn listen(&mut self, addr: &str) -> ListenerId {
        self.stack.listen(at(addr), ListenOptions::default()).unwrap()
    }

    pub(super) fn listen_with(&mut self, addr: &str, backlog: usize) -> ListenerId {
        let options = ListenOptions { backlog, ..ListenOptions::default() };
        self.stack.listen(at(addr), options).unwrap()
    }

    pub(super) fn accept(&mut self, id: ListenerId) -> Option<ConnId> {
        self.stack.accept(id).unwrap()
    }

    /// A packet arrives.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.stack.receive(self.now, bytes, RxChecksum::Unknown, None);
    }

    /// A segment without text arrives.
    pub(super) fn say(&mut self, src: SocketAddr, dst: SocketAddr, s: Segment<'static>) {
        self.put(&packet(src, dst, s, &[]));
    }

    /// The next packet out, whatever it is.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.stack.poll_transmit(self.now).map(|p| p.to_vec())
    }

    /// All segments out.
    pub(super) fn hear(&mut self) -> Vec<Heard> {
        let now = self.now;
        std::iter::from_fn(|| self.next()).map(|b| Heard::parse(now, b)).collect()
    }

    /// The only segment out.
    pub(super) fn hear_one(&mut self) -> Heard {
        let mut all = self.hear();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// Nothing comes out.
    pub(super) fn silence(&mut self) {
        assert_eq!(self.next(), None);
    }

    /// Lets time pass, with all deadlines on the way, and returns what came out.
    pub(super) fn wait(&mut self, span: Duration) -> Vec<Heard> {
        let end = self.now + span;
        let mut all = self.hear();
        while let Some(next) = self.stack.next_deadline().filter(|d| *d <= end) {
            self.now = self.now.max(next);
            self.stack.on_deadline(self.now);
            all.extend(self.hear());
        }
        self.now = end;
        all
    }

    /// Lets time pass and looks at nothing that comes out.
    pub(super) fn wait_quietly(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.stack.next_deadline().filter(|d| *d <= end) {
            self.now = self.now.max(next);
            self.stack.on_deadline(self.now);
            while self.next().is_some() {}
        }
        self.now = end;
    }

    pub(super) fn drops(&self, why: PacketDrop) -> u64 {
        self.stack.counters().packet_drops(why)
    }

    pub(super) fn segment_drops(&self, why: DropReason) -> u64 {
        self.stack.counters().segment_drops(why)
    }

    pub(super) fn read(&mut self, id: ConnId) -> Vec<u8> {
        let mut buf = [0; 4096];
        let n = self.stack.read(self.now, id, &mut buf).unwrap();
        buf[..n].to_vec()
    }

    /// Half-open records, connections, TIME-WAIT records.
    pub(super) fn records(&self) -> (usize, usize, usize) {
        let s = &self.stack;
        (s.half_open_count(), s.connection_count(), s.time_wait_count())
    }

    /// No record is left in any table.
    pub(super) fn assert_empty_but_for_listeners(&self) {
        assert_eq!(self.records(), (0, 0, 0));
        assert_eq!(self.stack.demux_count(), 0, "demultiplexer");
        assert_eq!(self.stack.timer_count(), 0, "timers");
    }

    /// Nothing is left in any table.
    pub(super) fn assert_empty(&self) {
        self.assert_empty_but_for_listeners();
        assert!(self.stack.ports.is_empty(), "ports: {:?}", self.stack.ports);
    }
}

/// One remote end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) me: SocketAddr,
    pub(super) to: SocketAddr,
    /// The next number it sends.
    pub(super) nxt: SeqNum,
    /// The next number it expects.
    pub(super) rcv: SeqNum,
}

impl Peer {
    /// Sends a SYN and takes the SYN-ACK; the last ACK is still to come.
    pub(super) fn half_open(rig: &mut Rig, me: &str, to: &str) -> Peer {
        let (me, to) = (at(me), at(to));
        rig.say(me, to, syn());
        let answer = rig.hear_one();
        assert_eq!((answer.flags, answer.ack), (SYN | ACK, IRS + 1));
        Peer { me, to, nxt: IRS + 1, rcv: answer.seq + 1 }
    }

    /// Connects to a listener.
    pub(super) fn connect(rig: &mut Rig, me: &str, to: &str) -> Peer {
        let mut peer = Peer::half_open(rig, me, to);
        peer.send(rig, ACK, b"");
        rig.silence();
        peer
    }

    /// Answers the SYN of the stack's active open and completes the handshake.
    pub(super) fn answer(rig: &mut Rig) -> Peer {
        let first = rig.hear_one();
        assert_eq!(first.flags, SYN);
        let mut peer = Peer { me: first.dst, to: first.src, nxt: IRS, rcv: first.seq + 1 };
        let s = Segment { ack: peer.rcv, flags: SYN | ACK, ..syn() };
        rig.say(peer.me, peer.to, s);
        peer.nxt += 1;
        assert_eq!(rig.hear_one().flags, ACK);
        peer
    }

    /// The packet it would send next.
    pub(super) fn packet(&self, flags: Flags, text: &[u8]) -> Vec<u8> {
        packet(self.me, self.to, segment(flags, self.nxt, self.rcv), text)
    }

    /// Sends the next segment.
    pub(super) fn send(&mut self, rig: &mut Rig, flags: Flags, text: &[u8]) {
        let bytes = self.packet(flags, text);
        rig.put(&bytes);
        self.nxt += text.len() as u32 + u32::from(flags.intersects(SYN | FIN));
    }

    /// Takes the only segment out, in order.
    pub(super) fn hear(&mut self, rig: &mut Rig) -> Heard {
        let heard = rig.hear_one();
        assert_eq!((heard.src, heard.dst), (self.to, self.me));
        assert_eq!(heard.seq, self.rcv, "{heard:#?}");
        self.rcv = heard.seq + heard.len;
        heard
    }
}

/// An ICMP message to the stack about one of its packets.
pub(super) fn icmp(from: IpAddr, kind: u8, code: u8, rest: u32, quoted: &[u8]) -> Vec<u8> {
    let to = match quoted[0] >> 4 {
        4 => IpAddr::from(<[u8; 4]>::try_from(&quoted[12..16]).unwrap()),
        _ => IpAddr::from(<[u8; 16]>::try_from(&quoted[8..24]).unwrap()),
    };
    icmp_to(from, to, (kind, code), rest, quoted)
}

/// An ICMP or ICMPv6 message, by the family of the addresses.
pub(super) fn icmp_to(
    from: IpAddr,
    to: IpAddr,
    (kind, code): (u8, u8),
    rest: u32,
    body: &[u8],
) -> Vec<u8> {
    use tcp_core::wire::checksum::Sum;
    let len = 8 + body.len();
    let mut b = vec![0; 40 + len];
    let protocol = if from.is_ipv4() { ip::ICMPV4 } else { ip::ICMPV6 };
    let o = IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: None };
    let header = ip::emit_header(&mut b, from, to, protocol, len, o);
    b.truncate(header + len);
    let m = &mut b[header..];
    m[0] = kind;
    m[1] = code;
    m[4..8].copy_from_slice(&rest.to_be_bytes());
    m[8..].copy_from_slice(body);
    let start = if from.is_ipv4() {
        Sum::new()
    } else {
        Sum::pseudo_header(from, to, protocol, len as u32)
    };
    let sum = start.add(m).finish();
    m[2..4].copy_from_slice(&sum.to_be_bytes());
    b
}
