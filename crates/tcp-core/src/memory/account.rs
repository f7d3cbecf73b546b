//! How much of the shared memory has one connection, and may it have more? Its part of the
//! [`Memory`], which goes back with it. When to ask is `connection/memory.rs`'s affair.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use super::{Level, Memory};

/// One connection's part of the account; what is still charged goes back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// None: nothing is counted or limited.
    memory: Option<Arc<Memory>>,
    charged: usize,
}

impl Account {
    /// From now on what is held is charged to `memory`.
    pub(crate) fn join(&mut self, memory: &Arc<Memory>) {
        *self = Account { memory: Some(memory.clone()), charged: 0 };
        memory.holders.fetch_add(1, Relaxed);
    }

    /// Makes the charge what is really held.
    #[inline]
    pub(crate) fn settle(&mut self, held: usize) {
        if held != self.charged {
            self.correct(held);
        }
    }

    fn correct(&mut self, held: usize) {
        if let Some(m) = &self.memory {
            if held > self.charged {
                m.charged.fetch_add(held - self.charged, Relaxed);
            } else {
                m.charged.fetch_sub(self.charged - held, Relaxed);
            }
        }
        self.charged = held;
    }

    /// Octets charged.
    pub(crate) fn charged(&self) -> usize {
        self.charged
    }

    /// Octets charged to all connections of the account.
    pub(crate) fn all_charged(&self) -> usize {
        self.memory.as_ref().map_or(self.charged, |m| m.charged.load(Relaxed))
    }

    #[inline]
    pub(crate) fn level(&self) -> Level {
        self.memory.as_ref().map_or(Level::Low, |m| m.level())
    }

    /// Whether the connection holds more than its part while memory is short.
    pub(crate) fn is_over_share(&self) -> bool {
        self.memory.as_ref().is_some_and(|m| self.charged > m.share())
    }

    /// How much more the connection may hold, the guaranteed part aside.
    pub(crate) fn allowance(&self) -> usize {
        let Some(m) = &self.memory else { return usize::MAX };
        m.allowance(m.charged.load(Relaxed), self.charged)
    }

    /// Asks for `wanted` octets, of which `guaranteed` are granted in any case; returns how many it
    /// may have.
    pub(crate) fn take(&mut self, guaranteed: usize, wanted: usize) -> usize {
        let Some(m) = &self.memory else { return wanted };
        let guaranteed = guaranteed.min(wanted);
        let granted = m.reserve(self.charged, 1, wanted);
        if granted < guaranteed {
            m.charged.fetch_add(guaranteed - granted, Relaxed);
        }
        self.charged += granted.max(guaranteed);
        granted.max(guaranteed)
    }

    /// Asks for `wanted` octets for a table over the buffers, which may have what buffers leave
    /// below the high mark; `guaranteed`: in any case.
    pub(crate) fn take_for_table(&mut self, guaranteed: bool, wanted: usize) -> bool {
        let Some(m) = &self.memory else { return true };
        if guaranteed {
            m.charged.fetch_add(wanted, Relaxed);
        } else if !m.reserve_for_table(wanted) {
            return false;
        }
        self.charged += wanted;
        true
    }

    /// Asks for all of `wanted` octets.
    pub(crate) fn take_all(&mut self, wanted: usize) -> bool {
        let Some(m) = &self.memory else { return true };
        let granted = m.reserve(self.charged, wanted, wanted);
        self.charged += granted;
        granted == wanted
    }

    pub(crate) fn note_pruned(&self, octets: usize) {
        if let Some(m) = &self.memory {
            m.pruned.fetch_add(octets, Relaxed);
        }
    }

    pub(crate) fn note_abort(&self) {
        if let Some(m) = &self.memory {
            m.aborts.fetch_add(1, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.memory.as_ref().is_some_and(|m| m.is_awaited())
    }
}

/// A copy holds as much as the original, and is charged for it.
#[cfg(feature = "explore")]
impl Clone for Account {
    fn clone(&self) -> Account {
        if let Some(m) = &self.memory {
            m.charged.fetch_add(self.charged, Relaxed);
            m.holders.fetch_add(1, Relaxed);
        }
        Account { memory: self.memory.clone(), charged: self.charged }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(m) = self.memory.take() {
            m.charged.fetch_sub(self.charged, Relaxed);
            m.holders.fetch_sub(1, Relaxed);
        }
    }
}
