//! What is a stack told at its start? Addresses, limits and the TCP configuration, checked.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use tcp_core::config::TcpConfig;
use tcp_core::listen::SynCookies;
use tcp_core::memory::MemoryLimits;

use super::Foreign;
use super::routes::Routes;

/// An address with the length of its network's prefix, as in `10.0.0.2/24`.
///
/// ```
/// use tcp_io::stack::Cidr;
///
/// let own: Cidr = "10.45.0.2/24".parse()?;
/// assert_eq!(own, Cidr::new([10, 45, 0, 2].into(), 24)?);
/// assert_eq!((own.address().to_string(), own.prefix()), ("10.45.0.2".to_owned(), 24));
/// assert!(own.contains([10, 45, 0, 77].into()));
/// assert!(!own.contains([10, 45, 1, 77].into()));
/// assert_eq!(own.broadcast(), Some([10, 45, 0, 255].into()));
/// assert_eq!("fd45::2/64".parse::<Cidr>()?.broadcast(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// An address that a stack cannot have.
///
/// ```
/// use tcp_io::stack::{Cidr, CidrError};
///
/// let wrong = |text: &str| text.parse::<Cidr>().unwrap_err();
/// assert_eq!(wrong("10.0.0.1"), CidrError::Syntax("10.0.0.1".to_owned()));
/// assert_eq!(wrong("10.0.0.1/33"), CidrError::Prefix(33));
/// assert_eq!(wrong("224.0.0.1/4"), CidrError::NotUnicast([224, 0, 0, 1].into()));
/// assert_eq!(wrong("10.0.0.1/33").to_string(), "prefix /33 is longer than the address");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CidrError {
    /// Not of the form `address/prefix`.
    Syntax(String),
    /// The prefix is longer than the address.
    Prefix(u8),
    /// Multicast, broadcast or unspecified.
    NotUnicast(IpAddr),
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CidrError::Syntax(s) => {
                write!(f, "`{s}` is not an address with a prefix, such as 10.45.0.2/24")
            }
            CidrError::Prefix(p) => write!(f, "prefix /{p} is longer than the address"),
            CidrError::NotUnicast(a) => write!(f, "{a} is not the address of one host"),
        }
    }
}

impl std::error::Error for CidrError {}

impl Cidr {
    /// An address with its prefix length.
    ///
    /// # Errors
    /// If the prefix is too long, or the address is not a unicast address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Cidr, CidrError> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most {
            return Err(CidrError::Prefix(prefix));
        }
        let broadcast = matches!(address, IpAddr::V4(a) if a.is_broadcast());
        if address.is_multicast() || address.is_unspecified() || broadcast {
            return Err(CidrError::NotUnicast(address));
        }
        Ok(Cidr { address, prefix })
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The prefix length.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `other` is in the same network.
    pub fn contains(&self, other: IpAddr) -> bool {
        super::routes::same_network(self.address, other, self.prefix)
    }

    /// The directed broadcast address of an IPv4 network, if it has one.
    pub fn broadcast(&self) -> Option<IpAddr> {
        match self.address {
            IpAddr::V4(a) if self.prefix < 31 => {
                let host = u32::MAX >> self.prefix;
                Some(IpAddr::V4((u32::from(a) | host).into()))
            }
            _ => None,
        }
    }
}

