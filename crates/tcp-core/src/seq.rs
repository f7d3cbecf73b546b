//! Which of two sequence numbers comes first? Circular 32-bit arithmetic (RFC 9293 3.4).
//!
//! There is deliberately no `Ord`: order on a circle is only defined for numbers less than 2^31
//! apart, and a sort would silently break.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A TCP sequence number; all arithmetic is modulo 2^32.
///
/// ```
/// use tcp_core::SeqNum;
///
/// let last = SeqNum(u32::MAX);
/// let next = last + 1;
/// assert_eq!(next, SeqNum(0));
/// // Zero comes after the largest number: the order goes round the circle.
/// assert!(last.before(next) && next.after(last));
/// assert!(last.at_or_before(last) && next.at_or_after(last));
/// assert_eq!((last.max(next), last.min(next)), (next, last));
///
/// assert_eq!((next + 9).distance_from(last), 10);
/// assert_eq!(last.offset_from(next + 9), -10);
///
/// // A window of ten octets holds its first number and not the one after its last.
/// assert!(last.within(last, 10) && !(last + 10).within(last, 10));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// `self < other` on the circle.
    #[inline]
    pub const fn before(self, other: SeqNum) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// `self <= other` on the circle.
    #[inline]
    pub const fn at_or_before(self, other: SeqNum) -> bool {
        (self.0.wrapping_sub(other.0) as i32) <= 0
    }

    /// `self > other` on the circle.
    #[inline]
    pub const fn after(self, other: SeqNum) -> bool {
        other.before(self)
    }

    /// `self >= other` on the circle.
    #[inline]
    pub const fn at_or_after(self, other: SeqNum) -> bool {
        other.at_or_before(self)
    }

    /// Octets from `earlier` to `self`, modulo 2^32.
    #[inline]
    pub const fn distance_from(self, earlier: SeqNum) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Signed distance `self - other`, for numbers less than 2^31 apart.
    #[inline]
    pub const fn offset_from(self, other: SeqNum) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// The later of two.
    #[inline]
    pub const fn max(self, other: SeqNum) -> SeqNum {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two.
    #[inline]
    pub const fn min(self, other: SeqNum) -> SeqNum {
        if self.before(other) { self } else { other }
    }

    /// Whether `self` lies in the half-open interval `[from, from + len)`.
    #[inline]
    pub const fn within(self, from: SeqNum, len: u32) -> bool {
        self.distance_from(from) < len
    }
}

impl Add<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn add(self, n: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for SeqNum {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        self.0 = self.0.wrapping_add(n);
    }
}

impl Sub<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn sub(self, n: u32) -> SeqNum {
        SeqNum(self.0.wrapping_sub(n))
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_survives_the_wrap(base: u32, d in 1u32..0x8000_0000) {
            let (a, b) = (SeqNum(base), SeqNum(base) + d);
            prop_assert!(a.at_or_before(b) || d == 0x8000_0000);
            prop_assert_eq!(b.distance_from(a), d);
            if d < 0x8000_0000 {
                prop_assert!(a.before(b) && b.after(a) && !b.before(a));
                prop_assert_eq!(a.max(b), b);
                prop_assert_eq!(a.min(b), a);
            }
            prop_assert_eq!(b - d, a);
        }

        #[test]
        fn within_is_half_open(base: u32, len in 1u32..0x4000_0000) {
            let a = SeqNum(base);
            prop_assert!(a.within(a, len));
            prop_assert!((a + (len - 1)).within(a, len));
            prop_assert!(!(a + len).within(a, len));
            prop_assert!(!(a - 1).within(a, len));
        }
    }
}
