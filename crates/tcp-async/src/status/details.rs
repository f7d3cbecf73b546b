//! What does a status server say about a connection alone? The fields of [`Info`], flat and with
//! units in their names.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tcp_core::connection::Info;

/// Declares [`Details`] with where each value comes from.
macro_rules! details {
    ($( $(#[doc = $meaning:literal])+ $field:ident: $kind:ty = |$info:ident| $value:expr, )+) => {
        /// What only a connection has; see [`Info`] for each.
        ///
        /// ```
        #[doc = include_str!("../../doc/status.rs")]
        /// let details = Details::from(&stream.info());
        /// assert_eq!(details.congestion, "cubic");
        /// assert_eq!((details.octets_sent, details.timeouts), (0, 0));
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        pub struct Details {
            $( $(#[doc = $meaning])+ pub $field: $kind, )+
        }

        impl From<&Info> for Details {
            fn from(info: &Info) -> Details {
                Details { $( $field: { let $info = info; $value }, )+ }
            }
        }
    };
}

details! {
    /// Both sides permit SACK.
    sack: bool = |i| i.negotiated.sack,
    /// Both sides send timestamps.
    timestamps: bool = |i| i.negotiated.timestamps,
    /// The peer's and our window scale, if both offered one.
    window_scale: Option<(u8, u8)> = |i| i
        .negotiated
        .window_scaling
        .then_some((i.send_scale, i.receive_scale)),
    /// Payload of a full segment we send.
    send_mss: u32 = |i| i.send_mss,
    /// Size of the peer's segments.
    receive_mss: u32 = |i| i.receive_mss,
    /// The MSS we offered.
    advertised_mss: u32 = |i| i.advertised_mss,
    /// The path MTU.
    path_mtu: u32 = |i| i.path_mtu,
    /// Smoothed round trip.
    rtt_ms: f64 = |i| ms(i.rtt),
    /// Its variation.
    rtt_variation_ms: f64 = |i| ms(i.rtt_variation),
    /// The least round trip.
    min_rtt_ms: f64 = |i| ms(i.min_rtt),
    /// Retransmission time-out.
    rto_ms: f64 = |i| ms(i.rto),
    /// How often it has doubled.
    backoff: u8 = |i| i.backoff,
    /// Unanswered probes.
    probes: u32 = |i| i.probes,
    /// The congestion control.
    congestion: String = |i| i.congestion.to_owned(),
    /// What recovery does.
    recovery: String = |i| format!("{:?}", i.recovery).to_lowercase(),
    /// Congestion window.
    congestion_window: u32 = |i| i.congestion_window,
    /// Slow-start threshold; none before the first loss.
    slow_start_threshold: Option<u32> = |i| {
        Some(i.slow_start_threshold).filter(|t| *t != u32::MAX)
    },
    /// The peer's window.
    send_window: u32 = |i| i.send_window,
    /// The window we offer.
    receive_window: u32 = |i| i.receive_window,
    /// Sent and not acknowledged.
    outstanding: u32 = |i| i.outstanding,
    /// Written and never sent.
    not_sent: u32 = |i| i.not_sent,
    /// Held by the peer beyond a gap.
    sacked: u32 = |i| i.sacked,
    /// Taken as lost.
    lost: u32 = |i| i.lost,
    /// Arrived ahead of its turn.
    out_of_order: usize = |i| i.out_of_order,
    /// Octets a second of late.
    delivery_rate: u64 = |i| i.delivery_rate,
    /// Limit of the send buffer.
    send_buffer: usize = |i| i.send_buffer,
    /// Limit of the receive buffer.
    receive_buffer: usize = |i| i.receive_buffer,
    /// Memory of both buffers.
    memory: usize = |i| i.memory,
    /// Since it began.
    age_ms: f64 = |i| ms(i.age),
    /// Since text was sent.
    since_text_sent_ms: Option<f64> = |i| i.since_text_sent.map(ms),
    /// Since text was received.
    since_text_received_ms: Option<f64> = |i| i.since_text_received.map(ms),
    /// Since a segment was received.
    since_ack_received_ms: f64 = |i| ms(i.since_ack_received),
    /// Something was outstanding.
    busy_ms: f64 = |i| ms(i.limited.busy),
    /// The peer's window limited.
    receive_window_limited_ms: f64 = |i| ms(i.limited.receive_window),
    /// The send buffer limited.
    send_buffer_limited_ms: f64 = |i| ms(i.limited.send_buffer),
    /// The congestion window limited.
    congestion_window_limited_ms: f64 = |i| ms(i.limited.congestion_window),
    /// Segments received.
    segments_in: u64 = |i| i.stats.segments_in,
    /// Segments sent.
    segments_out: u64 = |i| i.stats.segments_out,
    /// Segments with text received.
    text_segments_in: u64 = |i| i.stats.text_segments_in,
    /// Segments with text sent.
    text_segments_out: u64 = |i| i.stats.text_segments_out,
    /// Octets received in order.
    octets_in: u64 = |i| i.stats.octets_in,
    /// Octets sent, retransmissions included.
    octets_sent: u64 = |i| i.stats.octets_sent,
    /// Octets acknowledged.
    octets_acked: u64 = |i| i.stats.octets_acked,
    /// Octets sent again.
    octets_retransmitted: u64 = |i| i.stats.octets_retransmitted,
    /// Segments sent again.
    segments_retransmitted: u64 = |i| i.stats.segments_retransmitted,
    /// Retransmission time-outs.
    timeouts: u64 = |i| i.stats.timeouts,
    /// Fast recoveries.
    recoveries: u64 = |i| i.stats.recoveries,
    /// Duplicates that the peer reported.
    dsacks: u64 = |i| i.stats.dsacks,
    /// ACKs that showed reordering.
    reorderings: u64 = |i| i.stats.reorderings,
    /// Segments dropped.
    drops: u64 = |i| i.stats.drops,
}

pub(super) fn ms(d: Duration) -> f64 {
    // Microseconds are enough, and short to write.
    d.as_micros() as f64 / 1_000.0
}
