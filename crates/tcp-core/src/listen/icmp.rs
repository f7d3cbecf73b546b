//! What does the network say about a SYN-ACK? ICMP errors as a half-open record takes them
//! (RFC 9293 3.9.2.2, RFC 5927 4.1, RFC 5461 4).

use super::HalfOpen;
use crate::SeqNum;
use crate::config::TcpConfig;
use crate::error::{IcmpError, Unreachable};

/// What a half-open record made of an ICMP error.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// let nobody = IcmpError::Unreachable(Unreachable::Port);
/// assert_eq!(half.on_icmp(half.isn, nobody, &config), HalfOpenIcmp::Remove);
/// assert_eq!(half.on_icmp(half.isn + 1, nobody, &config), HalfOpenIcmp::NotBelieved);
/// let too_big = IcmpError::TooBig { mtu: 1400 };
/// assert_eq!(half.on_icmp(half.isn, too_big, &config), HalfOpenIcmp::Keep);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfOpenIcmp {
    /// It does not quote our SYN-ACK.
    NotBelieved,
    /// It is true, and changes nothing: the SYN-ACK's retries decide.
    Keep,
    /// Nobody is there: remove the record. No application has to know.
    Remove,
}

impl HalfOpen {
    /// An ICMP error quoted a packet of this record with sequence number `seq`. Only our initial
    /// sequence number is in flight, so that a forger has to guess all 32 bits.
    ///
    /// As in an active open, a hard error ends it, and a soft one only if
    /// [`soft_errors_end_connect`](TcpConfig::soft_errors_end_connect) says so. Linux drops the
    /// record for the same soft errors that end its active opens.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let lost = IcmpError::Unreachable(Unreachable::Host);
    /// assert_eq!(half.on_icmp(half.isn, lost, &config), HalfOpenIcmp::Remove);
    ///
    /// let patient = TcpConfig { soft_errors_end_connect: false, ..TcpConfig::default() };
    /// assert_eq!(half.on_icmp(half.isn, lost, &patient), HalfOpenIcmp::Keep);
    /// ```
    pub fn on_icmp(&self, seq: SeqNum, error: IcmpError, config: &TcpConfig) -> HalfOpenIcmp {
        match error {
            _ if seq != self.isn => HalfOpenIcmp::NotBelieved,
            IcmpError::TooBig { .. } => HalfOpenIcmp::Keep,
            IcmpError::Unreachable(u) if ends(u, config) => HalfOpenIcmp::Remove,
            IcmpError::Unreachable(_) => HalfOpenIcmp::Keep,
        }
    }
}

fn ends(u: Unreachable, config: &TcpConfig) -> bool {
    u.is_hard() || config.soft_errors_end_connect
}
