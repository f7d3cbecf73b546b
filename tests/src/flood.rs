//! What does a SYN flood look like? SYNs as Linux sends them, from addresses that nobody has
//! (198.18.0.0/15, RFC 2544), each from another one, as whole IPv4 packets.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use tcp_core::SeqNum;
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{Flags, Options, Segment, Timestamps};

const TCP: u8 = 6;
/// Octets of a packet: the headers, and MSS, SACK, timestamps and window scale.
const LEN: usize = 60;

/// An endless flood towards one port; the same seed gives the same packets.
#[derive(Clone, Debug)]
pub struct SynFlood {
    to: SocketAddrV4,
    state: u64,
    count: u32,
}

impl SynFlood {
    /// A flood of a seed.
    pub fn new(seed: u64, to: SocketAddrV4) -> SynFlood {
        SynFlood { to, state: seed.wrapping_mul(2).wrapping_add(1), count: 0 }
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
        let src = Ipv4Addr::from_bits(0xc612_0000 | n >> 15);
        let port = (n & 0x7fff) as u16 | 0x8000;
        let mut p = [0; LEN];
        let segment = Segment {
            src_port: port,
            dst_port: self.to.port(),
            seq: SeqNum(random as u32),
            flags: Flags::SYN,
            window: 64_240,
            options: Options {
                mss: Some(1460),
                window_scale: Some(7),
                sack_permitted: true,
                timestamps: Some(Timestamps { value: (random >> 32) as u32, echo: 0 }),
                ..Options::default()
            },
            ..Segment::default()
        };
        assert_eq!(segment.emit_header(&mut p[20..]), LEN - 20);
        let (s, d) = (IpAddr::V4(src), IpAddr::V4(*self.to.ip()));
        let sum = Sum::pseudo_header(s, d, TCP, (LEN - 20) as u32).add(&p[20..]).finish();
        p[36..38].copy_from_slice(&sum.to_be_bytes());
        p[..10].copy_from_slice(&[0x45, 0, 0, LEN as u8, 0, 0, 0x40, 0, 64, TCP]);
        p[12..16].copy_from_slice(&src.octets());
        p[16..20].copy_from_slice(&self.to.ip().octets());
        let sum = Sum::new().add(&p[..20]).finish();
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        p
    }
}
