//! Which numbers does the protocol use? Every constant of a connection, with its RFC label, its
//! default and Linux's value. A stack shares one [`TcpConfig`]; what an application may change on
//! one connection stands in [`SocketOptions`].

mod options;
mod path_mtu;

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::memory::GUARANTEED;
pub use options::{Keepalive, Linger, Linger2, SocketOptions, buffer_limit};
pub use path_mtu::{MtuProbing, PathMtuConfig};

/// The built-in congestion controllers.
///
/// ```
/// use tcp_core::config::{Algorithm, UnknownAlgorithm};
///
/// let algorithm: Algorithm = "reno".parse()?;
/// assert_eq!(algorithm, Algorithm::Reno);
/// assert_eq!(Algorithm::default().name(), "cubic");
/// # Ok::<(), UnknownAlgorithm>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// RFC 5681.
    Reno,
    /// RFC 9438; the default, as in every large system.
    // MAY-18: an algorithm other than that of RFC 5681.
    #[default]
    Cubic,
}

impl Algorithm {
    /// The name that Linux has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Reno => "reno",
            Algorithm::Cubic => "cubic",
        }
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// By the name that Linux has for it, as in `TCP_CONGESTION`.
    fn from_str(name: &str) -> Result<Algorithm, UnknownAlgorithm> {
        let all = [Algorithm::Reno, Algorithm::Cubic];
        all.into_iter().find(|a| a.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// No built-in congestion control has this name.
///
/// ```
/// use tcp_core::config::{Algorithm, UnknownAlgorithm};
///
/// let unknown = "vegas".parse::<Algorithm>();
/// assert_eq!(unknown, Err(UnknownAlgorithm));
/// assert_eq!(UnknownAlgorithm.to_string(), "unknown congestion control");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown congestion control")
    }
}

impl core::error::Error for UnknownAlgorithm {}

/// How far a buffer may grow: it starts at `initial` and is auto-tuned up to `max`, in octets.
///
/// ```
/// use tcp_core::config::{BufferLimits, TcpConfig};
#[doc = include_str!("../doc/established.rs")]
///
/// let send_buffer = BufferLimits { initial: 32 << 10, max: 1 << 20 };
/// let config = TcpConfig { send_buffer, ..TcpConfig::default() };
/// let (mut client, _server) = established(config);
/// // The peer has acknowledged nothing yet that would let the buffer grow.
/// assert_eq!(client.write(now, &[0; 100 << 10])?, 32 << 10);
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferLimits {
    /// The limit of a new connection.
    pub initial: usize,
    /// The limit auto-tuning may reach.
    pub max: usize,
}

/// The numbers of a stack's TCP. Construct with [`TcpConfig::default`] and change fields.
///
/// ```
/// use core::time::Duration;
/// use tcp_core::config::{BufferLimits, TcpConfig};
#[doc = include_str!("../doc/established.rs")]
///
/// let config = TcpConfig {
///     timestamps: false,
///     receive_buffer: BufferLimits { initial: 64 << 10, max: 1 << 20 },
///     rto_min: Duration::from_millis(300),
///     ..TcpConfig::default()
/// };
/// // 1 MiB in a field of 16 bits: 32,768 times 2^5.
/// assert_eq!(config.window_scale(), 5);
/// let (client, _server) = established(config);
/// let info = client.info();
/// assert_eq!((info.negotiated.timestamps, info.receive_scale), (false, 5));
/// // Without timestamps there is room for 1460 octets in a packet of 1500.
/// assert_eq!(info.send_mss, 1460);
/// // The round trip took 20 ms.
/// assert_eq!(info.rto, Duration::from_millis(20 + 300));
/// ```
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Offer selective acknowledgement (RFC 2018). Linux: on.
    pub sack: bool,
    /// Offer timestamps and PAWS (RFC 7323 3). Linux: on.
    pub timestamps: bool,
    /// Offer window scaling (RFC 7323 2). Linux: on.
    pub window_scaling: bool,
    /// Receive buffer; the window scale follows from `max`. Linux: 128 KiB, up to 6 MiB.
    pub receive_buffer: BufferLimits,
    /// Send buffer. Linux: 16 KiB, up to 4 MiB. Over a path of less than 250 µs it is tuned beyond 256 KiB
    /// only while the buffers of the stack hold less than 4 MiB together: more would be slower.
    pub send_buffer: BufferLimits,
    /// What a receiver may hold however short memory is, in octets: an empty ring of this size, or
    /// the power of two below it; at least 2 KiB. Linux: 4 KiB, the first of `tcp_rmem`.
    #[doc(alias = "tcp_rmem")]
    pub receive_buffer_min: usize,
    /// What a sender may hold however short memory is, in octets, records of what is in flight
    /// included; at least 1 KiB. Linux: 4 KiB, the first of `tcp_wmem`.
    #[doc(alias = "tcp_wmem")]
    pub send_buffer_min: usize,
    /// How long an ACK may be delayed (MUST-40: below 0.5 s). Linux: 40 to 200 ms. Reading all of what a peer has
    /// written ends the delay, until the application answers what it reads.
    pub delayed_ack: Duration,
    /// First retransmission time-out (RFC 6298 2.1). Linux: 1 s.
    pub rto_initial: Duration,
    /// What a retransmission time-out is at least above the smoothed round trip. RFC 6298 2.4 says
    /// 1 s for both together; Linux and this default: 200 ms.
    pub rto_min: Duration,
    /// Largest retransmission time-out (RFC 6298 2.5). Linux: 120 s.
    pub rto_max: Duration,
    /// Duplicate ACKs that mean a loss (RFC 5681 3.2). Linux: 3, adaptive.
    pub dup_threshold: u32,
    /// Retransmissions of a SYN, after 1, 2, 4, 8 ... s. Linux: 6.
    pub syn_retries: u32,
    /// R2 for a SYN (MUST-23: at least 3 minutes); whichever of this and `syn_retries` comes
    /// first gives up. Linux: 127 s, from its 6 retries.
    pub syn_timeout: Duration,
    /// Retransmissions of a SYN-ACK, after 1, 2, 4, 8, 16 s; given up at 63 s. Linux: 5.
    pub syn_ack_retries: u32,
    /// A connection is handed to `accept` only when text has come, for this long; then without,
    /// if the peer is still there. Rounded up to the deadlines of the SYN-ACK: 1, 3, 7, 15 ... s.
    /// Linux: `TCP_DEFER_ACCEPT`, off.
    pub defer_accept: Option<Duration>,
    /// R1: retransmissions after which the application is told of trouble (MUST-20, SHLD-10: at
    /// least 3). Linux: 3.
    pub retries_r1: u32,
    /// R2: retransmissions after which the connection fails (SHLD-11: at least 100 s). Linux: 15.
    pub retries_r2: u32,
    /// R2 of a connection that the application has closed. Linux: 8.
    #[doc(alias = "tcp_orphan_retries")]
    pub orphan_retries: u32,
    /// How long an orphan waits in FIN-WAIT-2 for the peer's FIN, and at least 3.5 RTO. Linux:
    /// 60 s, `tcp_fin_timeout`. One connection: [`SocketOptions::linger2`].
    #[doc(alias = "tcp_fin_timeout")]
    pub fin_wait2_timeout: Duration,
    /// 2MSL, the length of TIME-WAIT (MUST-13); below 24 days. RFC 9293: 4 minutes; Linux: 60 s.
    pub time_wait: Duration,
    /// Ignore resets in TIME-WAIT (RFC 1337). Linux: off.
    #[doc(alias = "tcp_rfc1337")]
    pub rfc1337: bool,
    /// Challenge ACKs and answers to unacceptable segments without data that one connection sends
    /// in `challenge_period` (RFC 5961 7 and 10).
    pub challenge_limit: u32,
    /// The period of `challenge_limit`. RFC 5961 7: 10 in 5 s.
    pub challenge_period: Duration,
    /// Soft ICMP errors end an active open at once, as on Linux (RFC 5461 4.1). Off: they are
    /// only reported, and the SYN's retries decide (MUST-56 to the letter).
    pub soft_errors_end_connect: bool,
    /// Path MTU discovery, by ICMP and by probing.
    pub path_mtu: PathMtuConfig,
    /// Congestion control of new connections.
    pub congestion: Algorithm,
    /// What new connections start with.
    pub options: SocketOptions,
}

