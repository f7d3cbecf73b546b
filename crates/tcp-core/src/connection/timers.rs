//! What will happen when? One slot for each kind of deadline of a connection; back-off lives with
//! the estimators, not here (RFC 9293 3.8, 3.10.8).

use alloc::boxed::Box;

use crate::Instant;

/// The deadlines a connection can have.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// // A single small segment is acknowledged late, in the hope that the application answers.
/// client.write(now, b"hello").unwrap();
/// deliver(&mut server, now, &drain(&mut client, now));
/// assert!(drain(&mut server, now).is_empty());
/// let deadline = server.poll_timeout().unwrap();
/// assert_eq!(deadline.timer, Timer::DelayedAck);
///
/// server.on_timeout(deadline.at);
/// assert_eq!(drain(&mut server, deadline.at).len(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Retransmission (RFC 6298 5).
    Retransmit,
    /// Zero-window probe, or the override of a send that was held back (RFC 9293 3.8.6.1).
    Probe,
    /// Delayed ACK (RFC 9293 3.8.6.3).
    DelayedAck,
    /// Spare memory is given back once the connection has gone quiet.
    Trim,
    /// A corked or held partial segment goes out after all (MUST-60).
    Cork,
    /// Keepalive (RFC 9293 3.8.4).
    Keepalive,
    /// User timeout (RFC 9293 3.8.3, RFC 5482).
    UserTimeout,
    /// An orphan's wait in FIN-WAIT-2.
    FinWait2,
    /// 2MSL (RFC 9293 3.6.1).
    TimeWait,
}

const COUNT: usize = Timer::TimeWait as usize + 1;
const ALL: [Timer; COUNT] = [
    Timer::Retransmit,
    Timer::Probe,
    Timer::DelayedAck,
    Timer::Trim,
    Timer::Cork,
    Timer::Keepalive,
    Timer::UserTimeout,
    Timer::FinWait2,
    Timer::TimeWait,
];

impl Timer {
    /// The name for tables and traces.
    ///
    /// ```
    /// use tcp_core::connection::Timer;
    ///
    /// assert_eq!(Timer::DelayedAck.name(), "delayed-ack");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Timer::Retransmit => "retransmit",
            Timer::Probe => "probe",
            Timer::DelayedAck => "delayed-ack",
            Timer::Cork => "cork",
            Timer::Keepalive => "keepalive",
            Timer::UserTimeout => "user-timeout",
            Timer::FinWait2 => "fin-wait-2",
            Timer::TimeWait => "time-wait",
            Timer::Trim => "trim",
        }
    }
}

/// A point in time and what happens then.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.set_options(now, |o| o.user_timeout = Some(Duration::from_millis(150)));
/// client.write(now, b"hello").unwrap();
/// drain(&mut client, now);
/// let next = client.poll_timeout().unwrap();
/// let at = now + Duration::from_millis(150);
/// assert_eq!(next, Deadline { at, timer: Timer::UserTimeout });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What.
    pub timer: Timer,
}

/// The first of them stand in the connection, the others in a box that few connections need.
const OFTEN: usize = Timer::Trim as usize + 1;

#[derive(Clone, Debug)]
pub(crate) struct Timers {
    often: [Instant; OFTEN],
    seldom: Option<Box<[Instant; COUNT - OFTEN]>>,
}

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers { often: [Instant::FAR_FUTURE; OFTEN], seldom: None }
    }

    #[inline]
    fn slot(&self, timer: Timer) -> Instant {
        let i = timer as usize;
        if i < OFTEN {
            return self.often[i];
        }
        self.seldom.as_ref().map_or(Instant::FAR_FUTURE, |all| all[i - OFTEN])
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        let i = timer as usize;
        if i < OFTEN {
            self.often[i] = at;
        } else if self.seldom.is_some() || at != Instant::FAR_FUTURE {
            let none = || Box::new([Instant::FAR_FUTURE; COUNT - OFTEN]);
            self.seldom.get_or_insert_with(none)[i - OFTEN] = at;
        }
    }

    pub(crate) fn set_if_idle(&mut self, timer: Timer, at: Instant) {
        if !self.is_set(timer) {
            self.set(timer, at);
        }
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.set(timer, Instant::FAR_FUTURE);
    }

    pub(crate) fn cancel_all(&mut self) {
        *self = Timers::new();
    }

    /// Gives the box back, if none of its deadlines is set.
    pub(crate) fn shrink(&mut self) {
        let idle = |all: &[Instant; COUNT - OFTEN]| all.iter().all(|at| *at == Instant::FAR_FUTURE);
        if self.seldom.as_deref().is_some_and(idle) {
            self.seldom = None;
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.slot(timer) != Instant::FAR_FUTURE
    }

    pub(crate) fn at(&self, timer: Timer) -> Option<Instant> {
        self.is_set(timer).then(|| self.slot(timer))
    }

    pub(crate) fn earliest(&self) -> Option<Deadline> {
        let some = if self.seldom.is_some() { COUNT } else { OFTEN };
        ALL[..some]
            .iter()
            .map(|timer| Deadline { at: self.slot(*timer), timer: *timer })
            .min_by_key(|d| d.at)
            .filter(|d| d.at != Instant::FAR_FUTURE)
    }

    /// Every deadline that is set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Deadline> + '_ {
        ALL.into_iter()
            .filter(|t| self.is_set(*t))
            .map(|timer| Deadline { at: self.slot(timer), timer })
    }

    /// Takes one deadline that has passed.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let d = self.earliest().filter(|d| d.at <= now)?;
        self.cancel(d.timer);
        Some(d.timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_stands_in_its_slot() {
        for (i, t) in ALL.into_iter().enumerate() {
            assert_eq!(t as usize, i);
        }
    }

    #[test]
    fn the_box_goes_once_nothing_is_set_in_it() {
        let mut t = Timers::new();
        t.set(Timer::Keepalive, Instant::from_millis(9));
        t.shrink();
        assert!(t.is_set(Timer::Keepalive) && t.seldom.is_some());
        t.cancel(Timer::Keepalive);
        t.shrink();
        assert!(t.seldom.is_none());
    }

    #[test]
    fn expired_timers_come_in_order() {
        let mut t = Timers::new();
        assert_eq!(t.earliest(), None);
        t.set(Timer::Keepalive, Instant::from_millis(9));
        t.set(Timer::Retransmit, Instant::from_millis(5));
        t.set_if_idle(Timer::Retransmit, Instant::from_millis(1));
        assert_eq!(t.take_expired(Instant::from_millis(4)), None);
        assert_eq!(t.take_expired(Instant::from_millis(9)), Some(Timer::Retransmit));
        assert_eq!(t.take_expired(Instant::from_millis(9)), Some(Timer::Keepalive));
        assert_eq!(t.take_expired(Instant::FAR_FUTURE), None);
    }
}
