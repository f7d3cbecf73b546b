//! How do packets cross a Linux TUN device? One system call a packet, with the virtio header that
//! lets a packet be 64 KiB long and its checksum unfinished. `tun_builder` opens the device.
//! No RFC; the header is virtio 1.2, 5.1.6.

use super::errors::is_fatal;
use super::packet::{TxOffload, TxPacket};
use super::tun_builder::TunBuilder;
use super::tun_error::TunError;
use super::vnet::VnetHeader;
use super::{Capabilities, Device, RxMeta};
use rustix::io::{read, retry_on_intr, write, writev};
use smallvec::SmallVec;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tun_rs::SyncDevice;

/// Slices of payload up to which a packet is gathered by the kernel; it takes 1024 at most.
const MAX_SLICES: usize = 256;
/// Octets up to which a packet is copied into one piece first. The kernel takes one slice a tenth
/// faster than two, and the copy costs a hundredth (docs/decisions/0008).
const GATHER: usize = 2048;

/// After so many packets in a row the next is read without asking tokio whether there is one: the
/// question costs time, and after 128 of them tokio says no for the sake of other tasks. Who
/// calls bounds its turns itself.
const IN_A_ROW: u8 = 2;

/// What stands in front of a packet on a descriptor.
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use tcp_io::device::{Device, Framing, TunDevice};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A datagram socket keeps packets apart as a TUN descriptor does, and needs no privilege.
/// let (one, another) = UnixDatagram::pair()?;
/// let plain = TunDevice::adopt(one.into(), Framing::Plain, 1500)?;
/// assert_eq!(plain.capabilities().segmentation_offload, None);
/// let offloading = TunDevice::adopt(another.into(), Framing::VnetHeader, 1500)?;
/// assert_eq!(offloading.framing(), Framing::VnetHeader);
/// assert_eq!(offloading.capabilities().segmentation_offload, Some(65_535));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Nothing (`IFF_NO_PI`): no offload.
    Plain,
    /// The ten octets of `virtio_net_hdr` in the machine's byte order (`IFF_VNET_HDR` with
    /// `IFF_NO_PI`, neither `TUNSETVNETHDRSZ` nor `TUNSETVNETBE`): offload.
    VnetHeader,
}

/// A TUN interface, or one queue of it. It exists as long as this does.
///
/// ```no_run
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_io::device::{Device, TunDevice};
/// use tcp_io::reactor::Reactor;
/// use tcp_io::{Stack, StackConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The host is 10.0.0.1 on the interface, the stack behind it 10.0.0.2.
/// let device = TunDevice::builder().host_address("10.0.0.1/24").open()?;
/// let carries = device.capabilities();
/// let config = StackConfig {
///     addresses: vec!["10.0.0.2/24".parse()?],
///     mtu: carries.mtu,
///     checksum_offload: carries.checksum_offload,
///     segmentation_offload: carries.segmentation_offload,
///     ..StackConfig::default()
/// };
/// let stack = Stack::new(Instant::ZERO, config, [1; 32]); // in earnest: random octets
/// let (reactor, handle) = Reactor::new(stack, device, Duration::from_secs(5));
/// assert!(handle.device_name().is_some_and(|name| name.starts_with("tun")));
/// reactor.await?;
/// # Ok(())
/// # }
/// ```
pub struct TunDevice {
    io: Arc<AsyncFd<Queue>>,
    removal: Mutex<Option<Removal>>,
    framing: Framing,
    mtu: usize,
    name: Option<String>,
    dropped: AtomicU64,
    /// Packets received in a row, up to [`IN_A_ROW`].
    received: AtomicU8,
    /// Sent since the device was last found empty.
    sent: AtomicBool,
}

