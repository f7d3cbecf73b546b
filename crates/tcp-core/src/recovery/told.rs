//! What is recovery told of an ACK or a time-out, and what does it answer? Plain values; what they mean for a
//! connection is `mod.rs`'s.

use core::time::Duration;

use super::rto;
use crate::wire::SackBlock;
use crate::{Instant, SeqNum};

/// The numbers of loss recovery.
#[derive(Debug, Clone)]
pub(crate) struct RecoveryConfig {
    /// The RTO before any measurement (RFC 6298 2.1: 1 s; Linux the same).
    pub(crate) rto_initial: Duration,
    /// The least variation term of the RTO (Linux: 200 ms; RFC 6298 2.4 rounds the sum up to 1 s).
    pub(crate) rto_min: Duration,
    /// The longest RTO, back-off included (RFC 6298 2.5: 60 s or more; Linux: 120 s).
    pub(crate) rto_max: Duration,
    /// Duplicate ACKs or SACKed ranges that show a loss (RFC 5681 3.2, RFC 6675 2: 3; Linux: 3).
    pub(crate) dup_threshold: u32,
}

impl Default for RecoveryConfig {
    fn default() -> RecoveryConfig {
        RecoveryConfig {
            rto_initial: rto::INITIAL,
            rto_min: rto::MIN,
            rto_max: rto::MAX,
            dup_threshold: 3,
        }
    }
}

/// An acceptable ACK: SND.UNA <= SEG.ACK <= SND.NXT (RFC 9293 3.10.7.4), SND.NXT being the highest
/// sent. Anything beyond what was sent is taken as acknowledging all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckInput<'a> {
    /// When it arrived.
    pub(crate) now: Instant,
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// The SACK blocks in the order of the option, a DSACK among them; empty if there are none.
    pub(crate) sack: &'a [SackBlock],
    /// Both sides have permitted SACK (RFC 2018 2).
    pub(crate) sack_enabled: bool,
    /// It is a duplicate ACK by RFC 5681 2: data outstanding, no payload, no SYN or FIN, SEG.ACK
    /// is SND.UNA, and the window did not change.
    pub(crate) duplicate: bool,
    /// The round trip that its timestamp echo measured (RFC 7323 4), if it carried one.
    pub(crate) timestamp_rtt: Option<Duration>,
    /// SMSS in octets, at least 1.
    pub(crate) mss: u32,
}

/// What an ACK told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckOutcome {
    /// Octets acknowledged cumulatively.
    pub(crate) newly_acked: u32,
    /// Octets taken as lost by this ACK.
    pub(crate) lost: u32,
    /// [`Recovery::in_flight`] before this ACK.
    pub(crate) in_flight_before: u32,
    /// The RTT sample that went into the estimator.
    pub(crate) rtt: Option<Duration>,
    /// What it changed.
    pub(crate) transition: Transition,
    /// The first block told of octets received twice (RFC 2883): something was sent again in vain.
    pub(crate) dsack: bool,
    /// It showed that something sent later had arrived before something sent once.
    pub(crate) reordered: bool,
    /// How fast the path delivered what it acknowledged.
    pub(crate) rate: Option<RateSample>,
    /// The state after it.
    pub(crate) state: State,
}

/// Octets delivered from when a segment was sent to when it was acknowledged
/// (draft-cheng-iccrg-delivery-rate-estimation 3.2, without the send rate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateSample {
    /// Octets delivered.
    pub(crate) octets: u32,
    /// In this time; never zero.
    pub(crate) interval: Duration,
}

impl RateSample {
    /// Octets a second.
    pub(crate) fn octets_per_second(&self) -> u64 {
        let ns = self.interval.as_nanos().max(1);
        u64::try_from(u128::from(self.octets) * 1_000_000_000 / ns).unwrap_or(u64::MAX)
    }
}

/// How an ACK changed the state of recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    /// Not at all.
    None,
    /// A loss was seen, once for a window (RFC 6675 5, RFC 6582 3.2 step 2): reduce the window.
    /// Also if an older recovery ended with this ACK and something sent during it is lost.
    EnteredRecovery {
        /// FlightSize when the first sign of the loss arrived, without what limited transmit sent
        /// since (RFC 5681 3.2 step 2), in octets.
        in_flight: u32,
    },
    /// Some of the data outstanding when recovery or the loss state began was acknowledged, more
    /// is missing (RFC 6582 3.2 step 3).
    PartialAck {
        /// Octets acknowledged.
        acked: u32,
    },
    /// All data outstanding when recovery began was acknowledged.
    LeftRecovery,
    /// All data outstanding when the timer fired was acknowledged.
    LeftLoss,
}

/// Where a window's repair stands.
///
/// ```
/// use tcp_core::connection::RecoveryState;
#[doc = include_str!("../../doc/established.rs")]
///
/// client.write(now, b"hello")?;
/// // This packet gets lost.
/// client.poll_transmit(now, &Limits::default(), &mut Payload::new());
/// assert_eq!(client.info().recovery, RecoveryState::Open);
///
/// let now = client.poll_timeout().unwrap().at;
/// client.on_timeout(now);
/// assert_eq!(client.info().recovery, RecoveryState::Loss);
///
/// // The second copy arrives; the answer to it ends the repair.
/// deliver(&mut server, now, &drain(&mut client, now));
/// server.write(now, b"hello to you")?;
/// deliver(&mut client, now, &drain(&mut server, now));
/// assert_eq!(client.info().recovery, RecoveryState::Open);
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is known to be missing.
    Open,
    /// Fast recovery: a loss was inferred from ACKs.
    Recovery,
    /// The retransmission timer fired; all that was outstanding then is sent again.
    Loss,
}

/// What a retransmission timeout met, for the congestion controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout {
    /// FlightSize when the timer fired, in octets.
    pub(crate) in_flight: u32,
    /// The same segment had been retransmitted by the timer already: the slow start threshold
    /// stays (RFC 5681 3.1).
    pub(crate) repeated: bool,
}
