//! How bad is a link? The knobs of one direction of a path, with their units and defaults.
//! What they do to a packet, and in which order, stands with [`Link`](crate::Link).

use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

use tcp_core::Instant;

/// The properties of one direction of a path. The default is perfect: no delay, no rate limit,
/// no loss, packets up to 65,535 bytes.
///
/// Probabilities are between 0 (never) and 1 (always); the builder methods refuse others.
///
/// ```
/// # use std::time::Duration;
/// # use tcp_sim::{LinkConfig, QueueLimit};
/// let dsl = LinkConfig::default()
///     .delay(Duration::from_millis(15))
///     .rate(16_000_000)
///     .queue(QueueLimit::Packets(100))
///     .loss(0.001)
///     .mtu(1492);
/// assert_eq!(dsl.mtu, 1492);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LinkConfig {
    /// One-way propagation delay, after serialization at `rate`. Default: zero.
    pub delay: Duration,
    /// Upper bound of a random addition to `delay`, uniform from zero, drawn for each packet.
    /// Jitter alone never reorders: a packet arrives no earlier than the one before it.
    /// Default: zero.
    pub jitter: Duration,
    /// Bits of IP packet (no framing) per second; `None` is infinitely fast. Default: `None`.
    pub rate: Option<NonZeroU64>,
    /// Room for packets that wait for the rate limit; beyond it new packets are dropped (drop
    /// tail). Has no meaning without `rate`. Default: 1,000 packets.
    pub queue: QueueLimit,
    /// Probability that a packet is lost, independent of all others. Default: 0.
    pub loss: f64,
    /// Loss that comes in bursts. Default: `None`.
    pub burst_loss: Option<BurstLoss>,
    /// Packets held back so that later ones overtake them. Default: `None`.
    pub reorder: Option<Reorder>,
    /// Probability that a packet arrives twice; each copy has its own jitter, reordering and
    /// damage. Default: 0.
    pub duplicate: f64,
    /// Probability that 1 to 3 bits, anywhere in the packet, are flipped. The flipped bits lie in
    /// different columns of the 16-bit Internet checksum (RFC 1071), so that they never cancel
    /// out: a checksum over the flipped bits fails, and a test may compare the bytes that came
    /// through with those sent. What no checksum covers (the flow label and traffic class of
    /// IPv6) may arrive changed. Default: 0.
    pub corrupt: f64,
    /// Longest IP packet carried, in bytes; longer ones are dropped, silently for the sender.
    /// Default: 65,535.
    pub mtu: usize,
    /// Periods, from inclusive to exclusive, in which every packet handed to the link is lost.
    /// Those already on their way arrive. Default: none.
    pub outages: Vec<Range<Instant>>,
}

/// How much may wait for the rate limit. The packet being serialized does not count.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::{Link, LinkConfig, QueueLimit};
///
/// // 1 Mbit/s and room for 3,000 octets behind the packet that is being sent.
/// let config = LinkConfig::default().rate(1_000_000).queue(QueueLimit::Bytes(3000));
/// let mut link = Link::new(config, 1);
/// for _ in 0..5 {
///     link.push(Instant::ZERO, vec![0; 1500]);
/// }
/// assert_eq!((link.in_flight(), link.stats().queue_dropped), (3, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// Whatever comes; memory is the limit.
    Unlimited,
    /// This many packets.
    Packets(usize),
    /// This many bytes of IP packets.
    Bytes(usize),
}

/// The Gilbert-Elliott model: a good state without loss and a bad one with it. The state may
/// change before each packet. The mean burst is `1 / leave` packets long; the mean loss is
/// `loss * enter / (enter + leave)`. After [`MEMORY`](Self::MEMORY) without a packet the state is
/// good again: a fade passes with time too, or every one of a sender's lone retransmissions, each
/// twice as late as the one before, would meet the same burst.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_sim::{BurstLoss, Link, LinkConfig};
///
/// // Bursts of 5 packets on average; 0.01 / (0.01 + 0.2), about 5 %, are lost.
/// let config = LinkConfig::default().burst_loss(0.01, 0.2, 1.0);
/// assert_eq!(config.burst_loss, Some(BurstLoss { enter: 0.01, leave: 0.2, loss: 1.0 }));
/// let mut link = Link::new(config, 1);
/// for ms in 0..10_000 {
///     link.push(Instant::from_millis(ms), vec![0; 100]);
/// }
/// assert!((300..700).contains(&link.stats().burst_lost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurstLoss {
    /// Probability, at each packet in the good state, that the bad state begins with it.
    pub enter: f64,
    /// Probability, at each packet in the bad state, that the good state begins with it.
    pub leave: f64,
    /// Probability that a packet in the bad state is lost.
    pub loss: f64,
}

