//! How is a stack made? Addresses, configuration, then a device to run on.

use std::fmt;
use std::io;
use std::time::Duration;

use rand::RngCore;
use tcp_core::Instant;
use tcp_core::config::TcpConfig;
use tcp_io::device::{Capabilities, Device};
use tcp_io::reactor::Reactor;
use tcp_io::stack::{Cidr, CidrError, Foreign, Routes, Stack, StackConfig};

use crate::net::{DEFAULT_GRACE, Net};

/// A stack could not be made.
///
/// ```
/// use tcp_async::{BuildError, Net};
///
/// let e = Net::builder().address("10.0.0.1").loopback().unwrap_err();
/// assert_eq!(e.to_string(), "`10.0.0.1` is not an address with a prefix, such as 10.45.0.2/24");
/// assert_eq!(std::io::Error::from(e).kind(), std::io::ErrorKind::InvalidInput);
///
/// // This is no async function, so that there is nothing to run the stack.
/// let e = Net::builder().address("10.0.0.1/24").loopback().unwrap_err();
/// assert!(matches!(e, BuildError::NoRuntime));
/// ```
#[derive(Debug)]
pub enum BuildError {
    /// An address is wrong.
    Address(CidrError),
    /// There is no tokio runtime here.
    NoRuntime,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Address(e) => e.fmt(f),
            BuildError::NoRuntime => f.write_str("there is no tokio runtime running here"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<BuildError> for io::Error {
    fn from(e: BuildError) -> io::Error {
        let kind = match e {
            BuildError::Address(_) => io::ErrorKind::InvalidInput,
            BuildError::NoRuntime => io::ErrorKind::Other,
        };
        io::Error::new(kind, e)
    }
}

/// Describes a stack; [`Net::builder`] makes one.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use tcp_io::device::{Capabilities, memory_pair};
///
/// let (device, _peer) = memory_pair(Capabilities::offloading(1500));
/// let net = Net::builder()
///     .address("10.0.0.1/24")
///     .address("fd00::1/64")
///     .tcp(|tcp| tcp.congestion = Algorithm::Reno)
///     .config(|config| config.max_connections = 1000)
///     .device(device)?;
/// assert_eq!(net.addresses().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Builder {
    config: StackConfig,
    seed: Option<[u8; 32]>,
    grace: Duration,
    wrong: Option<CidrError>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder { config: StackConfig::default(), seed: None, grace: DEFAULT_GRACE, wrong: None }
    }

