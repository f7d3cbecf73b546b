//! Which timers are due? A hierarchical wheel: insert, cancel and expire in constant time.
//! It reads no clock and knows nothing of connections; RFC 6298 5 and the like say what to time.
//! After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.
//!
//! Six levels of 64 slots; a slot of level `l` is 64^l ticks wide. A timer lies in the level of
//! the highest 6-bit digit in which its tick differs from the wheel's, so everything in a level
//! is due before everything in the next. When time reaches a slot of a higher level, its timers
//! move down (each at most once a level). One bit a slot says whether it is occupied: a jump over
//! hours looks at bits, never at ticks.

use std::fmt;

use tcp_core::Instant;

#[cfg(test)]
mod tests;

/// A tick is 2^16 ns, 65.5 us: far below the shortest delayed acknowledgement or timeout.
const TICK_BITS: u32 = 16;
/// The tick of [`Instant::FAR_FUTURE`].
const LAST_TICK: u64 = u64::MAX >> TICK_BITS;
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// 64^6 ticks are 52 days.
const LEVELS: usize = 6;
const TOP: usize = LEVELS - 1;
/// The list of timers that are due and not handed out yet, after all the slots.
const DUE: usize = LEVELS * SLOTS;
/// How many timers of one slot [`TimerWheel::next_deadline`] looks at to be exact.
const SCAN: usize = 8;
/// Nodes that an empty wheel keeps at most.
const KEPT: usize = 1024;
/// Ends no list (lists are circular): it marks an empty one.
const NIL: u32 = u32::MAX;

/// Names a timer in its wheel. A key outlives its timer harmlessly: once the timer has fired or
/// was cancelled the key names nothing.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::wheel::TimerWheel;
///
/// let mut wheel = TimerWheel::new(Instant::ZERO);
/// let key = wheel.insert(Instant::from_millis(10), "retransmit");
/// assert_eq!(wheel.cancel(key), Some("retransmit"));
/// // Another timer in the same place has another key.
/// let next = wheel.insert(Instant::from_millis(20), "keepalive");
/// assert_ne!(key, next);
/// assert_eq!(wheel.cancel(key), None);
/// assert_eq!(wheel.len(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

/// Where a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place<T> {
    /// In the circular list of this slot (or of [`DUE`]).
    Armed { slot: u16, token: T },
    /// In the list of free nodes, which `next` continues.
    Free,
}

#[derive(Debug)]
struct Node<T> {
    /// When the timer is due, in ticks.
    tick: u64,
    prev: u32,
    next: u32,
    generation: u32,
    place: Place<T>,
}

/// Timers, each with a `Copy` token that comes back when it fires.
///
/// A deadline is rounded up to the next tick of 65.536 us: a timer never fires early and, polled
/// in time, fires at most one tick late. (Only deadlines in the clock's last tick, 584 years
/// after its origin, fire at the start of that tick.)
///
/// Drain rule: after time has passed, call [`pop_expired`](Self::pop_expired) until `None`. Time
/// must not go backwards; if it does, nothing breaks and nothing fires.
///
/// Memory: one node of about 40 octets for each timer at the most crowded moment; nothing is
/// allocated for a timer once the wheel has grown to that. A large wheel gives its nodes back when
/// it is empty.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::wheel::TimerWheel;
///
/// let ms = Instant::from_millis;
/// let mut wheel = TimerWheel::new(Instant::ZERO);
/// let retransmit = wheel.insert(ms(200), "retransmit");
/// let delayed_ack = wheel.insert(ms(40), "delayed ACK");
/// wheel.insert(ms(7_200_000), "keepalive");
/// assert_eq!(wheel.cancel(delayed_ack), Some("delayed ACK")); // it went with text
/// assert!(wheel.reschedule(retransmit, ms(300))); // some was acknowledged
///
/// let due = wheel.next_deadline().unwrap();
/// assert!(due >= ms(300) && due < ms(301));
/// assert_eq!(wheel.pop_expired(ms(299)), None);
/// assert_eq!(wheel.pop_expired(due), Some("retransmit"));
/// assert_eq!(wheel.pop_expired(due), None);
/// assert_eq!((wheel.len(), wheel.is_empty()), (1, false));
/// ```
pub struct TimerWheel<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    /// What new nodes begin with: newer than every key handed out for nodes that are gone.
    generation: u32,
    len: usize,
    /// The tick up to which slots have been emptied.
    elapsed: u64,
    occupied: [u64; LEVELS],
    /// First node of each slot's circular list.
    heads: [u32; DUE + 1],
}

impl<T> fmt::Debug for TimerWheel<T> {
    /// Sizes only: a wheel may hold a million timers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: Copy> TimerWheel<T> {
    /// An empty wheel whose time is `now`.
    pub fn new(now: Instant) -> TimerWheel<T> {
        TimerWheel {
            nodes: Vec::new(),
            free: NIL,
            generation: 0,
            len: 0,
            elapsed: tick_reached(now),
            occupied: [0; LEVELS],
            heads: [NIL; DUE + 1],
        }
    }

