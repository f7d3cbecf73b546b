//! Does every reason to drop a packet count, once a packet? A table: a new reason without a case
//! fails to compile here, or fails the test.

use std::time::Duration;

use tcp_core::config::SocketOptions;
use tcp_core::error::DropReason;
use tcp_core::memory::{GUARANTEED, MemoryLimits};
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{Flags, Options, Segment, Timestamps};

use super::peer::*;
use super::udp::udp;
use crate::cell::ConnId;
use crate::device::RxChecksum;
use crate::stack::fragments::MAX_PIECES;
use crate::stack::ip::{TCP, UDP};
use crate::stack::{
    ConnectOptions, ListenOptions, PacketDrop, PendingOptions, Rejection, Routes, StackConfig,
    SynCookies, Unreachability,
};

const PEER: &str = "10.0.0.2:4000";
const SERVER: &str = "10.0.0.1:80";

/// An IPv4 header's checksum, corrected.
fn header(mut p: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut p);
    p[10..12].copy_from_slice(&[0, 0]);
    let sum = Sum::new().add(&p[..20]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p
}

fn request(from: &str, to: &str) -> Vec<u8> {
    packet(at(from), at(to), syn(), &[])
}

/// A segment whose header says that it is longer than the packet; its checksum fits.
fn too_short() -> Vec<u8> {
    let whole = packet(at(PEER), at(SERVER), segment(ACK, IRS, IRS), &[0; 100]);
    let mut p = header(whole[..40].to_vec(), |p| p[2..4].copy_from_slice(&[0, 40]));
    p[32] = 0xf0;
    p[36..38].copy_from_slice(&[0, 0]);
    let (s, d) = (at(PEER).ip(), at(SERVER).ip());
    let sum = Sum::pseudo_header(s, d, 6, 20).add(&p[20..]).finish();
    p[36..38].copy_from_slice(&sum.to_be_bytes());
    p
}

/// A piece of a datagram; `at` counts octets.
fn piece(protocol: u8, at: u16, more: bool, text: &[u8]) -> Vec<u8> {
    let p = [&request(PEER, SERVER)[..20], text].concat();
    header(p, |p| {
        let (len, field) = (p.len() as u16, at / 8 + (u16::from(more) << 13));
        p[2..4].copy_from_slice(&len.to_be_bytes());
        p[6..8].copy_from_slice(&field.to_be_bytes());
        p[9] = protocol;
    })
}

/// What makes a stack drop a packet.
enum Cause {
    Packet(Vec<u8>),
    /// Nothing else comes for so long.
    Silence(Duration),
    /// The stack sends.
    Drain,
}

