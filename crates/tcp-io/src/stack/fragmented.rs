//! How do fragments come into the stack, and how does it send them? The glue between packets, the
//! reassembly and its timer, and the cutting of what is too large for the path (RFC 791 3.2,
//! RFC 8200 4.5).

use std::net::IpAddr;

use tcp_core::Instant;

use super::Stack;
use super::counters::PacketDrop;
use super::fragments::{Outcome, Reassembly};
use super::icmp_out::IcmpOut;
use super::ip::{self, Fragment, IpOptions};
use super::receive::Origin;
use super::tables::Token;
use crate::device::RxChecksum;

/// The reassembly of both families.
#[derive(Debug)]
pub(super) struct Fragments {
    v4: Reassembly,
    v6: Reassembly,
}

impl Fragments {
    pub(super) fn new(hash_key: [u8; 16], config: &super::StackConfig) -> Fragments {
        let (v4, v6) = (config.ipfrag_time, config.ip6frag_time);
        Fragments {
            v4: Reassembly::new(hash_key, config.ipfrag_high_thresh, v4),
            v6: Reassembly::new(hash_key, config.ip6frag_high_thresh, v6),
        }
    }

    fn of(&mut self, ipv6: bool) -> &mut Reassembly {
        if ipv6 { &mut self.v6 } else { &mut self.v4 }
    }
}

impl Stack {
    /// A fragment for an address of ours. What it completes is received as if it had come whole.
    pub(super) fn receive_fragment(
        &mut self,
        now: Instant,
        f: &Fragment<'_>,
        from: Origin,
    ) -> Result<(), PacketDrop> {
        let ipv6 = f.src.is_ipv6();
        let table = self.fragments.of(ipv6);
        let waiting = table.deadline().is_some();
        let outcome = table.on_fragment(now, f);
        let (evicted, deadline) = (table.take_evicted(), table.deadline());
        self.counters.drop_packets(PacketDrop::FragmentMemory, evicted);
        if let Some(at) = deadline.filter(|_| !waiting) {
            self.wheel.insert(at, Token::Fragments { ipv6 });
        }
        match outcome {
            Outcome::Kept => Ok(()),
            Outcome::Refused(why) => Err(why),
            Outcome::Whole(packet) => {
                self.counters.reassembled += 1;
                let ip::Parsed::Whole(p) = ip::parse(&packet)? else {
                    return Err(PacketDrop::Malformed);
                };
                // No device has seen the whole.
                let origin = Origin { checksum: RxChecksum::Unknown, piece: 0, ..from };
                self.deliver(now, &p, &packet, origin)
            }
        }
    }

    /// Time may be over for some datagrams. The timer belongs to the oldest at the time when it was
    /// set, which may be whole by now.
    pub(super) fn fragments_timeout(&mut self, now: Instant, ipv6: bool) {
        while let Some(gone) = self.fragments.of(ipv6).take_expired(now) {
            self.counters.drop_packets(PacketDrop::FragmentTimeout, gone.pieces);
            if let Some(first) = gone.first {
                self.icmp_error_about(now, &first, IcmpOut::ReassemblyTimeExceeded);
            }
        }
        if let Some(at) = self.fragments.of(ipv6).deadline() {
            self.wheel.insert(at, Token::Fragments { ipv6 });
        }
    }

    /// Datagrams that wait for fragments.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, vec![7; 2000], Some("10.0.0.2:6000".parse()?))?;
    /// let [first, second] = [a.poll_transmit(now).unwrap(), a.poll_transmit(now).unwrap()];
    /// b.receive(now, &second.to_vec(), RxChecksum::Unknown, None);
    /// assert_eq!(b.fragmented_count(), 1);
    /// b.receive(now, &first.to_vec(), RxChecksum::Unknown, None);
    /// assert_eq!(b.fragmented_count(), 0);
    /// assert_eq!(heard(&b, theirs).unwrap().1.len(), 2000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fragmented_count(&self) -> usize {
        self.fragments.v4.len() + self.fragments.v6.len()
    }

    /// What they hold, in octets.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, vec![7; 2000], Some("10.0.0.2:6000".parse()?))?;
    /// let first = a.poll_transmit(now).unwrap().to_vec();
    /// b.receive(now, &first, RxChecksum::Unknown, None);
    /// assert!(b.fragment_memory() >= 1480);
    /// b.on_deadline(now + Duration::from_secs(31)); // the rest does not come
    /// assert_eq!(b.fragment_memory(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fragment_memory(&self) -> usize {
        self.fragments.v4.memory() + self.fragments.v6.memory()
    }
}

/// The packets that carry `body`: one, or fragments of at most `mtu` octets.
pub(super) fn packets(
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    body: &[u8],
    o: IpOptions,
    id: u32,
    mtu: usize,
) -> Vec<Vec<u8>> {
    let header = if to.is_ipv4() { 20 } else { 40 };
    if header + body.len() <= mtu {
        return vec![packet(from, to, protocol, &[], body, o)];
    }
    let extra = if to.is_ipv4() { 0 } else { 8 };
    // No link carries less than 68 octets (RFC 791 3.2).
    let room = (mtu.max(68) - header - extra) & !7;
    let pieces = body.chunks(room).enumerate();
    pieces
        .map(|(i, piece)| {
            let at = i * room;
            let more = at + piece.len() < body.len();
            if to.is_ipv4() {
                let mut p = packet(from, to, protocol, &[], piece, o);
                ip::mark_fragment(&mut p, at, more);
                p
            } else {
                let mut h = [protocol, 0, 0, 0, 0, 0, 0, 0];
                h[2..4].copy_from_slice(&(at as u16 | u16::from(more)).to_be_bytes());
                h[4..8].copy_from_slice(&id.to_be_bytes());
                packet(from, to, ip::FRAGMENT, &h, piece, o)
            }
        })
        .collect()
}

fn packet(
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    front: &[u8],
    body: &[u8],
    o: IpOptions,
) -> Vec<u8> {
    let len = front.len() + body.len();
    let mut b = vec![0; 40];
    let header = ip::emit_header(&mut b, from, to, protocol, len, o);
    b.truncate(header);
    b.extend_from_slice(front);
    b.extend_from_slice(body);
    b
}