    /// Timers armed.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Arms a timer for `at`. One in the past is due at once.
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_io::wheel::TimerWheel;
    ///
    /// let now = Instant::from_millis(50);
    /// let mut wheel = TimerWheel::new(now);
    /// wheel.insert(Instant::from_millis(60), "later");
    /// wheel.insert(Instant::from_millis(40), "late already");
    /// assert_eq!(wheel.pop_expired(now), Some("late already"));
    /// assert_eq!(wheel.pop_expired(now), None);
    /// ```
    ///
    /// # Panics
    ///
    /// Beyond 2^32 - 1 timers, which need 170 GB.
    pub fn insert(&mut self, at: Instant, token: T) -> TimerKey {
        let tick = tick_of_deadline(at);
        let place = Place::Armed { slot: DUE as u16, token };
        let index = if self.free == NIL {
            let index = u32::try_from(self.nodes.len()).ok().filter(|i| *i != NIL);
            let index = index.expect("fewer than 2^32 - 1 timers");
            let generation = self.generation;
            self.nodes.push(Node { tick, prev: index, next: index, generation, place });
            index
        } else {
            let index = self.free;
            let node = &mut self.nodes[index as usize];
            self.free = node.next;
            node.tick = tick;
            node.place = place;
            index
        };
        self.len += 1;
        self.link(index);
        TimerKey { index, generation: self.nodes[index as usize].generation }
    }

