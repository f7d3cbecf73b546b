//! Which rows of the table are wanted? Conditions on states, ports, networks and labels.

use std::sync::Arc;

use tcp_core::connection::State;
use tcp_core::{Endpoint, Tuple};

use crate::stack::Cidr;

/// Which rows are wanted. Empty: all of them. A row must meet every condition, and of several
/// states or labels one.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_established.rs")]
/// let rows = |filter: Filter| b.slice(now, &filter, &mut Cursor::default()).len();
/// assert_eq!(rows(Filter::new()), 2); // the listener and the connection
/// assert_eq!(rows(Filter::new().state(State::Listen)), 1);
/// assert_eq!(rows(Filter::new().state(State::Listen).state(State::Established)), 2);
/// assert_eq!(rows(Filter::new().port(80)), 2);
/// assert_eq!((rows(Filter::new().local_port(80)), rows(Filter::new().remote_port(80))), (2, 0));
/// assert_eq!(rows(Filter::new().local("10.0.0.0/24".parse()?)), 2);
/// assert_eq!(rows(Filter::new().remote("10.0.0.0/24".parse()?)), 1); // a listener has no peer
/// b.connection_cell(server).unwrap().set_label(Some("web".into()));
/// assert_eq!(rows(Filter::new().label("web").state(State::Established)), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    states: u16,
    ports: Vec<u16>,
    local_port: Option<u16>,
    remote_port: Option<u16>,
    local: Option<Cidr>,
    remote: Option<Cidr>,
    label: Option<Arc<str>>,
}

impl Filter {
    /// All rows.
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Rows in this state; may be said of several.
    pub fn state(mut self, state: State) -> Filter {
        self.states |= 1 << state as u16;
        self
    }

    /// Rows with this port at either end; may be said of several.
    pub fn port(mut self, port: u16) -> Filter {
        self.ports.push(port);
        self
    }

    /// Rows with this local port.
    pub fn local_port(mut self, port: u16) -> Filter {
        self.local_port = Some(port);
        self
    }

    /// Rows with this port at the peer.
    pub fn remote_port(mut self, port: u16) -> Filter {
        self.remote_port = Some(port);
        self
    }

    /// Rows whose local address is in this network.
    pub fn local(mut self, network: Cidr) -> Filter {
        self.local = Some(network);
        self
    }

    /// Rows whose peer is in this network.
    pub fn remote(mut self, network: Cidr) -> Filter {
        self.remote = Some(network);
        self
    }

    /// Rows that the application has given this label.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Filter {
        self.label = Some(label.into());
        self
    }

    pub(super) fn takes_state(&self, state: State) -> bool {
        self.states == 0 || self.states & 1 << state as u16 != 0
    }

    pub(super) fn takes_label(&self, label: Option<&Arc<str>>) -> bool {
        self.label.is_none() || self.label.as_ref() == label
    }

    pub(super) fn takes_ends(&self, local: Endpoint, remote: Option<Endpoint>) -> bool {
        let port = |wanted: Option<u16>, end: Option<Endpoint>| {
            wanted.is_none_or(|w| end.is_some_and(|e| e.port == w))
        };
        let network = |wanted: Option<Cidr>, end: Option<Endpoint>| {
            wanted.is_none_or(|w| end.is_some_and(|e| w.contains(e.ip)))
        };
        let either = self.ports.is_empty()
            || self.ports.contains(&local.port)
            || remote.is_some_and(|r| self.ports.contains(&r.port));
        either
            && port(self.local_port, Some(local))
            && port(self.remote_port, remote)
            && network(self.local, Some(local))
            && network(self.remote, remote)
    }

    pub(super) fn takes_tuple(&self, t: &Tuple) -> bool {
        self.takes_ends(t.local, Some(t.remote))
    }
}
