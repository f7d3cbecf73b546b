//! What was a connector told? As far as it concerns one connection: socket options, local
//! addresses, patience.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tcp_core::config::{Keepalive, SocketOptions, buffer_limit};
use tcp_io::stack::ConnectOptions;

use super::connector::HttpConnector;
use crate::net::Net;

/// hyper-util's, and between the 100 ms and 2 s of RFC 8305 5, which recommends 250 ms.
const HEAD_START: Duration = Duration::from_millis(300);

impl<R> HttpConnector<R> {
    /// Whether a URI must have the scheme `http`. Default: yes.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// # let _listener = net.listen("10.0.0.1:443").await?;
    /// let mut connector = HttpConnector::on(&net);
    /// let e = connector.call("https://10.0.0.1/".parse()?).await.unwrap_err();
    /// assert_eq!(e.to_string(), "invalid URI: the scheme is not http");
    /// connector.enforce_http(false); // somebody else makes TLS of it
    /// let stream = connector.call("https://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.peer_addr()?.port(), 443);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enforce_http(&mut self, is_enforced: bool) {
        self.options.enforce_http = is_enforced;
    }

    /// How long connecting may take, look-up aside. With a head start for each address it is the
    /// time of all attempts together; otherwise each address has an equal part of it. Default:
    /// none, as long as the stack tries.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let _silent = net.listen_pending("10.0.0.1:81").await?; // nobody takes its requests
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_connect_timeout(Some(Duration::from_secs(5)));
    /// let e = connector.call("http://10.0.0.1:81/".parse()?).await.unwrap_err();
    /// let ConnectError::Connect { source, .. } = e else { panic!("{e}") };
    /// assert_eq!(source.kind(), std::io::ErrorKind::TimedOut);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_connect_timeout(&mut self, dur: Option<Duration>) {
        self.options.patience = dur;
    }

    /// The head start of an address before the next is tried beside it (RFC 8305 5); none: the
    /// next is tried when the one before has failed. Default: 300 ms.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    #[doc = include_str!("../../../doc/resolver.rs")]
    /// let _silent = net.listen_pending("10.0.0.1:81").await?; // nobody takes its requests
    /// let names = Addresses::of_every_name(["10.0.0.1:81", "10.0.0.1:80"]);
    /// let mut connector = HttpConnector::new_with_resolver(names).through(&net);
    /// connector.set_happy_eyeballs_timeout(Some(Duration::from_millis(100)));
    /// let begin = tokio::time::Instant::now();
    /// let stream = connector.call("http://somewhere/".parse()?).await?.into_inner();
    /// assert_eq!(stream.peer_addr()?.port(), 80);
    /// assert!((100..110).contains(&begin.elapsed().as_millis()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_happy_eyeballs_timeout(&mut self, dur: Option<Duration>) {
        self.options.head_start = dur;
    }

    /// The address that connections come from; destinations of the other family are not used.
    /// Default: none, the stack chooses.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_local_address(Some("10.0.0.2".parse()?));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.local_addr()?.ip().to_string(), "10.0.0.2");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_local_address(&mut self, addr: Option<IpAddr>) {
        self.options.local = addr.map_or(Local::Any, Local::One);
    }

    /// The addresses that connections come from.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_local_addresses("10.0.0.2".parse()?, "fd00::1".parse()?);
    /// for (uri, from) in [("http://10.0.0.1/", "10.0.0.2"), ("http://[fd00::1]/", "fd00::1")] {
    ///     let stream = connector.call(uri.parse()?).await?.into_inner();
    ///     assert_eq!(stream.local_addr()?.ip().to_string(), from);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_local_addresses(&mut self, addr_ipv4: Ipv4Addr, addr_ipv6: Ipv6Addr) {
        self.options.local = Local::Both(addr_ipv4, addr_ipv6);
    }

    /// Turns Nagle's algorithm off or on (MUST-17). Default: the stack's.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_nodelay(true);
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert!(stream.nodelay()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_nodelay(&mut self, nodelay: bool) {
        self.options.nodelay = Some(nodelay);
    }

    /// Turns keepalive on (MUST-24), and how long a connection is quiet before it probes.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_keepalive(Some(Duration::from_secs(60)));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.keepalive().unwrap().idle, Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_keepalive(&mut self, time: Option<Duration>) {
        self.options.keepalive.idle = time;
    }

    /// Turns keepalive on, and the time between its probes.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_keepalive_interval(Some(Duration::from_secs(10)));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// let keepalive = stream.keepalive().unwrap();
    /// assert_eq!(keepalive.interval, Duration::from_secs(10));
    /// assert_eq!(keepalive.idle, Duration::from_secs(7200)); // as by default
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_keepalive_interval(&mut self, interval: Option<Duration>) {
        self.options.keepalive.interval = interval;
    }

    /// Turns keepalive on, and how many probes are unanswered when a peer counts as gone.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_keepalive_retries(Some(3));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.keepalive().unwrap().count, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_keepalive_retries(&mut self, retries: Option<u32>) {
        self.options.keepalive.count = retries;
    }

    /// How long text, and the first SYN, may stay unacknowledged (`TCP_USER_TIMEOUT`).
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_tcp_user_timeout(Some(Duration::from_secs(20)));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.user_timeout(), Some(Duration::from_secs(20)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_tcp_user_timeout(&mut self, time: Option<Duration>) {
        self.options.user_timeout = time;
    }

    /// Fixes the limit of the send buffer in octets (`SO_SNDBUF`).
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_send_buffer_size(Some(70_000));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.send_buffer_size()?, 70_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_send_buffer_size(&mut self, size: Option<usize>) {
        self.options.send_buffer = size;
    }

    /// Fixes the limit of the receive buffer in octets (`SO_RCVBUF`).
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// connector.set_recv_buffer_size(Some(50_000));
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.recv_buffer_size()?, 50_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_recv_buffer_size(&mut self, size: Option<usize>) {
        self.options.receive_buffer = size;
    }
}

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
