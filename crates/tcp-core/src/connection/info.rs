//! What can be seen of a connection? A snapshot in the manner of `tcp_info`.

use core::time::Duration;

use super::{Connection, Limited, Negotiated, Reader, State, Stats};
use crate::congestion::Controller;
use crate::{Instant, Tuple};

pub use crate::send::ProbeTally;

/// What loss recovery does at the moment.
pub use crate::recovery::State as RecoveryState;

/// A snapshot of one connection. Lengths are octets; in brackets what Linux's `tcp_info` calls it
/// (Linux counts segments where this counts octets).
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.write(now, &[7; 20_000]).unwrap();
/// drain(&mut client, now);
/// let info = client.info();
/// assert_eq!((info.state, info.congestion), (State::Established, "cubic"));
/// assert_eq!(info.rtt, Duration::from_millis(20)); // from the handshake
/// assert_eq!(info.send_mss, 1500 - 20 - 20 - 12); // less IP, TCP and timestamps
/// assert_eq!(info.congestion_window, 10 * info.send_mss);
/// assert_eq!((info.send_queue, info.not_sent), (20_000, 20_000 - 14_480));
/// assert_eq!((info.in_flight, info.lost, info.recovery), (14_480, 0, RecoveryState::Open));
/// assert_eq!(info.mtu_probes, ProbeTally::default());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Both endpoints.
    pub tuple: Tuple,
    /// The state (`tcpi_state`).
    pub state: State,
    /// What the SYNs agreed on (`tcpi_options`).
    pub negotiated: Negotiated,
    /// The peer's window scale (`tcpi_snd_wscale`).
    pub send_scale: u8,
    /// Our window scale (`tcpi_rcv_wscale`).
    pub receive_scale: u8,
    /// The application has let go of it; it finishes on its own.
    pub orphan: bool,
    /// Payload of a full segment we send (`tcpi_snd_mss`).
    pub send_mss: u32,
    /// Size of the peer's segments as seen (`tcpi_rcv_mss`).
    pub receive_mss: u32,
    /// The MSS option we sent (`tcpi_advmss`).
    pub advertised_mss: u32,
    /// Octets that can be read.
    pub receive_queue: usize,
    /// Octets that arrived out of order.
    pub out_of_order: usize,
    /// Octets written and not acknowledged.
    pub send_queue: usize,
    /// Octets written and never sent (`tcpi_notsent_bytes`).
    pub not_sent: u32,
    /// Octets sent and not acknowledged (`tcpi_unacked`).
    pub outstanding: u32,
    /// Octets that the peer holds beyond a gap (`tcpi_sacked`).
    pub sacked: u32,
    /// Octets taken as lost and not sent again yet (`tcpi_lost`).
    pub lost: u32,
    /// Octets believed to be in the network.
    pub in_flight: u32,
    /// The peer's window (`tcpi_snd_wnd`).
    pub send_window: u32,
    /// The window we offer (`tcpi_rcv_wnd`).
    pub receive_window: u32,
    /// Congestion window (`tcpi_snd_cwnd`).
    pub congestion_window: u32,
    /// Slow-start threshold; `u32::MAX` until the first loss (`tcpi_snd_ssthresh`).
    pub slow_start_threshold: u32,
    /// Name of the congestion control.
    pub congestion: &'static str,
    /// What recovery does (`tcpi_ca_state`).
    pub recovery: RecoveryState,
    /// Smoothed round-trip time; zero before the first sample (`tcpi_rtt`).
    pub rtt: Duration,
    /// Variation of the round-trip time (`tcpi_rttvar`).
    pub rtt_variation: Duration,
    /// The latest sample of the round-trip time.
    pub latest_rtt: Duration,
    /// Least round-trip time seen (`tcpi_min_rtt`).
    pub min_rtt: Duration,
    /// Current retransmission time-out, back-off included (`tcpi_rto`).
    pub rto: Duration,
    /// How often the time-out has doubled (`tcpi_backoff`).
    pub backoff: u8,
    /// Retransmission time-outs in a row (`tcpi_retransmits`).
    pub attempts: u32,
    /// Unanswered window or keepalive probes in a row (`tcpi_probes`).
    pub probes: u32,
    /// Octets a second that the path delivered of late; zero before the first sample
    /// (`tcpi_delivery_rate`).
    pub delivery_rate: u64,
    /// Memory held by both buffers.
    pub memory: usize,
    /// Limit of the send buffer now.
    pub send_buffer: usize,
    /// Limit of the receive buffer now.
    pub receive_buffer: usize,
    /// Since the connection, or the attempt, began.
    pub age: Duration,
    /// Since text was last sent; none if none was (`tcpi_last_data_sent`).
    pub since_text_sent: Option<Duration>,
    /// Since text was last received; none if none was (`tcpi_last_data_recv`).
    pub since_text_received: Option<Duration>,
    /// Since an acceptable segment was last received; each carries an ACK
    /// (`tcpi_last_ack_recv`).
    pub since_ack_received: Duration,
    /// How long what limited the sender (`tcpi_busy_time` and its companions).
    pub limited: Limited,
    /// The largest packet sent now, in octets with its IP header (`tcpi_pmtu`).
    pub path_mtu: u32,
    /// How the probes of the path MTU fared.
    pub mtu_probes: ProbeTally,
    /// Counters.
    pub stats: Stats,
}