/// What makes a stack drop a packet for `why`, and that stack.
fn dropped(why: PacketDrop) -> (Rig, Cause) {
    let mut rig = Rig::new();
    let good = request(PEER, SERVER);
    let bad = match why {
        PacketDrop::Malformed => good[..30].to_vec(),
        PacketDrop::NotForUs => request(PEER, "10.0.0.9:80"),
        PacketDrop::BadSource => request("255.255.255.255:4000", SERVER),
        PacketDrop::NotUnicast => request(PEER, "10.0.0.255:80"),
        PacketDrop::Protocol => header(good, |p| p[9] = 132),
        PacketDrop::Checksum => {
            let mut p = good;
            p[36] ^= 1;
            p
        }
        PacketDrop::BadSegment => too_short(),
        PacketDrop::NoConnection => good,
        PacketDrop::SynQueueFull => {
            rig = Rig::with(StackConfig { syn_cookies: SynCookies::Never, ..config() });
            let none = ListenOptions { syn_backlog: Some(0), ..ListenOptions::default() };
            rig.stack.listen(at(SERVER), none).unwrap();
            good
        }
        PacketDrop::AcceptQueueFull => {
            rig.listen_with(SERVER, 0);
            Peer::connect(&mut rig, "10.0.0.2:4001", SERVER);
            good
        }
        PacketDrop::TooManyConnections => {
            rig = Rig::with(StackConfig { max_connections: 0, ..config() });
            rig.listen(SERVER);
            Peer::half_open(&mut rig, PEER, SERVER).packet(ACK, b"")
        }
        PacketDrop::NoRoute => {
            let routes = Routes::Only(Vec::new());
            rig = Rig::with(StackConfig { routes, ..config() });
            request("192.0.2.1:4000", SERVER)
        }
        PacketDrop::HopLimit => {
            let options = Some(SocketOptions { min_hop_limit: 65, ..SocketOptions::default() });
            let near = ListenOptions { options, ..ListenOptions::default() };
            rig.stack.listen(at(SERVER), near).unwrap();
            good
        }
        PacketDrop::NoSource => {
            let (_, id) = connected(&mut rig);
            rig.stack.write(rig.now, id, b"lost").unwrap();
            assert!(rig.stack.remove_address(at(SERVER).ip()));
            return (rig, Cause::Drain);
        }
        PacketDrop::IcmpRateLimit => {
            rig = Rig::with(StackConfig { icmp_msgs_per_sec: 0, ..config() });
            header(good, |p| p[9] = 132)
        }
        PacketDrop::IcmpNotBelieved => icmp(at(PEER).ip(), 3, 1, 0, &request(SERVER, PEER)),
        PacketDrop::IcmpIgnored => icmp(at(PEER).ip(), 4, 0, 0, &request(SERVER, PEER)),
        PacketDrop::AnswerQueueFull => {
            // Resets that nobody takes; the queue holds one less than this stack will owe.
            for _ in 0..crate::stack::ANSWERS {
                rig.put(&request(PEER, SERVER));
            }
            good
        }
        PacketDrop::InTimeWait => {
            let l = rig.listen(SERVER);
            let mut peer = Peer::connect(&mut rig, PEER, SERVER);
            let id = rig.accept(l).unwrap();
            rig.stack.close(rig.now, id);
            peer.hear(&mut rig);
            peer.send(&mut rig, FIN | ACK, b"");
            rig.hear();
            peer.packet(ACK, b"")
        }
        why => return dropped_request(why),
    };
    (rig, Cause::Packet(bad))
}

/// [`dropped`], for the reasons that only a handshake with a listener meets.
fn dropped_request(why: PacketDrop) -> (Rig, Cause) {
    let mut rig = Rig::new();
    let good = request(PEER, SERVER);
    let bad = match why {
        PacketDrop::BadCookie => {
            rig = Rig::with(StackConfig { syn_cookies: SynCookies::Always, ..config() });
            rig.listen(SERVER);
            Peer::half_open(&mut rig, "10.0.0.2:4001", SERVER);
            packet(at(PEER), at(SERVER), segment(ACK, IRS + 1, IRS), &[])
        }
        PacketDrop::UsedCookie => {
            rig = Rig::with(StackConfig { syn_cookies: SynCookies::Always, ..config() });
            let l = rig.listen(SERVER);
            let mut peer = Peer::half_open(&mut rig, PEER, SERVER);
            let ack = peer.packet(ACK, b"");
            peer.send(&mut rig, ACK, b"");
            let id = rig.accept(l).unwrap();
            rig.stack.abort(id);
            rig.hear();
            ack
        }
        PacketDrop::PendingQueueFull => {
            listen_pending(&mut rig);
            rig.put(&request("10.0.0.2:4001", SERVER));
            good
        }
        PacketDrop::Undecided => {
            listen_pending(&mut rig);
            rig.put(&good);
            good
        }
        why => return dropped_datagram(why),
    };
    (rig, Cause::Packet(bad))
}

