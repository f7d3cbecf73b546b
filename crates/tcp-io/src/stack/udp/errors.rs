//! What does ICMP say about a datagram of ours? Which errors a socket is told, and what becomes of
//! the path (RFC 1122 4.1.3.3, RFC 1191, RFC 8201). Only a connected socket is told, as on Linux:
//! others could not know which of their datagrams is meant.

use tcp_core::connection::PathMtuInfo;
use tcp_core::error::IcmpError;
use tcp_core::{Instant, Tuple};

use super::super::Stack;
use super::super::counters::PacketDrop;
use crate::cell::UdpError;

/// The least path MTU that is believed. Linux: `min_pmtu`, and RFC 8200 5.
const LEAST: (u32, u32) = (552, 1280);

impl Stack {
    /// An ICMP error quotes a datagram of ours; `error` and (type, code) are what it says.
    pub(in crate::stack) fn icmp_to_udp(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        error: IcmpError,
        kind: (u8, u8),
    ) -> Result<(), PacketDrop> {
        let own = self.is_local(tuple.local.ip);
        let id = self.udp.find(tuple, own).ok_or(PacketDrop::IcmpNotBelieved)?;
        if let IcmpError::TooBig { mtu } = error {
            self.udp_path_is_narrow(now, tuple, mtu);
        }
        let ipv4 = tuple.remote.ip.is_ipv4();
        let told = if ipv4 { told_v4(kind) } else { told_v6(kind) };
        let entry = self.udp.get(id).filter(|e| e.remote.is_some());
        match (told, entry) {
            (Some(error), Some(e)) => e.cell.fail(error),
            _ if matches!(error, IcmpError::TooBig { .. }) => {}
            // Nobody can make use of it.
            _ => return Err(PacketDrop::IcmpIgnored),
        }
        Ok(())
    }

    fn udp_path_is_narrow(&mut self, now: Instant, tuple: &Tuple, mtu: u32) {
        let ipv4 = tuple.remote.ip.is_ipv4();
        let least = if ipv4 { LEAST.0 } else { LEAST.1 };
        // Beyond what is believed, Linux lets routers cut.
        let known = PathMtuInfo { mtu: mtu.max(least), fragmentable: ipv4 && mtu < least };
        let expires = now + self.tcp.path_mtu.expires;
        self.udp.paths.remember(tuple.remote.ip, known, expires);
    }
}

/// What a socket is told of a type and code of ICMP; nothing about what may pass. Linux:
/// `icmp_err_convert`.
fn told_v4(kind: (u8, u8)) -> Option<UdpError> {
    Some(match kind {
        (3, 2 | 7 | 8) | (12, _) => UdpError::Protocol,
        (3, 3) => UdpError::Refused,
        (3, 4) => UdpError::TooBig,
        (3, 6 | 9) => UdpError::Network,
        (3, 10 | 13..=15) => UdpError::Host,
        _ => return None,
    })
}

/// The same for ICMPv6. Linux: `icmpv6_err_convert`.
fn told_v6(kind: (u8, u8)) -> Option<UdpError> {
    Some(match kind {
        (1, 4) => UdpError::Refused,
        (1, 1 | 5 | 6) => UdpError::Prohibited,
        (2, _) => UdpError::TooBig,
        (4, _) => UdpError::Protocol,
        _ => return None,
    })
}
