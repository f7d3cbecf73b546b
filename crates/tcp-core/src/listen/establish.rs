//! How does a half-open record become a connection? With the ACK that completes the handshake
//! (RFC 9293 3.10.7.4, fifth step in SYN-RECEIVED).

use alloc::sync::Arc;

use super::HalfOpen;
use crate::Instant;
use crate::config::TcpConfig;
use crate::connection::{Connection, PassiveHandshake, SynAckSent};

impl Connection {
    /// The connection that a half-open record has become. `on_segment` with the ACK that completed
    /// the handshake comes next; it moves SND.UNA and takes the text. `mtu` is the path MTU
    /// towards the peer, in octets.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
    /// let mut server = Connection::from_half_open(now, half, 1500, config);
    ///
    /// // It has seen the SYN, and gets the ACK that completed the handshake.
    /// assert_eq!(server.on_segment(now, &last, 0), Verdict::Accepted);
    /// assert_eq!(server.state(), State::Established);
    /// assert_eq!(server.take_events(), Events::ESTABLISHED | Events::WRITABLE);
    /// ```
    pub fn from_half_open(now: Instant, half: HalfOpen, mtu: u32, config: Arc<TcpConfig>) -> Self {
        let handshake = PassiveHandshake {
            tuple: half.tuple,
            isn: half.isn,
            irs: half.irs,
            options: half.peer.as_options(),
            window: half.peer.window,
            timestamp_offset: half.timestamp_offset,
            edge: half.window_edge(),
            mtu,
            syn_ack: match (half.from_cookie, half.resent) {
                (true, _) => SynAckSent::Unknown,
                (false, false) => SynAckSent::Once(half.sent_at),
                (false, true) => SynAckSent::Again(half.sent_at),
            },
            early: half.early.as_deref().map(|e| (&*e.text, e.fin)),
        };
        Connection::passive(now, handshake, config)
    }
}
