//! What may an application change on one connection? The options of a socket, with Linux's names and
//! values. What they mean for a connection is `connection`'s; the numbers of a whole stack are
//! `TcpConfig`'s.

use core::time::Duration;

use super::Algorithm;

/// What an application may set on one connection.
///
/// ```
/// use tcp_core::connection::Limits;
#[doc = include_str!("../../doc/established.rs")]
///
/// // Two short messages: Nagle's algorithm keeps the second until the first is acknowledged.
/// client.write(now, b"first")?;
/// let first = client.poll_transmit(now, &Limits::default(), &mut Payload::new());
/// client.write(now, b"second")?;
/// let second = client.poll_transmit(now, &Limits::default(), &mut Payload::new());
/// assert!(first.is_some() && second.is_none());
///
/// client.set_options(now, |o| o.nodelay = true);
/// assert!(client.options().nodelay);
/// assert!(client.poll_transmit(now, &Limits::default(), &mut Payload::new()).is_some());
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// No Nagle algorithm (MUST-17).
    pub nodelay: bool,
    /// Send full segments only, until it is unset or 200 ms have passed (`TCP_CORK`).
    pub cork: bool,
    /// Acknowledge at once instead of delaying.
    pub quickack: bool,
    /// Keepalive is on (MUST-24); off by default (MUST-25).
    pub keepalive_on: bool,
    /// Keepalive's times.
    pub keepalive: Keepalive,
    /// What close does with undelivered data.
    #[doc(alias = "SO_LINGER")]
    pub linger: Linger,
    /// How long the connection outlives its close in FIN-WAIT-2.
    #[doc(alias = "TCP_LINGER2")]
    pub linger2: Linger2,
    /// How long data may stay unacknowledged (MUST-21; RFC 5482 semantics, local only); zero is
    /// as none. With keepalive it takes the place of the count of probes.
    #[doc(alias = "TCP_USER_TIMEOUT")]
    pub user_timeout: Option<Duration>,
    /// Fixed send buffer limit in octets, from 1 KiB to 1 GiB; none: auto-tuned. Linux doubles
    /// the value for its own overhead; here it is the text.
    #[doc(alias = "SO_SNDBUF")]
    pub send_buffer: Option<usize>,
    /// Writing is possible only while fewer octets than this are written and not yet sent; none,
    /// or zero: the send buffer alone decides. As on Linux, who waits is woken at half of it.
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    #[doc(alias = "tcp_notsent_lowat")]
    pub notsent_lowat: Option<u32>,
    /// Fixed receive buffer limit in octets, from 1 KiB to 1 GiB; none: auto-tuned.
    #[doc(alias = "SO_RCVBUF")]
    pub receive_buffer: Option<usize>,
    /// Congestion control; none: [`TcpConfig::congestion`](super::TcpConfig::congestion).
    #[doc(alias = "TCP_CONGESTION")]
    pub congestion: Option<Algorithm>,
    /// TTL or hop limit of our packets (MUST-49). Linux: 64.
    pub hop_limit: u8,
    /// Packets that arrive with a smaller TTL or hop limit are dropped (`IP_MINTTL`; the security
    /// mechanism of RFC 5082). Linux: 0, none.
    pub min_hop_limit: u8,
    /// Traffic class: the Diffserv field and ECN bits of our packets (MUST-48, SHLD-21).
    pub traffic_class: u8,
    /// Soft errors are reported (SHLD-20 lets the application switch this off).
    pub report_soft_errors: bool,
}

impl SocketOptions {
    /// As the connection uses them.
    pub(crate) fn normalized(mut self) -> SocketOptions {
        self.user_timeout = self.user_timeout.filter(|t| !t.is_zero());
        self.notsent_lowat = self.notsent_lowat.filter(|n| *n > 0);
        self
    }
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            nodelay: false,
            cork: false,
            quickack: false,
            keepalive_on: false,
            keepalive: Keepalive::default(),
            linger: Linger::default(),
            linger2: Linger2::default(),
            user_timeout: None,
            send_buffer: None,
            notsent_lowat: None,
            receive_buffer: None,
            congestion: None,
            hop_limit: 64,
            min_hop_limit: 0,
            traffic_class: 0,
            report_soft_errors: true,
        }
    }
}