pub(super) fn same_prefix(a: u128, b: u128, host_bits: u8) -> bool {
    host_bits >= 128 || (a ^ b) >> host_bits == 0
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(s: &str) -> Result<Cidr, CidrError> {
        let syntax = || CidrError::Syntax(s.to_owned());
        let (address, prefix) = s.split_once('/').ok_or_else(syntax)?;
        let address = address.parse().map_err(|_| syntax())?;
        Cidr::new(address, prefix.parse().map_err(|_| syntax())?)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Where a connect may take a TIME-WAIT record's place. It needs timestamps (RFC 7323), which tell
/// old segments from new.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// // A client with one port, which a closed connection holds for 60 s.
/// let config = StackConfig {
///     ephemeral_ports: (40_000, 40_000),
///     tw_reuse: TimeWaitReuse::On,
///     ..a.config().clone()
/// };
/// let mut a = Stack::new(now, config, [1; 32]);
/// # let listener = b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
/// let to = "10.0.0.2:80".parse()?;
/// let client = a.connect(now, to, ConnectOptions::default())?;
/// # carry(now, &mut a, &mut b);
/// # let server = b.accept(listener)?.unwrap();
/// a.close(now, client);
/// # carry(now, &mut a, &mut b);
/// b.close(now, server);
/// carry(now, &mut a, &mut b);
/// assert_eq!(a.connect(now, to, ConnectOptions::default()), Err(OpenError::NoPorts));
/// let later = now + Duration::from_millis(1100); // `tw_reuse_delay` has passed
/// assert!(a.connect(later, to, ConnectOptions::default()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeWaitReuse {
    /// Nowhere: the quiet time runs to its end. Linux: 0.
    Off,
    /// Towards every destination. Linux: 1.
    On,
    /// Towards the stack itself only, where no segment is ever late. Linux's default, 2.
    #[default]
    Loopback,
}

/// What a stack is made from.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::stack::{ConnectOptions, OpenError, Stack, StackConfig};
///
/// let config = StackConfig {
///     addresses: vec!["10.0.0.1/24".parse()?, "fd00::1/64".parse()?],
///     mtu: 1400,
///     max_connections: 1,
///     ..StackConfig::default()
/// };
/// let now = Instant::ZERO;
/// let mut stack = Stack::new(now, config, [7; 32]);
/// let client = stack.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
/// assert_eq!(stack.info(client).unwrap().advertised_mss, 1400 - 40);
/// let another = stack.connect(now, "[fd00::2]:80".parse()?, ConnectOptions::default());
/// assert_eq!(another, Err(OpenError::TooMany));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// The stack's own addresses; at least one, unless only loopback is wanted.
    pub addresses: Vec<Cidr>,
    /// What is reachable beside the addresses' own networks. Connecting elsewhere is refused
    /// ([`OpenError::NoRoute`](super::OpenError)), and packets from there are dropped.
    pub routes: Routes,
    /// Largest IP packet of the link, in octets.
    pub mtu: usize,
    /// Largest packet that the device cuts into segments (TSO), if it does.
    pub segmentation_offload: Option<usize>,
    /// The device finishes checksums.
    pub checksum_offload: bool,
    /// TCP's numbers.
    pub tcp: TcpConfig,
    /// Half-open records of one listener at most. Linux: `tcp_max_syn_backlog`.
    pub max_syn_backlog: usize,
    /// Upper bound of every listener's backlog. Linux: 4096.
    pub somaxconn: usize,
    /// When a SYN is answered by a cookie instead of a record. Linux: `tcp_syncookies`, when the
    /// queue is full.
    pub syn_cookies: SynCookies,
    /// Whether a full accept queue resets whoever completes a handshake; otherwise the last ACK
    /// is dropped and the SYN-ACK sent again. Linux: `tcp_abort_on_overflow`, off.
    pub abort_on_overflow: bool,
    /// TIME-WAIT records at most; when the table is full, a connection skips the quiet time and
    /// the event is counted. Linux: `tcp_max_tw_buckets`. A record costs about 90 octets.
    #[doc(alias = "tcp_max_tw_buckets")]
    #[doc(alias = "max_tw_buckets")]
    pub max_time_wait: usize,
    /// Where our own connects may take a TIME-WAIT record's place when they find no free port
    /// (RFC 6191 3). Linux: `tcp_tw_reuse`. An application that binds its port is always allowed.
    #[doc(alias = "tcp_tw_reuse")]
    pub tw_reuse: TimeWaitReuse,
    /// How long the peer must have been silent before that. Linux: 1 s, `tcp_tw_reuse_delay`.
    #[doc(alias = "tcp_tw_reuse_delay")]
    pub tw_reuse_delay: Duration,
    /// Connections that their application has closed and that are not over, at most; one more is
    /// reset and counted. TIME-WAIT does not count. Linux: `tcp_max_orphans`.
    #[doc(alias = "tcp_max_orphans")]
    pub max_orphans: usize,
    /// Connections at most, in all states but TIME-WAIT.
    pub max_connections: usize,
    /// Ephemeral ports, from and to, inclusive. Linux: 32768 to 60999.
    pub ephemeral_ports: (u16, u16),
    /// Octets of SYN text that all half-open records and undecided requests together may keep.
    pub syn_text_budget: usize,
    /// Octets that incomplete IPv4 datagrams may hold; the oldest give way. Linux: 4 MiB, where the
    /// newest are refused.
    pub ipfrag_high_thresh: usize,
    /// The same for IPv6.
    pub ip6frag_high_thresh: usize,
    /// How long an IPv4 datagram may take to arrive. Linux: 30 s.
    pub ipfrag_time: Duration,
    /// The same for IPv6 (RFC 8200 4.5: 60 s).
    pub ip6frag_time: Duration,
    /// Time between two ICMP errors to one host, after a burst of 6. Linux: 1 s; 0: no limit.
    pub icmp_ratelimit: Duration,
    /// ICMP errors in a second to all hosts; 0: none are sent. Linux: 1,000.
    pub icmp_msgs_per_sec: u32,
    /// How many of these may go at once. Linux: 50.
    pub icmp_msgs_burst: u32,
    /// UDP sockets at most.
    pub max_udp_sockets: usize,
    /// Octets that received datagrams of one UDP socket may hold, 576 for each included. Linux:
    /// `net.core.rmem_default`.
    pub rmem_default: usize,
    /// The same for datagrams that the device has not taken. Linux: `net.core.wmem_default`.
    pub wmem_default: usize,
    /// Octets that received datagrams of all UDP sockets may hold together. Linux: the last
    /// number of `udp_mem`, which depends on the machine's memory.
    pub udp_mem: usize,
    /// What the buffers of all connections may hold together. Linux: `tcp_mem`.
    pub memory: MemoryLimits,
    /// What happens to packets for addresses that are not the stack's own.
    pub foreign: Foreign,
}

