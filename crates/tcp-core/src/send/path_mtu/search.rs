//! Where does the search for the path MTU stand, and between which bounds? (RFC 4821 7, RFC 8899 5;
//! RFC 8200 5.) How it moves is the matter of [`PathMtu`](super::PathMtu).

use crate::config::PathMtuConfig;
use crate::{Instant, SeqNum};

/// RFC 8200 5: what every IPv6 link carries.
pub(super) const IPV6_MIN_MTU: u32 = 1280;

/// The family of the path decides the floors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub(crate) ipv4: bool,
    /// IP and TCP headers without options, in octets.
    pub(crate) headers: u32,
}

impl Path {
    pub(super) fn base(self, c: &PathMtuConfig) -> u32 {
        let base = c.base_mss + self.headers;
        if self.ipv4 { base } else { base.max(IPV6_MIN_MTU) }
    }

    /// Whether packets of this size are larger than the base that every path should carry.
    pub(crate) fn is_large(self, size: u32, c: &PathMtuConfig) -> bool {
        size > self.base(c)
    }

    pub(super) fn floor(self, c: &PathMtuConfig) -> u32 {
        if self.ipv4 { (c.probe_floor + self.headers).min(self.base(c)) } else { IPV6_MIN_MTU }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Search {
    /// ICMP alone decides.
    Off,
    /// Between the current size, which fits, and `high`, which may.
    Searching { high: u32, failures: u8, probe: Option<Probe> },
    /// The answer is known until then.
    Done { again_at: Instant },
}

/// A packet larger than what is known to fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Probe {
    pub(crate) start: SeqNum,
    pub(crate) end: SeqNum,
    /// Octets of IP packet.
    pub(crate) size: u32,
}

/// How the probes of a connection fared.
///
/// ```
#[doc = include_str!("../../../doc/established.rs")]
/// # let mut config = TcpConfig::default();
/// # config.path_mtu.probing = MtuProbing::Always;
/// # config.receive_buffer.initial = 1 << 20;
/// # let (mut client, mut server) = established(config);
/// // With `MtuProbing::Always` a connection begins small, and looks for what the path carries.
/// assert_eq!(client.path_mtu().mtu, 1024 + 40);
/// client.write(now, &[7; 200_000]).unwrap();
/// exchange(now, &mut client, &mut server);
/// let info = client.info();
/// assert!(info.path_mtu > 1400);
/// assert_eq!((info.mtu_probes.sent, info.mtu_probes.acked, info.mtu_probes.lost), (4, 4, 0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProbeTally {
    /// Probes sent.
    pub sent: u32,
    /// Probes that arrived: packets became larger.
    pub acked: u32,
    /// Probes that were lost, and nothing else with them.
    pub lost: u32,
    /// Black holes found: packets became smaller without a word of ICMP.
    pub black_holes: u32,
}
