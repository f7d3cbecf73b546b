//! What can be seen of a connection? A snapshot in the manner of `tcp_info`.

use core::time::Duration;

use super::{Connection, Negotiated, State, Stats};
use crate::Tuple;
use crate::congestion::Controller;

pub use crate::send::ProbeTally;

/// What loss recovery does at the moment.
pub use crate::recovery::State as RecoveryState;

/// A snapshot of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Both endpoints.
    pub tuple: Tuple,
    /// The state.
    pub state: State,
    /// What the SYNs agreed on.
    pub negotiated: Negotiated,
    /// Payload of a full segment we send, in octets.
    pub send_mss: u32,
    /// Size of the peer's segments as seen, in octets.
    pub receive_mss: u32,
    /// Octets that can be read.
    pub receive_queue: usize,
    /// Octets that arrived out of order.
    pub out_of_order: usize,
    /// Octets written and not acknowledged.
    pub send_queue: usize,
    /// Octets sent and not acknowledged.
    pub outstanding: u32,
    /// Octets believed to be in the network.
    pub in_flight: u32,
    /// The peer's window, in octets.
    pub send_window: u32,
    /// The window we offer, in octets.
    pub receive_window: u32,
    /// Congestion window, in octets.
    pub congestion_window: u32,
    /// Slow-start threshold, in octets.
    pub slow_start_threshold: u32,
    /// Name of the congestion control.
    pub congestion: &'static str,
    /// What recovery does.
    pub recovery: RecoveryState,
    /// Smoothed round-trip time; zero before the first sample.
    pub rtt: Duration,
    /// Least round-trip time seen.
    pub min_rtt: Duration,
    /// Current retransmission time-out.
    pub rto: Duration,
    /// Retransmission time-outs in a row.
    pub attempts: u32,
    /// Memory held by both buffers, in octets.
    pub memory: usize,
    /// Limit of the send buffer now, in octets.
    pub send_buffer: usize,
    /// Limit of the receive buffer now, in octets.
    pub receive_buffer: usize,
    /// The largest packet sent now, in octets with its IP header.
    pub path_mtu: u32,
    /// How the probes of the path MTU fared.
    pub mtu_probes: ProbeTally,
    /// Counters.
    pub stats: Stats,
}

impl Connection {
    /// A snapshot for tables and traces.
    pub fn info(&self) -> Info {
        let rtt = self.recovery.rtt();
        Info {
            tuple: self.tuple,
            state: self.state(),
            negotiated: self.negotiated,
            send_mss: self.mss(),
            receive_mss: self.rcv.segment_size,
            receive_queue: self.rcv.buffer.readable(),
            out_of_order: self.rcv.buffer.out_of_order(),
            send_queue: self.snd.buffer.len(),
            outstanding: self.snd.outstanding(),
            in_flight: self.recovery.in_flight(),
            send_window: self.snd.wnd,
            receive_window: self.rcv.window(),
            congestion_window: self.congestion.window(),
            slow_start_threshold: self.congestion.slow_start_threshold(),
            congestion: self.congestion.name(),
            recovery: self.recovery.state(),
            rtt: rtt.smoothed().unwrap_or_default(),
            min_rtt: rtt.min().unwrap_or_default(),
            rto: self.recovery.rto().current(),
            attempts: self.attempts,
            memory: self.rcv.buffer.memory() + self.snd.buffer.memory(),
            send_buffer: self.snd.limit,
            receive_buffer: self.rcv.limit,
            path_mtu: self.snd.path.mtu(),
            mtu_probes: self.snd.path.tally(),
            stats: self.stats,
        }
    }
}