impl BurstLoss {
    /// How long a bad state lasts without packets.
    pub const MEMORY: Duration = Duration::from_millis(100);
}

/// Deliberate reordering.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_sim::{Link, LinkConfig, Reorder};
///
/// let late = LinkConfig::default().reorder(1.0, Duration::from_millis(4));
/// let held_back = Reorder { probability: 1.0, extra_delay: Duration::from_millis(4) };
/// assert_eq!(late.reorder, Some(held_back));
/// let mut link = Link::new(late, 1);
/// link.push(Instant::ZERO, vec![1]);
/// link.set_config(LinkConfig::default());
/// link.push(Instant::from_millis(1), vec![2]);
/// // The second overtakes the first.
/// let end = Instant::from_millis(4);
/// assert_eq!([link.pop(end), link.pop(end)], [Some(vec![2]), Some(vec![1])]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// Probability that a packet is held back.
    pub probability: f64,
    /// How long it is held back, on top of all other delay. Whether later packets overtake it
    /// depends on how closely they follow.
    pub extra_delay: Duration,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        LinkConfig {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: QueueLimit::Packets(1_000),
            loss: 0.0,
            burst_loss: None,
            reorder: None,
            duplicate: 0.0,
            corrupt: 0.0,
            mtu: 65_535,
            outages: Vec::new(),
        }
    }
}

impl LinkConfig {
    /// A cable that is not plugged in: loses everything until another configuration is set.
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_sim::{DropReason, Fate, Link, LinkConfig};
    ///
    /// let mut link = Link::new(LinkConfig::down(), 1);
    /// assert_eq!(link.push(Instant::ZERO, vec![7]), Fate::Dropped(DropReason::Outage));
    /// ```
    pub fn down() -> LinkConfig {
        LinkConfig::default().outage(Instant::ZERO, Instant::FAR_FUTURE)
    }