/// [`dropped`], for the reasons that only a datagram meets.
fn dropped_datagram(why: PacketDrop) -> (Rig, Cause) {
    let mut rig = Rig::new();
    let good = udp(PEER, SERVER, b"text");
    let bad = match why {
        PacketDrop::UdpNoPort => good,
        PacketDrop::UdpMalformed => {
            rig.udp(SERVER);
            let mut p = good;
            p[25] += 1;
            p
        }
        PacketDrop::UdpChecksum => {
            rig.udp(SERVER);
            let mut p = good;
            p[28] ^= 1;
            p
        }
        PacketDrop::UdpReceiveBuffer => {
            rig = Rig::with(StackConfig { rmem_default: 0, ..config() });
            rig.udp(SERVER);
            for _ in 0..4 {
                rig.put(&udp(PEER, SERVER, &[0; 1000]));
            }
            assert!(rig.stack.counters().total_drops() > 0);
            good
        }
        PacketDrop::UdpMemory => {
            rig = Rig::with(StackConfig { udp_mem: 0, ..config() });
            rig.udp(SERVER);
            good
        }
        why => return dropped_fragment(why),
    };
    (rig, Cause::Packet(bad))
}

/// [`dropped`], for the reasons that only a fragment meets.
fn dropped_fragment(why: PacketDrop) -> (Rig, Cause) {
    let mut rig = Rig::new();
    let bad = match why {
        PacketDrop::FragmentTimeout => {
            rig.put(&piece(UDP, 8, true, &[0; 8]));
            return (rig, Cause::Silence(Duration::from_secs(31)));
        }
        PacketDrop::FragmentOverlap => {
            rig.put(&piece(UDP, 0, true, &[0; 16]));
            piece(UDP, 8, true, &[0; 16])
        }
        PacketDrop::FragmentDuplicate => {
            rig.put(&piece(UDP, 0, true, &[0; 16]));
            piece(UDP, 0, true, &[0; 16])
        }
        PacketDrop::FragmentTooMany => {
            let most = MAX_PIECES as u16;
            for n in 0..most {
                rig.put(&piece(UDP, 16 * n, true, &[0; 8]));
            }
            piece(UDP, 16 * most, true, &[0; 8])
        }
        PacketDrop::FragmentTiny => piece(TCP, 0, true, &[0; 8]),
        PacketDrop::FragmentMemory => {
            rig = Rig::with(StackConfig { ipfrag_high_thresh: 0, ..config() });
            piece(UDP, 0, true, &[0; 8])
        }
        PacketDrop::FragmentTooLong => piece(UDP, 0xfff8, true, &[0; 8]),
        why => panic!("{why:?} is no reason to drop a fragment"),
    };
    (rig, Cause::Packet(bad))
}

/// Leaves one request at a time to the application; who is not answered is unreachable.
fn listen_pending(rig: &mut Rig) {
    let on_timeout = Rejection::Unreachable(Unreachability::Host);
    let pending = PendingOptions { max_undecided: 1, on_timeout, ..PendingOptions::default() };
    let options = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
    rig.stack.listen(at(SERVER), options).unwrap();
}

#[test]
fn every_reason_to_drop_a_packet_counts_once() {
    for &why in PacketDrop::ALL {
        let (mut rig, cause) = dropped(why);
        let before = (rig.drops(why), rig.stack.counters().total_drops());
        match cause {
            Cause::Packet(bad) => rig.put(&bad),
            Cause::Silence(span) => rig.wait_quietly(span),
            Cause::Drain => rig.silence(),
        }
        let after = (rig.drops(why), rig.stack.counters().total_drops());
        // An answer that is dropped was about a packet that counts for itself.
        let answer = matches!(why, PacketDrop::AnswerQueueFull | PacketDrop::IcmpRateLimit);
        let others = u64::from(answer);
        assert_eq!(after, (before.0 + 1, before.1 + 1 + others), "{why:?}");
    }
}

#[test]
fn all_reasons_stand_at_their_counter() {
    for (i, &why) in PacketDrop::ALL.iter().enumerate() {
        assert_eq!(why as usize, i);
    }
}

fn connected(rig: &mut Rig) -> (Peer, ConnId) {
    let l = rig.listen(SERVER);
    let peer = Peer::connect(rig, PEER, SERVER);
    (peer, rig.accept(l).unwrap())
}

