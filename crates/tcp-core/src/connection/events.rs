//! What may the application want to know? Events, as a set: several of a kind are one.

use core::ops::BitOr;

use super::Connection;

/// What the application may want to know since the last [`Connection::take_events`]; a set.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// server.take_events();
/// client.write(now, b"hello").unwrap();
/// client.close_write().unwrap();
/// exchange(now, &mut client, &mut server);
///
/// // Text and a FIN: told once.
/// assert_eq!(server.take_events(), Events::READABLE);
/// assert!(server.take_events().is_empty());
///
/// // Of a set, one can be asked for, or any of several.
/// let told = client.take_events();
/// assert!(told.contains(Events::DELIVERED));
/// assert!(!told.contains(Events::DELIVERED | Events::ENDED));
/// assert!(told.intersects(Events::DELIVERED | Events::ENDED));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events(u16);

impl Events {
    /// No event.
    pub const NONE: Events = Events(0);
    /// Text or the peer's FIN can be read.
    pub const READABLE: Events = Events(1);
    /// There is room to write.
    pub const WRITABLE: Events = Events(2);
    /// The connection is established.
    pub const ESTABLISHED: Events = Events(4);
    /// The connection has ended, in order or not.
    pub const ENDED: Events = Events(8);
    /// Delivery is in trouble: R1 was reached (MUST-20, SHLD-9).
    pub const TROUBLE: Events = Events(16);
    /// It has entered TIME-WAIT: only [`Connection::time_wait`] is left to run.
    pub const TIME_WAIT: Events = Events(32);
    /// A soft error was recorded (MUST-47).
    pub const SOFT_ERROR: Events = Events(64);
    /// Our FIN is acknowledged, and so is all that was written before it.
    pub const DELIVERED: Events = Events(128);
    /// There is urgent text ahead of what was read, and its end has moved on (MUST-32).
    pub const URGENT: Events = Events(256);

    /// Whether all of `other` are in the set.
    pub const fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in the set.
    pub const fn intersects(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Events {
    type Output = Events;
    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl Connection {
    /// Takes what happened since the last call.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let told = client.take_events();
    /// assert_eq!(told, Events::ESTABLISHED | Events::WRITABLE);
    /// assert_eq!(client.take_events(), Events::NONE);
    /// ```
    pub fn take_events(&mut self) -> Events {
        core::mem::take(&mut self.events)
    }

    pub(super) fn notify(&mut self, e: Events) {
        self.events = self.events | e;
    }
}
