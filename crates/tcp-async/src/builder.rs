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
    pub fn address(mut self, cidr: &str) -> Builder {
        match cidr.parse() {
            Ok(c) => self.config.addresses.push(c),
            Err(e) => self.wrong = self.wrong.or(Some(e)),
        }
        self
    }

    /// Adds a checked address.
    pub fn cidr(mut self, cidr: Cidr) -> Builder {
        self.config.addresses.push(cidr);
        self
    }

    /// Says what lies behind the device, beside the networks of the addresses. Default:
    /// everything. Connecting to anything else fails with `NetworkUnreachable`.
    pub fn routes(mut self, routes: Routes) -> Builder {
        self.config.routes = routes;
        self
    }

    /// Changes TCP's numbers.
    pub fn tcp(mut self, change: impl FnOnce(&mut TcpConfig)) -> Builder {
        change(&mut self.config.tcp);
        self
    }

    /// Changes the stack's limits. What depends on the device is set when it is known.
    pub fn config(mut self, change: impl FnOnce(&mut StackConfig)) -> Builder {
        change(&mut self.config);
        self
    }

    /// What happens to packets for addresses that are not the stack's own. [`Foreign::Take`] is
    /// what a transparent proxy or a tunnel needs: [`Net::listen_any`], and connections from any
    /// address.
    pub fn foreign(mut self, foreign: Foreign) -> Builder {
        self.config.foreign = foreign;
        self
    }

    /// Fixes the 256 random bits from which every secret and random choice follows; for tests.
    /// Without it the system's randomness is used.
    pub fn seed(mut self, seed: [u8; 32]) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// How long connections may take to close once [`Net::shutdown`] is called; then they are
    /// reset.
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.grace = grace;
        self
    }

    /// Runs the stack on a device, in a task of the current tokio runtime.
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
