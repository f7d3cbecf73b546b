//! How many of what are there? Counts by state, kept as connections change: no row is looked at.

use tcp_core::connection::State;

use crate::stack::Stack;

/// How many of what there is, as `ss -s` tells.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_established.rs")]
/// let summary = b.summary();
/// assert_eq!((summary.count(State::Listen), summary.count(State::Established)), (1, 1));
/// assert_eq!((summary.total(), summary.established(), summary.orphans), (1, 1, 0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    by_state: [u32; State::ALL.len()],
    /// Connections that their application has let go of and that finish on their own.
    pub orphans: u32,
    /// Timers that are set: the next of each connection, half-open and TIME-WAIT record, and the
    /// stack's own.
    pub timers: usize,
    /// Octets that the buffers of all connections hold (`mem` in Linux's `/proc/net/sockstat`, which
    /// counts pages); more of it tells [`Stack::memory`].
    pub memory: usize,
}

impl Summary {
    /// How many are in a state: listeners in LISTEN, half-open records in SYN-RECEIVED, TIME-WAIT
    /// records in TIME-WAIT; in CLOSED, ended connections that their application still holds.
    pub fn count(&self, state: State) -> u32 {
        self.by_state[state as usize]
    }

    /// All of them but listeners.
    pub fn total(&self) -> u32 {
        self.by_state.iter().sum::<u32>() - self.count(State::Listen)
    }

    /// Connections in ESTABLISHED or CLOSE-WAIT (RFC 4022, `tcpCurrEstab`).
    pub fn established(&self) -> u32 {
        self.count(State::Established) + self.count(State::CloseWait)
    }
}

impl Stack {
    /// How many of what there is. Constant cost. A call of the application counts once the stack
    /// has looked at the connection, which it does at once.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_established.rs")]
    /// a.close(now, client);
    /// b.close(now, server);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.summary().count(State::TimeWait), 1);
    /// assert_eq!(a.summary().established(), 0);
    /// ```
    pub fn summary(&self) -> Summary {
        let people = &self.connections.population;
        let mut by_state = State::ALL.map(|s| people.count(s));
        let mut add = |state: State, n: usize| by_state[state as usize] += n as u32;
        let reachable: usize = State::ALL.iter().map(|s| people.count(*s) as usize).sum();
        add(State::Listen, self.listeners.len());
        add(State::SynReceived, self.half_open.len() + self.requests.len());
        add(State::TimeWait, self.time_wait.len());
        add(State::Closed, self.connections.len() - reachable);
        Summary {
            by_state,
            orphans: self.connections.orphans() as u32,
            timers: self.timer_count(),
            memory: self.memory().charged,
        }
    }
}