impl Default for StackConfig {
    fn default() -> StackConfig {
        StackConfig {
            addresses: Vec::new(),
            routes: Routes::default(),
            mtu: 1500,
            segmentation_offload: None,
            checksum_offload: false,
            tcp: TcpConfig::default(),
            max_syn_backlog: 4096,
            somaxconn: 4096,
            syn_cookies: SynCookies::default(),
            abort_on_overflow: false,
            max_time_wait: 262_144,
            tw_reuse: TimeWaitReuse::default(),
            tw_reuse_delay: Duration::from_secs(1),
            max_orphans: 65_536,
            max_connections: 1 << 20,
            ephemeral_ports: (32_768, 60_999),
            syn_text_budget: 1 << 20,
            ipfrag_high_thresh: 4 << 20,
            ip6frag_high_thresh: 4 << 20,
            ipfrag_time: Duration::from_secs(30),
            ip6frag_time: Duration::from_secs(60),
            icmp_ratelimit: Duration::from_secs(1),
            icmp_msgs_per_sec: 1000,
            icmp_msgs_burst: 50,
            max_udp_sockets: 65_536,
            rmem_default: 212_992,
            wmem_default: 212_992,
            udp_mem: 64 << 20,
            memory: MemoryLimits::default(),
            foreign: Foreign::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_hosts() {
        let c: Cidr = "10.45.0.2/24".parse().unwrap();
        assert!(c.contains("10.45.0.255".parse().unwrap()));
        assert!(!c.contains("10.45.1.1".parse().unwrap()));
        assert_eq!(c.broadcast(), Some("10.45.0.255".parse().unwrap()));
        let all: Cidr = "fd45::2/0".parse().unwrap();
        assert!(all.contains("::1".parse().unwrap()));
        assert!(!all.contains("1.1.1.1".parse().unwrap()));
    }

    #[test]
    fn bad_addresses_say_what_is_wrong() {
        for (text, wrong) in [
            ("10.0.0.1", "not an address with a prefix"),
            ("10.0.0.1/33", "longer than the address"),
            ("10.0.0/8", "not an address with a prefix"),
            ("224.0.0.1/4", "not the address of one host"),
            ("255.255.255.255/32", "not the address of one host"),
            ("fd00::1/129", "longer than the address"),
            ("fd00::1/x", "not an address with a prefix"),
        ] {
            let e = text.parse::<Cidr>().unwrap_err().to_string();
            assert!(e.contains(wrong), "{text}: {e}");
        }
    }
}