impl Connection {
    /// A snapshot as of the last time that a segment came or went; see
    /// [`info_at`](Self::info_at).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let info = client.info();
    /// assert_eq!(info.age, Duration::from_millis(20)); // the SYN-ACK came, the ACK went
    /// assert_eq!(info.path_mtu, 1500);
    /// assert_eq!((info.stats.segments_in, info.stats.segments_out), (1, 2));
    /// ```
    pub fn info(&self) -> Info {
        self.info_at(self.last_sent.max(self.last_received))
    }

    /// A snapshot for tables and traces, with all spans of time counted up to `now`. Its cost
    /// does not depend on how much is in flight or buffered.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// now += Duration::from_secs(5);
    ///
    /// let info = client.info_at(now);
    /// assert_eq!(info.age, Duration::from_millis(5030));
    /// assert_eq!(info.since_text_sent, Some(Duration::from_secs(5)));
    /// assert_eq!(info.since_text_received, None);
    /// ```
    pub fn info_at(&self, now: Instant) -> Info {
        let (rtt, rto) = (self.recovery.rtt(), self.recovery.rto());
        let ledger = self.ledger.as_deref();
        let ago = |at: Option<Instant>| at.map(|at| now.since(at));
        Info {
            tuple: self.tuple,
            state: self.state(),
            negotiated: self.negotiated,
            send_scale: self.snd.shift,
            receive_scale: self.rcv.shift,
            orphan: self.reader == Reader::Gone,
            send_mss: self.mss(),
            receive_mss: self.rcv.segment_size,
            advertised_mss: super::advertised_mss(self.snd.path.link(), &self.tuple).into(),
            receive_queue: self.rcv.buffer.readable(),
            out_of_order: self.rcv.buffer.out_of_order(),
            send_queue: self.snd.buffer.len(),
            not_sent: self.snd.unsent(),
            outstanding: self.snd.outstanding(),
            sacked: self.recovery.sacked(),
            lost: self.recovery.lost(),
            in_flight: self.recovery.in_flight(),
            send_window: self.snd.wnd,
            receive_window: self.rcv.window(),
            congestion_window: self.congestion.window(),
            slow_start_threshold: self.congestion.slow_start_threshold(),
            congestion: self.congestion.name(),
            recovery: self.recovery.state(),
            rtt: rtt.smoothed().unwrap_or_default(),
            rtt_variation: rtt.variation().unwrap_or_default(),
            latest_rtt: rtt.latest().unwrap_or_default(),
            min_rtt: rtt.min().unwrap_or_default(),
            rto: rto.current(),
            backoff: rto.backoff(),
            attempts: self.attempts,
            probes: self.probes,
            delivery_rate: ledger.and_then(|l| l.rate).map_or(0, |r| r.octets_per_second()),
            memory: self.rcv.buffer.memory() + self.snd.buffer.memory(),
            send_buffer: self.snd.limit,
            receive_buffer: self.rcv.limit,
            age: now.since(self.opened_at),
            since_text_sent: ago(ledger.and_then(|l| l.last_text_out)),
            since_text_received: ago(ledger.and_then(|l| l.last_text_in)),
            since_ack_received: now.since(self.last_received),
            limited: self.limited(now),
            stats: self.stats(),
            path_mtu: self.snd.path.mtu(),
            mtu_probes: self.snd.path.tally(),
        }
    }
}
