//! What was a connector told? As far as it concerns one connection: socket options, local
//! addresses, patience.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tcp_core::config::{Keepalive, SocketOptions, buffer_limit};
use tcp_io::stack::ConnectOptions;

use crate::net::Net;

/// hyper-util's, and between the 100 ms and 2 s of RFC 8305 5, which recommends 250 ms.
const HEAD_START: Duration = Duration::from_millis(300);

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) enforce_http: bool,
    /// For all attempts together.
    pub(super) patience: Option<Duration>,
    pub(super) head_start: Option<Duration>,
    pub(super) local: Local,
    pub(super) nodelay: Option<bool>,
    pub(super) keepalive: KeepaliveOptions,
    pub(super) user_timeout: Option<Duration>,
    pub(super) send_buffer: Option<usize>,
    pub(super) receive_buffer: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            enforce_http: true,
            patience: None,
            head_start: Some(HEAD_START),
            local: Local::Any,
            nodelay: None,
            keepalive: KeepaliveOptions::default(),
            user_timeout: None,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

impl Options {
    /// How to connect to `remote`: the stack's defaults, and what was set beyond them.
    pub(super) fn towards(&self, net: &Net, remote: SocketAddr) -> ConnectOptions {
        let mut options = net.handle.inspect(|s| s.config().tcp.options.clone());
        self.apply(&mut options);
        let local = self.local.towards(remote).map(|ip| SocketAddr::new(ip, 0));
        ConnectOptions { local, options: Some(options) }
    }

    fn apply(&self, options: &mut SocketOptions) {
        options.nodelay = self.nodelay.unwrap_or(options.nodelay);
        if let Some(keepalive) = self.keepalive.over(options.keepalive) {
            (options.keepalive_on, options.keepalive) = (true, keepalive);
        }
        options.user_timeout = self.user_timeout.or(options.user_timeout);
        options.send_buffer = self.send_buffer.map(buffer_limit).or(options.send_buffer);
        options.receive_buffer = self.receive_buffer.map(buffer_limit).or(options.receive_buffer);
    }
}

/// Keepalive's numbers, as far as they were given; one is enough to turn it on.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct KeepaliveOptions {
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
}

impl KeepaliveOptions {
    fn over(self, base: Keepalive) -> Option<Keepalive> {
        if self.idle.is_none() && self.interval.is_none() && self.count.is_none() {
            return None;
        }
        Some(Keepalive {
            idle: self.idle.unwrap_or(base.idle),
            interval: self.interval.unwrap_or(base.interval),
            count: self.count.unwrap_or(base.count),
        })
    }
}

/// Where connections come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Local {
    /// Wherever the stack chooses.
    Any,
    /// One address; the other family is not used.
    One(IpAddr),
    /// One of each family.
    Both(Ipv4Addr, Ipv6Addr),
}

impl Local {
    /// Whether `remote` can be reached from here.
    pub(super) fn allows(self, remote: SocketAddr) -> bool {
        match self {
            Local::One(ip) => ip.is_ipv4() == remote.is_ipv4(),
            Local::Any | Local::Both(..) => true,
        }
    }

    fn towards(self, remote: SocketAddr) -> Option<IpAddr> {
        match (self, remote) {
            (Local::Any, _) => None,
            (Local::One(ip), _) => Some(ip),
            (Local::Both(v4, _), SocketAddr::V4(_)) => Some(v4.into()),
            (Local::Both(_, v6), SocketAddr::V6(_)) => Some(v6.into()),
        }
    }
}
