//! When, in which state and how often does a packet come out of a link? One direction of a path
//! on opaque packets under virtual time: [`LinkConfig`] holds the knobs, `dice` the randomness;
//! who is connected to whom is left to [`World`](crate::World).

mod config;
mod dice;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU64;
use std::time::Duration;

use tcp_core::Instant;

pub use config::{BurstLoss, LinkConfig, QueueLimit, Reorder};
pub(crate) use dice::mix;
use dice::{CopyDice, Dice};

/// One direction of a path. What is pushed comes out later, or not at all.
///
/// A packet passes, in this order: MTU, outages, queue and rate, loss, burst loss, duplication;
/// then each copy damage, delay, jitter and reordering. A packet lost at random has still used
/// its time on the wire. Its fate is decided when it is pushed. Packets with the same arrival
/// time come out in the order they went in.
///
/// Drain rule: after [`Link::push`], and whenever [`Link::next_delivery`] has come, call
/// [`Link::pop`] until it returns `None`.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_sim::{DropReason, Fate, Link, LinkConfig, Marks};
///
/// // 1,000 octets take 1 ms at 8 Mbit/s, and then 10 ms to the other end.
/// let config = LinkConfig::default().rate(8_000_000).delay(Duration::from_millis(10)).mtu(1000);
/// let mut link = Link::new(config, 1);
/// let now = Instant::ZERO;
/// assert_eq!(link.push(now, vec![1; 1000]), Fate::Carried(Marks::default()));
/// assert_eq!(link.push(now, vec![2; 1000]), Fate::Carried(Marks::default()));
/// assert_eq!(link.push(now, vec![3; 1001]), Fate::Dropped(DropReason::TooBig));
///
/// assert_eq!((link.in_flight(), link.next_delivery()), (2, Some(Instant::from_millis(11))));
/// assert_eq!(link.pop(Instant::from_millis(10)), None);
/// assert_eq!(link.pop(Instant::from_millis(11)), Some(vec![1; 1000]));
/// assert_eq!(link.next_delivery(), Some(Instant::from_millis(12))); // it waited for the first
///
/// // A wire that is cut loses what comes now, not what is on its way.
/// link.set_config(LinkConfig::down());
/// assert!(link.config().mtu > 1000);
/// assert_eq!(link.push(Instant::from_millis(12), vec![4]), Fate::Dropped(DropReason::Outage));
/// assert_eq!(link.pop(Instant::from_millis(12)), Some(vec![2; 1000]));
/// assert_eq!((link.stats().delivered, link.stats().dropped()), (2, 2));
/// ```
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    dice: Dice,
    wire: Wire,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    /// Arrival of the latest packet that keeps its place; jitter may not fall behind it.
    last_in_order: Instant,
    pushed: u64,
    stats: LinkStats,
}

/// What a link did, in packets. At any time
/// `sent + duplicated = delivered + in flight + the five kinds of drops`.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::{Link, LinkConfig};
///
/// let mut link = Link::new(LinkConfig::default().loss(0.3).duplicate(0.1), 1);
/// for n in 0..1000 {
///     link.push(Instant::ZERO, vec![n as u8; 100]);
/// }
/// while link.pop(Instant::ZERO).is_some() {}
/// let stats = link.stats();
/// assert_eq!((stats.sent, stats.dropped()), (1000, stats.lost));
/// assert!((250..350).contains(&stats.lost));
/// assert_eq!(stats.sent + stats.duplicated, stats.delivered + stats.dropped());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Handed to the link.
    pub sent: u64,
    /// Taken out of the link, copies and damaged ones included.
    pub delivered: u64,
    /// Dropped by independent loss.
    pub lost: u64,
    /// Dropped by burst loss, and not by independent loss as well.
    pub burst_lost: u64,
    /// Additional copies made.
    pub duplicated: u64,
    /// Copies with flipped bits.
    pub corrupted: u64,
    /// Copies held back (whether others overtook them or not).
    pub reordered: u64,
    /// Dropped because the queue was full.
    pub queue_dropped: u64,
    /// Dropped because they were longer than the MTU.
    pub too_big: u64,
    /// Dropped because they came during an outage.
    pub outage_dropped: u64,
}

