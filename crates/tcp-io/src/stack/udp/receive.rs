//! A datagram arrived: whose is it? From its header to the queue of a socket, or to an answer that
//! nobody is there (RFC 768, RFC 1122 4.1.3.1, RFC 8200 8.1).

use std::net::IpAddr;

use tcp_core::wire::checksum;
use tcp_core::{Endpoint, Instant, Tuple};

use super::super::counters::PacketDrop;
use super::super::icmp_out::IcmpOut;
use super::super::receive::Origin;
use super::super::{Stack, ip};
use super::emit::HEADER;
use crate::cell::{Pushed, UdpId};
use crate::device::RxChecksum;

/// A UDP datagram, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) tuple: Tuple,
    pub(super) text: &'a [u8],
    /// Octets of each of the datagrams of which the device has made one; 0: it has not.
    piece: usize,
}

impl<'a> Datagram<'a> {
    pub(super) fn parse(p: &ip::Packet<'a>, from: Origin) -> Result<Datagram<'a>, PacketDrop> {
        let Some((h, _)) = p.payload.split_first_chunk::<HEADER>() else {
            return Err(PacketDrop::UdpMalformed);
        };
        let word = |at: usize| u16::from_be_bytes([h[at], h[at + 1]]);
        // What IP carries behind the datagram is not of it.
        let len = usize::from(word(4));
        let datagram = p.payload.get(..len).filter(|d| d.len() >= HEADER);
        let datagram = datagram.ok_or(PacketDrop::UdpMalformed)?;
        // RFC 768: zero is no checksum; IPv6 must have one (RFC 8200 8.1).
        let none = word(6) == 0 && p.src.is_ipv4();
        let unknown = from.checksum == RxChecksum::Unknown && !none;
        let zero = word(6) == 0 && p.src.is_ipv6();
        if unknown && (zero || !checksum::verify(p.src, p.dst, ip::UDP, datagram)) {
            return Err(PacketDrop::UdpChecksum);
        }
        let tuple =
            Tuple { local: Endpoint::new(p.dst, word(2)), remote: Endpoint::new(p.src, word(0)) };
        Ok(Datagram { tuple, text: &datagram[HEADER..], piece: from.piece.into() })
    }

    fn texts(&self) -> impl Iterator<Item = &'a [u8]> {
        let size = if self.piece > 0 { self.piece } else { self.text.len().max(1) };
        // Nothing is a datagram, too.
        let empty = self.text.is_empty().then_some(self.text);
        empty.into_iter().chain(self.text.chunks(size))
    }
}

impl Stack {
    /// A datagram for an address of ours.
    pub(in crate::stack) fn receive_udp(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
        packet: &[u8],
        from: Origin,
    ) -> Result<(), PacketDrop> {
        let d = Datagram::parse(p, from)?;
        match self.udp.find(&d.tuple, self.is_local(p.dst)) {
            Some(id) => self.hand_over(id, &d),
            None => {
                // RFC 1122 4.1.3.1
                self.icmp_error_about(now, packet, IcmpOut::PortUnreachable);
                Err(PacketDrop::UdpNoPort)
            }
        }
    }

    /// Puts a datagram, or those of which the device has made one, into the queue of a socket.
    pub(super) fn hand_over(&mut self, id: UdpId, d: &Datagram<'_>) -> Result<(), PacketDrop> {
        let Some(cell) = self.udp.cell(id) else { return Ok(()) };
        let remote: Endpoint = d.tuple.remote;
        let (ip, port): (IpAddr, u16) = (remote.ip, remote.port);
        let Pushed { taken, full, no_memory } = cell.push(ip, port, d.texts());
        self.counters.udp_in += taken;
        // Whoever called counts one.
        match (full, no_memory) {
            (0, 0) => Ok(()),
            (0, n) => {
                self.counters.drop_packets(PacketDrop::UdpMemory, n - 1);
                Err(PacketDrop::UdpMemory)
            }
            (n, others) => {
                self.counters.drop_packets(PacketDrop::UdpMemory, others);
                self.counters.drop_packets(PacketDrop::UdpReceiveBuffer, n - 1);
                Err(PacketDrop::UdpReceiveBuffer)
            }
        }
    }
}
