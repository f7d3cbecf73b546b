//! What does ICMP say? Echo is answered, errors go to the connection whose segment they quote, if
//! it believes them (RFC 9293 3.9.2.2, RFC 5927, RFC 792, RFC 4443; MUST-54, MUST-55).

use std::net::IpAddr;

use tcp_core::error::{IcmpError, Unreachable};
use tcp_core::wire::checksum::{self, Sum};
use tcp_core::{Endpoint, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::observe::Cause;
use super::tables::Owner;
use super::{Stack, ip};
use crate::device::TxPacket;

/// Octets of an ICMP header.
const HEADER: usize = 8;

impl Stack {
    pub(super) fn receive_icmp_v4(
        &mut self,
        p: &ip::Packet<'_>,
        _whole: &[u8],
    ) -> Result<(), PacketDrop> {
        if p.payload.len() < HEADER {
            return Err(PacketDrop::Malformed);
        }
        if Sum::new().add(p.payload).fold() != 0xffff {
            return Err(PacketDrop::Checksum);
        }
        let (kind, code) = (p.payload[0], p.payload[1]);
        if kind == 8 && code == 0 {
            self.echo(p, ip::ICMPV4, 0);
            return Ok(());
        }
        let mtu = u32::from(u16::from_be_bytes([p.payload[6], p.payload[7]]));
        let error = match (kind, code) {
            (3, 4) => IcmpError::TooBig { mtu },
            (3, c) => IcmpError::Unreachable(unreachable_v4(c)),
            (11, _) => IcmpError::Unreachable(Unreachable::TimeExceeded),
            (12, _) => IcmpError::Unreachable(Unreachable::ParameterProblem),
            // MUST-55: source quench (4) among them.
            _ => return Err(PacketDrop::IcmpIgnored),
        };
        self.icmp_error(&p.payload[HEADER..], p.dst, error)
    }

    pub(super) fn receive_icmp_v6(&mut self, p: &ip::Packet<'_>) -> Result<(), PacketDrop> {
        if p.payload.len() < HEADER {
            return Err(PacketDrop::Malformed);
        }
        if !checksum::verify(p.src, p.dst, ip::ICMPV6, p.payload) {
            return Err(PacketDrop::Checksum);
        }
        let (kind, code) = (p.payload[0], p.payload[1]);
        let mtu = u32::from_be_bytes([p.payload[4], p.payload[5], p.payload[6], p.payload[7]]);
        let error = match (kind, code) {
            (128, 0) => {
                self.echo(p, ip::ICMPV6, 129);
                return Ok(());
            }
            (1, c) => IcmpError::Unreachable(unreachable_v6(c)),
            (2, _) => IcmpError::TooBig { mtu },
            (3, _) => IcmpError::Unreachable(Unreachable::TimeExceeded),
            (4, 1) => IcmpError::Unreachable(Unreachable::Protocol),
            (4, _) => IcmpError::Unreachable(Unreachable::ParameterProblem),
            _ => return Err(PacketDrop::IcmpIgnored),
        };
        self.icmp_error(&p.payload[HEADER..], p.dst, error)
    }

    /// The answer is the question with another type (RFC 792, RFC 4443 4.2).
    fn echo(&mut self, p: &ip::Packet<'_>, protocol: u8, kind: u8) {
        let ip_len = if p.src.is_ipv4() { 20 } else { 40 };
        let mut b = vec![0; ip_len + p.payload.len()];
        let o = self.ip_options();
        ip::emit_header(&mut b, p.dst, p.src, protocol, p.payload.len(), o);
        let body = &mut b[ip_len..];
        body.copy_from_slice(p.payload);
        body[0] = kind;
        body[2..4].copy_from_slice(&[0, 0]);
        let sum = if protocol == ip::ICMPV6 {
            Sum::pseudo_header(p.dst, p.src, protocol, body.len() as u32)
        } else {
            Sum::new()
        };
        let sum = sum.add(body).finish();
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        self.counters.echoes += 1;
        self.answer(TxPacket::from_vec(b));
    }

    /// MUST-54: to the connection by the quoted header.
    fn icmp_error(
        &mut self,
        quoted: &[u8],
        to: IpAddr,
        error: IcmpError,
    ) -> Result<(), PacketDrop> {
        let (tuple, seq) = quoted_segment(quoted).ok_or(PacketDrop::IcmpIgnored)?;
        // The quoted packet must be one that we sent.
        if tuple.local.ip != to {
            return Err(PacketDrop::IcmpNotBelieved);
        }
        let Some(Owner::Connection(id)) = self.demux.find(&tuple) else {
            return Err(PacketDrop::IcmpNotBelieved);
        };
        let Some(cell) = self.connections.cell(id) else { return Ok(()) };
        let (believed, state) = cell.service_quietly(|c| (c.on_icmp(seq, error), c.state()));
        self.activate(id);
        self.note_state(id, state, Cause::Icmp);
        if believed { Ok(()) } else { Err(PacketDrop::IcmpNotBelieved) }
    }
}

/// The endpoints and sequence number of a quoted TCP header, of which only the first 8 octets
/// need to be there (RFC 792).
fn quoted_segment(b: &[u8]) -> Option<(Tuple, SeqNum)> {
    let (src, dst, at) = match b.first()? >> 4 {
        4 => {
            let header = usize::from(b[0] & 15) * 4;
            if header < 20 || *b.get(9)? != ip::TCP {
                return None;
            }
            let v4 =
                |r| Some(IpAddr::from(<[u8; 4]>::try_from(b.get::<std::ops::Range<_>>(r)?).ok()?));
            (v4(12..16)?, v4(16..20)?, header)
        }
        6 => {
            if *b.get(6)? != ip::TCP {
                return None;
            }
            let v6 =
                |r| Some(IpAddr::from(<[u8; 16]>::try_from(b.get::<std::ops::Range<_>>(r)?).ok()?));
            (v6(8..24)?, v6(24..40)?, 40)
        }
        _ => return None,
    };
    let t = b.get(at..at + 8)?;
    let local = Endpoint::new(src, u16::from_be_bytes([t[0], t[1]]));
    let remote = Endpoint::new(dst, u16::from_be_bytes([t[2], t[3]]));
    let seq = SeqNum(u32::from_be_bytes([t[4], t[5], t[6], t[7]]));
    Some((Tuple { local, remote }, seq))
}

/// RFC 792 and RFC 1122 3.2.2.1, with Linux's reading of the administrative codes; hard and soft by MUST-56 and SHLD-26.
fn unreachable_v4(code: u8) -> Unreachable {
    match code {
        0 | 6 | 9 | 11 => Unreachable::Network,
        2 => Unreachable::Protocol,
        3 => Unreachable::Port,
        _ => Unreachable::Host,
    }
}

/// RFC 4443 3.1.
fn unreachable_v6(code: u8) -> Unreachable {
    match code {
        0 => Unreachable::Network,
        1 | 5 | 6 => Unreachable::Prohibited,
        4 => Unreachable::Port,
        _ => Unreachable::Host,
    }
}
