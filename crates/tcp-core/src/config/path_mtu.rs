//! Which numbers does path MTU discovery use? By ICMP (RFC 1191, RFC 8201, RFC 5927 7) and by
//! probing where ICMP is silent (RFC 4821, RFC 8899), with Linux's names and values.

use core::time::Duration;

/// When packets of unknown fate test how large they may be (RFC 4821). Linux: `tcp_mtu_probing`.
///
/// ```
/// use tcp_core::config::{MtuProbing, PathMtuConfig, TcpConfig};
#[doc = include_str!("../../doc/established.rs")]
///
/// let first_size = |probing| {
///     let path_mtu = PathMtuConfig { probing, ..PathMtuConfig::default() };
///     let (client, _server) = established(TcpConfig { path_mtu, ..TcpConfig::default() });
///     client.info().path_mtu
/// };
/// // All but `Always` trust the link, of 1500 octets here, until something speaks against it.
/// assert_eq!(first_size(MtuProbing::Off), 1500);
/// assert_eq!(first_size(MtuProbing::BlackHole), 1500);
/// assert_eq!(first_size(MtuProbing::Always), 1024 + 20 + 20);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MtuProbing {
    /// Never. Linux's 0, and its default.
    Off,
    /// After a black hole showed: full segments are lost in silence. Linux's 1; the default here
    /// (docs/decisions/0017).
    #[default]
    BlackHole,
    /// From the beginning on, starting with `base_mss`. Linux's 2.
    Always,
}

/// The numbers of path MTU discovery. Sizes in octets.
///
/// ```
/// use tcp_core::config::{PathMtuConfig, TcpConfig};
/// use tcp_core::error::IcmpError;
#[doc = include_str!("../../doc/established.rs")]
///
/// let path_mtu = PathMtuConfig { min_pmtu: 1000, ..PathMtuConfig::default() };
/// let (mut client, _server) = established(TcpConfig { path_mtu, ..TcpConfig::default() });
/// client.write(now, &[0; 1448])?;
/// let packet = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
/// // No ICMP message, true or forged, makes packets smaller than that.
/// client.on_icmp(now, packet.segment.seq, IcmpError::TooBig { mtu: 600 });
/// assert_eq!(client.path_mtu().mtu, 1000);
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtuConfig {
    /// IPv4 packets are sent with DF, and ICMP says what does not fit (RFC 1191). Without it routers
    /// fragment, and nothing is learnt; IPv6 has no choice. Linux: `ip_no_pmtu_disc`, inverted.
    pub discovery: bool,
    /// No ICMP message makes IPv4 packets smaller than this; where a path carries less, they go
    /// without DF. Linux: `min_pmtu`, 552.
    pub min_pmtu: u32,
    /// How long what ICMP said is remembered (RFC 1191 6.3: 10 minutes). Linux: `mtu_expires`.
    pub expires: Duration,
    /// Whether sizes are probed. Linux: `tcp_mtu_probing`, off.
    pub probing: MtuProbing,
    /// Segment size after a black hole, and with which `Always` begins. Never below what an IPv6
    /// link must carry. Linux: `tcp_base_mss`, 1024.
    pub base_mss: u32,
    /// No black hole makes IPv4 segments smaller. Linux: `tcp_mtu_probe_floor`, 48; here 512,
    /// since every IPv4 host takes 576 octets and an outage is no black hole.
    pub probe_floor: u32,
    /// The search ends when it is this exact. Linux: `tcp_probe_threshold`, 8.
    pub probe_threshold: u32,
    /// Time between two searches (RFC 8899 5.1.1: 10 minutes). Linux: `tcp_probe_interval`.
    pub probe_interval: Duration,
    /// Lost probes of a size that show that it is too large (RFC 8899 5.1.2: 3). Linux: 1.
    pub max_probes: u8,
    /// Time-outs in a row of a full segment that are taken for a black hole. Linux:
    /// `tcp_retries1`, 3; FreeBSD and this default: 2.
    pub black_hole_timeouts: u32,
    /// The same for segments that are not larger than `base_mss` (RFC 4821 7.7: 5).
    pub full_stop_timeouts: u32,
}

impl Default for PathMtuConfig {
    fn default() -> PathMtuConfig {
        PathMtuConfig {
            discovery: true,
            min_pmtu: 552,
            expires: Duration::from_secs(600),
            probing: MtuProbing::BlackHole,
            base_mss: 1024,
            probe_floor: 512,
            probe_threshold: 8,
            probe_interval: Duration::from_secs(600),
            max_probes: 3,
            black_hole_timeouts: 2,
            full_stop_timeouts: 5,
        }
    }
}
