//! What must hold of a stack after everything that happens, and what may be left in the end? Its
//! bounds, its tables, and that no connection waits for nothing.

use std::time::Duration;

use super::{MAX_CONNECTIONS, MAX_LISTENERS, MAX_TIME_WAIT, SYN_BACKLOG, World};
use crate::fuzz::deadlines;

impl World {
    pub(super) fn check(&self) {
        let s = &self.stack;
        self.sockets.check(s);
        assert!(s.connection_count() <= MAX_CONNECTIONS, "{}", s.connection_count());
        let proven = s.config().somaxconn;
        assert!(s.half_open_count() <= (SYN_BACKLOG + proven) * (MAX_LISTENERS + 1));
        self.desk.check(s);
        assert!(s.time_wait_count() <= MAX_TIME_WAIT);
        let rows = s.connections();
        let reachable = rows.iter().filter(|r| r.remote.is_some()).count();
        assert_eq!(s.demux_count(), reachable, "{rows:?}");
        // And one for the fragments of either family, and one for the memory.
        assert!(s.timer_count() <= reachable + 3, "timers leak: {rows:?}");
        for row in &rows {
            let Some(info) = &row.info else { continue };
            let waits = deadlines::check(info, row.timers.iter().map(|t| t.timer));
            waits.unwrap_or_else(|why| panic!("{why}"));
        }
    }

    /// Everything is let go: nothing is left after a while.
    pub(super) fn end(&mut self) {
        self.sockets.end(&mut self.stack);
        for id in std::mem::take(&mut self.listeners) {
            self.stack.close_listener(id);
        }
        self.desk.end(self.now, &mut self.stack);
        for id in std::mem::take(&mut self.conns) {
            self.stack.close(self.now, id);
        }
        self.drain();
        self.pass_to(self.now + Duration::from_secs(3600));
        let s = &self.stack;
        let left =
            (s.connection_count(), s.half_open_count(), s.time_wait_count(), s.demux_count());
        assert_eq!(s.request_count(), 0);
        assert_eq!(left, (0, 0, 0, 0), "{:?}", s.connections());
        assert_eq!(s.timer_count(), 0, "timers are left");
    }
}
