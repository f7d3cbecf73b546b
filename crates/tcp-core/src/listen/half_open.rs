//! A SYN was received and answered: what next? SYN-RECEIVED of a passive open as a record of
//! about 100 octets, and its deadlines (RFC 9293 3.10.7.2). What it says is in `answers`, what a segment
//! means for it in `arrives`; how many there may be says `backlog`.

use alloc::boxed::Box;
use core::time::Duration;

use super::{PeerSyn, defer};
use crate::config::TcpConfig;
use crate::connection::OpenParams;
use crate::wire::{Flags, Segment};
use crate::{Instant, SeqNum, Tuple};

/// A connection request that we have answered, until its last ACK.
///
/// In the examples `LISTENER` is what our end needs to open, an [`OpenParams`].
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// // A SYN for a listener makes a record, which is answered.
/// let mut half = HalfOpen::on_syn(now, LISTENER, &syn, 0, &config);
/// let answer = half.syn_ack(now, &config);
/// assert_eq!((answer.seq, answer.ack), (half.isn, half.irs + 1));
///
/// // The answer is lost. At the deadline it goes again, and the next deadline is twice as far.
/// assert_eq!(half.deadline(), now + Duration::from_secs(1));
/// now = half.deadline();
/// let timeout = half.on_timeout(now, config.syn_ack_retries, &config);
/// assert_eq!((timeout, half.timeouts()), (HalfOpenTimeout::SynAck, 1));
/// assert_eq!(half.deadline(), now + Duration::from_secs(2));
///
/// // An ACK of something else is answered by a reset, and the record stays.
/// client.on_segment(now, &half.syn_ack(now, &config), 0);
/// let packet = drain(&mut client, now).remove(0);
/// let last = Segment::parse(&packet).unwrap();
/// let wrong = Segment { ack: last.ack + 1, ..last };
/// let verdict = half.on_segment(now, &wrong, &config);
/// assert_eq!(verdict, HalfOpenVerdict::Reset(DropReason::BadAck));
///
/// // The right one makes the record a connection, which sees it first.
/// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
/// let mut server = Connection::from_half_open(now, half, 1500, config);
/// assert_eq!(server.on_segment(now, &last, 0), Verdict::Accepted);
/// assert_eq!(server.state(), State::Established);
/// ```
#[cfg_attr(feature = "explore", derive(Clone))]
#[derive(Debug)]
pub struct HalfOpen {
    /// Both endpoints.
    pub tuple: Tuple,
    /// Our initial sequence number.
    pub isn: SeqNum,
    /// The peer's.
    pub irs: SeqNum,
    /// What the peer's SYN said.
    pub peer: PeerSyn,
    pub(crate) timestamp_offset: u32,
    pub(super) window: u16,
    pub(super) mtu: u16,
    /// Deadlines that have passed.
    timeouts: u8,
    /// The SYN-ACK went out more than once.
    pub(super) resent: bool,
    /// The last ACK has come and was turned away, for want of text or of room.
    pub(super) acked: bool,
    /// Made from a cookie: nobody knows when the SYN-ACK was sent.
    pub(super) from_cookie: bool,
    pub(super) sent_at: Instant,
    deadline: Instant,
    /// What came with the SYN; acknowledged only once the handshake is complete.
    pub(super) early: Option<Box<Early>>,
}

/// Text of a SYN, and whether a FIN ends it.
#[cfg_attr(feature = "explore", derive(Clone))]
#[derive(Debug)]
pub(super) struct Early {
    pub(super) text: Box<[u8]>,
    pub(super) fin: bool,
}

