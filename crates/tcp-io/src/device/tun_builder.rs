//! How is a TUN interface made? Name, addresses, MTU, queue, offload, namespace; `tun_error` says
//! which of them went wrong, and `tun` moves the packets. (RFC 4632 3.1 and RFC 4291 2.3 for prefixes.)

use super::netlink;
use super::tun::{Framing, Queue, TunDevice};
use super::tun_error::TunError;
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tun_rs::{DeviceBuilder, SyncDevice};

/// Octets of an interface's name, without the zero at its end.
const MAX_NAME: usize = 15;
/// How often, and with which pauses, an address is asked for before it is left to its fate.
const ADDRESS_ATTEMPTS: u32 = 500;
const ADDRESS_PAUSE: Duration = Duration::from_micros(200);
/// Where `ip netns` keeps the names of namespaces.
const NAMESPACES: &str = "/run/netns";

/// Whether the interface is opened with checksum and segmentation offload. Without it bulk
/// transfer is several times slower.
///
/// ```no_run
/// use tcp_io::device::{Framing, Offload, TunDevice};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = TunDevice::builder().offload(Offload::Off).open()?;
/// assert_eq!(device.framing(), Framing::Plain);
/// let device = TunDevice::builder().offload(Offload::Required).open()?;
/// assert_eq!(device.framing(), Framing::VnetHeader);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Offload {
    /// With it if the kernel allows, otherwise without.
    #[default]
    Preferred,
    /// With it or not at all.
    Required,
    /// Without it.
    Off,
}

/// What interface to open; [`TunDevice::builder`] starts one. The interface is not persistent: it
/// goes with its last queue.
///
/// ```no_run
/// use std::num::NonZeroUsize;
/// use tcp_io::device::{Device, Offload, TunDevice};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = TunDevice::builder()
///     .name("vpn%d")
///     .host_address("10.0.0.1/24")
///     .host_address("fd00::1/64")
///     .mtu(1400)
///     .tx_queue_len(2000)
///     .offload(Offload::Preferred);
/// let device = builder.clone().open()?;
/// assert_eq!(device.name().as_deref(), Some("vpn0"));
/// assert_eq!(device.capabilities().mtu, 1400);
/// // Another interface, in another namespace, with a queue for each of two stacks.
/// let queues = NonZeroUsize::new(2).expect("two");
/// let devices = builder.namespace("blue").multi_queue(true).open_queues(queues)?;
/// assert_eq!(devices.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TunBuilder {
    name: Option<String>,
    addresses: Vec<String>,
    mtu: u16,
    queue_len: Option<u32>,
    offload: Offload,
    multi_queue: bool,
    namespace: Option<PathBuf>,
}

impl TunBuilder {
    pub(super) fn new() -> TunBuilder {
        TunBuilder {
            name: None,
            addresses: Vec::new(),
            mtu: 1500,
            queue_len: None,
            offload: Offload::default(),
            multi_queue: false,
            namespace: None,
        }
    }

    /// The interface's name, at most 15 octets; `%d` in it becomes a free number. By default the
    /// kernel chooses (`tun0` and so on).
    pub fn name(mut self, name: impl Into<String>) -> TunBuilder {
        self.name = Some(name.into());
        self
    }

    /// An address that the host, not the stack, has on the interface, such as `10.0.0.1/24` or
    /// `fd00::1/64`. Without a length the prefix is the whole address. May be repeated.
    ///
    /// ```
    /// use tcp_io::device::{TunDevice, TunError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let opened = TunDevice::builder().host_address("10.0.0.1/33").open();
    /// assert!(matches!(opened, Err(TunError::BadAddress(text)) if text == "10.0.0.1/33"));
    /// # }
    /// ```
    pub fn host_address(mut self, cidr: impl Into<String>) -> TunBuilder {
        self.addresses.push(cidr.into());
        self
    }

    /// The largest packet that is not cut, in octets; 1500 by default. IPv6 needs 1280.
    pub fn mtu(mut self, mtu: u16) -> TunBuilder {
        self.mtu = mtu;
        self
    }

    /// Packets that the kernel holds for us before it drops; its own default is 500.
    pub fn tx_queue_len(mut self, packets: u32) -> TunBuilder {
        self.queue_len = Some(packets);
        self
    }

    /// Checksum and segmentation offload; [`Offload::Preferred`] by default.
    pub fn offload(mut self, offload: Offload) -> TunBuilder {
        self.offload = offload;
        self
    }

