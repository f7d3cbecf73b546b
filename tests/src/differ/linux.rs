//! How does the kernel take part? A TUN interface in a namespace of its own, ordinary sockets
//! that never block, and switches that take chance and rate limits out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto};
use rustix::net::{socket_with, sockopt};
use tcp_core::connection::State;
use tcp_core::{Endpoint, Tuple};
use tun_rs::{DeviceBuilder, SyncDevice};

use super::diag::Diag;
use super::end::{End, Outcome, written};
use super::net;
use super::script::{Call, Case, Opening};
use crate::kernel::Namespace;

const INTERFACE: &str = "differ0";

/// How long a packet may take that should come: the kernel answers within the call that hands it
/// a segment, except when it hands the work on to another thread.
const PATIENCE: Duration = Duration::from_millis(20);

/// What chance and time decide, and what a limit hides, is switched off.
const SWITCHES: [(&str, &str); 18] = [
    // Answers to unacceptable segments, and challenges, at any rate (RFC 5961 7).
    ("net.ipv4.tcp_invalid_ratelimit", "0"),
    ("net.ipv4.tcp_challenge_ack_limit", "2147483647"),
    ("net.ipv4.icmp_ratelimit", "0"),
    // No time-out while a test is kept from the processor.
    ("net.ipv4.tcp_rto_min_us", "4000000"),
    ("net.ipv4.tcp_early_retrans", "0"),
    ("net.ipv4.tcp_comp_sack_nr", "0"),
    // A connection starts as every other.
    ("net.ipv4.tcp_no_metrics_save", "1"),
    ("net.ipv4.tcp_syncookies", "0"),
    ("net.ipv4.tcp_fastopen", "0"),
    ("net.ipv4.tcp_ecn", "0"),
    ("net.ipv4.tcp_autocorking", "0"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.tcp_dsack", "1"),
    ("net.ipv4.tcp_window_scaling", "1"),
    ("net.ipv4.tcp_rfc1337", "0"),
    // Enough room for what cases leave behind.
    ("net.ipv4.tcp_max_syn_backlog", "65536"),
    ("net.core.somaxconn", "65536"),
];

/// The kernel's end. The thread that makes it moves into its namespace and must go on using it.
pub(super) struct Linux {
    _namespace: Namespace,
    tun: SyncDevice,
    diag: Diag,
    listeners: [TcpListener; 2],
    /// The opening of the case.
    passive: bool,
    conn: Option<TcpStream>,
    tuple: Tuple,
    written: usize,
    /// Cases so far: the number of the peer.
    cases: u32,
}

impl Linux {
    /// Makes namespace, interface and listeners. `first` is the number of the first case's peer.
    ///
    /// # Panics
    /// Without root and `/dev/net/tun`.
    pub(super) fn new() -> Linux {
        let namespace = Namespace::new();
        for (variable, value) in SWITCHES {
            namespace.set(variable, value);
        }
        namespace.enter();
        let tun = DeviceBuilder::new().name(INTERFACE).mtu(1500).build_sync();
        let tun = tun.expect("a TUN device");
        tun.set_nonblocking(true).expect("a descriptor that does not block");
        let ip = |all: &str| {
            let words = format!("{all} dev {INTERFACE}");
            namespace.ip_words(&words);
        };
        ip(&format!("addr add {} noprefixroute", net::LOCAL_V4));
        ip(&format!("addr add {} nodad noprefixroute", net::LOCAL_V6));
        namespace.ip(["link", "set", INTERFACE, "up"]);
        // Every segment is acknowledged at once.
        ip("route add 10.45.0.0/16 quickack 1");
        ip("route add fd45::/64 quickack 1");
        let listen = |ip: &str| {
            let ip = ip.split('/').next().unwrap_or(ip);
            let addr: SocketAddr = format!("[{ip}]:{}", net::LISTENS)
                .parse()
                .or_else(|_| format!("{ip}:{}", net::LISTENS).parse())
                .expect("an address");
            listener(addr).expect("the kernel listens")
        };
        let nowhere = Endpoint::new([0, 0, 0, 0].into(), 0);
        let tuple = Tuple { local: nowhere, remote: nowhere };
        Linux {
            listeners: [listen(net::LOCAL_V4), listen(net::LOCAL_V6)],
            diag: Diag::open().expect("a netlink socket"),
            _namespace: namespace,
            tun,
            passive: false,
            conn: None,
            tuple,
            written: 0,
            cases: 0,
        }
    }

    fn accept(&mut self) {
        if self.conn.is_none() && self.passive {
            let listener = &self.listeners[usize::from(!self.tuple.is_ipv4())];
            self.conn = listener.accept().ok().map(|(stream, _)| stream);
            if let Some(stream) = &self.conn {
                stream.set_nonblocking(true).expect("a socket that does not block");
            }
        }
    }

    /// All packets that are there.
    fn drain(&mut self, all: &mut Vec<Vec<u8>>) {
        let mut packet = [0; 2048];
        while let Ok(len) = self.tun.recv(&mut packet) {
            if belongs(&packet[..len], &self.tuple) {
                all.push(packet[..len].to_vec());
            }
        }
    }

    /// Waits for the interface; whether there is something.
    fn wait(&self) -> bool {
        let patience = Timespec::try_from(PATIENCE).expect("a short time");
        let mut fds = [PollFd::new(&self.tun, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&patience)), Ok(n) if n > 0)
    }
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    // A longer queue than the standard library's.
    rustix::net::listen(&listener, 65_536)?;
    listener.set_nonblocking(true)?;
    // Accepted sockets inherit it: urgent octets are text, as with us (RFC 6093 6).
    sockopt::set_socket_oobinline(&listener, true)?;
    // Our default. A kernel without it is still worth comparing with.
    let _ = sockopt::set_tcp_congestion(&listener, "cubic");
    Ok(listener)
}

