//! Can a SYN be answered without keeping anything? A SYN cookie: what the connection will need is
//! in the SYN-ACK's sequence number and timestamp, which the last ACK brings back (RFC 4987 3.6,
//! RFC 7323). When to send one says `backlog`; who came with one already knows the stack.
//!
//! ISN = H(tuple, IRS) + period * 2^24 + ((H(tuple, IRS, period, options) + MSS index * 2^21) mod
//! 2^24), as on Linux but for the shift of the index, without which an acknowledgement that is off
//! by one would pass. A guess is right once in 2^28. The timestamp's lowest 6 bits hold what does not
//! fit: the peer's window scale (4 bits, 15 is none) and SACK; the sixth, ECN, stays 0: it is not
//! promised. Without timestamps neither scale nor SACK is offered.

use core::hash::Hasher;
use core::time::Duration;

use siphasher::sip::SipHasher24;

use super::{HalfOpen, PeerSyn};
use crate::config::TcpConfig;
use crate::connection::{OpenParams, default_mss};
use crate::tuple::hash_tuple;
use crate::wire::{Flags, Segment};
use crate::{Instant, SeqNum, Tuple};

/// A cookie is good in the period in which it was made and in the next: for 64 to 128 s. Linux:
/// 60 to 120 s.
const PERIOD: Duration = Duration::from_secs(64);
const PERIODS: u64 = 2;

/// What an MSS option is rounded down to; a peer below the first gets no cookie (MUST-16: its
/// segments would be too large). Ethernet with the usual tunnels, and jumbo frames.
const MSS: [u16; 8] = [128, 536, 1220, 1300, 1400, 1440, 1460, 8940];

const LOW: u32 = 0xff_ffff;
/// Where the MSS index stands in it.
const INDEX_SHIFT: u32 = 21;
/// Bits of the timestamp that hold options.
const STAMP: u32 = 0x3f;
const SACK: u32 = 0x10;
const NO_SCALE: u32 = 0xf;

/// The secret from which a stack's cookies are made, and the one before it.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// // A SYN is answered, and nothing is kept of it.
/// let keys = CookieKeys::new([7; 16]); // 128 random bits, in earnest
/// let answer = keys.syn_ack(now, LISTENER, &syn, &config).unwrap();
/// client.on_segment(now, &answer, 0);
/// let packet = drain(&mut client, now).remove(0);
///
/// // The ACK tells what the SYN said: an MSS rounded down, window scale and SACK.
/// let ack = Segment::parse(&packet).unwrap();
/// let half = keys.check(now, LISTENER, &ack, &config).unwrap();
/// assert_eq!((half.isn, half.irs), (answer.seq, SeqNum(1000)));
/// assert_eq!((half.peer.mss, half.peer.window_scale, half.peer.sack), (Some(1460), Some(7), true));
/// let mut server = Connection::from_half_open(now, half, 1500, config.clone());
/// assert_eq!(server.on_segment(now, &ack, 0), Verdict::Accepted);
///
/// // Who has not seen the SYN-ACK has no cookie, and one that is too old is none.
/// let forged = Segment { ack: ack.ack + 1, ..ack };
/// assert!(keys.check(now, LISTENER, &forged, &config).is_none());
/// let late = now + CookieKeys::lifetime();
/// assert!(keys.check(late, LISTENER, &ack, &config).is_none());
/// ```
#[derive(Clone)]
pub struct CookieKeys {
    current: [u8; 16],
    previous: [u8; 16],
    /// The first period of `current`.
    since: u64,
}

impl core::fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CookieKeys").field("since", &self.since).finish_non_exhaustive()
    }
}

/// What the options of a cookie's handshake come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Agreed {
    /// The timestamp's bits; none without timestamps.
    stamp: Option<u32>,
    /// Our window scale, if the peer has one: another one now would misread every window.
    our_scale: u8,
}

impl Agreed {
    fn new(stamp: Option<u32>, config: &TcpConfig) -> Agreed {
        let scaled = stamp.is_some_and(|s| s & NO_SCALE != NO_SCALE);
        Agreed { stamp, our_scale: if scaled { config.window_scale() } else { 0 } }
    }

    fn scale(self) -> Option<u8> {
        self.stamp.map(|s| s & NO_SCALE).filter(|s| *s != NO_SCALE).map(|s| s as u8)
    }

    fn sack(self) -> bool {
        self.stamp.is_some_and(|s| s & SACK != 0)
    }
}

impl CookieKeys {
    /// With 128 random bits.
    ///
    /// ```
    /// use tcp_core::listen::CookieKeys;
    ///
    /// let keys = CookieKeys::new([7; 16]);
    /// assert!(!format!("{keys:?}").contains('7')); // the secret stays one
    /// ```
    pub const fn new(key: [u8; 16]) -> CookieKeys {
        CookieKeys { current: key, previous: key, since: 0 }
    }

