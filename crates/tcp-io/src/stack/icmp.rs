//! What does ICMP say? Errors go to the connection or record whose segment they quote, if it
//! believes them (RFC 9293 3.9.2.2, RFC 5927, RFC 792, RFC 4443; MUST-54, MUST-55). What we send
//! stands in `icmp_out`.

use std::net::IpAddr;

use tcp_core::connection::IcmpVerdict;
use tcp_core::error::{IcmpError, Unreachable};
use tcp_core::listen::HalfOpenIcmp;
use tcp_core::wire::checksum::{self, Sum};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::observe::Cause;
use super::tables::Owner;
use super::{Stack, ip, observe};
use crate::cell::{ConnId, RequestEnd};

/// Octets of an ICMP header.
const HEADER: usize = 8;

impl Stack {
    pub(super) fn receive_icmp_v4(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
    ) -> Result<(), PacketDrop> {
        if p.payload.len() < HEADER {
            return Err(PacketDrop::Malformed);
        }
        if Sum::new().add(p.payload).fold() != 0xffff {
            return Err(PacketDrop::Checksum);
        }
        let (kind, code) = (p.payload[0], p.payload[1]);
        if kind == 8 && code == 0 {
            self.check_echo(p.dst)?;
            self.echo(now, p, 0);
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
        self.icmp_error(now, p, error)
    }

    pub(super) fn receive_icmp_v6(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
    ) -> Result<(), PacketDrop> {
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
                self.check_echo(p.dst)?;
                self.echo(now, p, 129);
                return Ok(());
            }
            (1, c) => IcmpError::Unreachable(unreachable_v6(c)),
            (2, _) => IcmpError::TooBig { mtu },
            (3, _) => IcmpError::Unreachable(Unreachable::TimeExceeded),
            (4, 1) => IcmpError::Unreachable(Unreachable::Protocol),
            (4, _) => IcmpError::Unreachable(Unreachable::ParameterProblem),
            _ => return Err(PacketDrop::IcmpIgnored),
        };
        self.icmp_error(now, p, error)
    }

    /// MUST-54: to the connection or record by the quoted header.
    fn icmp_error(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
        error: IcmpError,
    ) -> Result<(), PacketDrop> {
        let q = Quoted::parse(&p.payload[HEADER..]).ok_or(PacketDrop::IcmpIgnored)?;
        // The quoted packet must be one that we sent.
        if q.tuple.local.ip != p.dst {
            return Err(PacketDrop::IcmpNotBelieved);
        }
        // RFC 5927 7.2: what did not fit was larger than what fits.
        if matches!(error, IcmpError::TooBig { mtu } if q.len <= mtu) {
            return Err(PacketDrop::IcmpNotBelieved);
        }
        if q.protocol == ip::UDP {
            return self.icmp_to_udp(now, &q.tuple, error, (p.payload[0], p.payload[1]));
        }
        match self.owner(&q.tuple) {
            Some(Owner::Connection(id)) => self.icmp_to_connection(now, id, &q, error),
            Some(Owner::HalfOpen(slot)) => self.icmp_to_half_open(slot, &q, error),
            Some(Owner::TimeWait(_) | Owner::Request(_)) | None => Err(PacketDrop::IcmpNotBelieved),
        }
    }

    fn icmp_to_connection(
        &mut self,
        now: Instant,
        id: ConnId,
        q: &Quoted,
        error: IcmpError,
    ) -> Result<(), PacketDrop> {
        let Some(cell) = self.connections.cell(id) else { return Ok(()) };
        let (verdict, path, state) =
            cell.service_quietly(|c| (c.on_icmp(now, q.seq, error), c.path_mtu(), c.state()));
        self.activate(id);
        self.note_state(id, state, Cause::Icmp);
        match verdict {
            IcmpVerdict::NotBelieved => return Err(PacketDrop::IcmpNotBelieved),
            IcmpVerdict::Believed => {}
            IcmpVerdict::PathMtu => {
                let expires = now + self.tcp.path_mtu.expires;
                self.path_mtus.remember(q.tuple.remote.ip, path, expires);
            }
        }
        Ok(())
    }

    /// docs/decisions/0016: a record goes as an active open would.
    fn icmp_to_half_open(
        &mut self,
        slot: u32,
        q: &Quoted,
        error: IcmpError,
    ) -> Result<(), PacketDrop> {
        let Some(e) = self.half_open.get(slot) else { return Ok(()) };
        let Some(tcp) = self.listeners.tcp(e.listener) else { return Ok(()) };
        match e.record.on_icmp(q.seq, error, tcp) {
            HalfOpenIcmp::NotBelieved => return Err(PacketDrop::IcmpNotBelieved),
            HalfOpenIcmp::Keep => {}
            HalfOpenIcmp::Remove => {
                self.remove_half_open(slot, RequestEnd::Unanswered);
                self.counters.attempt_fails += 1;
                observe::request_ended(&q.tuple, "unreachable");
            }
        }
        Ok(())
    }
}

/// A packet of ours, as an ICMP error quotes it. Of the TCP or UDP header only the first 8 octets
/// need to be there (RFC 792).
struct Quoted {
    protocol: u8,
    tuple: Tuple,
    /// Of TCP only.
    seq: SeqNum,
    /// Octets of the whole packet.
    len: u32,
}

impl Quoted {
    fn parse(b: &[u8]) -> Option<Quoted> {
        let word = |at: usize| Some(u16::from_be_bytes([*b.get(at)?, *b.get(at + 1)?]));
        let (src, dst, len, protocol, at) = match b.first()? >> 4 {
            4 => {
                let header = usize::from(b[0] & 15) * 4;
                // Only a first fragment says whose it is.
                if header < 20 || word(6)? & 0x1fff != 0 {
                    return None;
                }
                let (src, dst) = (address::<4>(b, 12)?, address::<4>(b, 16)?);
                (src, dst, u32::from(word(2)?), *b.get(9)?, header)
            }
            6 => {
                let (protocol, at) = match *b.get(6)? {
                    ip::FRAGMENT if word(42)? & !7 == 0 => (*b.get(40)?, 48),
                    protocol => (protocol, 40),
                };
                let (src, dst) = (address::<16>(b, 8)?, address::<16>(b, 24)?);
                (src, dst, u32::from(word(4)?) + 40, protocol, at)
            }
            _ => return None,
        };
        if !matches!(protocol, ip::TCP | ip::UDP) {
            return None;
        }
        let t = b.get(at..at + 8)?;
        let local = Endpoint::new(src, u16::from_be_bytes([t[0], t[1]]));
        let remote = Endpoint::new(dst, u16::from_be_bytes([t[2], t[3]]));
        let seq = SeqNum(u32::from_be_bytes([t[4], t[5], t[6], t[7]]));
        Some(Quoted { protocol, tuple: Tuple { local, remote }, seq, len })
    }
}

fn address<const N: usize>(b: &[u8], at: usize) -> Option<IpAddr>
where
    IpAddr: From<[u8; N]>,
{
    <[u8; N]>::try_from(b.get(at..at + N)?).ok().map(IpAddr::from)
}

/// RFC 792 and RFC 1122 3.2.2.1, with Linux's reading of the administrative codes; hard and soft by
/// MUST-56 and SHLD-26.
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
