//! How does one listen? The choices of one listener beside those of its stack, and what can go
//! wrong. Names and defaults are Linux's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tcp_core::config::{SocketOptions, TcpConfig};
use tcp_core::listen::{Backlog, SynCookies};

use super::ports::BindError;
use super::{ListenScope, PendingOptions, StackConfig};

/// How to listen.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let options = ListenOptions { backlog: 0, ..ListenOptions::default() };
/// let listener = b.listen("10.0.0.2:80".parse()?, options)?;
/// let first = a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
/// carry(now, &mut a, &mut b);
/// // One waits to be accepted; there is no room for another one.
/// let second = a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
/// carry(now, &mut a, &mut b);
/// assert_eq!((a.state(first), a.state(second)), (State::Established, State::SynSent));
/// assert_eq!(b.counters().packet_drops(PacketDrop::AcceptQueueFull), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted, capped by `somaxconn`. As on Linux the queue
    /// holds one more, so that 0 lets one wait.
    pub backlog: usize,
    /// Half-open records at most; `None`: the stack's `max_syn_backlog`.
    pub syn_backlog: Option<usize>,
    /// When a SYN is answered by a cookie; `None`: as the stack says.
    pub syn_cookies: Option<SynCookies>,
    /// A full accept queue resets whoever completes a handshake; `None`: as the stack says.
    pub abort_on_overflow: Option<bool>,
    /// Retransmissions of a SYN-ACK; `None`: as `tcp` says.
    pub syn_ack_retries: Option<u32>,
    /// Connections are handed to `accept` only when text has come, for this long
    /// (`TCP_DEFER_ACCEPT`); `None`: as `tcp` says. See
    /// [`TcpConfig::defer_accept`]. A connection that was opened by a cookie does not wait.
    pub defer_accept: Option<Duration>,
    /// Other listeners on the same address may share its connections, if they say so too
    /// (`SO_REUSEPORT`): each goes to one of them, by a hash of its two endpoints.
    pub reuse_port: bool,
    /// A listener on the unspecified IPv6 address takes IPv6 only.
    pub v6_only: bool,
    /// The port was bound before, with [`Stack::bind`](super::Stack::bind).
    pub bound: bool,
    /// What accepted connections start with, from the SYN-ACK on; `None`: as `tcp` says.
    pub options: Option<SocketOptions>,
    /// TCP's numbers for this listener's connections; `None`: the stack's.
    pub tcp: Option<Arc<TcpConfig>>,
    /// Which destinations it takes.
    pub scope: ListenScope,
    /// Accepted connections remember what the peer's SYN said (`TCP_SAVE_SYN`). A connection that
    /// was opened by a cookie has nothing to remember.
    pub save_syn: bool,
    /// The application decides about each SYN before it is answered, by
    /// [`Stack::take_request`](super::Stack::take_request); then there is no accept queue, and no
    /// cookie is sent.
    pub pending: Option<PendingOptions>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 128,
            syn_backlog: None,
            syn_cookies: None,
            abort_on_overflow: None,
            syn_ack_retries: None,
            defer_accept: None,
            reuse_port: false,
            v6_only: false,
            bound: false,
            options: None,
            tcp: None,
            scope: ListenScope::Own,
            save_syn: false,
            pending: None,
        }
    }
}

impl ListenOptions {
    /// The rules of the listener's queues.
    pub(super) fn limits(&self, stack: &StackConfig) -> Backlog {
        let cookies = self.syn_cookies.unwrap_or(stack.syn_cookies);
        Backlog {
            syn_backlog: self.syn_backlog.unwrap_or(stack.max_syn_backlog),
            proven_backlog: stack.somaxconn,
            // Requests have a bound of their own, and nobody could decide about a cookie.
            syn_cookies: if self.pending.is_some() { SynCookies::Never } else { cookies },
            abort_on_overflow: self.abort_on_overflow.unwrap_or(stack.abort_on_overflow),
        }
    }

    /// TCP's numbers for the listener: the stack's own, unless something differs.
    pub(super) fn numbers(&self, stack: &Arc<TcpConfig>) -> Arc<TcpConfig> {
        let mut tcp = self.tcp.as_ref().unwrap_or(stack).clone();
        if let Some(options) = self.options.as_ref().filter(|o| **o != tcp.options) {
            Arc::make_mut(&mut tcp).options = options.clone();
        }
        if let Some(retries) = self.syn_ack_retries {
            Arc::make_mut(&mut tcp).syn_ack_retries = retries;
        }
        if self.defer_accept.is_some() {
            Arc::make_mut(&mut tcp).defer_accept = self.defer_accept;
        }
        tcp
    }
}

/// Listening is impossible.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let elsewhere = a.listen("10.0.0.9:80".parse()?, ListenOptions::default());
/// assert_eq!(elsewhere, Err(ListenError::Bind(BindError::NotLocal)));
/// let options = ListenOptions { scope: ListenScope::Any, ..ListenOptions::default() };
/// let any = a.listen("0.0.0.0:80".parse()?, options);
/// assert_eq!(any, Err(ListenError::OwnAddressesOnly));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// The address or port cannot be had.
    Bind(BindError),
    /// A listener for any address was asked for on a certain one.
    NotUnspecified,
    /// The stack takes packets for its own addresses only; see [`Foreign`](super::Foreign).
    OwnAddressesOnly,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind(e) => e.fmt(f),
            ListenError::NotUnspecified => {
                f.write_str("a listener for any address listens on the unspecified one")
            }
            ListenError::OwnAddressesOnly => {
                f.write_str("this stack takes packets for its own addresses only")
            }
        }
    }
}

impl std::error::Error for ListenError {}

impl From<BindError> for ListenError {
    fn from(e: BindError) -> ListenError {
        ListenError::Bind(e)
    }
}
