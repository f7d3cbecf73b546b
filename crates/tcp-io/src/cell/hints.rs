//! What may a task take for granted? tokio's rule, on which programs rely: a direction counts as ready
//! until an operation on it would block; then the next event makes it ready again. The connection's
//! state alone knows only what is so now.

use tcp_core::error::UserError;

use super::waiters::{Interest, Readiness};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Hint {
    /// The state of the connection decides.
    #[default]
    AsItIs,
    /// Ready until an operation finds that it is not.
    Assumed,
    /// A task said that it could do nothing with what is there: not ready until the next event.
    Spent,
}

/// A hint for each direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    read: Hint,
    write: Hint,
    urgent: Hint,
    /// Counts events, so that one that comes while a task decides is not missed.
    events: u16,
}

impl Hints {
    /// The readiness that tasks see, from that of the connection.
    pub(super) fn apply(self, actual: Readiness) -> Readiness {
        let one = |hint, bit: Readiness| match hint {
            Hint::AsItIs => actual & bit,
            Hint::Assumed => bit,
            Hint::Spent => Readiness::EMPTY,
        };
        let directions = Readiness::READABLE | Readiness::WRITABLE | Readiness::PRIORITY;
        actual.without(directions)
            | one(self.read, Readiness::READABLE)
            | one(self.write, Readiness::WRITABLE)
            | one(self.urgent, Readiness::PRIORITY)
    }

    /// An accepted connection is tried before it is waited for: its text has often come already.
    pub(super) fn assume(&mut self) {
        (self.read, self.write) = (Hint::Assumed, Hint::Assumed);
    }

    /// Events seen so far, for [`spend`](Self::spend).
    pub(super) fn seen(self) -> u16 {
        self.events
    }

    /// A task can do nothing with what is there, if no event came since it looked.
    pub(super) fn spend(&mut self, interest: Interest, seen: u16) {
        if self.events != seen {
            return;
        }
        if interest.mask().intersects(Readiness::READABLE) {
            self.read = Hint::Spent;
        }
        if interest.mask().intersects(Readiness::WRITABLE) {
            self.write = Hint::Spent;
        }
        if interest.mask().intersects(Readiness::PRIORITY) {
            self.urgent = Hint::Spent;
        }
    }

    pub(super) fn on_events(&mut self, concerned: Readiness) {
        self.events = self.events.wrapping_add(1);
        for (hint, bit) in [
            (&mut self.read, Readiness::READABLE),
            (&mut self.write, Readiness::WRITABLE),
            (&mut self.urgent, Readiness::PRIORITY),
        ] {
            if *hint == Hint::Spent && concerned.intersects(bit) {
                *hint = Hint::AsItIs;
            }
        }
    }

    /// A read of at most `wanted` octets: a full one may leave more, a short one leaves nothing.
    pub(super) fn on_read(&mut self, wanted: usize, result: &Result<usize, UserError>) {
        match result {
            Ok(n) if *n == wanted && wanted > 0 => self.read = Hint::Assumed,
            Ok(_) if wanted > 0 => self.read = Hint::AsItIs,
            Err(UserError::WouldBlock) if self.read == Hint::Assumed => self.read = Hint::AsItIs,
            _ => {}
        }
    }

    pub(super) fn on_write(&mut self, result: &Result<usize, UserError>) {
        match result {
            Ok(n) if *n > 0 => self.write = Hint::Assumed,
            Err(UserError::WouldBlock) if self.write == Hint::Assumed => self.write = Hint::AsItIs,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKED: Result<usize, UserError> = Err(UserError::WouldBlock);

    #[test]
    fn a_direction_is_ready_until_it_would_block() {
        let mut h = Hints::default();
        assert!(h.apply(Readiness::EMPTY).is_empty());
        h.on_write(&Ok(3));
        h.on_read(4, &Ok(4));
        assert!(h.apply(Readiness::EMPTY).intersects(Readiness::WRITABLE));
        assert!(h.apply(Readiness::EMPTY).intersects(Readiness::READABLE));
        h.on_write(&BLOCKED);
        h.on_read(4, &BLOCKED);
        assert!(h.apply(Readiness::EMPTY).is_empty());
    }

    #[test]
    fn a_short_read_has_taken_all() {
        let mut h = Hints::default();
        h.assume();
        h.on_read(4, &Ok(3));
        assert!(!h.apply(Readiness::EMPTY).intersects(Readiness::READABLE));
    }

    #[test]
    fn what_is_spent_is_back_with_the_next_event() {
        let mut h = Hints::default();
        h.spend(Interest::READABLE, h.seen());
        assert!(h.apply(Readiness::READABLE).is_empty());
        assert!(!h.apply(Readiness::READABLE | Readiness::READ_CLOSED).is_empty());
        h.on_events(Readiness::WRITABLE);
        assert!(h.apply(Readiness::READABLE).is_empty());
        h.on_events(Readiness::READABLE);
        assert!(!h.apply(Readiness::READABLE).is_empty());
    }

    #[test]
    fn urgent_text_that_is_spent_is_back_with_the_next_end() {
        let mut h = Hints::default();
        h.spend(Interest::PRIORITY, h.seen());
        assert!(h.apply(Readiness::PRIORITY).is_empty());
        h.on_events(Readiness::READABLE);
        assert!(h.apply(Readiness::PRIORITY).is_empty());
        h.on_events(Readiness::PRIORITY);
        assert!(!h.apply(Readiness::PRIORITY).is_empty());
    }

    #[test]
    fn an_event_that_came_meanwhile_counts() {
        let mut h = Hints::default();
        let seen = h.seen();
        h.on_events(Readiness::READABLE);
        h.spend(Interest::READABLE, seen);
        assert!(!h.apply(Readiness::READABLE).is_empty());
    }
}
