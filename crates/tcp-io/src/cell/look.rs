//! What is there to know of a connection, and to choose? Its state, counters and label, what the
//! peer's SYN said, its options.

use std::sync::Arc;

use tcp_core::Instant;
use tcp_core::connection::{Connection, Info, State};
use tcp_core::listen::PeerSyn;

use super::{ConnCell, Inner, Then};
use crate::sync::Ordering;

impl ConnCell {
    /// The state.
    pub fn state(&self) -> State {
        self.lock().conn.state()
    }

    /// A snapshot.
    pub fn info(&self) -> Info {
        self.lock().conn.info()
    }

    /// A snapshot with its spans of time counted up to `now`.
    pub fn info_at(&self, now: Instant) -> Info {
        self.lock().conn.info_at(now)
    }

    /// What the application calls the connection.
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().label().cloned()
    }

    /// Gives the connection a name for tables, or takes it away.
    pub fn set_label(&self, label: Option<Arc<str>>) {
        let mut inner = self.lock();
        if label.is_some() || inner.extras.is_some() {
            inner.extras.get_or_insert_default().label = label;
        }
    }

    /// Takes over a listener's label.
    pub(crate) fn inherit_label(&self, label: Option<Arc<str>>) {
        if label.is_some() {
            self.set_label(label);
        }
    }

    /// Looks at the connection and its label, for tables.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Connection, Option<&Arc<str>>) -> R) -> R {
        let inner = self.lock();
        look(&inner.conn, inner.label())
    }

    /// Looks at the connection; for option getters and tables.
    pub fn inspect<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&self.lock().conn)
    }

    /// Changes options; takes effect at once.
    pub fn set_options(
        &self,
        now: Instant,
        change: impl FnOnce(&mut tcp_core::config::SocketOptions),
    ) {
        self.call(|i| {
            i.conn.set_options(now, change);
            self.min_hop_limit.store(i.conn.options().min_hop_limit, Ordering::Relaxed);
            ((), Then::Service)
        });
    }

    /// Hops that packets for this connection must have left (`IP_MINTTL`).
    pub(crate) fn min_hop_limit(&self) -> u8 {
        self.min_hop_limit.load(Ordering::Relaxed)
    }

    /// What the peer's SYN said, if the listener keeps it (`TCP_SAVED_SYN`).
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        self.lock().extras.as_ref()?.syn
    }

    pub(crate) fn keep_syn(&self, syn: PeerSyn) {
        self.lock().extras.get_or_insert_default().syn = Some(syn);
    }
}

impl Inner {
    fn label(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.label.as_ref()
    }
}