/// What a record does at its deadline.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// // Nobody answers: the SYN-ACK goes again after 1, 2, 4, 8 and 16 s, and at last the record.
/// let first = now;
/// let mut again = Vec::new();
/// loop {
///     now = half.deadline();
///     match half.on_timeout(now, config.syn_ack_retries, &config) {
///         HalfOpenTimeout::SynAck => again.push(now.since(first).as_secs()),
///         HalfOpenTimeout::Wait => {} // only with `defer_accept`
///         HalfOpenTimeout::Remove => break,
///     }
/// }
/// assert_eq!(again, [1, 3, 7, 15, 31]);
/// assert_eq!(now.since(first), Duration::from_secs(63));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfOpenTimeout {
    /// It sends the SYN-ACK again.
    SynAck,
    /// Nothing: the peer has acknowledged, and its text is waited for.
    Wait,
    /// It gives up.
    Remove,
}

impl HalfOpen {
    /// A SYN arrived for a listener (RFC 9293 3.10.7.2, third step). `keep_text` octets of its
    /// text are kept at most.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let half = HalfOpen::on_syn(now, LISTENER, &syn, 0, &config);
    /// assert_eq!((half.tuple, half.isn, half.irs), (LISTENER.tuple, SeqNum(5000), SeqNum(1000)));
    /// assert_eq!(half.peer, PeerSyn::of(&syn));
    ///
    /// // Of text that comes with the SYN, so much is kept as the caller has room for.
    /// let text = Segment { payload: b"hello", ..syn };
    /// let half = HalfOpen::on_syn(now, LISTENER, &text, 3, &config);
    /// assert_eq!(half.early_len(), 3);
    /// ```
    pub fn on_syn(
        now: Instant,
        open: OpenParams,
        syn: &Segment<'_>,
        keep_text: usize,
        config: &TcpConfig,
    ) -> HalfOpen {
        let text = &syn.payload[..syn.payload.len().min(keep_text)];
        let fin = syn.flags.contains(Flags::FIN) && text.len() == syn.payload.len();
        let early = (fin || !text.is_empty()).then(|| Box::new(Early { text: text.into(), fin }));
        HalfOpen { early, ..HalfOpen::new(now, open, syn.seq, PeerSyn::of(syn), config) }
    }

    /// A record as it is right after its SYN.
    pub(super) fn new(
        now: Instant,
        open: OpenParams,
        irs: SeqNum,
        peer: PeerSyn,
        config: &TcpConfig,
    ) -> HalfOpen {
        let scaled = config.window_scaling && peer.window_scale.is_some();
        HalfOpen {
            tuple: open.tuple,
            isn: open.isn,
            irs,
            peer,
            timestamp_offset: open.timestamp_offset,
            window: first_window(config, scaled),
            mtu: open.mtu.min(0xffff) as u16,
            timeouts: 0,
            resent: false,
            acked: false,
            from_cookie: false,
            sent_at: now,
            deadline: now + config.rto_initial,
            early: None,
        }
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many deadlines have passed.
    pub fn timeouts(&self) -> u32 {
        u32::from(self.timeouts)
    }

    /// Whether the peer has answered the SYN-ACK, and was turned away: it is no spoofed address.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// // The last ACK comes, and the application's queue is full.
    /// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
    /// assert!(!half.is_proven());
    /// half.on_overflow();
    /// assert!(half.is_proven());
    /// ```
    pub fn is_proven(&self) -> bool {
        self.acked
    }

    /// As [`Connection::canonical`](crate::Connection::canonical).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// use std::hash::{DefaultHasher, Hasher};
    ///
    /// let form = |half: &HalfOpen| {
    ///     let mut h = DefaultHasher::new();
    ///     half.canonical(Some(now), &mut h);
    ///     h.finish()
    /// };
    /// let mut other = half.clone();
    /// assert_eq!(form(&other), form(&half));
    /// other.on_overflow();
    /// assert_ne!(form(&other), form(&half));
    /// ```
    #[cfg(feature = "explore")]
    pub fn canonical<H: core::hash::Hasher>(&self, now: Option<Instant>, h: &mut H) {
        use core::hash::Hash;
        (self.isn, self.irs, self.peer, self.timeouts, self.acked).hash(h);
        (self.early_len(), self.early.as_ref().is_some_and(|e| e.fin)).hash(h);
        now.map(|now| (now.since(self.sent_at), self.deadline.since(now))).hash(h);
    }

    /// What the peer's SYN said; nothing is known of it if a cookie made the record, which holds only
    /// what fits.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// assert_eq!(half.saved_syn(), Some(PeerSyn::of(&syn)));
    ///
    /// let keys = CookieKeys::new([7; 16]);
    /// # client.on_segment(now, &keys.syn_ack(now, LISTENER, &syn, &config).unwrap(), 0);
    /// # let packet = drain(&mut client, now).remove(0);
    /// # let ack = Segment::parse(&packet).unwrap();
    /// let from_cookie = keys.check(now, LISTENER, &ack, &config).unwrap();
    /// assert_eq!(from_cookie.saved_syn(), None);
    /// ```
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        (!self.from_cookie).then_some(self.peer)
    }

