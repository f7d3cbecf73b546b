//! Which sequence number does a connection start with? ISN = M + F(tuple, secret) with a clock M
//! of 4 microseconds and a keyed SipHash as F (RFC 6528 3; MUST-8, MUST-9, SHLD-1).

use core::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::tuple::hash_tuple;
use crate::{Instant, SeqNum, Tuple};

/// Makes initial sequence numbers and timestamp offsets from one secret key.
///
/// ```
/// use core::time::Duration;
/// use tcp_core::isn::IsnGenerator;
/// # use tcp_core::{Endpoint, Instant, Tuple};
/// # let client = Endpoint::new([192, 0, 2, 1].into(), 4000);
/// # let server = Endpoint::new([192, 0, 2, 2].into(), 80);
/// # let tuple = Tuple { local: client, remote: server };
/// # let now = Instant::from_millis(5);
///
/// // The key comes from a source of randomness.
/// let numbers = IsnGenerator::new([7; 16]);
/// let first = numbers.isn(now, &tuple);
/// // The same connection again, a second later: the clock has ticked 250,000 times.
/// assert_eq!(numbers.isn(now + Duration::from_secs(1), &tuple), first + 250_000);
/// // Who does not know the key learns nothing from that about others.
/// assert_ne!(numbers.isn(now, &tuple.flipped()), first);
/// assert_ne!(IsnGenerator::new([8; 16]).isn(now, &tuple), first);
///
/// // The offset of timestamps is the connection's own, and stays.
/// let offset = numbers.timestamp_offset(&tuple);
/// assert_ne!(offset, numbers.timestamp_offset(&tuple.flipped()));
/// assert_ne!(offset, first.0);
/// ```
#[derive(Clone)]
pub struct IsnGenerator {
    key: [u8; 16],
}

impl core::fmt::Debug for IsnGenerator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("IsnGenerator")
    }
}

impl IsnGenerator {
    /// With a secret key of 128 random bits, fresh for each start of the stack (RFC 6528 3).
    pub const fn new(key: [u8; 16]) -> IsnGenerator {
        IsnGenerator { key }
    }

    /// The initial sequence number of a connection that opens `now`.
    pub fn isn(&self, now: Instant, tuple: &Tuple) -> SeqNum {
        // MUST-8: the clock ticks every 4 microseconds. MUST-9 and SHLD-1: F is a keyed PRF.
        let m = (now.as_micros() / 4) as u32;
        SeqNum(m.wrapping_add(self.hash(tuple, 0) as u32))
    }

    /// The offset added to the millisecond clock in timestamps of this connection, so that
    /// they do not show the uptime (RFC 7323 5.4).
    pub fn timestamp_offset(&self, tuple: &Tuple) -> u32 {
        self.hash(tuple, 1) as u32
    }

    /// Keyed hash of a connection for a purpose; also used to spread ports (RFC 6056 3.3.3).
    ///
    /// ```
    /// # use tcp_core::{Endpoint, Tuple, isn::IsnGenerator};
    /// # let client = Endpoint::new([192, 0, 2, 1].into(), 0);
    /// # let server = Endpoint::new([192, 0, 2, 2].into(), 80);
    /// # let tuple = Tuple { local: client, remote: server };
    /// # let numbers = IsnGenerator::new([7; 16]);
    /// // 0 and 1 are the purposes of `isn` and `timestamp_offset`.
    /// const PORTS: u8 = 2;
    /// let start = numbers.hash(&tuple, PORTS);
    /// assert_ne!(start, numbers.hash(&tuple, PORTS + 1));
    /// // Each search for a free port towards this server starts at the same place.
    /// let port = 32_768 + (start % 28_232) as u16;
    /// assert!((32_768..61_000).contains(&port));
    /// ```
    pub fn hash(&self, tuple: &Tuple, purpose: u8) -> u64 {
        let mut h = SipHasher24::new_with_key(&self.key);
        h.write_u8(purpose);
        hash_tuple(tuple, &mut h);
        h.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use core::net::{IpAddr, Ipv4Addr};

    fn tuple(port: u16) -> Tuple {
        Tuple {
            local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port),
            remote: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 80),
        }
    }

    // MUST-8, SHLD-1
    #[test]
    fn clock_ticks_every_four_microseconds() {
        let g = IsnGenerator::new([7; 16]);
        let a = g.isn(Instant::from_micros(0), &tuple(1));
        assert_eq!(g.isn(Instant::from_micros(3), &tuple(1)), a);
        assert_eq!(g.isn(Instant::from_micros(4), &tuple(1)), a + 1);
        assert_eq!(g.isn(Instant::from_millis(1000), &tuple(1)), a + 250_000);
    }

    // MUST-9
    #[test]
    fn depends_on_tuple_and_key() {
        let g = IsnGenerator::new([7; 16]);
        let h = IsnGenerator::new([8; 16]);
        let t = Instant::ZERO;
        assert_ne!(g.isn(t, &tuple(1)), g.isn(t, &tuple(2)));
        assert_ne!(g.isn(t, &tuple(1)), h.isn(t, &tuple(1)));
        assert_ne!(g.isn(t, &tuple(1)), g.isn(t, &tuple(1).flipped()));
    }
}
