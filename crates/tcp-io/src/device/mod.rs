//! How do packets enter and leave? The device trait and what it says about a received packet.
//! Packets to send are in `packet`; each kind of device has its own file. No RFC: offload fields
//! follow the virtio specification 5.1.6, which Linux uses for TUN devices.
//!
//! | Device | File |
//! |---|---|
//! | Linux TUN with offload (the default) | `tun`, opened by `tun_builder` |
//! | a `tokio_tun::Tun` opened by the caller, plain | `tokio_tun` |
//! | two ends of a wire in memory | `memory` |
//! | any `Stream` and `Sink` of packets | `stream_sink` |
//! | another device whose packets are captured | `tap`, written by `capture` |

use std::io;
use std::task::{Context, Poll};

#[cfg(feature = "pcapng")]
mod capture;
mod gso;
mod memory;
mod packet;
mod stream_sink;
#[cfg(feature = "pcapng")]
mod tap;

#[cfg(all(any(feature = "tun", feature = "tokio-tun"), target_os = "linux"))]
mod errors;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod netlink;
#[cfg(all(feature = "tokio-tun", target_os = "linux"))]
mod tokio_tun;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod tun;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod tun_builder;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod tun_error;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod vnet;

#[cfg(feature = "pcapng")]
pub use capture::{Capture, CaptureGoes, CaptureOptions, Direction, Seen};
pub use gso::Segments;
pub use memory::{MemoryDevice, memory_pair, memory_pair_bounded};
pub use packet::{TxOffload, TxPacket};
pub use stream_sink::StreamSink;
#[cfg(feature = "pcapng")]
pub use tap::{CaptureEnd, CaptureHandle, CaptureStats, Tap};
#[cfg(all(feature = "tokio-tun", target_os = "linux"))]
pub use tokio_tun::TokioTunDevice;
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use tun::{Framing, TunDevice};
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use tun_builder::{Offload, TunBuilder};
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use tun_error::TunError;

/// Octets that a device may put in front of a received packet, rounded up for alignment.
const RECV_HEADROOM: usize = 64;

/// What a device can carry. It does not change while the device is open.
///
/// ```
/// use tcp_io::device::Capabilities;
///
/// let plain = Capabilities::plain(1280);
/// assert_eq!((plain.checksum_offload, plain.segmentation_offload), (false, None));
/// assert_eq!(plain.recv_buffer_len(), 1280 + 64); // what a device puts in front has room, too
///
/// // What is received may have been joined below: the buffer is for the largest packet.
/// let offloading = Capabilities::offloading(1500);
/// assert_eq!(offloading.segmentation_offload, Some(65_535));
/// assert_eq!(offloading.recv_buffer_len(), 65_535 + 40 + 64);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The largest IP packet, in octets, that is sent without segmentation offload.
    pub mtu: usize,
    /// Whether packets may be sent with an unfinished TCP or UDP checksum
    /// ([`TxOffload::Checksum`]),
    /// and whether received ones may have one (then they are [`RxChecksum::Good`]).
    pub checksum_offload: bool,
    /// The largest packet, in octets with its IP header, that the device cuts into segments
    /// ([`TxOffload::Segment`]), for example 65535; `None` if it cuts nothing.
    pub segmentation_offload: Option<usize>,
}

impl Capabilities {
    /// A device that carries whole, finished packets.
    pub const fn plain(mtu: usize) -> Capabilities {
        Capabilities { mtu, checksum_offload: false, segmentation_offload: None }
    }

    /// A device that finishes checksums and cuts packets of up to 65535 octets.
    pub const fn offloading(mtu: usize) -> Capabilities {
        Capabilities { mtu, checksum_offload: true, segmentation_offload: Some(65_535) }
    }

    /// Octets that the buffer of [`Device::poll_recv`] needs so that no packet is cut short.
    pub const fn recv_buffer_len(&self) -> usize {
        let largest = match self.segmentation_offload {
            // The payload length of IPv6 does not count its own header.
            Some(len) if len + 40 > self.mtu => len + 40,
            _ => self.mtu,
        };
        largest + RECV_HEADROOM
    }
}

