//! How do two stacks in one process talk? The two ends of a wire in memory: bounded, lossless,
//! with the offload that its capabilities promise. No RFC; impairments are the simulator's part.

use super::packet::{TxOffload, TxPacket};
use super::{Capabilities, Device, RxChecksum, RxMeta};
use crate::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

/// Packets that wait in one direction, unless said otherwise.
const DEFAULT_CAPACITY: usize = 256;

/// One end of a wire in memory.
///
/// ```
/// # use std::task::{Context, Poll, Waker};
/// # use tcp_io::device::{Capabilities, Device, MemoryDevice, TxPacket, memory_pair};
/// # let cx = &mut Context::from_waker(Waker::noop());
/// // One end is a stack's; the other one is a test's, which sees what arrives.
/// fn next(wire: &MemoryDevice, cx: &mut Context<'_>) -> Option<Vec<u8>> {
///     let mut buf = vec![0; wire.capabilities().recv_buffer_len()];
///     match wire.poll_recv(cx, &mut buf) {
///         Poll::Ready(Ok(meta)) => Some(buf[meta.offset..meta.offset + meta.len].to_vec()),
///         Poll::Ready(Err(_)) | Poll::Pending => None,
///     }
/// }
///
/// let (here, there) = memory_pair(Capabilities::plain(1500));
/// assert!(here.poll_send(cx, &TxPacket::from_head(&[0x45; 20])).is_ready());
/// assert_eq!(next(&there, cx), Some(vec![0x45; 20]));
/// assert_eq!(next(&there, cx), None);
/// ```
pub struct MemoryDevice {
    capabilities: Capabilities,
    outgoing: Arc<Lane>,
    incoming: Arc<Lane>,
}

/// The two ends of a wire with these capabilities, which holds 256 packets in each direction.
///
/// Without checksum offload packets arrive finished; with it they arrive as they were sent and
/// count as good. Without segmentation offload large packets arrive cut; with it as one. A packet
/// that is larger than the capabilities allow is lost. Dropping one end fails the other: sending
/// at once, receiving after what is under way.
///
/// ```
/// use std::io::ErrorKind;
/// # use std::task::{Context, Poll, Waker};
/// use tcp_io::device::{Capabilities, Device, RxMeta, TxPacket, memory_pair};
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// let (here, there) = memory_pair(Capabilities::plain(100));
/// assert!(here.poll_send(cx, &TxPacket::from_vec(vec![0; 101])).is_ready()); // too long: lost
/// assert!(here.poll_send(cx, &TxPacket::from_vec(vec![0; 40])).is_ready());
/// drop(here);
/// let mut buf = vec![0; there.capabilities().recv_buffer_len()];
/// assert!(matches!(there.poll_recv(cx, &mut buf), Poll::Ready(Ok(meta)) if meta == RxMeta::plain(40)));
/// let Poll::Ready(Err(end)) = there.poll_recv(cx, &mut buf) else { panic!("the end") };
/// assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
/// ```
pub fn memory_pair(capabilities: Capabilities) -> (MemoryDevice, MemoryDevice) {
    memory_pair_bounded(capabilities, DEFAULT_CAPACITY)
}

/// Like [`memory_pair`], with room for `packets` in each direction (at least one). A packet that
/// has to be cut is taken whole whenever there is room for one.
///
/// ```
#[doc = include_str!("../../doc/task.rs")]
/// use tcp_io::device::{Capabilities, Device, TxPacket, memory_pair_bounded};
///
/// let (here, there) = memory_pair_bounded(Capabilities::plain(1500), 1);
/// let packet = TxPacket::from_vec(vec![0; 40]);
/// assert!(here.poll_send(cx, &packet).is_ready());
/// assert!(here.poll_send(cx, &packet).is_pending()); // full
/// assert!(there.poll_recv(cx, &mut [0; 1564]).is_ready());
/// assert_eq!(task.wakes(), 1);
/// assert!(here.poll_send(cx, &packet).is_ready());
/// ```
pub fn memory_pair_bounded(
    capabilities: Capabilities,
    packets: usize,
) -> (MemoryDevice, MemoryDevice) {
    let lane = || Arc::new(Lane { capacity: packets.max(1), state: Mutex::default() });
    let (there, back) = (lane(), lane());
    let end = |outgoing: &Arc<Lane>, incoming: &Arc<Lane>| MemoryDevice {
        capabilities,
        outgoing: outgoing.clone(),
        incoming: incoming.clone(),
    };
    (end(&there, &back), end(&back, &there))
}

/// One direction. Wakers are called after the lock is released.
struct Lane {
    capacity: usize,
    state: Mutex<LaneState>,
}

#[derive(Default)]
struct LaneState {
    packets: VecDeque<TxPacket>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    closed: bool,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        // A panic elsewhere can't leave a queue of packets half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = [state.receiver.take(), state.sender.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl MemoryDevice {
    fn carries(&self, packet: &TxPacket) -> bool {
        let limit = match packet.offload() {
            TxOffload::Segment { .. } => {
                self.capabilities.segmentation_offload.unwrap_or(usize::MAX)
            }
            _ => self.capabilities.mtu,
        };
        packet.len() <= limit
    }

