//! Which SYNs get a cookie, and whose ACK brings one back? The stack's side of SYN cookies: the
//! keys and their change, and what was used already. The cookie itself is tcp-core's (RFC 4987
//! 3.6); docs/decisions/0010.

use std::collections::HashSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;
use tcp_core::connection::OpenParams;
use tcp_core::listen::{Completion, CookieKeys, HalfOpen, SynCookies};
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Instant, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::tables::Keyed;
use super::{ListenerId, Stack};

/// The key changes after this many periods of 64 s: a bit more than an hour.
const KEY_PERIODS: u64 = 64;
/// Used cookies that are remembered of one period. Beyond it a cookie can be used twice, as on
/// Linux, which remembers none.
const REMEMBERED: usize = 1 << 17;

/// What a stack knows of its cookies.
pub(super) struct Cookies {
    /// From which the keys follow.
    secret: [u8; 16],
    keys: CookieKeys,
    changes: u64,
    last_sent: Option<Instant>,
    used: Used,
}

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookies").field("last_sent", &self.last_sent).finish_non_exhaustive()
    }
}

impl Cookies {
    pub(super) fn new(seed: &[u8; 32], keyed: Keyed) -> Cookies {
        let (mut key, mut text) = ([0; 16], [0; 16]);
        key.copy_from_slice(&seed[..16]);
        text.copy_from_slice(&seed[16..]);
        let secret = derive(&key, u128::from_le_bytes(text));
        Cookies {
            keys: CookieKeys::new(derive(&secret, 0)),
            secret,
            changes: 0,
            last_sent: None,
            used: Used {
                period: 0,
                here: HashSet::with_hasher(keyed.clone()),
                before: HashSet::with_hasher(keyed),
            },
        }
    }

    /// A cookie is about to be sent.
    fn on_send(&mut self, now: Instant) {
        self.last_sent = Some(now);
        if self.keys.age(now) >= KEY_PERIODS {
            self.changes += 1;
            // What was sent before stays good for its time.
            self.keys.rotate(now, derive(&self.secret, self.changes.into()));
        }
    }

    /// Whether one may come back.
    fn expects(&self, now: Instant) -> bool {
        self.last_sent.is_some_and(|at| now.since(at) <= CookieKeys::lifetime())
    }
}

/// 128 bits that follow from a key and a text, and do not tell the key.
fn derive(key: &[u8; 16], text: u128) -> [u8; 16] {
    let half = |purpose: u8| {
        let mut h = SipHasher24::new_with_key(key);
        h.write(b"syn cookie");
        h.write_u8(purpose);
        h.write_u128(text);
        h.finish().to_le_bytes()
    };
    let mut out = [0; 16];
    out[..8].copy_from_slice(&half(0));
    out[8..].copy_from_slice(&half(1));
    out
}

/// Cookies that have made a connection, for as long as they would make another one: a copy of the
/// last ACK that was late on its way, or kept by somebody, opens nothing.
struct Used {
    period: u64,
    here: HashSet<u64, Keyed>,
    before: HashSet<u64, Keyed>,
}

impl Used {
    fn turn(&mut self, now: Instant) {
        let period = CookieKeys::period(now);
        let over = period - self.period;
        if over == 0 {
            return;
        }
        self.period = period;
        std::mem::swap(&mut self.here, &mut self.before);
        self.here.clear();
        if over > 1 {
            self.before.clear();
        }
        if self.before.is_empty() {
            self.here.shrink_to_fit();
            self.before.shrink_to_fit();
        }
    }

    fn contains(&mut self, now: Instant, cookie: u64) -> bool {
        self.turn(now);
        self.here.contains(&cookie) || self.before.contains(&cookie)
    }

    fn insert(&mut self, cookie: u64) {
        if self.here.len() < REMEMBERED {
            self.here.insert(cookie);
        }
    }
}

impl Stack {
    /// Answers a request and keeps nothing of it.
    pub(super) fn answer_with_cookie(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(tcp) = self.listeners.tcp(id).cloned() else { return Ok(()) };
        self.cookies.on_send(now);
        let open = self.cookie_params(tuple);
        let answer = self.cookies.keys.syn_ack(now, open, seg, &tcp);
        let answer = answer.ok_or(PacketDrop::SynQueueFull)?;
        self.counters.syn_cookies_sent += 1;
        self.answer_as(tuple, answer, &tcp.options);
        Ok(())
    }

    fn cookie_params(&self, tuple: &Tuple) -> OpenParams {
        OpenParams {
            tuple: *tuple,
            isn: SeqNum(0),
            timestamp_offset: self.isn.timestamp_offset(tuple),
            mtu: self.mtu_to(tuple),
        }
    }

    /// Whether an ACK that belongs to no record may bring a cookie back.
    pub(super) fn may_be_cookie(&self, now: Instant, id: ListenerId, seg: &Segment<'_>) -> bool {
        let others = Flags::SYN | Flags::RST;
        seg.flags.contains(Flags::ACK)
            && !seg.flags.intersects(others)
            && self.cookies.expects(now)
            && self.listeners.limits(id).is_some_and(|l| l.syn_cookies != SynCookies::Never)
    }

    /// An ACK for a listener: a connection, if it brings back a cookie that was not used yet.
    pub(super) fn on_cookie(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(mut record) = self.cookie_record(now, id, tuple, seg) else {
            self.counters.syn_cookies_failed += 1;
            self.send_reset(tuple, seg);
            return Err(PacketDrop::BadCookie);
        };
        let mark = self.cookie_mark(tuple, record.isn);
        if self.cookies.used.contains(now, mark) {
            self.send_reset(tuple, seg);
            return Err(PacketDrop::UsedCookie);
        }
        self.counters.syn_cookies_received += 1;
        match self.completion(id)? {
            Completion::Queue => {
                self.cookies.used.insert(mark);
                self.establish(now, id, record, seg, 0)
            }
            Completion::Drop => {
                if self.listeners.keeps_proven(id) {
                    self.cookies.used.insert(mark);
                    record.on_overflow();
                    self.queue_half_open(id, record);
                }
                Err(PacketDrop::AcceptQueueFull)
            }
            Completion::Reset => {
                self.send_reset(tuple, seg);
                Err(PacketDrop::AcceptQueueFull)
            }
        }
    }

    /// The record that a cookie stands for.
    pub(super) fn cookie_record(
        &self,
        now: Instant,
        id: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Option<HalfOpen> {
        let tcp = self.listeners.tcp(id)?;
        self.cookies.keys.check(now, self.cookie_params(tuple), seg, tcp)
    }

    fn cookie_mark(&self, tuple: &Tuple, isn: SeqNum) -> u64 {
        self.isn.hash(tuple, 3) ^ u64::from(isn.0)
    }
}