/// Keepalive parameters (RFC 9293 3.8.4). A time of zero counts as a millisecond, no probe as one.
///
/// With a [user timeout](SocketOptions::user_timeout) that time decides instead of `count`, as on
/// Linux: once a probe is unanswered and nothing has come for so long, the next one that is due
/// ends the connection.
///
/// ```
/// use core::time::Duration;
/// use tcp_core::config::Keepalive;
/// use tcp_core::connection::Timer;
/// use tcp_core::error::End;
#[doc = include_str!("../../doc/established.rs")]
///
/// client.set_options(now, |o| {
///     let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(10));
///     o.keepalive = Keepalive { idle, interval, count: 3 };
///     o.keepalive_on = true;
/// });
/// let heard = Instant::from_millis(20); // when the SYN-ACK came
/// let mut fired = Vec::new();
/// while client.end().is_none() {
///     let deadline = client.poll_timeout().unwrap();
///     if deadline.timer == Timer::Keepalive {
///         fired.push(deadline.at.since(heard).as_secs());
///     }
///     client.on_timeout(deadline.at);
///     // Nobody is there to answer.
/// #     drain(&mut client, deadline.at);
/// }
/// // Three probes, and the end when the third has gone unanswered.
/// assert_eq!((fired, client.end()), (vec![60, 70, 80, 90], Some(End::TimedOut)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Idle time before the first probe (MUST-27, MUST-28). Linux and default: 7200 s.
    pub idle: Duration,
    /// Time between probes. Linux and default: 75 s.
    pub interval: Duration,
    /// Unanswered probes after which the peer counts as dead (MUST-29). Linux and default: 9.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), count: 9 }
    }
}

/// What close does with data that is not delivered yet (`SO_LINGER`).
///
/// As on Linux, a time never costs data: it only says how long an application that closes wants
/// to wait. (Decision 0014 of the project.)
///
/// ```
/// use core::time::Duration;
/// use tcp_core::config::Linger;
/// use tcp_core::connection::State;
/// use tcp_core::error::End;
#[doc = include_str!("../../doc/established.rs")]
///
/// assert_eq!(client.options().linger, Linger::Background);
/// client.write(now, b"never mind")?;
/// client.set_options(now, |o| o.linger = Linger::For(Duration::ZERO));
/// client.close(now);
/// assert_eq!((client.state(), client.end()), (State::Closed, Some(End::Aborted)));
/// // All that the client still has to send is a reset.
/// exchange(now, &mut client, &mut server);
/// assert_eq!(server.end(), Some(End::Reset));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linger {
    /// Deliver in the background; the retransmission limits decide how long.
    #[default]
    Background,
    /// Who closes waits this long for the delivery, which goes on in the background afterwards;
    /// zero resets at once.
    For(Duration),
}

/// How long a closed connection waits in FIN-WAIT-2 for the peer's FIN (`TCP_LINGER2`).
///
/// ```
/// use core::time::Duration;
/// use tcp_core::config::Linger2;
/// use tcp_core::connection::{State, Timer};
#[doc = include_str!("../../doc/established.rs")]
///
/// client.set_options(now, |o| o.linger2 = Linger2::Seconds(5));
/// client.close(now);
/// // All that either has to send reaches the other.
/// exchange(now, &mut client, &mut server);
/// // Our FIN is acknowledged, and the peer does not close.
/// assert_eq!(client.state(), State::FinWait2);
/// let wait = client.deadlines().find(|d| d.timer == Timer::FinWait2).unwrap();
/// assert_eq!(wait.at, now + Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linger2 {
    /// As long as [`TcpConfig::fin_wait2_timeout`](super::TcpConfig::fin_wait2_timeout) says.
    #[default]
    Stack,
    /// So many seconds, at most 120; zero is as `Stack`.
    Seconds(u16),
    /// Not at all: it is reset as soon as our FIN is acknowledged. A negative number on Linux.
    Never,
}

/// Bounds of a buffer limit that an application sets: below, nothing would move; above, sequence
/// numbers would be ambiguous (RFC 7323 2.3). Linux's lower bound is about 2 KiB.
const BUFFER_BOUNDS: (usize, usize) = (1 << 10, 1 << 30);

/// The limit in force if an application sets this one.
///
/// ```
/// use tcp_core::config::buffer_limit;
///
/// assert_eq!(buffer_limit(100_000), 100_000);
/// assert_eq!(buffer_limit(0), 1 << 10);
/// assert_eq!(buffer_limit(usize::MAX), 1 << 30);
/// ```
pub fn buffer_limit(wanted: usize) -> usize {
    wanted.clamp(BUFFER_BOUNDS.0, BUFFER_BOUNDS.1)
}