/// The segment that a connection or a half-open record drops for `why`.
fn refused(why: DropReason) -> (Rig, Vec<u8>) {
    let mut rig = Rig::new();
    let small = MemoryLimits { low: 0, pressure: 0, high: 1 };
    if why == DropReason::NoMemory {
        rig = Rig::with(StackConfig { memory: small, ..config() });
    }
    if why == DropReason::NotSyn {
        let to = at("10.0.0.2:80");
        rig.stack.connect(rig.now, to, ConnectOptions::default()).unwrap();
        let sent = rig.hear_one();
        return (rig, packet(sent.dst, sent.src, segment(ACK, IRS, sent.seq + 1), &[]));
    }
    if why == DropReason::Paws {
        rig.listen(SERVER);
        let with = |value, s: Segment<'static>| {
            let timestamps = Some(Timestamps { value, echo: 0 });
            Segment { options: Options { timestamps, ..s.options }, ..s }
        };
        rig.say(at(PEER), at(SERVER), with(100, syn()));
        let answer = rig.hear_one();
        let old = with(50, segment(ACK, IRS + 1, answer.seq + 1));
        return (rig, packet(at(PEER), at(SERVER), old, &[]));
    }
    if why == DropReason::Deferred {
        let defer_accept = Some(Duration::from_secs(10));
        let options = ListenOptions { defer_accept, ..ListenOptions::default() };
        rig.stack.listen(at(SERVER), options).unwrap();
        let peer = Peer::half_open(&mut rig, PEER, SERVER);
        return (rig, peer.packet(ACK, b""));
    }
    let (mut peer, id) = connected(&mut rig);
    let from = |flags, seq, ack| packet(peer.me, peer.to, segment(flags, seq, ack), &[]);
    let bad = match why {
        DropReason::OutOfWindow => from(ACK, peer.nxt - 5, peer.rcv),
        DropReason::ResetNotExact => from(RST, peer.nxt + 1, peer.rcv),
        DropReason::UnexpectedSyn => from(SYN, peer.nxt, peer.rcv),
        DropReason::BadAck => from(ACK, peer.nxt, peer.rcv + 5),
        DropReason::NoAck => from(Flags::default(), peer.nxt, peer.rcv),
        DropReason::TooManyRanges => {
            for n in 1..=256 {
                let s = segment(ACK, peer.nxt + 2 * n, peer.rcv);
                rig.put(&packet(peer.me, peer.to, s, b"x"));
            }
            packet(peer.me, peer.to, segment(ACK, peer.nxt + 600, peer.rcv), b"x")
        }
        DropReason::AfterClose => {
            rig.stack.close(rig.now, id);
            rig.hear();
            peer.packet(ACK, b"late")
        }
        DropReason::NoMemory => {
            peer.send(&mut rig, ACK, &[0; GUARANTEED]);
            peer.packet(ACK, b"x")
        }
        why => panic!("{why:?} has no case here"),
    };
    (rig, bad)
}

#[test]
fn every_reason_to_drop_a_segment_counts_once() {
    for &why in DropReason::ALL {
        if why == DropReason::Ended {
            // Never counted by a stack: what comes for a connection that has ended within the
            // batch is for whoever comes next, as if it had come later.
            continue;
        }
        let (mut rig, bad) = refused(why);
        assert_eq!(rig.segment_drops(why), 0, "{why:?}");
        let before = rig.stack.counters().total_drops();
        rig.stack.receive(rig.now, &bad, RxChecksum::Unknown, None);
        assert_eq!(rig.segment_drops(why), 1, "{why:?}");
        assert_eq!(rig.stack.counters().total_drops(), before + 1, "{why:?}");
    }
}

#[test]
fn a_segment_behind_the_end_is_nobodys() {
    let mut rig = Rig::new();
    let (peer, id) = connected(&mut rig);
    rig.stack.abort(id);
    let bytes = peer.packet(ACK, b"late");
    rig.put(&bytes);
    assert_eq!(rig.drops(PacketDrop::NoConnection), 1);
    assert_eq!(rig.stack.counters().total_drops(), 1);
    rig.stack.close_all(rig.now);
    rig.hear();
    rig.assert_empty();
}
