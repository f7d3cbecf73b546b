//! What can happen to a stack? The operations of a run, and what peers and time do by them; the
//! application's part is in `calls`.

use std::time::Duration;

use arbitrary::Arbitrary;
use tcp_core::SeqNum;
use tcp_core::wire::Flags;
use tcp_io::device::RxChecksum;

use super::{DESK, World};
use crate::fuzz::Blob;
use crate::fuzz::datagrams::{Act, Ends};
use crate::fuzz::packet::{Crafted, icmp_error, ip_packet};
use crate::fuzz::requests;

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Op {
    Raw(Blob<100>),
    /// Any octets as the payload of an IP packet for us.
    Ip {
        protocol: u8,
        payload: Blob<80>,
    },
    Segment(Aim),
    /// What an honest peer would send next.
    Honest {
        peer: u8,
        flags: u8,
        len: u16,
    },
    Icmp {
        peer: u8,
        offset: i16,
        kind: u8,
        code: u8,
        rest: u32,
    },
    /// A SYN from a new peer.
    Syn {
        port: u8,
        len: u8,
    },
    Write(u8, u16),
    Read(u8, u16),
    Shutdown(u8),
    Close(u8),
    Abort(u8),
    Accept,
    Connect {
        port: u8,
        fixed: bool,
        loopback: bool,
    },
    Listen(u8),
    Unlisten(u8),
    /// A SYN for the listener whose requests wait for a decision.
    Ask {
        port: u8,
        len: u8,
    },
    Request(requests::Call),
    NextDeadline,
    Advance(u32),
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) struct Aim {
    peer: u8,
    seq: Number,
    ack: Number,
    flags: u16,
    window: u16,
    urgent: u16,
    options: Blob<40>,
    len: u16,
    piece: u16,
    good: bool,
}

/// A sequence number, usually near one that counts.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Number {
    Exact,
    Near(i8),
    Window(i32),
    Any(u32),
}

impl Number {
    fn at(self, base: SeqNum) -> SeqNum {
        match self {
            Number::Exact => base,
            Number::Near(d) => base + d as u32,
            Number::Window(d) => base + (d >> 12) as u32,
            Number::Any(n) => SeqNum(n),
        }
    }
}

impl World {
    pub(super) fn act(&mut self, op: &Op) {
        match op {
            Op::Raw(b) => self.receive(&b.0, RxChecksum::Unknown, None),
            Op::Ip { protocol, payload } => {
                let (src, dst) = (self.remote(0).ip, self.local(0).ip);
                let p = ip_packet(src, dst, *protocol, &payload.0);
                self.receive(&p, RxChecksum::Good, None);
            }
            Op::Segment(aim) => self.aim(aim),
            Op::Honest { peer, flags, len } => {
                let i = usize::from(*peer) % self.peers.len();
                let flags = Flags::from_bits(u16::from(*flags));
                self.honest(i, flags, &vec![1; usize::from(*len) % 3000]);
            }
            Op::Icmp { peer, offset, kind, code, rest } => {
                let p = &self.peers[usize::from(*peer) % self.peers.len()];
                let seq = p.expects - 1 + i32::from(*offset) as u32;
                let packet = icmp_error(p.tuple, seq, *kind, *code, *rest);
                self.receive(&packet, RxChecksum::Unknown, None);
            }
            Op::Syn { port, len } => {
                self.syn(6000 + u16::from(*port) % 32, &vec![2; usize::from(*len)]);
            }
            Op::Ask { port, len } => {
                self.syn_to(DESK, 6000 + u16::from(*port) % 8, &vec![2; usize::from(*len)]);
            }
            Op::Request(call) => {
                self.conns.extend(self.desk.call(self.now, &mut self.stack, *call));
            }
            Op::NextDeadline => {
                if let Some(at) = self.stack.next_deadline() {
                    self.pass_to(self.now.max(at));
                }
            }
            Op::Advance(n) => {
                // Scarce memory is looked at ten times a second: minutes, not hours.
                let step = if self.scarce { 30 } else { 8000 };
                let time = Duration::from_nanos(u64::from(*n) * step);
                self.pass_to(self.now + time);
            }
            _ => self.call(op),
        }
    }

    /// The same once more, as it concerns UDP.
    pub(super) fn act_on_datagrams(&mut self, op: &Op) {
        let act = match *op {
            Op::Listen(n) => Act::Bind(n),
            Op::Unlisten(n) => Act::Close(n),
            Op::Connect { port, loopback, .. } => Act::Connect { port, loopback },
            Op::Shutdown(n) => Act::Disconnect(n),
            Op::Write(socket, len) => Act::Send { socket, len },
            Op::Read(socket, most) => Act::Receive { socket, most },
            Op::Abort(n) => Act::Group(n),
            Op::Honest { peer, flags, len } => Act::Arrive { from: peer, to: flags, len, piece: 0 },
            Op::Syn { port, len } => {
                Act::Arrive { from: port, to: port / 4, len: u16::from(len) * 64, piece: len }
            }
            Op::Icmp { peer, kind, code, rest, .. } => Act::Icmp { socket: peer, kind, code, rest },
            _ => return,
        };
        let ends = Ends { local: self.local(0).ip, remote: self.remote(0).ip };
        self.sockets.act(self.now, &mut self.stack, ends, act);
    }

    fn aim(&mut self, aim: &Aim) {
        let p = &self.peers[usize::from(aim.peer) % self.peers.len()];
        let text = vec![3; usize::from(aim.len) % 4000];
        let c = Crafted {
            tuple: p.tuple,
            seq: aim.seq.at(p.acked),
            ack: aim.ack.at(p.expects),
            flags: aim.flags,
            window: aim.window,
            urgent: aim.urgent,
            options: &aim.options.0,
            text: &text,
        };
        let mut packet = c.octets();
        if !aim.good {
            let last = packet.len() - 1;
            packet[last] ^= 0x55;
        }
        let piece = Some(aim.piece).filter(|n| *n > 0);
        self.receive(&packet, RxChecksum::Unknown, piece);
    }
}
