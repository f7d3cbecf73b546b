//! Which network, which features, when? One run of the matrix: what follows from its seed, the
//! two hosts with a connection between them, and what must be left of it at the end: nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::wire::Segment;
use tcp_core::{Instant, SeqNum};
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, StackConfig};
use tcp_sim::{Host, LinkConfig, SeedGuard, World, pair};

/// The server's port.
const SERVER_PORT: u16 = 80;
/// The client's: fixed, so that the initial sequence numbers are known in advance.
const CLIENT_PORT: u16 = 40_000;
/// Virtual time after which a run has failed.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Whose sequence numbers pass 2^32 in the middle of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wraps {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// One run: the same value gives the same packets at the same time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// From it follow the randomness of the link and both stacks' secrets.
    pub seed: u64,
    /// Both directions of the path.
    pub link: LinkConfig,
    /// Both stacks; the MTU is the link's.
    pub stack: StackConfig,
    /// IPv6 instead of IPv4.
    pub ipv6: bool,
    /// Octets each way.
    pub octets: u64,
    /// Whose sequence numbers wrap.
    pub wraps: Wraps,
}

impl Scenario {
    /// The run of a seed: its bits choose the IP version, whether SACK, timestamps and window
    /// scaling are on, and whose sequence numbers wrap, so that 32 seeds in a row are all
    /// combinations. `octets` go each way.
    pub fn of_seed(seed: u64, link: LinkConfig, octets: u64) -> Scenario {
        let bit = |n: u32| seed >> n & 1 == 1;
        let mut stack = StackConfig { mtu: link.mtu.min(65_535), ..StackConfig::default() };
        stack.tcp.sack = !bit(1);
        stack.tcp.timestamps = !bit(2);
        stack.tcp.window_scaling = !bit(3);
        let wraps = if bit(4) { Wraps::Server } else { Wraps::Client };
        Scenario { seed, link, stack, ipv6: bit(0), octets, wraps }
    }

    fn connect_options(&self) -> ConnectOptions {
        let local = SocketAddr::new(self.address(1), CLIENT_PORT);
        ConnectOptions { local: Some(local), options: None }
    }

    /// The address that `pair` gives to the first or second host.
    fn address(&self, n: u8) -> IpAddr {
        if self.ipv6 {
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)])
        } else {
            IpAddr::from([10, 0, 0, n])
        }
    }

    /// The initial sequence numbers of client and server if they connect at `at`, taken from a
    /// rehearsal of the first two packets.
    ///
    /// # Panics
    /// If there are no such packets.
    pub fn rehearse(&self, at: Instant) -> (SeqNum, SeqNum) {
        let mut w = pair(self.seed, LinkConfig::default(), &self.stack);
        let server = SocketAddr::new(self.address(2), SERVER_PORT);
        w.node_mut(1).stack.listen(server, ListenOptions::default()).expect("listen");
        w.node_mut(0).stack.connect(at, server, self.connect_options()).expect("connect");
        let syn = w.node_mut(0).stack.poll_transmit(at).expect("a SYN").to_vec();
        w.node_mut(1).stack.receive(at, &syn, RxChecksum::Unknown, None);
        let syn_ack = w.node_mut(1).stack.poll_transmit(at).expect("a SYN-ACK").to_vec();
        let ip_header = if self.ipv6 { 40 } else { 20 };
        let isn = |packet: &[u8]| Segment::parse(&packet[ip_header..]).expect("a segment").seq;
        (isn(&syn), isn(&syn_ack))
    }

    /// When to connect so that the chosen sequence numbers wrap after half of the octets: the
    /// clock in the initial sequence number ticks every 4 us (MUST-8).
    pub fn start(&self) -> Instant {
        let (client, server) = self.rehearse(Instant::ZERO);
        let isn = match self.wraps {
            Wraps::Client => client,
            Wraps::Server => server,
        };
        let ticks = 0u32.wrapping_sub(isn.0).wrapping_sub((self.octets / 2) as u32);
        Instant::from_micros(u64::from(ticks) * 4)
    }

    /// Lets the client connect; the outages of the link count from there.
    ///
    /// # Panics
    /// If listening or connecting is refused.
    pub fn open(&self) -> Run {
        let start = self.start();
        let mut link = self.link.clone();
        let origin = start.since(Instant::ZERO);
        for outage in &mut link.outages {
            *outage = outage.start + origin..outage.end + origin;
        }
        let guard = SeedGuard::new(self.seed, format!("{self:?}"));
        let mut world = pair(self.seed, link, &self.stack);
        world.run_for(origin);
        let server = SocketAddr::new(self.address(2), SERVER_PORT);
        let stack = &mut world.node_mut(1).stack;
        let listener = stack.listen(server, ListenOptions::default()).expect("listen");
        let stack = &mut world.node_mut(0).stack;
        let client = stack.connect(start, server, self.connect_options()).expect("connect");
        Run { world, start, listener, client, _guard: guard }
    }
}

/// A scenario that has begun.
pub struct Run {
    /// Host 0 is the client, host 1 the server.
    pub world: World<Host>,
    /// When the client connected.
    pub start: Instant,
    /// The server's listener.
    pub listener: ListenerId,
    /// The client's end.
    pub client: ConnId,
    _guard: SeedGuard,
}

impl Run {
    /// Steps until `done`.
    ///
    /// # Panics
    /// If that does not happen within an hour of virtual time.
    pub fn until(&mut self, what: &str, done: impl FnMut(&mut World<Host>) -> bool) {
        let limit = self.world.now() + PATIENCE;
        let happened = self.world.run_until(limit, done);
        assert!(happened, "not {what} in {PATIENCE:?}: {:?}", self.info(0, self.client));
    }

    /// Steps until the server has accepted. `client` acts meanwhile: a client that never says
    /// anything may outlive the server's patience for the last ACK of the handshake.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn accept(&mut self, mut client: impl FnMut(&mut World<Host>)) -> ConnId {
        let (listener, mut accepted) = (self.listener, None);
        self.until("accepted", |w| {
            client(w);
            accepted = w.node_mut(1).stack.accept(listener).expect("listener");
            accepted.is_some()
        });
        accepted.expect("it was accepted")
    }

    /// A snapshot of a connection, for messages.
    pub fn info(&self, host: usize, conn: ConnId) -> String {
        format!("{:?}", self.world.node(host).stack.info(conn))
    }

    /// Lets go of both ends and of the listener, and waits for 2MSL and the last
    /// retransmissions.
    ///
    /// # Panics
    /// If a record or timer is left at either end.
    pub fn finish(mut self, server: ConnId) {
        let w = &mut self.world;
        let now = w.now();
        w.node_mut(0).stack.close(now, self.client);
        w.node_mut(1).stack.close(now, server);
        w.node_mut(1).stack.close_listener(self.listener);
        w.run_for(Duration::from_secs(600));
        for (host, conn) in [(0, self.client), (1, server)] {
            let s = &w.node(host).stack;
            assert_eq!(s.state(conn), State::Closed);
            let counts =
                (s.connection_count(), s.half_open_count(), s.time_wait_count(), s.demux_count());
            assert_eq!(counts, (0, 0, 0, 0), "host {host} keeps records");
            assert_eq!(s.timer_count(), 0, "host {host} keeps timers");
        }
    }
}
