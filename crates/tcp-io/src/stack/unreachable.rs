//! How does the stack say by ICMP that it refuses? Destination unreachable with a part of the
//! packet that it is about (RFC 792, RFC 1812 4.3.2, RFC 4443 3.1), within a rate.

use std::net::IpAddr;

use tcp_core::Instant;
use tcp_core::wire::checksum::Sum;

use super::counters::PacketDrop;
use super::ip::{self, IpOptions};
use super::{PacketHead, Stack};
use crate::device::TxPacket;

/// Largest ICMP error over IPv4 (RFC 1812 4.3.2.3) and over IPv6 (RFC 4443 2.4 c), in octets.
const LARGEST: (usize, usize) = (576, 1280);

/// Octets of an ICMP header.
const HEADER: usize = 8;

/// Type of service of ICMPv4 errors: Internetwork Control (RFC 1812 4.3.2.5). Linux: the same.
const PRECEDENCE: u8 = 0xc0;

/// What an ICMP "destination unreachable" gives as its reason.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
#[doc = include_str!("../../doc/stack_request.rs")]
/// let request = b.take_request(listener)?.unwrap();
/// b.reject(now, &request, Rejection::Unreachable(Unreachability::AdminProhibited))?;
/// let packet = b.poll_transmit(now).unwrap().to_vec();
/// assert_eq!((packet[9], packet[20], packet[21]), (1, 3, 13)); // ICMP; type and code
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unreachability {
    /// Administratively prohibited: ICMPv4 code 13 (RFC 1812 5.2.7.1), ICMPv6 code 1. Linux
    /// clients fail with `EHOSTUNREACH` over IPv4, with `EACCES` over IPv6.
    AdminProhibited,
    /// The host: code 1, ICMPv6 code 3 (address unreachable). Linux: `EHOSTUNREACH`.
    Host,
    /// The network: code 0, ICMPv6 code 0 (no route). Linux: `ENETUNREACH`.
    Network,
    /// The port: code 3, ICMPv6 code 4. Linux: `ECONNREFUSED`.
    Port,
}

impl Unreachability {
    /// The ICMPv4 code of type 3.
    const fn code_v4(self) -> u8 {
        match self {
            Unreachability::Network => 0,
            Unreachability::Host => 1,
            Unreachability::Port => 3,
            Unreachability::AdminProhibited => 13,
        }
    }

    /// The ICMPv6 code of type 1.
    const fn code_v6(self) -> u8 {
        match self {
            Unreachability::Network => 0,
            Unreachability::AdminProhibited => 1,
            Unreachability::Host => 3,
            Unreachability::Port => 4,
        }
    }
}

impl Stack {
    /// Answers a packet to `local` with "destination unreachable".
    pub(super) fn send_unreachable(
        &mut self,
        now: Instant,
        packet: &PacketHead,
        why: Unreachability,
    ) {
        if !self.icmp_limit.allows_decided(now, &self.config) {
            self.counters.drop_packet(PacketDrop::IcmpRateLimit);
            return;
        }
        let (src, dst) =
            (self.unreachable_source(packet.tuple.local.ip, why), packet.tuple.remote.ip);
        let (ip_len, most) = if dst.is_ipv4() { (20, LARGEST.0) } else { (40, LARGEST.1) };
        let quoted = packet.bytes();
        let quoted = &quoted[..quoted.len().min(most - ip_len - HEADER)];
        let mut b = vec![0; ip_len + HEADER + quoted.len()];
        let (protocol, class) =
            if dst.is_ipv4() { (ip::ICMPV4, PRECEDENCE) } else { (ip::ICMPV6, 0) };
        let o = IpOptions { traffic_class: class, ..self.ip_options() };
        ip::emit_header(&mut b, src, dst, protocol, HEADER + quoted.len(), o);
        let m = &mut b[ip_len..];
        (m[0], m[1]) = if dst.is_ipv4() { (3, why.code_v4()) } else { (1, why.code_v6()) };
        m[HEADER..].copy_from_slice(quoted);
        let sum = if dst.is_ipv4() {
            Sum::new()
        } else {
            Sum::pseudo_header(src, dst, protocol, m.len() as u32)
        };
        let sum = sum.add(m).finish();
        m[2..4].copy_from_slice(&sum.to_be_bytes());
        self.counters.unreachables_out += 1;
        self.counters.icmp_errors_out += 1;
        self.answer(TxPacket::from_vec(b));
    }

    /// Who says so: a closed port the destination itself, anything else somebody on the way,
    /// which is this stack if it has an address of the family.
    fn unreachable_source(&self, to: IpAddr, why: Unreachability) -> IpAddr {
        let own = || {
            let mut all = self.config.addresses.iter().map(super::Cidr::address);
            all.find(|a| a.is_ipv4() == to.is_ipv4())
        };
        match why {
            Unreachability::Port => to,
            _ if self.is_local(to) => to,
            _ => own().unwrap_or(to),
        }
    }
}
