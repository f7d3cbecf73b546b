//! How many may wait to be connected, and what becomes of one more? The arithmetic of a listener's
//! two queues; the queues themselves belong to the stack. No RFC; Linux's rules and names.

/// When a SYN is answered without a record, by a cookie (RFC 4987 3.6).
///
/// ```
/// use tcp_core::listen::{Admission, Backlog, SynCookies};
///
/// let rules = |syn_cookies| Backlog {
///     syn_backlog: 128,
///     proven_backlog: 16,
///     syn_cookies,
///     abort_on_overflow: false,
/// };
/// let full = |cookies| rules(cookies).on_syn(128, true);
/// assert_eq!(full(SynCookies::Never), Admission::SynQueueFull);
/// assert_eq!(full(SynCookies::WhenFull), Admission::Cookie);
/// assert_eq!(rules(SynCookies::Always).on_syn(0, true), Admission::Cookie);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SynCookies {
    /// Never: a SYN beyond the SYN queue is dropped. Linux: `tcp_syncookies = 0`.
    Never,
    /// When the SYN queue is full; the default. Linux: `tcp_syncookies = 1`.
    #[default]
    WhenFull,
    /// Always: there are no records. Linux: `tcp_syncookies = 2`.
    Always,
}

/// What happens to a SYN.
///
/// ```
/// # use tcp_core::listen::*;
/// # let rules = Backlog {
/// #     syn_backlog: 128,
/// #     proven_backlog: 16,
/// #     syn_cookies: SynCookies::WhenFull,
/// #     abort_on_overflow: false,
/// # };
/// // With 128 records at most, and cookies beyond them:
/// assert_eq!(rules.on_syn(127, true), Admission::Record);
/// assert_eq!(rules.on_syn(128, true), Admission::Cookie);
///
/// // If nobody accepts, nobody more is let in.
/// assert_eq!(rules.on_syn(0, false), Admission::AcceptQueueFull);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It gets a half-open record.
    Record,
    /// It gets a cookie and no record.
    Cookie,
    /// It is dropped: the SYN queue is full.
    SynQueueFull,
    /// It is dropped: the accept queue is full. A cookie would only make it fuller.
    AcceptQueueFull,
}

/// What happens to the last ACK of a handshake.
///
/// ```
/// # use tcp_core::listen::*;
/// # let rules = Backlog {
/// #     syn_backlog: 128,
/// #     proven_backlog: 16,
/// #     syn_cookies: SynCookies::WhenFull,
/// #     abort_on_overflow: false,
/// # };
/// assert_eq!(rules.on_last_ack(true), Completion::Queue);
/// assert_eq!(rules.on_last_ack(false), Completion::Drop);
/// let rude = Backlog { abort_on_overflow: true, ..rules };
/// assert_eq!(rude.on_last_ack(false), Completion::Reset);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// The connection goes into the accept queue.
    Queue,
    /// The ACK is dropped and the record stays: its SYN-ACK goes again, and with luck there is
    /// room by then.
    Drop,
    /// The peer is reset and the record goes.
    Reset,
}

/// The rules of one listener.
///
/// ```
/// use tcp_core::listen::{Admission, Backlog, Completion, SynCookies};
///
/// let rules = Backlog {
///     syn_backlog: 128,
///     proven_backlog: 16,
///     syn_cookies: SynCookies::WhenFull,
///     abort_on_overflow: false,
/// };
///
/// // A SYN comes while 128 records are there, and another one while nobody accepts.
/// assert_eq!(rules.on_syn(128, true), Admission::Cookie);
/// assert_eq!(rules.on_syn(128, false), Admission::AcceptQueueFull);
///
/// // The cookie comes back, and nobody has accepted: the peer keeps a place, of which 16 are left.
/// assert_eq!(rules.on_last_ack(false), Completion::Drop);
/// assert!(rules.keeps_proven(128) && !rules.keeps_proven(144));
///
/// // Of a crowded queue without a young record the SYN-ACK goes again twice, not five times.
/// assert_eq!(rules.retries(5, 128, 0), 2);
/// assert_eq!(rules.retries(5, 10, 0), 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// Half-open records at most.
    pub syn_backlog: usize,
    /// Records beyond that, for peers that have brought a cookie back when the accept queue was
    /// full: they are no spoofed addresses, and take themselves for connected.
    pub proven_backlog: usize,
    /// When cookies are sent.
    pub syn_cookies: SynCookies,
    /// Whether a full accept queue resets whoever completes a handshake. Linux:
    /// `tcp_abort_on_overflow`.
    pub abort_on_overflow: bool,
}