/// What is known of a received packet's transport checksum.
///
/// ```
#[doc = include_str!("../../doc/two_stacks.rs")]
/// client.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// let mut syn = client.poll_transmit(now).unwrap().to_vec();
/// syn[36] ^= 1; // one bit of the checksum
/// server.receive(now, &syn, RxChecksum::Unknown, None);
/// assert_eq!(server.half_open_count(), 0);
/// // Of packets that never leave the machine nobody finishes the checksum.
/// server.receive(now, &syn, RxChecksum::Good, None);
/// assert_eq!(server.half_open_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RxChecksum {
    /// Nothing: it must be verified.
    Unknown,
    /// Verified below, or left unfinished by a sender on this machine: it must not be verified.
    Good,
}

/// Where a received packet lies in the buffer, and what the device knows of it.
///
/// ```
/// use tcp_io::device::{RxChecksum, RxMeta};
///
/// // A device that puts ten octets of its own in front, and has joined segments.
/// let checksum = RxChecksum::Good;
/// let meta = RxMeta { offset: 10, len: 2940, checksum, gso_size: Some(1448) };
/// let buf = [0; 4096];
/// let packet = &buf[meta.offset..meta.offset + meta.len];
/// assert_eq!(packet.len(), 2940);
///
/// let plain = RxMeta::plain(40);
/// assert_eq!((plain.offset, plain.checksum, plain.gso_size), (0, RxChecksum::Unknown, None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RxMeta {
    /// The IP packet is `buf[offset..offset + len]`.
    pub offset: usize,
    /// Octets of the IP packet. A device hands out what it was given: zero is possible.
    pub len: usize,
    /// What is known of the transport checksum.
    pub checksum: RxChecksum,
    /// The packet holds several segments, joined below, each with this many octets of payload
    /// (the last may have fewer). TCP or, on some devices, UDP.
    pub gso_size: Option<u16>,
}

impl RxMeta {
    /// A packet at the start of the buffer of which nothing is known.
    pub const fn plain(len: usize) -> RxMeta {
        RxMeta { offset: 0, len, checksum: RxChecksum::Unknown, gso_size: None }
    }
}

/// A packet device: whole IP packets in, whole IP packets out.
///
/// Methods take `&self` so that one task may read while another writes. There must be no more
/// than one of each: a device remembers one waker for either direction, the latest.
///
/// A device is lossy, as IP is: a packet that it cannot take (interface down, no memory, too
/// long) is gone without an error. An error means that the device is of no use any more.
///
/// A device around another one, which loses every second packet that is sent:
///
/// ```
/// use std::io;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::task::{Context, Poll, Waker};
/// use tcp_io::device::{Capabilities, Device, RxMeta, TxPacket, memory_pair};
///
/// struct Lossy<D>(D, AtomicUsize);
///
/// impl<D: Device + Sync> Device for Lossy<D> {
///     fn capabilities(&self) -> Capabilities {
///         self.0.capabilities()
///     }
///     fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
///         self.0.poll_recv(cx, buf)
///     }
///     fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
///         if self.1.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
///             return Poll::Ready(Ok(())); // gone, without an error
///         }
///         self.0.poll_send(cx, packet)
///     }
///     fn name(&self) -> Option<String> {
///         Some("lossy".to_owned())
///     }
/// }
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// let (here, there) = memory_pair(Capabilities::plain(1500));
/// let device = Lossy(here, AtomicUsize::new(0));
/// for n in 0..4 {
///     assert!(device.poll_send(cx, &TxPacket::from_vec(vec![n; 20])).is_ready());
/// }
/// let mut buf = vec![0; there.capabilities().recv_buffer_len()];
/// let mut firsts = Vec::new();
/// while let Poll::Ready(Ok(meta)) = there.poll_recv(cx, &mut buf) {
///     firsts.push(buf[meta.offset]);
/// }
/// assert_eq!(firsts, [0, 2]);
/// assert_eq!(device.name().as_deref(), Some("lossy"));
/// ```
pub trait Device: Send + 'static {
    /// What the device carries.
    fn capabilities(&self) -> Capabilities;

    /// Receives one packet into `buf`, which should have
    /// [`recv_buffer_len`](Capabilities::recv_buffer_len) octets; what does not fit is cut off.
    ///
    /// # Errors
    ///
    /// The device was closed or removed; it will deliver nothing more.
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>>;

    /// Sends one packet. `Pending` means that nothing was taken and the same packet, or another,
    /// may be offered after the wake-up.
    ///
    /// # Errors
    ///
    /// The device was closed or removed; it will take nothing more.
    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>>;

    /// What the operating system calls the device, if anything.
    fn name(&self) -> Option<String> {
        None
    }
}