    /// Disarms a timer and gives its token back; `None` if it has fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.is_armed(key).then(|| self.unlink(key.index))?;
        self.release(key.index)
    }

    /// Moves a timer to another deadline; its key stays good. `false`, and nothing happens, if
    /// it has fired or was cancelled.
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_io::wheel::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(Instant::ZERO);
    /// let key = wheel.insert(Instant::from_millis(10), 'a');
    /// assert!(wheel.reschedule(key, Instant::from_millis(30)));
    /// assert_eq!(wheel.pop_expired(Instant::from_millis(20)), None);
    /// assert_eq!(wheel.pop_expired(Instant::from_millis(31)), Some('a'));
    /// assert!(!wheel.reschedule(key, Instant::from_millis(50)));
    /// ```
    pub fn reschedule(&mut self, key: TimerKey, at: Instant) -> bool {
        if !self.is_armed(key) {
            return false;
        }
        let tick = tick_of_deadline(at);
        if self.nodes[key.index as usize].tick != tick {
            self.unlink(key.index);
            self.nodes[key.index as usize].tick = tick;
            self.link(key.index);
        }
        true
    }

    /// When to call [`pop_expired`](Self::pop_expired) next: at the latest one tick after the
    /// earliest deadline. `None` if no timer is armed.
    ///
    /// It is that deadline, rounded up to a tick, as long as the earliest slot holds few timers.
    /// Of a crowded slot of a higher level it is the slot's start: nothing may be due then, but
    /// the crowd moves a level down, so calling exactly at the returned time always gets on.
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_io::wheel::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(Instant::ZERO);
    /// assert_eq!(wheel.next_deadline(), None);
    /// wheel.insert(Instant::from_millis(10), ());
    /// let wake_up_at = wheel.next_deadline().unwrap();
    /// assert_eq!(wake_up_at.as_micros(), 10_027); // the next multiple of 65.536 us
    /// assert_eq!(wheel.pop_expired(wake_up_at), Some(()));
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.heads[DUE] != NIL {
            return Some(start_of(self.elapsed));
        }
        let (level, slot, start) = self.earliest_slot()?;
        if level == 0 {
            return Some(start_of(start));
        }
        // In the top level a timer beyond the range waits in a slot earlier than its own; such a
        // tick says nothing about the timers in the slots between.
        let end = start.saturating_add(1 << (level as u32 * LEVEL_BITS));
        let exact = self.min_tick_if_few(slot).filter(|tick| *tick < end);
        Some(start_of(exact.unwrap_or(start)))
    }

    /// Takes one timer that is due at `now`, in order of ticks, or `None` if none is left.
    pub fn pop_expired(&mut self, now: Instant) -> Option<T> {
        let now = tick_reached(now);
        loop {
            let head = self.heads[DUE];
            if head != NIL {
                self.unlink(head);
                return self.release(head);
            }
            match self.earliest_slot() {
                Some((_, slot, start)) if start <= now => {
                    self.elapsed = start;
                    self.redistribute(slot);
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    fn is_armed(&self, key: TimerKey) -> bool {
        self.nodes.get(key.index as usize).is_some_and(|node| {
            node.generation == key.generation && matches!(node.place, Place::Armed { .. })
        })
    }

    /// The slot that time reaches first: its level, its place in `heads`, its first tick.
    fn earliest_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|bits| *bits != 0)?;
        let shift = level as u32 * LEVEL_BITS;
        let here = self.elapsed >> shift;
        // Only the top level wraps around; the rotation does no harm to the others.
        let ahead = self.occupied[level].rotate_right((here % SLOTS as u64) as u32);
        let index = here + u64::from(ahead.trailing_zeros());
        Some((level, level * SLOTS + (index % SLOTS as u64) as usize, index << shift))
    }

    fn min_tick_if_few(&self, slot: usize) -> Option<u64> {
        let head = self.heads[slot];
        let mut min = u64::MAX;
        let mut at = head;
        for _ in 0..SCAN {
            let node = &self.nodes[at as usize];
            min = min.min(node.tick);
            at = node.next;
            if at == head {
                return Some(min);
            }
        }
        None
    }

    /// Empties a slot whose start is `elapsed`: every timer is due or goes to a lower level, or,
    /// beyond the range, to a later slot of the top level.
    fn redistribute(&mut self, slot: usize) {
        let head = std::mem::replace(&mut self.heads[slot], NIL);
        self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
        let mut at = head;
        loop {
            // `link` overwrites `next`; the rest of the old list stays as it was.
            let next = self.nodes[at as usize].next;
            self.link(at);
            if next == head {
                break;
            }
            at = next;
        }
    }

    /// Where a timer belongs, seen from `elapsed`.
    fn slot_for(&self, tick: u64) -> usize {
        if tick <= self.elapsed {
            return DUE;
        }
        let differing = 63 - (self.elapsed ^ tick).leading_zeros();
        let level = (differing / LEVEL_BITS) as usize;
        if level < TOP {
            let index = tick >> (level as u32 * LEVEL_BITS);
            return level * SLOTS + (index % SLOTS as u64) as usize;
        }
        // The top level is a ring. Deadlines a whole turn or more away park in its farthest slot,
        // never in the present one, which time reaches last but has already passed.
        let shift = TOP as u32 * LEVEL_BITS;
        let farthest = (self.elapsed >> shift) + (SLOTS as u64 - 1);
        TOP * SLOTS + ((tick >> shift).min(farthest) % SLOTS as u64) as usize
    }

    /// Puts a node at the end of the list where its tick belongs.
    fn link(&mut self, index: u32) {
        let slot = self.slot_for(self.nodes[index as usize].tick);
        let head = self.heads[slot];
        let (prev, next) = if head == NIL {
            self.heads[slot] = index;
            if slot != DUE {
                self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
            }
            (index, index)
        } else {
            let tail = std::mem::replace(&mut self.nodes[head as usize].prev, index);
            self.nodes[tail as usize].next = index;
            (tail, head)
        };
        let node = &mut self.nodes[index as usize];
        (node.prev, node.next) = (prev, next);
        if let Place::Armed { slot: place, .. } = &mut node.place {
            *place = slot as u16;
        }
    }

    /// Takes an armed node out of its list.
    fn unlink(&mut self, index: u32) {
        let Node { prev, next, place: Place::Armed { slot, .. }, .. } = self.nodes[index as usize]
        else {
            return;
        };
        let slot = usize::from(slot);
        if next == index {
            self.heads[slot] = NIL;
            if slot != DUE {
                self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
            }
            return;
        }
        self.nodes[prev as usize].next = next;
        self.nodes[next as usize].prev = prev;
        if self.heads[slot] == index {
            self.heads[slot] = next;
        }
    }

    /// Returns an unlinked node to the free list and its keys to nothing.
    fn release(&mut self, index: u32) -> Option<T> {
        let node = &mut self.nodes[index as usize];
        let Place::Armed { token, .. } = std::mem::replace(&mut node.place, Place::Free) else {
            return None;
        };
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        if self.len == 0 && self.nodes.len() > KEPT {
            self.give_back();
        }
        Some(token)
    }

    /// No timer is left of a crowd.
    #[cold]
    fn give_back(&mut self) {
        let newest = self.nodes.iter().map(|n| n.generation.wrapping_sub(self.generation)).max();
        self.generation = self.generation.wrapping_add(newest.unwrap_or(0));
        self.nodes = Vec::new();
        self.free = NIL;
    }
}

/// The tick at whose start a deadline has passed.
fn tick_of_deadline(at: Instant) -> u64 {
    at.as_nanos().div_ceil(1 << TICK_BITS).min(LAST_TICK)
}

/// The tick in which `now` lies.
fn tick_reached(now: Instant) -> u64 {
    now.as_nanos() >> TICK_BITS
}

fn start_of(tick: u64) -> Instant {
    Instant::from_nanos(tick.min(LAST_TICK) << TICK_BITS)
}