/// What became of a pushed packet.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::{DropReason, Fate, Link, LinkConfig};
///
/// let mut link = Link::new(LinkConfig::default().duplicate(1.0), 1);
/// match link.push(Instant::ZERO, vec![7; 100]) {
///     Fate::Carried(marks) => assert!(marks.duplicated && !marks.corrupted),
///     Fate::Dropped(why) => panic!("{why:?}"),
/// }
/// link.set_config(LinkConfig::default().loss(1.0));
/// assert_eq!(link.push(Instant::ZERO, vec![7; 100]), Fate::Dropped(DropReason::Loss));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It will arrive, changed as the marks say.
    Carried(Marks),
    /// It will not arrive.
    Dropped(DropReason),
}

/// How a carried packet was treated. With a duplicate, a mark speaks of at least one copy.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_sim::{Fate, Link, LinkConfig, Marks};
///
/// let config = LinkConfig::default().corrupt(1.0).reorder(1.0, Duration::from_millis(5));
/// let mut link = Link::new(config, 1);
/// let marks = Marks { corrupted: true, reordered: true, ..Marks::default() };
/// assert_eq!(link.push(Instant::ZERO, vec![0; 100]), Fate::Carried(marks));
/// // 1 to 3 bits were flipped, and it comes 5 ms late.
/// let packet = link.pop(Instant::from_millis(5)).unwrap();
/// let flipped: u32 = packet.iter().map(|octet| octet.count_ones()).sum();
/// assert!((1..=3).contains(&flipped));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// It will arrive twice.
    pub duplicated: bool,
    /// It has flipped bits.
    pub corrupted: bool,
    /// It is held back.
    pub reordered: bool,
}

/// Why a packet will not arrive.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::{DropReason, Fate, Link, LinkConfig, QueueLimit};
///
/// // One packet on the wire, one in the queue.
/// let config = LinkConfig::default().rate(8_000).queue(QueueLimit::Packets(1));
/// let mut link = Link::new(config, 1);
/// link.push(Instant::ZERO, vec![1; 100]);
/// link.push(Instant::ZERO, vec![2; 100]);
/// let third = link.push(Instant::ZERO, vec![3; 100]);
/// assert_eq!(third, Fate::Dropped(DropReason::QueueFull));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Longer than the MTU.
    TooBig,
    /// Pushed during an outage.
    Outage,
    /// The queue before the rate limit was full.
    QueueFull,
    /// Independent random loss.
    Loss,
    /// The bad state of the Gilbert-Elliott chain.
    BurstLoss,
}

impl Link {
    /// A link with its own randomness; equal seeds, configurations and pushes give equal results.
    pub fn new(config: LinkConfig, seed: u64) -> Link {
        Link {
            config,
            dice: Dice::new(seed),
            wire: Wire::default(),
            in_flight: BinaryHeap::new(),
            last_in_order: Instant::ZERO,
            pushed: 0,
            stats: LinkStats::default(),
        }
    }

    /// Hands a packet to the link and says what will become of it, for traces: a sender in the
    /// real world would not know.
    pub fn push(&mut self, now: Instant, packet: Vec<u8>) -> Fate {
        self.stats.sent += 1;
        match self.admit(now, packet.len()) {
            Ok(leaves) => Fate::Carried(self.carry(leaves, packet)),
            Err(reason) => {
                self.stats.count(reason);
                Fate::Dropped(reason)
            }
        }
    }

