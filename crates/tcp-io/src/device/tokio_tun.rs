//! How does a device that the caller opened with `tokio-tun` serve? A plain adapter: one packet a
//! system call, no offload, which that library cannot do. For speed use `TunDevice`.

use super::errors::is_fatal;
use super::packet::{TxOffload, TxPacket};
use super::{Capabilities, Device, RxMeta};
use ::tokio_tun::Tun;
use smallvec::SmallVec;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A [`Tun`], which must have been built without `packet_info` and without `tap`.
///
/// ```no_run
/// use tcp_io::device::{Device, TokioTunDevice};
/// use tokio_tun::Tun;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut queues = Tun::builder().name("tun7").mtu(1400).up().build()?;
/// let device = TokioTunDevice::new(queues.remove(0))?;
/// assert_eq!(device.capabilities().mtu, 1400);
/// assert_eq!(device.name().as_deref(), Some("tun7"));
/// # Ok(())
/// # }
/// ```
pub struct TokioTunDevice {
    name: String,
    mtu: usize,
    /// Locked for one system call at a time: the library wants `&mut` to poll.
    tun: Mutex<Tun>,
}

impl TokioTunDevice {
    /// A device over `tun`, with the interface's MTU.
    ///
    /// # Errors
    ///
    /// The interface does not tell its MTU, for example because it is in another namespace; see
    /// [`with_mtu`](Self::with_mtu).
    pub fn new(tun: Tun) -> io::Result<TokioTunDevice> {
        let mtu = tun.mtu().map_err(io::Error::other)?;
        let mtu = usize::try_from(mtu).map_err(io::Error::other)?;
        Ok(TokioTunDevice::with_mtu(tun, mtu))
    }

    /// A device over `tun` for packets of at most `mtu` octets.
    ///
    /// ```no_run
    /// use tcp_io::device::{Device, TokioTunDevice};
    /// use tokio_tun::Tun;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut queues = Tun::builder().name("tun7").up().build()?;
    /// let tun = queues.remove(0); // its interface was moved into a namespace
    /// let device = TokioTunDevice::with_mtu(tun, 1400);
    /// assert_eq!(device.capabilities().mtu, 1400);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_mtu(tun: Tun, mtu: usize) -> TokioTunDevice {
        TokioTunDevice { name: tun.name().to_owned(), mtu, tun: Mutex::new(tun) }
    }

    fn lock(&self) -> MutexGuard<'_, Tun> {
        self.tun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_write(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<()>> {
        let written = ready!(Pin::new(&mut *self.lock()).poll_write_vectored(cx, slices));
        // An interface that is down, or without memory, loses packets as any link does.
        Poll::Ready(written.map(|_| ()).or_else(|e| if is_fatal(&e) { Err(e) } else { Ok(()) }))
    }
}

impl Device for TokioTunDevice {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(self.mtu)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut *self.lock()).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(RxMeta::plain(buf.filled().len())))
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        if packet.offload() == TxOffload::None {
            let mut slices: SmallVec<[IoSlice<'_>; 4]> = SmallVec::new();
            slices.push(IoSlice::new(packet.head()));
            slices.extend(packet.payload().iter().map(|slice| IoSlice::new(slice)));
            return self.poll_write(cx, &slices);
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

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}