impl Backlog {
    /// A SYN arrived, with `half_open` records there; `room` says whether the accept queue takes
    /// one more.
    pub fn on_syn(&self, half_open: usize, room: bool) -> Admission {
        if !room {
            return Admission::AcceptQueueFull;
        }
        match self.syn_cookies {
            SynCookies::Always => Admission::Cookie,
            _ if half_open < self.syn_backlog => Admission::Record,
            SynCookies::WhenFull => Admission::Cookie,
            SynCookies::Never => Admission::SynQueueFull,
        }
    }

    /// The last ACK of a handshake arrived.
    pub fn on_last_ack(&self, room: bool) -> Completion {
        match (room, self.abort_on_overflow) {
            (true, _) => Completion::Queue,
            (false, false) => Completion::Drop,
            (false, true) => Completion::Reset,
        }
    }

    /// Whether a peer whose cookie has come back gets a record when its ACK is dropped. Linux
    /// forgets it; then only text of its own can still connect it.
    pub fn keeps_proven(&self, half_open: usize) -> bool {
        half_open < self.syn_backlog.saturating_add(self.proven_backlog)
    }

    /// How often the SYN-ACK is sent again, of `wanted`: half of a crowded queue is kept for
    /// `young` records, whose first deadline has not passed. The older the others are, the sooner
    /// they go, but not before two retries.
    pub fn retries(&self, wanted: u32, half_open: usize, young: usize) -> u32 {
        let mut retries = wanted;
        if half_open * 2 > self.syn_backlog.max(8) {
            let mut share = young * 2;
            while retries > 2 && half_open >= share {
                retries -= 1;
                share *= 2;
                if share == 0 {
                    return 2;
                }
            }
        }
        retries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SynCookies::{Always, Never, WhenFull};
    use alloc::vec::Vec;

    const RULES: Backlog = Backlog {
        syn_backlog: 4,
        proven_backlog: 2,
        syn_cookies: WhenFull,
        abort_on_overflow: false,
    };

    #[test]
    fn proven_peers_have_places_of_their_own() {
        let kept: Vec<_> = (3..8).map(|n| RULES.keeps_proven(n)).collect();
        assert_eq!(kept, [true, true, true, false, false]);
        assert!(Backlog { syn_backlog: usize::MAX, ..RULES }.keeps_proven(1 << 40));
    }

    #[test]
    fn what_a_syn_meets() {
        use Admission as A;
        // Cookies, records of 4, room in the accept queue: what Linux documents
        // (ip-sysctl: tcp_syncookies, tcp_max_syn_backlog; listen(2)).
        for (syn_cookies, half_open, room, expected) in [
            (Never, 3, true, A::Record),
            (WhenFull, 3, true, A::Record),
            (Always, 3, true, A::Cookie),
            (Never, 4, true, A::SynQueueFull),
            (WhenFull, 4, true, A::Cookie),
            (Always, 4, true, A::Cookie),
            (Never, 3, false, A::AcceptQueueFull),
            (WhenFull, 3, false, A::AcceptQueueFull),
            (Always, 3, false, A::AcceptQueueFull),
            (Never, 4, false, A::AcceptQueueFull),
            (WhenFull, 4, false, A::AcceptQueueFull),
            (Always, 4, false, A::AcceptQueueFull),
        ] {
            let b = Backlog { syn_cookies, ..RULES };
            assert_eq!(b.on_syn(half_open, room), expected, "{syn_cookies:?} {half_open} {room}");
        }
    }

    #[test]
    fn what_a_last_ack_meets() {
        use Completion as C;
        for (abort_on_overflow, room, expected) in [
            (false, true, C::Queue),
            (true, true, C::Queue),
            (false, false, C::Drop),
            (true, false, C::Reset),
        ] {
            let b = Backlog { abort_on_overflow, ..RULES };
            assert_eq!(b.on_last_ack(room), expected);
        }
    }

    #[test]
    fn old_records_of_a_crowded_queue_go_early() {
        let b = Backlog { syn_backlog: 100, ..RULES };
        // Half empty: nobody is hurried.
        assert_eq!(b.retries(5, 50, 0), 5);
        // Mostly young: no sign of a flood.
        assert_eq!(b.retries(5, 51, 26), 5);
        assert_eq!(b.retries(5, 100, 26), 4);
        assert_eq!(b.retries(5, 100, 13), 3);
        assert_eq!(b.retries(5, 100, 1), 2);
        assert_eq!(b.retries(5, 100, 0), 2);
        // Who wants fewer gets fewer.
        assert_eq!(b.retries(1, 100, 0), 1);
        assert_eq!(b.retries(u32::MAX, 100, 0), 2);
    }
}
