//! What does a SYN flood look like? SYNs as Linux sends them, from addresses that nobody has
//! (198.18.0.0/15, RFC 2544), each from another one, as whole IPv4 packets.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use tcp_core::SeqNum;
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{Flags, Options, Segment, Timestamps};

const TCP: u8 = 6;
/// Octets of a packet: the headers, and MSS, SACK, timestamps and window scale.
const LEN: usize = 60;
/// Where the fields stand that differ from packet to packet.
const SOURCE: usize = 12;
const PORT: usize = 20;
const SEQ: usize = 24;
const TIMESTAMP: usize = 48;

/// An endless flood towards one port; the same seed gives the same packets.
#[derive(Clone, Debug)]
pub struct SynFlood {
    /// A packet with zeros for what differs, and the sums of its IP header and of its segment.
    template: [u8; LEN],
    ip_sum: u32,
    tcp_sum: u32,
    state: u64,
    count: u32,
}

impl SynFlood {
    /// A flood of a seed.
    pub fn new(seed: u64, to: SocketAddrV4) -> SynFlood {
        let mut p = [0; LEN];
        let segment = Segment {
            src_port: 0,
            dst_port: to.port(),
            flags: Flags::SYN,
            window: 64_240,
            options: Options {
                mss: Some(1460),
                window_scale: Some(7),
                sack_permitted: true,
                timestamps: Some(Timestamps { value: 0, echo: 0 }),
                ..Options::default()
            },
            seq: SeqNum(0),
            ..Segment::default()
        };
        assert_eq!(segment.emit_header(&mut p[20..]), LEN - 20);
        p[..10].copy_from_slice(&[0x45, 0, 0, LEN as u8, 0, 0, 0x40, 0, 64, TCP]);
        p[16..20].copy_from_slice(&to.ip().octets());
        let (s, d) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(*to.ip()));
        let sum = Sum::pseudo_header(s, d, TCP, (LEN - 20) as u32).add(&p[20..]);
        SynFlood {
            template: p,
            ip_sum: u32::from(Sum::new().add(&p[..20]).fold()),
            tcp_sum: u32::from(sum.fold()),
            state: seed.wrapping_mul(2).wrapping_add(1),
            count: 0,
        }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// The next packet. No two of the first 2^32 have the same source.
    pub fn packet(&mut self) -> [u8; LEN] {
        let random = self.random();
        // The low 17 bits are the host, the rest the port: each pair comes once.
        let n = self.count.wrapping_mul(0x9e37_79b1);
        self.count = self.count.wrapping_add(1);
        let (src, port) = (0xc612_0000 | n >> 15, n & 0x7fff | 0x8000);
        let (seq, stamp) = (random as u32, (random >> 32) as u32);
        let mut p = self.template;
        p[SOURCE..SOURCE + 4].copy_from_slice(&src.to_be_bytes());
        p[PORT..PORT + 2].copy_from_slice(&(port as u16).to_be_bytes());
        p[SEQ..SEQ + 4].copy_from_slice(&seq.to_be_bytes());
        p[TIMESTAMP..TIMESTAMP + 4].copy_from_slice(&stamp.to_be_bytes());
        let halves = |word: u32| (word >> 16) + (word & 0xffff);
        let ip = self.ip_sum + halves(src);
        let tcp = self.tcp_sum + halves(src) + port + halves(seq) + halves(stamp);
        p[10..12].copy_from_slice(&complement(ip));
        p[36..38].copy_from_slice(&complement(tcp));
        p
    }
}

/// The checksum of a sum (RFC 1071).
fn complement(sum: u32) -> [u8; 2] {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (!(sum as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use tcp_core::wire::checksum;

    use super::*;

    #[test]
    fn every_packet_is_a_whole_syn_from_another_endpoint() {
        let to: SocketAddrV4 = "10.0.0.1:80".parse().expect("an address");
        let mut flood = SynFlood::new(3, to);
        let mut sources = std::collections::HashSet::new();
        for _ in 0..100_000 {
            let p = flood.packet();
            assert_eq!(Sum::new().add(&p[..20]).fold(), 0xffff);
            let src = Ipv4Addr::from_bits(u32::from_be_bytes([p[12], p[13], p[14], p[15]]));
            assert!(checksum::verify(IpAddr::V4(src), IpAddr::V4(*to.ip()), TCP, &p[20..]));
            let s = Segment::parse(&p[20..]).expect("a segment");
            assert_eq!((s.dst_port, s.flags), (80, Flags::SYN));
            let o = s.options;
            assert_eq!((o.mss, o.window_scale, o.sack_permitted), (Some(1460), Some(7), true));
            assert!(o.timestamps.is_some_and(|t| t.echo == 0));
            assert!(src.octets()[0] == 198 && src.octets()[1] & 0xfe == 18);
            assert!(sources.insert((src, s.src_port)));
        }
    }
}