    /// Octets of SYN text that the record keeps.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let text = Segment { payload: b"hello", ..syn };
    /// let half = HalfOpen::on_syn(now, LISTENER, &text, 1460, &config);
    /// assert_eq!(half.early_len(), 5);
    ///
    /// // It can be read once the handshake is complete: a forged SYN delivers nothing.
    /// let mut server = Connection::from_half_open(now, half, 1500, config);
    /// server.on_segment(now, &last, 0);
    /// assert_eq!(server.readable(), 5);
    /// ```
    pub fn early_len(&self) -> usize {
        self.early.as_ref().map_or(0, |e| e.text.len())
    }

    pub(crate) fn window_edge(&self) -> SeqNum {
        self.irs + 1 + u32::from(self.window)
    }

    /// The deadline was reached: after 1, 2, 4, 8, 16 s the SYN-ACK goes again, and with the
    /// defaults the record is given up after 63 s (R2, MUST-22). `retries` is
    /// [`TcpConfig::syn_ack_retries`], or fewer if the queue is crowded
    /// ([`Backlog::retries`](super::Backlog::retries)).
    ///
    /// A deferred record that was acknowledged says nothing until the last deadline of its time;
    /// then one more SYN-ACK gives the peer the chance to complete the handshake without text, as
    /// on Linux.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let second = Duration::from_secs(1);
    /// let config = TcpConfig { defer_accept: Some(3 * second), ..TcpConfig::default() };
    /// let verdict = half.on_segment(now, &last, &config);
    /// assert_eq!(verdict, HalfOpenVerdict::Ignore(DropReason::Deferred)); // no text yet
    ///
    /// assert_eq!(half.on_timeout(now + second, 5, &config), HalfOpenTimeout::Wait);
    /// assert_eq!(half.on_timeout(now + 3 * second, 5, &config), HalfOpenTimeout::SynAck);
    /// assert_eq!(half.on_segment(now + 3 * second, &last, &config), HalfOpenVerdict::Establish);
    /// ```
    pub fn on_timeout(
        &mut self,
        now: Instant,
        retries: u32,
        config: &TcpConfig,
    ) -> HalfOpenTimeout {
        let (passed, deferred) = (self.timeouts(), defer::deadlines(config));
        let waits_for_text = self.acked && passed < deferred;
        if passed >= retries && !waits_for_text {
            return HalfOpenTimeout::Remove;
        }
        self.timeouts = self.timeouts.saturating_add(1);
        let factor = 1u32 << self.timeouts.min(16);
        let wait: Duration = config.rto_initial.saturating_mul(factor).min(config.rto_max);
        self.deadline = now + wait;
        if waits_for_text && passed + 1 < deferred {
            return HalfOpenTimeout::Wait;
        }
        self.resent = true;
        HalfOpenTimeout::SynAck
    }
}

/// The window of the SYN-ACK, where it is not scaled, and of later ACKs, where it may be: a
/// multiple of the scale's unit, so that both mean the same right edge (SHLD-14, RFC 7323 2.4).
fn first_window(config: &TcpConfig, scaled: bool) -> u16 {
    let unit = if scaled { 1usize << config.window_scale() } else { 1 };
    let most = 0xffff / unit * unit;
    config.first_receive_limit().min(most).next_multiple_of(unit) as u16
}