    /// The period of `now`, a count of 64 s.
    ///
    /// ```
    /// # use tcp_core::{Instant, listen::CookieKeys};
    /// assert_eq!(CookieKeys::period(Instant::from_millis(63_999)), 0);
    /// assert_eq!(CookieKeys::period(Instant::from_millis(64_000)), 1);
    /// ```
    pub fn period(now: Instant) -> u64 {
        now.as_nanos() / PERIOD.as_nanos() as u64
    }

    /// How long after the last cookie one may still come back.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_core::listen::CookieKeys;
    /// assert_eq!(CookieKeys::lifetime(), Duration::from_secs(128));
    /// ```
    pub const fn lifetime() -> Duration {
        Duration::from_secs(PERIOD.as_secs() * PERIODS)
    }

    /// Takes another secret of 128 random bits, from the next period on. Cookies made before stay
    /// good for their time. `false`, and nothing happens, if the last change is not a period old:
    /// a cookie would lose its key.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let mut keys = CookieKeys::new([7; 16]);
    /// let now = Instant::from_millis(64_000);
    /// let answer = keys.syn_ack(now, LISTENER, &syn, &config).unwrap();
    ///
    /// assert!(keys.rotate(now, [8; 16]));
    /// assert!(!keys.rotate(now, [9; 16])); // not so fast
    ///
    /// // A minute later the new key is in use, and the cookie of before is still good.
    /// let later = now + Duration::from_secs(64);
    /// client.on_segment(later, &answer, 0);
    /// let packet = drain(&mut client, later).remove(0);
    /// let ack = Segment::parse(&packet).unwrap();
    /// assert!(keys.check(later, LISTENER, &ack, &config).is_some());
    /// ```
    pub fn rotate(&mut self, now: Instant, key: [u8; 16]) -> bool {
        let period = CookieKeys::period(now);
        if period <= self.since {
            return false;
        }
        self.previous = core::mem::replace(&mut self.current, key);
        self.since = period + 1;
        true
    }

    /// Periods since the secret was changed.
    ///
    /// ```
    /// # use tcp_core::{Instant, listen::CookieKeys};
    /// let mut keys = CookieKeys::new([7; 16]);
    /// let at = |period: u64| Instant::from_millis(64_000 * period);
    /// assert_eq!(keys.age(at(100)), 100);
    /// keys.rotate(at(100), [8; 16]); // from period 101 on
    /// assert_eq!((keys.age(at(100)), keys.age(at(103))), (0, 2));
    /// ```
    pub fn age(&self, now: Instant) -> u64 {
        CookieKeys::period(now).saturating_sub(self.since)
    }

