//! Which ICMP do we send? Echo replies, and errors about what we cannot take: rate limited, never
//! about another error, a fragment behind the first, or what was not sent to us alone (RFC 1122
//! 3.2.2, RFC 1812 4.3.2, RFC 4443 2.4 and 3). The queue and its bound are the stack's.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use rand::Rng;
use tcp_core::Instant;
use tcp_core::wire::checksum::Sum;

use super::counters::PacketDrop;
use super::ip::{self, IpOptions};
use super::tables::Keyed;
use super::{Stack, fragmented};
use crate::device::TxPacket;

/// Octets of an ICMP header.
const HEADER: usize = 8;

/// Destinations that have a limit of their own, by hash: those that collide share it.
const BUCKETS: usize = 64;

/// Errors that one destination may get at once. Linux: `XRLIM_BURST_FACTOR`, 6.
const BURST: u32 = 6;

/// What is wrong with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IcmpOut {
    /// Nobody is at the port (of a protocol without a refusal of its own).
    PortUnreachable,
    /// We don't speak the protocol, which the octet at this offset names.
    UnknownProtocol { at: usize },
    /// The rest of the datagram did not come in time.
    ReassemblyTimeExceeded,
}

impl IcmpOut {
    /// Type, code and the second word of the header.
    fn fields(self, ipv4: bool) -> (u8, u8, u32) {
        match (self, ipv4) {
            (IcmpOut::PortUnreachable, true) => (3, 3, 0),
            (IcmpOut::PortUnreachable, false) => (1, 4, 0),
            (IcmpOut::UnknownProtocol { .. }, true) => (3, 2, 0),
            // RFC 4443 3.4: the pointer names the octet.
            (IcmpOut::UnknownProtocol { at }, false) => (4, 1, at as u32),
            (IcmpOut::ReassemblyTimeExceeded, true) => (11, 1, 0),
            (IcmpOut::ReassemblyTimeExceeded, false) => (3, 1, 0),
        }
    }
}

/// Bounds the errors that strangers can make us send.
#[derive(Debug)]
pub(super) struct IcmpLimit {
    hash: Keyed,
    /// Linux: `icmp_msgs_per_sec`, `icmp_msgs_burst`.
    all: Bucket,
    /// Linux: `icmp_ratelimit`.
    each: [Bucket; BUCKETS],
}

/// A bucket of tokens, told by when it will be full.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes a token that takes `cost` to grow again, if one of `most` is left.
    fn take(&mut self, now: Instant, cost: Duration, most: u32) -> bool {
        let full_at = self.full_at.max(now) + cost;
        let fits = full_at.since(now) <= cost * most;
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

impl IcmpLimit {
    pub(super) fn new(hash_key: [u8; 16]) -> IcmpLimit {
        let hash = Keyed(hash_key);
        IcmpLimit { hash, all: Bucket::default(), each: [Bucket::default(); BUCKETS] }
    }

    fn allows(&mut self, now: Instant, to: IpAddr, config: &super::StackConfig) -> bool {
        let slot = (self.hash.hash_one(to) % BUCKETS as u64) as usize;
        self.each[slot].take(now, config.icmp_ratelimit, BURST) && self.allows_decided(now, config)
    }

    /// Whether an error that the application decided to send may go: one host may get many.
    pub(super) fn allows_decided(&mut self, now: Instant, config: &super::StackConfig) -> bool {
        let cost = Duration::from_secs(1) / config.icmp_msgs_per_sec.max(1);
        config.icmp_msgs_per_sec > 0 && self.all.take(now, cost, config.icmp_msgs_burst.max(1))
    }
}

impl Stack {
    /// A whole packet of a protocol that nobody here speaks.
    pub(super) fn refuse_protocol(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
        whole: &[u8],
    ) -> PacketDrop {
        if p.protocol != NO_NEXT_HEADER || p.src.is_ipv4() {
            let why = IcmpOut::UnknownProtocol { at: p.protocol_at };
            self.icmp_error_about(now, whole, why);
        }
        PacketDrop::Protocol
    }

    /// Tells the sender of a packet what is wrong with it. The packet was for us alone: addresses
    /// are checked before anything else (RFC 1122 3.2.2).
    pub(super) fn icmp_error_about(&mut self, now: Instant, packet: &[u8], why: IcmpOut) {
        let Some((src, dst, protocol, at)) = quotable(packet) else { return };
        let is_error = match protocol {
            ip::ICMPV4 => !matches!(packet.get(at), Some(0 | 8 | 13..=18)),
            ip::ICMPV6 => packet.get(at).is_none_or(|kind| *kind < 128),
            _ => false,
        };
        if is_error {
            return;
        }
        // Linux: no limit on the loopback, where nobody can be flooded but by himself.
        if !self.is_local(src) && !self.icmp_limit.allows(now, src, &self.config) {
            self.counters.drop_packet(PacketDrop::IcmpRateLimit);
            return;
        }
        // RFC 1812 4.3.2.3; RFC 4443 2.4 (c).
        let most = if src.is_ipv4() { 576 - 20 } else { 1280 - 40 };
        let quoted = &packet[..packet.len().min(most - HEADER)];
        let (kind, code, rest) = why.fields(src.is_ipv4());
        let mut body = vec![kind, code, 0, 0];
        body.extend_from_slice(&rest.to_be_bytes());
        body.extend_from_slice(quoted);
        self.counters.icmp_errors_out += 1;
        self.send_icmp(now, dst, src, body);
    }

    /// The answer is the question with another type (RFC 792, RFC 4443 4.2).
    pub(super) fn echo(&mut self, now: Instant, p: &ip::Packet<'_>, kind: u8) {
        let mut body = p.payload.to_vec();
        body[0] = kind;
        body[2..4].copy_from_slice(&[0, 0]);
        self.counters.echoes += 1;
        self.send_icmp(now, p.dst, p.src, body);
    }

    /// Sends an ICMP message whose checksum field is zero, in as many fragments as the path needs.
    fn send_icmp(&mut self, now: Instant, from: IpAddr, to: IpAddr, mut body: Vec<u8>) {
        let (protocol, sum) = if to.is_ipv4() {
            (ip::ICMPV4, Sum::new())
        } else {
            (ip::ICMPV6, Sum::pseudo_header(from, to, ip::ICMPV6, body.len() as u32))
        };
        let sum = sum.add(&body).finish();
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        let id: u32 = self.rng.random();
        let o = IpOptions { fragmentable: Some(id as u16), ..self.ip_options() };
        let mtu = self.path_mtu(now, to);
        let packets = fragmented::packets(from, to, protocol, &body, o, id, mtu);
        for p in packets {
            self.answer(TxPacket::from_vec(p));
        }
    }
}

/// RFC 8200 4.7: nothing follows, and nothing is wrong with that.
const NO_NEXT_HEADER: u8 = 59;

/// Who sent the packet to whom, its protocol, and where its payload begins; none if it can't be
/// answered.
fn quotable(packet: &[u8]) -> Option<(IpAddr, IpAddr, u8, usize)> {
    match ip::parse(packet).ok()? {
        ip::Parsed::Whole(p) => Some((p.src, p.dst, p.protocol, p.payload_at)),
        ip::Parsed::Piece(_) => None,
    }
}