    /// Whether the interface may have several queues, opened together by
    /// [`open_queues`](Self::open_queues) or one by one under the same name.
    pub fn multi_queue(mut self, multi_queue: bool) -> TunBuilder {
        self.multi_queue = multi_queue;
        self
    }

    /// The network namespace where the interface shall be: a name as in `ip netns`, or a path.
    /// The process stays where it is.
    ///
    /// ```
    /// use std::path::Path;
    /// use tcp_io::device::{TunDevice, TunError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let opened = TunDevice::builder().namespace("no-such-namespace").open();
    /// let Err(TunError::Namespace(path, _)) = opened else { panic!("there is none") };
    /// assert_eq!(path, Path::new("/run/netns/no-such-namespace"));
    /// # }
    /// ```
    pub fn namespace(mut self, namespace: impl AsRef<Path>) -> TunBuilder {
        // A name is relative and stays below the directory; a path replaces it.
        self.namespace = Some(Path::new(NAMESPACES).join(namespace));
        self
    }

    /// Makes the interface, configures it and sets it up.
    ///
    /// Must be called in a tokio runtime with I/O enabled (it panics if I/O is not).
    ///
    /// ```
    /// use tcp_io::device::{TunDevice, TunError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Mistakes are found before anything is opened.
    /// let opened = TunDevice::builder().name("a-name-that-is-too-long").open();
    /// assert!(matches!(opened, Err(TunError::BadName(name)) if name == "a-name-that-is-too-long"));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`TunError`]. Nothing is left behind.
    pub fn open(self) -> Result<TunDevice, TunError> {
        let opened = self.create(NonZeroUsize::MIN)?;
        opened.first.register(opened.framing, opened.mtu, &opened.name)
    }

    /// Like [`open`](Self::open), with several queues: the kernel keeps a flow on one of them.
    ///
    /// # Errors
    ///
    /// As for `open`.
    pub fn open_queues(mut self, queues: NonZeroUsize) -> Result<Vec<TunDevice>, TunError> {
        self.multi_queue |= queues.get() > 1;
        let Opened { first, others, framing, mtu, name } = self.create(queues)?;
        let all = std::iter::once(first).chain(others);
        all.map(|device| device.register(framing, mtu, &name)).collect()
    }

    fn create(self, queues: NonZeroUsize) -> Result<Opened, TunError> {
        tokio::runtime::Handle::try_current().map_err(|_| TunError::NoRuntime)?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let addresses = self.addresses.iter().map(|text| parse_cidr(text));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let Some(namespace) = &self.namespace else {
            return self.create_here(&addresses, queues);
        };
        // A namespace belongs to a thread, so a thread of its own goes there; the descriptor
        // keeps to the interface wherever it is used.
        let inside = || {
            enter(namespace)?;
            self.create_here(&addresses, queues)
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("tun-open".into());
            let thread = thread.spawn_scoped(scope, inside);
            let thread = thread.map_err(|e| TunError::Io("thread", e))?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn create_here(
        &self,
        addresses: &[(IpAddr, u8)],
        queues: NonZeroUsize,
    ) -> Result<Opened, TunError> {
        let (device, framing) = self.attach()?;
        let io = |step| move |e| TunError::Io(step, e);
        let name = device.name().map_err(io("name"))?;
        let index = device.if_index().map_err(io("index"))?;
        for (address, prefix) in addresses {
            netlink::add_address(index, *address, *prefix).map_err(io("address"))?;
        }
        device.enabled(true).map_err(io("setting up"))?;
        for (address, _) in addresses {
            wait_for(*address).map_err(io("address"))?;
        }
        let mtu = device.mtu().map_err(io("MTU"))?;
        let others = (1..queues.get()).map(|_| device.try_clone().map(Unregistered));
        let others = others.collect::<io::Result<Vec<_>>>().map_err(io("queue"))?;
        Ok(Opened { first: Unregistered(device), others, framing, mtu: mtu.into(), name })
    }

    /// Opens the first queue, with offload if it may and can be.
    fn attach(&self) -> Result<(SyncDevice, Framing), TunError> {
        let refused = |e: &io::Error| e.raw_os_error() == Some(Errno::INVAL.raw_os_error());
        let (with, without) = ((true, Framing::VnetHeader), (false, Framing::Plain));
        let (result, framing) = match self.offload {
            Offload::Required => (self.build(with.0), with.1),
            Offload::Off => (self.build(without.0), without.1),
            Offload::Preferred => match self.build(with.0) {
                Err(error) if refused(&error) => (self.build(without.0), without.1),
                result => (result, with.1),
            },
        };
        match result {
            Ok(device) => Ok((device, framing)),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn build(&self, offload: bool) -> io::Result<SyncDevice> {
        let mut builder = DeviceBuilder::new()
            .mtu(self.mtu)
            .offload(offload)
            .multi_queue(self.multi_queue)
            .enable(false);
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some(packets) = self.queue_len {
            builder = builder.tx_queue_len(packets);
        }
        builder.build_sync()
    }

    fn explain(&self, error: io::Error) -> TunError {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::PERM | Errno::ACCESS) => TunError::NotPermitted,
            Some(Errno::BUSY | Errno::EXIST | Errno::TOOBIG | Errno::NFILE) => {
                TunError::NameTaken(self.name.clone().unwrap_or_default())
            }
            Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => TunError::NoDriver(error),
            _ => TunError::Io("opening", error),
        }
    }
}

/// An interface with its queues, not yet known to tokio.
struct Opened {
    first: Unregistered,
    others: Vec<Unregistered>,
    framing: Framing,
    mtu: usize,
    name: String,
}

/// A queue that tokio does not know yet.
struct Unregistered(SyncDevice);

impl Unregistered {
    fn register(self, framing: Framing, mtu: usize, name: &str) -> Result<TunDevice, TunError> {
        TunDevice::register(Queue::Opened(self.0), framing, mtu, Some(name.to_owned()))
    }
}

/// Moves the calling thread into a namespace.
fn enter(namespace: &Path) -> Result<(), TunError> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::PermissionDenied => TunError::NotPermitted,
        _ => TunError::Namespace(namespace.to_owned(), e),
    };
    let file = File::open(namespace).map_err(failed)?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|e| failed(e.into()))
}