impl Default for TcpConfig {
    fn default() -> TcpConfig {
        TcpConfig {
            sack: true,
            timestamps: true,
            window_scaling: true,
            receive_buffer: BufferLimits { initial: 128 << 10, max: 6 << 20 },
            send_buffer: BufferLimits { initial: 256 << 10, max: 4 << 20 },
            receive_buffer_min: GUARANTEED,
            send_buffer_min: GUARANTEED,
            delayed_ack: Duration::from_millis(40),
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            dup_threshold: 3,
            syn_retries: 7,
            syn_timeout: Duration::from_secs(180),
            syn_ack_retries: 5,
            defer_accept: None,
            retries_r1: 3,
            retries_r2: 15,
            orphan_retries: 8,
            fin_wait2_timeout: Duration::from_secs(60),
            time_wait: Duration::from_secs(60),
            rfc1337: false,
            challenge_limit: 10,
            challenge_period: Duration::from_secs(5),
            soft_errors_end_connect: true,
            path_mtu: PathMtuConfig::default(),
            congestion: Algorithm::Cubic,
            options: SocketOptions::default(),
        }
    }
}

impl TcpConfig {
    /// The window scale we offer: the least shift that lets the window reach the largest receive
    /// buffer (RFC 7323 2.3: at most 14).
    pub fn window_scale(&self) -> u8 {
        let max = self.receive_buffer.max.max(self.receive_buffer.initial);
        (0..14).find(|s| (max >> s) <= 0xffff).unwrap_or(14)
    }

    /// What a receiver may hold in any case.
    pub(crate) fn guaranteed_receive(&self) -> usize {
        self.receive_buffer_min.max(2 << 10)
    }

    /// What a sender may hold in any case.
    pub(crate) fn guaranteed_send(&self) -> usize {
        self.send_buffer_min.max(1 << 10)
    }

    /// Limit of a new connection's receive buffer.
    pub(crate) fn first_receive_limit(&self) -> usize {
        self.options.receive_buffer.map_or(self.receive_buffer.initial, buffer_limit)
    }

    /// Limit of a new connection's send buffer.
    pub(crate) fn first_send_limit(&self) -> usize {
        self.options.send_buffer.map_or(self.send_buffer.initial, buffer_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_scale_reaches_the_buffer() {
        let mut c = TcpConfig::default();
        assert_eq!(c.window_scale(), 7);
        c.receive_buffer = BufferLimits { initial: 1000, max: 65_535 };
        assert_eq!(c.window_scale(), 0);
        c.receive_buffer.max = usize::MAX;
        assert_eq!(c.window_scale(), 14);
    }

    #[test]
    fn defaults_keep_to_the_rfc() {
        let c = TcpConfig::default();
        assert!(c.delayed_ack < Duration::from_millis(500)); // MUST-40
        assert!(c.retries_r1 >= 3); // SHLD-10
        assert!(c.syn_timeout >= Duration::from_secs(180)); // MUST-23
        assert!(!c.options.keepalive_on); // MUST-25
        assert!(c.options.keepalive.idle >= Duration::from_secs(7200)); // MUST-28
    }
}