fn connector(tuple: &Tuple) -> io::Result<TcpStream> {
    let family = if tuple.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_oobinline(&socket, true)?;
    let _ = sockopt::set_tcp_congestion(&socket, "cubic");
    bind(&socket, &SocketAddr::from(tuple.local))?;
    match connect(&socket, &SocketAddr::from(tuple.remote)) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(e) => Err(e.into()),
    }
}

/// Whether a packet is of this connection, and no retransmission of an earlier case.
fn belongs(packet: &[u8], tuple: &Tuple) -> bool {
    crate::fuzz::packet::open_packet(packet).is_some_and(|(src, dst, tcp)| {
        let port = |at: usize| tcp.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        (src, dst) == (tuple.local.ip, tuple.remote.ip)
            && (port(0), port(2)) == (Some(tuple.local.port), Some(tuple.remote.port))
    })
}

impl End for Linux {
    fn open(&mut self, case: &Case) -> Tuple {
        self.cases += 1;
        self.tuple = net::tuple(case, self.cases);
        self.passive = case.opening == Opening::Passive;
        self.written = 0;
        self.conn = (case.opening == Opening::Active)
            .then(|| connector(&self.tuple).expect("the kernel connects"));
        self.tuple
    }

    fn put(&mut self, packet: &[u8]) {
        self.tun.send(packet).expect("the interface takes a packet");
    }

    fn call(&mut self, call: Call) -> Outcome {
        let Some(conn) = &mut self.conn else { return Outcome::Nothing };
        match call {
            Call::Read(len) => {
                let mut text = vec![0; len.into()];
                Outcome::of(conn.read(&mut text), |n| {
                    text.truncate(n);
                    Outcome::Read(text)
                })
            }
            Call::Write(len) => {
                let outcome =
                    Outcome::of(conn.write(&written(self.written, len.into())), Outcome::Wrote);
                if let Outcome::Wrote(n) = outcome {
                    self.written += n;
                }
                outcome
            }
            Call::Shutdown => match conn.shutdown(Shutdown::Write) {
                // It had ended in order before.
                Err(e) if e.kind() == ErrorKind::NotConnected => Outcome::Done,
                result => Outcome::of(result, |()| Outcome::Done),
            },
            Call::Close => {
                (self.conn, self.passive) = (None, false);
                Outcome::Done
            }
            Call::Abort => {
                let linger = Some(Duration::ZERO);
                sockopt::set_socket_linger(conn, linger).expect("a socket");
                (self.conn, self.passive) = (None, false);
                Outcome::Done
            }
        }
    }

    fn take(&mut self, expected: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        self.drain(&mut all);
        while all.len() < expected && self.wait() {
            self.drain(&mut all);
        }
        self.accept();
        all
    }

    fn state(&mut self) -> State {
        self.diag.state(&self.tuple).expect("the kernel answers")
    }

    fn end(&mut self, farewell: &[u8]) {
        self.call(Call::Abort);
        // What was established after the connection of the case; it would be the next case's.
        for listener in &self.listeners {
            while let Ok((stream, _)) = listener.accept() {
                let linger = Some(Duration::ZERO);
                sockopt::set_socket_linger(&stream, linger).expect("a socket");
            }
        }
        // Records without a socket: half-open ones, TIME-WAIT and what was closed before.
        self.put(farewell);
        self.drain(&mut Vec::new());
    }
}
