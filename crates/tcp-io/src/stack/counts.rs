//! How many are there? The sizes of the stack's tables; the summary by state is in `rows`.

use super::Stack;

impl Stack {
    /// Connections in all states but TIME-WAIT.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Connections that their application has closed and that are not over.
    pub fn orphan_count(&self) -> usize {
        self.connections.orphans()
    }

    /// Half-open records.
    pub fn half_open_count(&self) -> usize {
        self.half_open.len()
    }

    /// TIME-WAIT records.
    pub fn time_wait_count(&self) -> usize {
        self.time_wait.len()
    }

    /// Endpoints that have an owner: the sum of the tables, when nothing leaks.
    pub fn demux_count(&self) -> usize {
        self.demux.len() + self.half_open.len() + self.time_wait.len()
    }

    /// Timers that are set.
    pub fn timer_count(&self) -> usize {
        self.wheel.len()
    }
}