    fn enqueue(&self, queue: &mut VecDeque<TxPacket>, packet: &TxPacket) {
        let Capabilities { checksum_offload, segmentation_offload, .. } = self.capabilities;
        let as_it_is = match packet.offload() {
            TxOffload::None => true,
            TxOffload::Checksum { .. } => checksum_offload,
            TxOffload::Segment { .. } => segmentation_offload.is_some(),
        };
        if as_it_is {
            queue.push_back(packet.clone());
        } else {
            queue.extend(packet.segments().map(TxPacket::from_vec));
        }
    }
}

impl Device for MemoryDevice {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        let mut state = self.incoming.lock();
        let Some(packet) = state.packets.pop_front() else {
            if state.closed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            state.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let sender = state.sender.take();
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
        Poll::Ready(Ok(deliver(&packet, buf)))
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        let mut state = self.outgoing.lock();
        if state.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !self.carries(packet) {
            return Poll::Ready(Ok(()));
        }
        if state.packets.len() >= self.outgoing.capacity {
            state.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.enqueue(&mut state.packets, packet);
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryDevice {
    fn drop(&mut self) {
        self.outgoing.close();
        self.incoming.close();
    }
}

/// Copies a packet out, cutting off what does not fit, as a TUN device does.
fn deliver(packet: &TxPacket, buf: &mut [u8]) -> RxMeta {
    let mut at = 0;
    let slices = std::iter::once(packet.head()).chain(packet.payload().iter().map(|b| &b[..]));
    for slice in slices {
        let len = slice.len().min(buf.len() - at);
        buf[at..at + len].copy_from_slice(&slice[..len]);
        at += len;
    }
    let (checksum, gso_size) = match packet.offload() {
        TxOffload::None => (RxChecksum::Unknown, None),
        TxOffload::Checksum { .. } => (RxChecksum::Good, None),
        TxOffload::Segment { size, header_len, .. } => {
            let large = packet.len() > usize::from(header_len) + usize::from(size);
            (RxChecksum::Good, large.then_some(size))
        }
    };
    RxMeta { checksum, gso_size, ..RxMeta::plain(at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::future::poll_fn;

    async fn send(device: &MemoryDevice, packet: &TxPacket) -> io::Result<()> {
        poll_fn(|cx| device.poll_send(cx, packet)).await
    }

    async fn recv(device: &MemoryDevice) -> io::Result<(RxMeta, Vec<u8>)> {
        let mut buf = vec![0; device.capabilities().recv_buffer_len()];
        let meta = poll_fn(|cx| device.poll_recv(cx, &mut buf)).await?;
        Ok((meta, buf[meta.offset..meta.offset + meta.len].to_vec()))
    }

    fn large() -> TxPacket {
        let mut packet = TxPacket::with_head(40, |head| (head[0], head[32]) = (0x45, 0x50));
        packet.push_payload(Bytes::from_static(&[7; 2500]));
        let (start, offset, size) = (20, 16, 1000);
        packet.with_offload(TxOffload::Segment { start, offset, size, ipv6: false, header_len: 40 })
    }

    #[tokio::test]
    async fn packets_cross_in_order_both_ways() {
        let (a, b) = memory_pair(Capabilities::plain(1500));
        for i in 0..3 {
            send(&a, &TxPacket::from_head(&[i; 30])).await.unwrap();
            send(&b, &TxPacket::from_vec(vec![i + 10; 300])).await.unwrap();
        }
        for i in 0..3 {
            assert_eq!(recv(&b).await.unwrap(), (RxMeta::plain(30), vec![i; 30]));
            assert_eq!(recv(&a).await.unwrap().1, vec![i + 10; 300]);
        }
    }

    #[tokio::test]
    async fn a_full_wire_waits_and_wakes() {
        let (a, b) = memory_pair_bounded(Capabilities::plain(1500), 2);
        let sender = async {
            for i in 0..100u8 {
                send(&a, &TxPacket::from_head(&[i])).await.unwrap();
                assert!(a.outgoing.lock().packets.len() <= 2);
            }
        };
        let receiver = async {
            for i in 0..100u8 {
                assert_eq!(recv(&b).await.unwrap().1, [i]);
            }
        };
        tokio::join!(sender, receiver);
    }

    #[tokio::test]
    async fn a_dropped_end_is_the_end_after_what_is_under_way() {
        let (a, b) = memory_pair(Capabilities::plain(1500));
        send(&a, &TxPacket::from_head(&[1])).await.unwrap();
        drop(a);
        assert_eq!(recv(&b).await.unwrap().1, [1]);
        assert_eq!(recv(&b).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let sent = send(&b, &TxPacket::from_head(&[2])).await;
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn offload_is_carried_or_done_in_software() {
        let (a, b) = memory_pair(Capabilities::offloading(1500));
        send(&a, &large()).await.unwrap();
        let (meta, packet) = recv(&b).await.unwrap();
        assert_eq!((meta.checksum, meta.gso_size), (RxChecksum::Good, Some(1000)));
        assert_eq!(packet.len(), 2540);

        let (a, b) = memory_pair(Capabilities::plain(1500));
        send(&a, &large()).await.unwrap();
        for len in [1040, 1040, 540] {
            let (meta, packet) = recv(&b).await.unwrap();
            assert_eq!((meta, packet.len()), (RxMeta::plain(len), len));
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_lost() {
        let (a, b) = memory_pair(Capabilities::plain(100));
        send(&a, &TxPacket::from_vec(vec![1; 101])).await.unwrap();
        send(&a, &TxPacket::from_vec(vec![2; 100])).await.unwrap();
        assert_eq!(recv(&b).await.unwrap().1, vec![2; 100]);
    }
}
