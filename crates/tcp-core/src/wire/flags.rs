//! Which control bits does a segment carry? The eight of RFC 9293 3.1 and AE, the ninth, of
//! RFC 9768 3.1. Whether a combination makes sense is left to the state machine.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// A set of TCP control bits, as they lie in the low nine bits of header octets 12 and 13.
///
/// ```
/// use tcp_core::wire::Flags;
///
/// let syn_ack = Flags::SYN | Flags::ACK;
/// assert!(syn_ack.contains(Flags::SYN) && !syn_ack.contains(Flags::SYN | Flags::FIN));
/// assert!(syn_ack.intersects(Flags::SYN | Flags::FIN));
/// assert_eq!(syn_ack.without(Flags::SYN), Flags::ACK);
/// assert_eq!(format!("{syn_ack:?}"), "SYN|ACK");
///
/// // The word at octet 12: five words of header, then the bits.
/// assert_eq!(Flags::from_bits(0x5012), syn_ack);
/// assert_eq!(syn_ack.bits(), 0x0012);
///
/// const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
/// assert!(FIN_ACK.without(Flags::FIN | Flags::ACK).is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    /// No bit.
    pub const NONE: Flags = Flags(0);
    /// No more data from the sender.
    pub const FIN: Flags = Flags(1 << 0);
    /// Synchronize sequence numbers.
    pub const SYN: Flags = Flags(1 << 1);
    /// Reset the connection.
    pub const RST: Flags = Flags(1 << 2);
    /// Push: hand the data to the reader now.
    pub const PSH: Flags = Flags(1 << 3);
    /// The acknowledgment field is significant.
    pub const ACK: Flags = Flags(1 << 4);
    /// The urgent pointer is significant.
    pub const URG: Flags = Flags(1 << 5);
    /// ECN echo (RFC 3168 6.1).
    pub const ECE: Flags = Flags(1 << 6);
    /// Congestion window reduced (RFC 3168 6.1).
    pub const CWR: Flags = Flags(1 << 7);
    /// Accurate ECN (RFC 9768 3.1); the nonce sum of the historic RFC 3540.
    pub const AE: Flags = Flags(1 << 8);

    /// The order in which `Debug` names the bits.
    const NAMES: [(Flags, &'static str); 9] = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::ACK, "ACK"),
        (Flags::URG, "URG"),
        (Flags::ECE, "ECE"),
        (Flags::CWR, "CWR"),
        (Flags::AE, "AE"),
    ];

    /// From the 16-bit word at header octet 12; the data offset and the reserved bits are dropped
    /// (RFC 9293 3.1: reserved bits are ignored in received segments).
    #[inline]
    pub const fn from_bits(word: u16) -> Flags {
        Flags(word & 0x01ff)
    }

    /// The nine bits, AE being bit 8 and FIN bit 0.
    #[inline]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether every bit of `other` is set.
    #[inline]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether at least one bit of `other` is set.
    #[inline]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both; `|` in constants.
    #[inline]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The bits of `self` that are not in `other`.
    #[inline]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether no bit is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    #[inline]
    fn bitor(self, other: Flags) -> Flags {
        self.union(other)
    }
}

impl BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Flags) {
        *self = self.union(other);
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        let mut separator = "";
        for (flag, name) in Flags::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn debug_names_the_bits() {
        assert_eq!(format!("{:?}", Flags::SYN | Flags::ACK), "SYN|ACK");
        assert_eq!(format!("{:?}", Flags::AE), "AE");
        assert_eq!(format!("{:?}", Flags::NONE), "-");
        assert_eq!(
            format!("{:?}", Flags::from_bits(u16::MAX)),
            "SYN|FIN|RST|PSH|ACK|URG|ECE|CWR|AE"
        );
    }

    #[test]
    fn set_operations() {
        let both = Flags::SYN | Flags::ACK;
        assert!(both.contains(Flags::SYN) && both.contains(both));
        assert!(!both.contains(Flags::SYN | Flags::FIN));
        assert!(both.intersects(Flags::SYN | Flags::FIN));
        assert!(!both.intersects(Flags::RST | Flags::FIN));
        assert_eq!(both.without(Flags::SYN), Flags::ACK);
        assert_eq!(Flags::from_bits(0xfe02), Flags::SYN);
    }
}