    /// The SYN-ACK for a SYN; `open.isn` is not used. `None` if the peer's MSS is too small for a
    /// cookie.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let keys = CookieKeys::new([7; 16]);
    /// let answer = keys.syn_ack(now, LISTENER, &syn, &config).unwrap();
    /// assert_eq!((answer.flags, answer.ack), (Flags::SYN | Flags::ACK, syn.seq + 1));
    ///
    /// // Without timestamps there is no place for window scale and SACK: they are not offered.
    /// let options = Options { timestamps: None, ..syn.options };
    /// let plain = Segment { options, ..syn };
    /// let answer = keys.syn_ack(now, LISTENER, &plain, &config).unwrap();
    /// assert_eq!((answer.options.window_scale, answer.options.sack_permitted), (None, false));
    /// ```
    pub fn syn_ack(
        &self,
        now: Instant,
        open: OpenParams,
        syn: &Segment<'_>,
        config: &TcpConfig,
    ) -> Option<Segment<'static>> {
        let said = PeerSyn::of(syn);
        let stamp = stamp(&said, config);
        let agreed = Agreed::new(stamp, config);
        let mss = said.mss.unwrap_or(default_mss(&open.tuple));
        let index = MSS.iter().rposition(|m| *m <= mss)?;
        let peer = PeerSyn {
            window_scale: agreed.scale(),
            sack: agreed.sack(),
            timestamp: said.timestamp.filter(|_| stamp.is_some()),
            ..said
        };
        let isn = self.isn(CookieKeys::period(now), &open.tuple, syn.seq, agreed, index as u32);
        let half = HalfOpen::new(now, OpenParams { isn, ..open }, syn.seq, peer, config);
        let mut answer = half.syn_ack(now, config);
        if let (Some(bits), Some(t)) = (stamp, &mut answer.options.timestamps) {
            t.value = stamped(now, bits).wrapping_add(open.timestamp_offset);
        }
        Some(answer)
    }

    /// The record that stands behind an ACK, if that brings back a cookie of ours: forged ones,
    /// those of other connections and of too long ago bring nothing. `open.isn` is not used.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// # let keys = CookieKeys::new([7; 16]);
    /// # client.on_segment(now, &keys.syn_ack(now, LISTENER, &syn, &config).unwrap(), 0);
    /// # let packet = drain(&mut client, now).remove(0);
    /// # let ack = Segment::parse(&packet).unwrap();
    /// let half = keys.check(now, LISTENER, &ack, &config).unwrap();
    /// assert_eq!(half.irs, SeqNum(1000));
    ///
    /// // The cookie is that of one peer and one port.
    /// let mut other = LISTENER;
    /// other.tuple.remote.port += 1;
    /// assert!(keys.check(now, other, &ack, &config).is_none());
    /// ```
    pub fn check(
        &self,
        now: Instant,
        open: OpenParams,
        ack: &Segment<'_>,
        config: &TcpConfig,
    ) -> Option<HalfOpen> {
        if !ack.flags.contains(Flags::ACK) || ack.flags.intersects(Flags::SYN | Flags::RST) {
            return None;
        }
        let echoed = ack.options.timestamps.filter(|_| config.timestamps);
        let stamp = match echoed {
            Some(t) => Some(unstamp(now, t.echo.wrapping_sub(open.timestamp_offset))?),
            None => None,
        };
        let agreed = Agreed::new(stamp, config);
        let (irs, isn) = (ack.seq - 1, ack.ack - 1);
        let period = CookieKeys::period(now);
        let index = (0..PERIODS)
            .filter_map(|age| period.checked_sub(age))
            .find_map(|made| self.index(made, &open.tuple, irs, agreed, isn))?;
        let peer = PeerSyn {
            mss: Some(MSS[index]),
            window_scale: agreed.scale(),
            sack: agreed.sack(),
            timestamp: echoed.map(|t| t.value),
            // The ACK itself says more than its SYN did.
            window: 0,
        };
        let mut half = HalfOpen::new(now, OpenParams { isn, ..open }, irs, peer, config);
        half.from_cookie = true;
        Some(half)
    }

    fn isn(&self, period: u64, t: &Tuple, irs: SeqNum, agreed: Agreed, index: u32) -> SeqNum {
        let key = self.key(period);
        let low = inner(key, period, t, irs, agreed).wrapping_add(index << INDEX_SHIFT) & LOW;
        SeqNum(outer(key, t, irs).wrapping_add((period as u32) << 24).wrapping_add(low))
    }

    /// The MSS index in a number that was made in `period`.
    fn index(
        &self,
        period: u64,
        t: &Tuple,
        irs: SeqNum,
        agreed: Agreed,
        isn: SeqNum,
    ) -> Option<usize> {
        let key = self.key(period);
        let rest = isn.0.wrapping_sub(outer(key, t, irs));
        if rest >> 24 != period as u32 & 0xff {
            return None;
        }
        let index = rest.wrapping_sub(inner(key, period, t, irs, agreed)) & LOW;
        (index.trailing_zeros() >= INDEX_SHIFT).then_some((index >> INDEX_SHIFT) as usize)
    }

    fn key(&self, period: u64) -> &[u8; 16] {
        if period >= self.since { &self.current } else { &self.previous }
    }
}

/// The bits for what both ends can; none if timestamps are not among it.
fn stamp(said: &PeerSyn, config: &TcpConfig) -> Option<u32> {
    said.timestamp.filter(|_| config.timestamps)?;
    let scale = said.window_scale.filter(|_| config.window_scaling);
    let sack = if said.sack && config.sack { SACK } else { 0 };
    Some(scale.map_or(NO_SCALE, |s| u32::from(s.min(14))) | sack)
}

/// The latest time, in milliseconds, that ends in these bits: never ahead of the clock, so that
/// no later timestamp looks old (RFC 7323 5).
fn stamped(now: Instant, bits: u32) -> u32 {
    let ms = now.as_millis() as u32;
    let at = ms & !STAMP | bits;
    if ms & STAMP < bits { at.wrapping_sub(STAMP + 1) } else { at }
}

/// The bits of a time that was sent not too long ago.
fn unstamp(now: Instant, at: u32) -> Option<u32> {
    let age = (now.as_millis() as u32).wrapping_sub(at);
    let most = CookieKeys::lifetime().as_millis() as u32 + STAMP + 1;
    (age <= most && at & STAMP < 2 * SACK).then_some(at & STAMP)
}

fn outer(key: &[u8; 16], t: &Tuple, irs: SeqNum) -> u32 {
    let mut h = SipHasher24::new_with_key(key);
    hash_tuple(t, &mut h);
    h.write_u32(irs.0);
    h.finish() as u32
}

fn inner(key: &[u8; 16], period: u64, t: &Tuple, irs: SeqNum, agreed: Agreed) -> u32 {
    let mut h = SipHasher24::new_with_key(key);
    hash_tuple(t, &mut h);
    h.write_u32(irs.0);
    h.write_u64(period);
    h.write_u32(agreed.stamp.unwrap_or(u32::MAX));
    h.write_u8(agreed.our_scale);
    h.finish() as u32
}

#[cfg(test)]
mod tests;