/// Waits until the kernel takes packets for an address of its own. For IPv6 a work queue makes
/// that so, usually within a millisecond; what is sent to it before, such as our first SYN-ACK,
/// is lost.
fn wait_for(address: IpAddr) -> io::Result<()> {
    for _ in 0..ADDRESS_ATTEMPTS {
        if netlink::is_delivered(address)? {
            break;
        }
        thread::sleep(ADDRESS_PAUSE);
    }
    Ok(())
}

/// The kernel's own rules for names.
fn check_name(name: &str) -> Result<(), TunError> {
    let forbidden = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
    if name.is_empty()
        || name.len() > MAX_NAME
        || name == "."
        || name == ".."
        || name.contains(forbidden)
    {
        return Err(TunError::BadName(name.to_owned()));
    }
    Ok(())
}

fn parse_cidr(text: &str) -> Result<(IpAddr, u8), TunError> {
    let bad = || TunError::BadAddress(text.to_owned());
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map_err(|_| bad())?
        }
        Some(_) => return Err(bad()),
        None => longest,
    };
    if prefix > longest { Err(bad()) } else { Ok((address, prefix)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(parse_cidr("10.0.0.1/24").unwrap(), ([10, 0, 0, 1].into(), 24));
        assert_eq!(parse_cidr("10.0.0.1").unwrap().1, 32);
        assert_eq!(parse_cidr("fd00::1/64").unwrap().1, 64);
        assert_eq!(parse_cidr("fd00::1").unwrap().1, 128);
        for bad in ["", "10.0.0.1/33", "10.0.0/8", "fd00::1/129", "::1/", "::1/+4", "1.2.3.4/a"] {
            assert!(matches!(parse_cidr(bad), Err(TunError::BadAddress(text)) if text == bad));
        }
    }

    #[test]
    fn names() {
        assert!(check_name("fifteen-octets.").is_ok());
        assert!(check_name("tun%d").is_ok());
        for bad in ["", "sixteen-octets..", ".", "..", "a/b", "a b", "a:b", "a\0"] {
            assert!(matches!(check_name(bad), Err(TunError::BadName(_))), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn mistakes_are_found_before_anything_is_opened() {
        let long = TunDevice::builder().name("a-name-that-is-too-long").open();
        assert!(matches!(long, Err(TunError::BadName(_))));
        let address = TunDevice::builder().host_address("10.0.0.1/99").open();
        let error = io::Error::from(address.err().unwrap());
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("10.0.0.1/99"));
    }

    #[tokio::test]
    async fn a_namespace_that_is_not_there() {
        let opened = TunDevice::builder().namespace("surely-no-such-namespace").open();
        let Err(TunError::Namespace(path, _)) = opened else { panic!("no such namespace") };
        assert_eq!(path, Path::new("/run/netns/surely-no-such-namespace"));
    }
}