    /// Sets the one-way delay.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> LinkConfig {
        self.delay = delay;
        self
    }

    /// Sets the largest random addition to the delay.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_core::Instant;
    /// # use tcp_sim::{Link, LinkConfig};
    /// let ms = Duration::from_millis;
    /// let mut link = Link::new(LinkConfig::default().delay(ms(10)).jitter(ms(5)), 1);
    /// link.push(Instant::ZERO, vec![7]);
    /// let arrival = link.next_delivery().unwrap();
    /// assert!((Instant::from_millis(10)..=Instant::from_millis(15)).contains(&arrival));
    /// ```
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> LinkConfig {
        self.jitter = jitter;
        self
    }

    /// Sets the rate in bits per second.
    ///
    /// # Panics
    /// If the rate is zero: a dead link is [`LinkConfig::down`].
    #[must_use]
    pub fn rate(mut self, bits_per_second: u64) -> LinkConfig {
        let rate = NonZeroU64::new(bits_per_second);
        assert!(rate.is_some(), "a rate of 0 bit/s never delivers; use LinkConfig::down()");
        self.rate = rate;
        self
    }

    /// Sets the room for packets that wait for the rate limit.
    #[must_use]
    pub fn queue(mut self, limit: QueueLimit) -> LinkConfig {
        self.queue = limit;
        self
    }

    /// Sets the probability of independent loss.
    ///
    /// # Panics
    /// If it is not within 0 and 1.
    #[must_use]
    pub fn loss(mut self, probability: f64) -> LinkConfig {
        self.loss = checked(probability);
        self
    }

    /// Sets loss in bursts (Gilbert-Elliott).
    ///
    /// ```
    /// # use tcp_sim::LinkConfig;
    /// // Bursts that begin at every 200th packet, are 5 packets long and lose 4 of 5.
    /// let config = LinkConfig::default().burst_loss(0.005, 0.2, 0.8);
    /// assert_eq!(config.burst_loss.unwrap().leave, 0.2);
    /// ```
    ///
    /// # Panics
    /// If one of the probabilities is not within 0 and 1.
    #[must_use]
    pub fn burst_loss(mut self, enter: f64, leave: f64, loss: f64) -> LinkConfig {
        let burst = BurstLoss { enter: checked(enter), leave: checked(leave), loss: checked(loss) };
        self.burst_loss = Some(burst);
        self
    }

    /// Sets the probability that a packet is held back, and for how long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_sim::LinkConfig;
    /// let config = LinkConfig::default().reorder(0.2, Duration::from_millis(4));
    /// assert_eq!(config.reorder.unwrap().extra_delay, Duration::from_millis(4));
    /// ```
    ///
    /// # Panics
    /// If the probability is not within 0 and 1.
    #[must_use]
    pub fn reorder(mut self, probability: f64, extra_delay: Duration) -> LinkConfig {
        self.reorder = Some(Reorder { probability: checked(probability), extra_delay });
        self
    }

    /// Sets the probability that a packet arrives twice.
    ///
    /// ```
    /// # use tcp_core::Instant;
    /// # use tcp_sim::{Link, LinkConfig};
    /// let mut link = Link::new(LinkConfig::default().duplicate(1.0), 1);
    /// link.push(Instant::ZERO, vec![7]);
    /// let two = [link.pop(Instant::ZERO), link.pop(Instant::ZERO), link.pop(Instant::ZERO)];
    /// assert_eq!(two, [Some(vec![7]), Some(vec![7]), None]);
    /// ```
    ///
    /// # Panics
    /// If it is not within 0 and 1.
    #[must_use]
    pub fn duplicate(mut self, probability: f64) -> LinkConfig {
        self.duplicate = checked(probability);
        self
    }

    /// Sets the probability that a packet is damaged.
    ///
    /// ```
    /// # use tcp_core::Instant;
    /// # use tcp_sim::{Link, LinkConfig};
    /// let mut link = Link::new(LinkConfig::default().corrupt(1.0), 1);
    /// link.push(Instant::ZERO, vec![0; 100]);
    /// assert_ne!(link.pop(Instant::ZERO), Some(vec![0; 100]));
    /// assert_eq!(link.stats().corrupted, 1);
    /// ```
    ///
    /// # Panics
    /// If it is not within 0 and 1.
    #[must_use]
    pub fn corrupt(mut self, probability: f64) -> LinkConfig {
        self.corrupt = checked(probability);
        self
    }

    /// Sets the longest packet carried, in bytes.
    #[must_use]
    pub fn mtu(mut self, bytes: usize) -> LinkConfig {
        self.mtu = bytes;
        self
    }

    /// Adds a period, `until` not included, in which everything handed to the link is lost.
    ///
    /// ```
    /// # use tcp_core::Instant;
    /// # use tcp_sim::{Link, LinkConfig};
    /// let (from, until) = (Instant::from_millis(100), Instant::from_millis(200));
    /// let mut link = Link::new(LinkConfig::default().outage(from, until), 1);
    /// for ms in [99, 100, 199, 200] {
    ///     link.push(Instant::from_millis(ms), vec![7]);
    /// }
    /// assert_eq!((link.in_flight(), link.stats().outage_dropped), (2, 2));
    /// ```
    #[must_use]
    pub fn outage(mut self, from: Instant, until: Instant) -> LinkConfig {
        self.outages.push(from..until);
        self
    }

    pub(super) fn is_out(&self, now: Instant) -> bool {
        self.outages.iter().any(|period| period.contains(&now))
    }
}

fn checked(probability: f64) -> f64 {
    // 5 instead of 0.05 would silently mean "always".
    assert!((0.0..=1.0).contains(&probability), "{probability} is no probability");
    probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "no probability")]
    fn percentages_are_refused() {
        let _ = LinkConfig::default().loss(5.0);
    }

    #[test]
    #[should_panic(expected = "LinkConfig::down")]
    fn a_rate_of_zero_is_refused() {
        let _ = LinkConfig::default().rate(0);
    }

    #[test]
    fn an_outage_ends_before_its_end() {
        let (from, until) = (Instant::from_millis(10), Instant::from_millis(20));
        let config = LinkConfig::default().outage(from, until);
        assert!(!config.is_out(Instant::from_millis(9)));
        assert!(config.is_out(from));
        assert!(config.is_out(Instant::from_millis(19)));
        assert!(!config.is_out(until));
    }
}
