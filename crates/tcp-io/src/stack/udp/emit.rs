//! Which packets carry a datagram? One, or the fragments that fit the path (RFC 768, RFC 791 3.2,
//! RFC 8200 4.5). Their text is shared, not copied.

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use tcp_core::wire::checksum::Sum;

use super::super::ip::{self, IpOptions};
use crate::cell::Outgoing;
use crate::device::{TxOffload, TxPacket};

/// Octets of a UDP header.
pub(super) const HEADER: usize = 8;
/// Where the checksum stands in it.
const CHECKSUM: usize = 6;
/// No link carries less (RFC 791 3.2).
const LEAST_MTU: usize = 68;
/// Octets of IPv6's fragment header.
const FRAGMENT_HEADER: usize = 8;

/// What a datagram meets on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Octets of the largest packet.
    pub(super) mtu: usize,
    /// IPv4: routers may fragment what fits.
    pub(super) fragmentable: bool,
    /// Names the fragments.
    pub(super) ident: u32,
    /// The device finishes checksums of what is not a fragment.
    pub(super) checksum_offload: bool,
}

/// The packets, in order.
pub(super) fn packets(d: &Outgoing, path: &Path) -> SmallVec<[TxPacket; 1]> {
    let ip_len = if d.to.ip.is_ipv4() { 20 } else { 40 };
    if ip_len + HEADER + d.text.len() <= path.mtu {
        return smallvec![whole(d, path, ip_len)];
    }
    fragments(d, path, ip_len)
}

/// The header with its checksum: of the whole datagram, or of the pseudo-header for a device.
fn header(d: &Outgoing, offload: bool) -> [u8; HEADER] {
    let len = HEADER + d.text.len();
    let mut h = [0; HEADER];
    h[0..2].copy_from_slice(&d.from.port.to_be_bytes());
    h[2..4].copy_from_slice(&d.to.port.to_be_bytes());
    h[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    let pseudo = Sum::pseudo_header(d.from.ip, d.to.ip, ip::UDP, len as u32);
    let sum = match offload {
        true => pseudo.fold(),
        // RFC 768: zero would say that there is none; RFC 8200 8.1.
        false => match pseudo.add(&h).add(&d.text).finish() {
            0 => 0xffff,
            sum => sum,
        },
    };
    h[CHECKSUM..].copy_from_slice(&sum.to_be_bytes());
    h
}

fn options(d: &Outgoing, fragmentable: Option<u16>) -> IpOptions {
    IpOptions { hop_limit: d.hop_limit, traffic_class: d.traffic_class, fragmentable }
}

fn whole(d: &Outgoing, path: &Path, ip_len: usize) -> TxPacket {
    let header = header(d, path.checksum_offload);
    // Linux sets DF on what fits the path, unless a router has asked for less than it believes.
    let o = options(d, path.fragmentable.then_some(path.ident as u16));
    let mut packet = TxPacket::with_head(ip_len + HEADER, |head| {
        ip::emit_header(head, d.from.ip, d.to.ip, ip::UDP, HEADER + d.text.len(), o);
        head[ip_len..].copy_from_slice(&header);
    });
    packet.push_payload(d.text.clone());
    if path.checksum_offload {
        let (start, offset) = (ip_len as u16, CHECKSUM as u16);
        packet = packet.with_offload(TxOffload::Checksum { start, offset });
    }
    packet
}

fn fragments(d: &Outgoing, path: &Path, ip_len: usize) -> SmallVec<[TxPacket; 1]> {
    let front = if ip_len == 20 { 0 } else { FRAGMENT_HEADER };
    let room = (path.mtu.max(LEAST_MTU) - ip_len - front) & !7;
    let (header, total) = (header(d, false), HEADER + d.text.len());
    let mut packets = SmallVec::with_capacity(total.div_ceil(room));
    for at in (0..total).step_by(room) {
        let end = total.min(at + room);
        // The UDP header is in the first; no room is that small.
        let own: &[u8] = if at == 0 { &header } else { &[] };
        let text = d.text.slice(at.saturating_sub(HEADER)..end - HEADER);
        packets.push(fragment(d, path, (at, end < total), own, text));
    }
    packets
}

/// A piece that begins at an octet of the datagram, and whether more follow.
fn fragment(
    d: &Outgoing,
    path: &Path,
    (at, more): (usize, bool),
    own: &[u8],
    text: Bytes,
) -> TxPacket {
    let (from, to) = (d.from.ip, d.to.ip);
    let (len, o) = (own.len() + text.len(), options(d, Some(path.ident as u16)));
    let mut packet = if to.is_ipv4() {
        TxPacket::with_head(20 + own.len(), |head| {
            ip::emit_header(head, from, to, ip::UDP, len, o);
            ip::mark_fragment(head, at, more);
            head[20..].copy_from_slice(own);
        })
    } else {
        TxPacket::with_head(40 + FRAGMENT_HEADER + own.len(), |head| {
            ip::emit_header(head, from, to, ip::FRAGMENT, FRAGMENT_HEADER + len, o);
            let h = &mut head[40..];
            h[0] = ip::UDP;
            h[2..4].copy_from_slice(&(at as u16 | u16::from(more)).to_be_bytes());
            h[4..8].copy_from_slice(&path.ident.to_be_bytes());
            h[FRAGMENT_HEADER..].copy_from_slice(own);
        })
    };
    packet.push_payload(text);
    packet
}
