//! Who sends and hears datagrams in these tests? The stack's sockets, and a peer that writes and
//! reads its packets by hand. One behaviour a file below.

mod binding;
mod errors;
mod for_all;
mod fragments;
mod queues;
mod receiving;
mod sending;

use std::net::SocketAddr;

use tcp_core::wire::checksum::{self, Sum};

use super::peer::*;
use crate::cell::{Look, UdpId, UdpReceiveError};
use crate::stack::UdpBindOptions;
use crate::stack::ip::{self, IpOptions};

/// Our socket and the peer's.
const OURS: &str = "10.0.0.1:5000";
const PEER: &str = "10.0.0.2:6000";
const OURS_V6: &str = "[fd00::1]:5000";
const PEER_V6: &str = "[fd00::2]:6000";

/// The header and text of a datagram with a right checksum.
fn datagram(from: SocketAddr, to: SocketAddr, text: &[u8]) -> Vec<u8> {
    let len = 8 + text.len();
    let mut d = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    d.extend_from_slice(&(len as u16).to_be_bytes());
    d.extend_from_slice(&[0, 0]);
    d.extend_from_slice(text);
    let sum = Sum::pseudo_header(from.ip(), to.ip(), ip::UDP, len as u32).add(&d).finish();
    d[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    d
}

/// An IP packet around any payload.
fn around(from: SocketAddr, to: SocketAddr, body: &[u8]) -> Vec<u8> {
    let o = IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: None };
    let mut b = vec![0; 40];
    let header = ip::emit_header(&mut b, from.ip(), to.ip(), ip::UDP, body.len(), o);
    b.truncate(header);
    b.extend_from_slice(body);
    b
}

/// A packet with a datagram.
pub(super) fn udp(from: &str, to: &str, text: &[u8]) -> Vec<u8> {
    around(at(from), at(to), &datagram(at(from), at(to), text))
}

/// From whom, to whom, and the text of a datagram in a whole packet.
fn opened(packet: &[u8]) -> (SocketAddr, SocketAddr, Vec<u8>) {
    let p = whole(packet);
    assert_eq!(p.protocol, ip::UDP);
    let d = p.payload;
    let word = |at: usize| u16::from_be_bytes([d[at], d[at + 1]]);
    assert_eq!(usize::from(word(4)), d.len());
    assert!(word(6) != 0 && checksum::verify(p.src, p.dst, ip::UDP, d), "checksum of our own");
    (SocketAddr::new(p.src, word(0)), SocketAddr::new(p.dst, word(2)), d[8..].to_vec())
}

impl Rig {
    pub(super) fn udp(&mut self, addr: &str) -> UdpId {
        self.stack.udp_bind(at(addr), UdpBindOptions::default()).unwrap()
    }

    /// What a socket has received next, and from whom.
    fn heard(&self, id: UdpId) -> Result<(SocketAddr, Vec<u8>), UdpReceiveError> {
        let mut text = Vec::new();
        let mut take = |t: &[u8]| text.extend_from_slice(t);
        let cell = self.stack.udp_cell(id).unwrap();
        let (n, from) = cell.receive(Look::Take, usize::MAX, &mut take)?;
        assert_eq!(n, text.len());
        Ok((from, text))
    }

    /// Asserts that the next datagram of a socket is this.
    fn assert_heard(&self, id: UdpId, from: &str, text: &[u8]) {
        assert_eq!(self.heard(id), Ok((at(from), text.to_vec())));
    }

    fn assert_silent(&self, id: UdpId) {
        assert_eq!(self.heard(id), Err(UdpReceiveError::WouldBlock));
    }

    fn send(&mut self, id: UdpId, text: &[u8], to: &str) {
        self.stack.udp_send(self.now, id, text.to_vec(), Some(at(to))).unwrap();
    }

    fn counter(&self, name: &str) -> u64 {
        self.stack.counters().by_name(name).unwrap()
    }
}