/// Completes when the descriptor reports an error, as one whose interface was deleted does. It
/// reports nothing else then, so waiting for packets alone would be waiting for ever.
type Removal = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// The descriptor, with whoever closes it.
pub(super) enum Queue {
    Opened(SyncDevice),
    Adopted(OwnedFd),
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Queue::Opened(device) => device.as_fd(),
            Queue::Adopted(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl TunDevice {
    /// Says what interface to open.
    pub fn builder() -> TunBuilder {
        TunBuilder::new()
    }

    /// Takes over an open TUN descriptor, such as a VPN service or a privileged helper hands
    /// over. `framing` must be how it was opened; `mtu` is that of the interface.
    ///
    /// Must be called in a tokio runtime with I/O enabled (it panics if I/O is not).
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::os::unix::net::UnixDatagram;
    /// use tcp_io::device::{Device, Framing, RxMeta, TunDevice};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (descriptor, kernel) = UnixDatagram::pair()?; // in place of a descriptor from a helper
    /// let device = TunDevice::adopt(descriptor.into(), Framing::Plain, 1500)?;
    /// assert_eq!((device.name(), device.dropped()), (None, 0));
    /// kernel.send(&[0x45; 40])?;
    /// let mut buf = vec![0; device.capabilities().recv_buffer_len()];
    /// assert_eq!(poll_fn(|cx| device.poll_recv(cx, &mut buf)).await?, RxMeta::plain(40));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// No runtime, or a descriptor that can't be waited for.
    pub fn adopt(fd: OwnedFd, framing: Framing, mtu: usize) -> Result<TunDevice, TunError> {
        TunDevice::register(Queue::Adopted(fd), framing, mtu, None)
    }

    #[expect(unsafe_code, reason = "the registration of a descriptor with tokio is unsafe")]
    pub(super) fn register(
        queue: Queue,
        framing: Framing,
        mtu: usize,
        name: Option<String>,
    ) -> Result<TunDevice, TunError> {
        tokio::runtime::Handle::try_current().map_err(|_| TunError::NoRuntime)?;
        rustix::io::ioctl_fionbio(&queue, true)
            .map_err(|e| TunError::Io("non-blocking mode", e.into()))?;
        // SAFETY: `queue` owns its descriptor, never changes it and closes it only when dropped;
        // the `AsyncFd` owns `queue` and lends it out by shared reference only.
        let io = unsafe { AsyncFd::register(queue) };
        let io = io.map_err(|e| TunError::Io("registration", e.into_parts().1))?;
        Ok(TunDevice {
            io: Arc::new(io),
            removal: Mutex::new(None),
            framing,
            mtu,
            name,
            dropped: AtomicU64::new(0),
            received: AtomicU8::new(0),
            sent: AtomicBool::new(false),
        })
    }

    /// How packets are framed: whether the device has offload.
    ///
    /// ```
    /// # use std::os::unix::net::UnixDatagram;
    /// use tcp_io::device::{Device, Framing, TunDevice};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (descriptor, _kernel) = UnixDatagram::pair()?;
    /// let device = TunDevice::adopt(descriptor.into(), Framing::VnetHeader, 1500)?;
    /// assert_eq!(device.framing(), Framing::VnetHeader);
    /// assert!(device.capabilities().checksum_offload);
    /// # Ok(())
    /// # }
    /// ```
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Packets that the kernel did not take: the interface was down, memory was short.
    ///
    /// ```
    /// # use std::future::poll_fn;
    /// # use std::os::unix::net::UnixDatagram;
    /// use tcp_io::device::{Device, Framing, TunDevice, TxPacket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (descriptor, kernel) = UnixDatagram::pair()?;
    /// let device = TunDevice::adopt(descriptor.into(), Framing::Plain, 1500)?;
    /// drop(kernel); // as if the interface were down
    /// poll_fn(|cx| device.poll_send(cx, &TxPacket::from_vec(vec![0x45; 40]))).await?;
    /// assert_eq!(device.dropped(), 1); // lost, as on any link
    /// # Ok(())
    /// # }
    /// ```
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<RxMeta> {
        let read = retry_on_intr(|| read(self.io.get_ref(), &mut *buf));
        let row = read.map_or(0, |_| (self.received.load(Ordering::Relaxed) + 1).min(IN_A_ROW));
        self.received.store(row, Ordering::Relaxed);
        let n = read?;
        Ok(match (self.framing, buf[..n].split_first_chunk()) {
            (Framing::Plain, _) => RxMeta::plain(n),
            (Framing::VnetHeader, Some((header, packet))) => {
                VnetHeader::parse(*header).describe(packet.len())
            }
            // Shorter than the header: no packet. Its reader will find it too short as well.
            (Framing::VnetHeader, None) => RxMeta::plain(0),
        })
    }

    /// Receives without asking for readiness first; `None` if nothing is there.
    fn try_receive(&self, buf: &mut [u8]) -> Option<io::Result<RxMeta>> {
        match self.receive(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            received => Some(received),
        }
    }

    /// Polls for the end of the interface.
    fn poll_removal(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slot = self.removal.lock().unwrap_or_else(PoisonError::into_inner);
        let removal = slot.get_or_insert_with(|| {
            let io = self.io.clone();
            Box::pin(async move {
                let mut guard = io.ready(Interest::ERROR).await?;
                // The read that follows finds out; if it finds nothing, the wait starts anew.
                guard.clear_ready();
                Ok(())
            })
        });
        let result = ready!(removal.as_mut().poll(cx));
        *slot = None;
        Poll::Ready(result)
    }

    /// Writes one packet in one system call.
    fn poll_write(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<()>> {
        let write_one = || -> io::Result<usize> {
            Ok(retry_on_intr(|| write_packet(self.io.get_ref(), slices))?)
        };
        // Readiness is not asked first: a TUN device is all but always writable.
        let mut result = write_one();
        while matches!(&result, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
            let mut guard = ready!(self.io.poll_write_ready(cx))?;
            if let Ok(done) = guard.try_io(|_| write_one()) {
                result = done;
            }
        }
        match result {
            Err(error) if is_fatal(&error) => Poll::Ready(Err(error)),
            Err(_) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
            Ok(_) => {
                self.sent.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Writes a header and a packet behind it.
    fn poll_write_packet(
        &self,
        cx: &mut Context<'_>,
        header: &[u8],
        packet: &TxPacket,
    ) -> Poll<io::Result<()>> {
        if header.len() + packet.len() <= GATHER {
            let mut whole: SmallVec<[u8; GATHER]> = SmallVec::from_slice(header);
            whole.extend_from_slice(packet.head());
            for slice in packet.payload() {
                whole.extend_from_slice(slice);
            }
            return self.poll_write(cx, &[IoSlice::new(&whole)]);
        }
        if packet.payload().len() > MAX_SLICES {
            let whole = packet.to_unfinished_vec();
            return self.poll_write(cx, &[IoSlice::new(header), IoSlice::new(&whole)]);
        }
        let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
        slices.push(IoSlice::new(header));
        slices.push(IoSlice::new(packet.head()));
        slices.extend(packet.payload().iter().map(|slice| IoSlice::new(slice)));
        self.poll_write(cx, &slices)
    }

    fn poll_send_plain(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        if packet.offload() == TxOffload::None {
            return self.poll_write_packet(cx, &[], packet);
        }
        for (i, segment) in packet.segments().enumerate() {
            match self.poll_write(cx, &[IoSlice::new(&segment)])? {
                Poll::Ready(()) => {}
                Poll::Pending if i == 0 => return Poll::Pending,
                // Lost, like behind any full queue; the sender will repeat them.
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// One system call for one packet.
fn write_packet(queue: &Queue, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    match slices {
        [whole] => write(queue, whole),
        _ => writev(queue, slices),
    }
}

impl Device for TunDevice {
    fn capabilities(&self) -> Capabilities {
        match self.framing {
            Framing::Plain => Capabilities::plain(self.mtu),
            Framing::VnetHeader => Capabilities::offloading(self.mtu),
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        if self.received.load(Ordering::Relaxed) >= IN_A_ROW
            && let Some(received) = self.try_receive(buf)
        {
            return Poll::Ready(received);
        }
        loop {
            if let Poll::Ready(guard) = self.io.poll_read_ready(cx) {
                match guard?.try_io(|_| self.receive(buf)) {
                    Ok(received) => return Poll::Ready(received),
                    // Readiness is cleared; ask again, so that the waker is left behind.
                    Err(_would_block) => continue,
                }
            }
            // tokio asks the kernel only when tasks are idle, or after many of their turns. What
            // we sent may have been answered long before: a sender must not be deaf.
            if self.sent.swap(false, Ordering::Relaxed)
                && let Some(received) = self.try_receive(buf)
            {
                return Poll::Ready(received);
            }
            ready!(self.poll_removal(cx))?;
            if let Some(received) = self.try_receive(buf) {
                return Poll::Ready(received);
            }
        }
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        match self.framing {
            Framing::VnetHeader => {
                self.poll_write_packet(cx, &VnetHeader::of(packet).to_bytes(), packet)
            }
            Framing::Plain => self.poll_send_plain(cx, packet),
        }
    }

    fn name(&self) -> Option<String> {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests;
