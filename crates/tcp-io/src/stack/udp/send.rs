//! How does a datagram leave? The checks of a send, and a socket's turn at the device (RFC 768,
//! RFC 1122 4.1). Its packets are made in `emit`.

use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use smallvec::SmallVec;
use tcp_core::connection::PathMtuInfo;
use tcp_core::{Endpoint, Instant};

use super::super::counters::PacketDrop;
use super::super::{Stack, TURN};
use super::emit::{self, Path};
use super::{UdpSendError, largest};
use crate::cell::{Outgoing, UdpId, UdpOptions};
use crate::device::TxPacket;

impl Stack {
    /// Sends a datagram, to the peer if `to` is none. It comes out of
    /// [`poll_transmit`](Self::poll_transmit) whole, or in fragments if the path is too narrow.
    /// One for an address of the stack itself is there when this returns, as on Linux, and so is
    /// the error if nobody takes it.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, "hello", Some("10.0.0.2:6000".parse()?))?;
    /// let packet = a.poll_transmit(now).unwrap().to_vec();
    /// assert_eq!(packet.len(), 20 + 8 + 5); // IP; UDP; text
    /// b.receive(now, &packet, RxChecksum::Unknown, None);
    /// let mut text = Vec::new();
    /// let mut take = |t: &[u8]| text.extend_from_slice(t);
    /// let (n, from) = b.udp_cell(theirs).unwrap().receive(Look::Take, 1500, &mut take).unwrap();
    /// assert_eq!((n, from), (5, "10.0.0.1:5000".parse()?));
    /// assert_eq!(text, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it can't be sent, or not now; see [`UdpSendError`].
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        text: impl Into<Bytes>,
        to: Option<SocketAddr>,
    ) -> Result<(), UdpSendError> {
        let text = text.into();
        let e = self.udp.get(id).ok_or(UdpSendError::Closed)?;
        let to = to.or_else(|| e.remote.map(SocketAddr::from));
        let (from, to) = self.udp_route(id, to.ok_or(UdpSendError::NotConnected)?)?;
        if let Err(why) = e.cell.check_room() {
            self.counters.udp_no_room += u64::from(why.is_none());
            return Err(why.map_or(UdpSendError::WouldBlock, UdpSendError::Pending));
        }
        if text.len() > largest(to.ip) {
            return Err(UdpSendError::TooLong);
        }
        let datagram = self.outgoing(from, to, text, &e.cell.options());
        self.counters.udp_out += 1;
        if self.is_local(to.ip) {
            self.deliver_here(now, &datagram);
        } else {
            e.cell.queue(datagram);
            self.udp.activate(id);
        }
        Ok(())
    }

    fn deliver_here(&mut self, now: Instant, datagram: &Outgoing) {
        let before = self.answers.len();
        for p in self.packets_of(now, datagram) {
            self.counters.packets_out += 1;
            self.receive_loopback(now, &p);
        }
        // What is answered is for us as well.
        while self.answers.len() > before {
            let Some(p) = self.answers.pop_back() else { break };
            self.counters.packets_out += 1;
            self.receive_loopback(now, &p);
        }
    }

    fn outgoing(&self, from: Endpoint, to: Endpoint, text: Bytes, o: &UdpOptions) -> Outgoing {
        let (ttl, loops, class) = match to.ip {
            IpAddr::V4(_) => (o.multicast_ttl_v4, o.multicast_loop_v4, o.tos),
            IpAddr::V6(_) => (o.multicast_hops_v6, o.multicast_loop_v6, o.traffic_class),
        };
        let (hop_limit, looped) = match to.ip.is_multicast() {
            true => (ttl, loops && self.hears_group(to.ip)),
            false => (o.hop_limit, self.is_broadcast(to.ip) && self.udp.has_port(to.port)),
        };
        Outgoing { from, to, hop_limit, traffic_class: class, looped, text }
    }

    /// The turn of one socket; returns whether `sink` takes more.
    pub(in crate::stack) fn udp_turn(
        &mut self,
        now: Instant,
        sink: &mut dyn FnMut(TxPacket) -> bool,
    ) -> bool {
        let Some((id, cell)) = self.udp.next_active() else { return true };
        let (mut open, mut more, mut sent) = (true, true, 0);
        while open && more && sent < TURN {
            let Some((datagram, rest)) = cell.take_outgoing() else {
                more = false;
                break;
            };
            more = rest;
            if !self.is_local(datagram.from.ip) && !self.takes(datagram.from.ip) {
                // The address was removed: as for a connection, what leaves from it is lost.
                self.counters.drop_packet(PacketDrop::NoSource);
                continue;
            }
            let packets = self.packets_of(now, &datagram);
            sent += packets.len();
            open = self.send_all(&datagram, packets, sink);
        }
        self.udp.after_turn(id, more);
        open
    }

    fn send_all(
        &mut self,
        datagram: &Outgoing,
        packets: SmallVec<[TxPacket; 1]>,
        sink: &mut dyn FnMut(TxPacket) -> bool,
    ) -> bool {
        let mut open = true;
        for p in packets {
            if datagram.looped {
                self.loopback.push_back(p.clone());
            }
            if datagram.hop_limit == 0 {
                // It stays on this host, as on Linux.
            } else if open {
                open = self.route(p, sink);
            } else {
                // Kept in order: they come before everything else next time.
                self.answers.push_back(p);
            }
        }
        open
    }

    fn packets_of(&mut self, now: Instant, d: &Outgoing) -> SmallVec<[TxPacket; 1]> {
        let known = self.udp_path(now, d.to.ip);
        let path = Path {
            mtu: known.mtu as usize,
            fragmentable: known.fragmentable,
            ident: self.udp_ident(d.from.ip, d.to.ip),
            checksum_offload: self.config.checksum_offload,
        };
        let packets = emit::packets(d, &path);
        if packets.len() > 1 {
            self.udp.ident = self.udp.ident.wrapping_add(1);
            self.counters.fragmented_out += 1;
            self.counters.fragments_out += packets.len() as u64;
        }
        packets
    }

    /// What is known of a path, from ICMP about datagrams and from connections.
    fn udp_path(&self, now: Instant, to: IpAddr) -> PathMtuInfo {
        let mtu = self.path_mtu(now, to) as u32;
        let told = self.udp.paths.find(now, to).map(|(known, _)| known);
        match told.filter(|_| !self.is_local(to)) {
            Some(t) => PathMtuInfo { mtu: t.mtu.min(mtu), fragmentable: t.fragmentable },
            None => PathMtuInfo { mtu, fragmentable: false },
        }
    }

    /// Names the fragments of a datagram: by a counter, so that a name does not come again soon
    /// (RFC 6864 4.3), and by a hash, so that nobody can tell it from that of others (RFC 7739
    /// 5.2).
    fn udp_ident(&self, from: IpAddr, to: IpAddr) -> u32 {
        (self.udp.hash.hash_one((from, to)) as u32).wrapping_add(self.udp.ident)
    }
}