    /// The next packet that has arrived by `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_delivery()? > now {
            return None;
        }
        let Reverse(arrived) = self.in_flight.pop()?;
        self.stats.delivered += 1;
        Some(arrived.packet)
    }

    /// When the next packet arrives; `None` if nothing is on its way.
    pub fn next_delivery(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse(first)| first.at)
    }

    /// Packets on their way: waiting, on the wire, or due and not yet popped.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The counters so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// The configuration in force.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Changes the link for packets pushed from now on. Packets already on their way keep their
    /// fate and their time of arrival, and with a shorter delay later packets still stay behind
    /// them.
    pub fn set_config(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Whether the packet gets over the wire, and when its last bit leaves the sending side.
    fn admit(&mut self, now: Instant, len: usize) -> Result<Instant, DropReason> {
        if len > self.config.mtu {
            return Err(DropReason::TooBig);
        }
        if self.config.is_out(now) {
            return Err(DropReason::Outage);
        }
        let leaves = match self.config.rate {
            Some(rate) => self.wire.serialize(now, len, rate, self.config.queue)?,
            None => now,
        };
        // Both are drawn, so that neither kind of loss shifts the other's stream.
        let lost = self.dice.loses(&self.config);
        let burst_lost = self.dice.loses_in_burst(now, self.config.burst_loss.as_ref());
        match (lost, burst_lost) {
            (true, _) => Err(DropReason::Loss),
            (false, true) => Err(DropReason::BurstLoss),
            (false, false) => Ok(leaves),
        }
    }

    fn carry(&mut self, leaves: Instant, packet: Vec<u8>) -> Marks {
        let mut marks = Marks::default();
        let twin = self.dice.duplicates(&self.config).then(|| packet.clone());
        self.launch(leaves, packet, |dice| &mut dice.original, &mut marks);
        if let Some(twin) = twin {
            self.launch(leaves, twin, |dice| &mut dice.extra, &mut marks);
            marks.duplicated = true;
            self.stats.duplicated += 1;
        }
        marks
    }

    /// Puts one copy on its way.
    fn launch(
        &mut self,
        leaves: Instant,
        mut packet: Vec<u8>,
        dice: fn(&mut Dice) -> &mut CopyDice,
        marks: &mut Marks,
    ) {
        let dice = dice(&mut self.dice);
        if dice.corrupts(self.config.corrupt, &mut packet) {
            marks.corrupted = true;
            self.stats.corrupted += 1;
        }
        let arrival = leaves + self.config.delay + dice.jitter(self.config.jitter);
        let mut at = arrival.max(self.last_in_order);
        match self.config.reorder {
            Some(reorder) if dice.reorders(reorder.probability) => {
                at += reorder.extra_delay;
                marks.reordered = true;
                self.stats.reordered += 1;
            }
            _ => self.last_in_order = at,
        }
        self.in_flight.push(Reverse(InFlight { at, order: self.pushed, packet }));
        self.pushed += 1;
    }
}

impl LinkStats {
    /// All packets that did not arrive, of all five kinds.
    pub fn dropped(&self) -> u64 {
        self.lost + self.burst_lost + self.queue_dropped + self.too_big + self.outage_dropped
    }

    fn count(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::TooBig => &mut self.too_big,
            DropReason::Outage => &mut self.outage_dropped,
            DropReason::QueueFull => &mut self.queue_dropped,
            DropReason::Loss => &mut self.lost,
            DropReason::BurstLoss => &mut self.burst_lost,
        };
        *counter += 1;
    }
}

/// The sending side's interface: one packet at a time, the others wait.
#[derive(Debug, Default)]
struct Wire {
    /// When the last packet accepted will have left.
    free_at: Instant,
    /// Start of serialization and length of each packet not yet begun.
    waiting: VecDeque<(Instant, usize)>,
    waiting_bytes: usize,
}

impl Wire {
    fn serialize(
        &mut self,
        now: Instant,
        len: usize,
        rate: NonZeroU64,
        limit: QueueLimit,
    ) -> Result<Instant, DropReason> {
        while let Some(&(begins, gone)) = self.waiting.front()
            && begins <= now
        {
            self.waiting.pop_front();
            self.waiting_bytes -= gone;
        }
        let start = self.free_at.max(now);
        if start > now {
            let fits = match limit {
                QueueLimit::Unlimited => true,
                QueueLimit::Packets(most) => self.waiting.len() < most,
                QueueLimit::Bytes(most) => len <= most.saturating_sub(self.waiting_bytes),
            };
            if !fits {
                return Err(DropReason::QueueFull);
            }
            self.waiting.push_back((start, len));
            self.waiting_bytes += len;
        }
        self.free_at = start + serialization_time(len, rate);
        Ok(self.free_at)
    }
}

/// Time on the wire, rounded up to a nanosecond.
fn serialization_time(len: usize, rate: NonZeroU64) -> Duration {
    let bits = len as u128 * 8;
    let nanos = (bits * 1_000_000_000).div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A packet on its way, ordered by arrival and, among equals, by the order of pushing.
#[derive(Debug)]
struct InFlight {
    at: Instant,
    order: u64,
    packet: Vec<u8>,
}

impl InFlight {
    fn key(&self) -> (Instant, u64) {
        (self.at, self.order)
    }
}

impl PartialEq for InFlight {
    fn eq(&self, other: &InFlight) -> bool {
        self.key() == other.key()
    }
}

impl Eq for InFlight {}

impl PartialOrd for InFlight {
    fn partial_cmp(&self, other: &InFlight) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InFlight {
    fn cmp(&self, other: &InFlight) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