    /// Adds an address of the stack with its prefix length, such as `10.45.0.2/24`. A mistake is
    /// reported when the stack is made.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder().address("10.45.0.2/24").address("fd45::2/64").loopback()?;
    /// let listener = net.listen("[fd45::2]:80").await?;
    ///
    /// let wrong = Net::builder().address("10.45.0.2/33").loopback().unwrap_err();
    /// assert!(matches!(wrong, BuildError::Address(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn address(mut self, cidr: &str) -> Builder {
        match cidr.parse() {
            Ok(c) => self.config.addresses.push(c),
            Err(e) => self.wrong = self.wrong.or(Some(e)),
        }
        self
    }

    /// Adds a checked address.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let cidr = Cidr::new("10.45.0.2".parse().expect("an address"), 24).expect("a short prefix");
    /// let net = Net::builder().cidr(cidr).loopback()?;
    /// assert_eq!(net.addresses(), [cidr]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cidr(mut self, cidr: Cidr) -> Builder {
        self.config.addresses.push(cidr);
        self
    }

    /// Says what lies behind the device, beside the networks of the addresses. Default:
    /// everything. Connecting to anything else fails with `NetworkUnreachable`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let intranet = "192.168.0.0/16".parse().expect("a network");
    /// let net = Net::builder()
    ///     .address("10.45.0.2/24")
    ///     .routes(Routes::Only(vec![intranet]))
    ///     .loopback()?;
    /// let e = net.connect("192.0.2.1:80").await.unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::NetworkUnreachable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn routes(mut self, routes: Routes) -> Builder {
        self.config.routes = routes;
        self
    }

    /// Changes TCP's numbers.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder()
    ///     .address("10.0.0.1/24")
    ///     .tcp(|tcp| tcp.options.nodelay = true)
    ///     .loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// assert!(stream.nodelay()?); // as every connection of this stack
    /// # Ok(())
    /// # }
    /// ```
    pub fn tcp(mut self, change: impl FnOnce(&mut TcpConfig)) -> Builder {
        change(&mut self.config.tcp);
        self
    }

    /// Changes the stack's limits. What depends on the device is set when it is known.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder()
    ///     .address("10.0.0.1/24")
    ///     .config(|config| config.ephemeral_ports = (50_000, 50_009))
    ///     .loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// assert!((50_000..=50_009).contains(&stream.local_addr()?.port()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(mut self, change: impl FnOnce(&mut StackConfig)) -> Builder {
        change(&mut self.config);
        self
    }

    /// What happens to packets for addresses that are not the stack's own. [`Foreign::Take`] is
    /// what a transparent proxy or a tunnel needs: [`Net::listen_any`], and connections from any
    /// address.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder()
    ///     .address("10.0.0.1/24")
    ///     .foreign(Foreign::Take { echo: true })
    ///     .loopback()?;
    /// let resolver = net.bind_udp("192.0.2.53:53").await?; // not ours: we answer in its place
    /// assert_eq!(resolver.local_addr()?, "192.0.2.53:53".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn foreign(mut self, foreign: Foreign) -> Builder {
        self.config.foreign = foreign;
        self
    }

    /// Fixes the 256 random bits from which every secret and random choice follows; for tests.
    /// Without it the system's randomness is used.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mut ports = Vec::new();
    /// for _ in 0..2 {
    ///     let net = Net::builder().address("10.0.0.1/24").seed([7; 32]).loopback()?;
    ///     let listener = net.listen("10.0.0.1:80").await?;
    ///     ports.push(net.connect("10.0.0.1:80").await?.local_addr()?.port());
    /// }
    /// assert_eq!(ports[0], ports[1]); // chosen at random, and the same
    /// # Ok(())
    /// # }
    /// ```
    pub fn seed(mut self, seed: [u8; 32]) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// How long connections may take to close once [`Net::shutdown`] is called; then they are
    /// reset.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_async::*;
    /// # use tcp_io::device::{Capabilities, memory_pair};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> std::io::Result<()> {
    /// # let (here, there) = memory_pair(Capabilities::offloading(1500));
    /// # let peer = Net::builder().address("10.0.0.2/24").device(there)?;
    /// # let listener = peer.listen("10.0.0.2:80").await?;
    /// let net = Net::builder().address("10.0.0.1/24").grace(Duration::from_secs(1)).device(here)?;
    /// let stream = net.connect("10.0.0.2:80").await?;
    /// let (_held_open, _) = listener.accept().await?; // the peer does not close
    ///
    /// let start = tokio::time::Instant::now();
    /// net.shutdown().await;
    /// assert_eq!(start.elapsed().as_secs(), 1);
    /// assert_eq!(stream.state(), State::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.grace = grace;
        self
    }

    /// Runs the stack on a device, in a task of the current tokio runtime.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use tcp_io::device::{Capabilities, memory_pair};
    ///
    /// // Two stacks at the ends of one wire.
    /// let (here, there) = memory_pair(Capabilities::offloading(1500));
    /// let server = Net::builder().address("10.0.0.1/24").device(here)?;
    /// let client = Net::builder().address("10.0.0.2/24").device(there)?;
    ///
    /// let listener = server.listen("10.0.0.1:80").await?;
    /// let stream = client.connect("10.0.0.1:80").await?;
    /// let (_, peer) = listener.accept().await?;
    /// assert_eq!(peer, stream.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If an address is wrong, or there is no runtime.
    pub fn device<D: Device + Unpin>(self, device: D) -> Result<Net, BuildError> {
        let grace = self.grace;
        let stack = self.stack(&device.capabilities())?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let (reactor, handle) = Reactor::new(stack, device, grace);
        runtime.spawn(drive(reactor));
        Ok(Net { handle })
    }

    /// The stack as described, for a device.
    fn stack(self, can: &Capabilities) -> Result<Stack, BuildError> {
        let Builder { mut config, seed, wrong, .. } = self;
        if let Some(e) = wrong {
            return Err(BuildError::Address(e));
        }
        config.mtu = can.mtu;
        config.checksum_offload = can.checksum_offload;
        config.segmentation_offload = can.segmentation_offload;
        let seed = seed.unwrap_or_else(|| {
            let mut s = [0; 32];
            rand::rng().fill_bytes(&mut s);
            s
        });
        Ok(Stack::new(Instant::ZERO, config, seed))
    }

    /// Runs the stack without a device: only its own addresses and the loopback network are
    /// reachable.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// for host in ["10.0.0.1", "127.0.0.1"] {
    ///     let listener = net.listen((host, 80)).await?;
    ///     let stream = net.connect((host, 80)).await?;
    ///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`device`](Self::device).
    pub fn loopback(self) -> Result<Net, BuildError> {
        self.device(Loopback)
    }

    /// As [`loopback`](Self::loopback), driven by a thread of its own and with the machine's
    /// clock: no runtime of the program has to last for it, or to keep time.
    pub(crate) fn loopback_thread(self) -> io::Result<Net> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let grace = self.grace;
        let stack = self.stack(&Loopback.capabilities())?;
        let (reactor, handle) = {
            let _here = runtime.enter();
            Reactor::on_machine_time(stack, Loopback, grace)
        };
        let thread = std::thread::Builder::new().name("tcp-loopback".to_owned());
        thread.spawn(move || runtime.block_on(drive(reactor)))?;
        Ok(Net { handle })
    }
}

/// The life of a stack.
async fn drive<D: Device + Unpin>(reactor: Reactor<D>) {
    match reactor.await {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::info!("the other end of the device is gone; its stack has ended");
        }
        Err(e) => tracing::error!(error = %e, "the device failed; its stack has ended"),
    }
}

/// No device: there is no way out of the stack.
#[derive(Debug)]
struct Loopback;

impl Device for Loopback {
    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: 65_535, checksum_offload: true, segmentation_offload: None }
    }

    fn poll_recv(
        &self,
        _cx: &mut std::task::Context<'_>,
        _buf: &mut [u8],
    ) -> std::task::Poll<io::Result<tcp_io::device::RxMeta>> {
        std::task::Poll::Pending
    }

    fn poll_send(
        &self,
        _cx: &mut std::task::Context<'_>,
        _packet: &tcp_io::device::TxPacket,
    ) -> std::task::Poll<io::Result<()>> {
        // There is no way out of this stack: packets for others are lost.
        std::task::Poll::Ready(Ok(()))
    }

    fn name(&self) -> Option<String> {
        Some("loopback".to_owned())
    }
}
