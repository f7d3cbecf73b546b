//! How does any pipe of packets serve as a device? An adapter for a `Stream` and `Sink` of whole
//! IP packets: a tunnel, a framed connection, two channels. No RFC; no offload.

use super::packet::TxPacket;
use super::{Capabilities, Device, RxMeta};
use bytes::Bytes;
use futures::{Sink, Stream};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// A pipe of packets as a [`Device`]. The stream's end and any error of the pipe end the device.
///
/// A packet counts as sent once the sink has it; flushing goes on behind it, driven by whoever
/// polls the device next, sender or receiver.
///
/// ```
#[doc = include_str!("../../doc/pipe.rs")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (tunnel, mut peer) = Tunnel::new();
/// use std::future::poll_fn;
/// use tcp_io::device::{Device, RxMeta, StreamSink, TxPacket};
///
/// let device = StreamSink::new(tunnel, 1400); // a stream and a sink of packets
/// assert_eq!(device.capabilities().mtu, 1400);
/// poll_fn(|cx| device.poll_send(cx, &TxPacket::from_vec(vec![0x45; 20]))).await?;
/// assert_eq!(peer.receive().await[..], [0x45; 20]);
/// peer.send(vec![0x46; 24]).await;
/// let mut buf = vec![0; device.capabilities().recv_buffer_len()];
/// assert_eq!(poll_fn(|cx| device.poll_recv(cx, &mut buf)).await?, RxMeta::plain(24));
/// # Ok(())
/// # }
/// ```
pub struct StreamSink<P> {
    mtu: usize,
    state: Mutex<State<P>>,
}

struct State<P> {
    pipe: Pin<Box<P>>,
    /// What the sink did not take yet of the last packet (more than one if it was cut).
    backlog: VecDeque<Bytes>,
    unflushed: bool,
    /// The sender, while it waits; the receiver's polling may have taken its place in the sink.
    sender: Option<Waker>,
}

impl<P, E> StreamSink<P>
where
    P: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = E> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    /// A device over `pipe`, whose packets have at most `mtu` octets.
    pub fn new(pipe: P, mtu: usize) -> StreamSink<P> {
        let state = State {
            pipe: Box::pin(pipe),
            backlog: VecDeque::new(),
            unflushed: false,
            sender: None,
        };
        StreamSink { mtu, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P, E> State<P>
where
    P: Sink<Bytes, Error = E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    /// Hands the backlog to the sink.
    fn poll_backlog(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.backlog.is_empty() {
            ready!(self.pipe.as_mut().poll_ready(cx)).map_err(io::Error::other)?;
            if let Some(packet) = self.backlog.pop_front() {
                self.pipe.as_mut().start_send(packet).map_err(io::Error::other)?;
                self.unflushed = true;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the backlog to the sink and flushes it.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_backlog(cx))?;
        if self.unflushed {
            ready!(self.pipe.as_mut().poll_flush(cx)).map_err(io::Error::other)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<P, E> Device for StreamSink<P>
where
    P: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = E> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(self.mtu)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        let mut state = self.lock();
        let mut drained = Ok(());
        let mut sender = None;
        if state.unflushed || !state.backlog.is_empty() {
            if let Poll::Ready(Err(error)) = state.poll_drain(cx) {
                drained = Err(error);
            }
            if state.backlog.is_empty() || drained.is_err() {
                sender = state.sender.take();
            }
        }
        let received = match drained {
            Ok(()) => state.pipe.as_mut().poll_next(cx),
            Err(error) => Poll::Ready(Some(Err(error))),
        };
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
        let packet = match ready!(received) {
            Some(packet) => packet?,
            None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        };
        let len = packet.len().min(buf.len());
        buf[..len].copy_from_slice(&packet[..len]);
        Poll::Ready(Ok(RxMeta::plain(len)))
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        if state.poll_backlog(cx)?.is_pending() {
            state.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Asked before the packet is made, so that a full sink costs no copy.
        if state.pipe.as_mut().poll_ready(cx).map_err(io::Error::other)?.is_pending() {
            state.sender = Some(cx.waker().clone());
            // A sink that is full may wait for a flush, which is the caller's to drive.
            let _ = state.poll_drain(cx)?;
            return Poll::Pending;
        }
        state.backlog.extend(packet.segments().map(Bytes::from));
        // What stays behind goes out with the next poll of either direction.
        let _ = state.poll_drain(cx)?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::TxOffload;
    use futures::channel::mpsc;
    use pin_project::pin_project;
    use std::future::poll_fn;
    use std::sync::Arc;

    /// Two channels as one pipe.
    #[pin_project]
    struct Pipe {
        #[pin]
        input: mpsc::Receiver<io::Result<Bytes>>,
        #[pin]
        output: mpsc::Sender<Bytes>,
    }

    impl Stream for Pipe {
        type Item = io::Result<Bytes>;
        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.project().input.poll_next(cx)
        }
    }

    impl Sink<Bytes> for Pipe {
        type Error = mpsc::SendError;
        fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.project().output.poll_ready(cx)
        }
        fn start_send(self: Pin<&mut Self>, item: Bytes) -> Result<(), Self::Error> {
            self.project().output.start_send(item)
        }
        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.project().output.poll_flush(cx)
        }
        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.project().output.poll_close(cx)
        }
    }

    type Far = (mpsc::Sender<io::Result<Bytes>>, mpsc::Receiver<Bytes>);

    fn device() -> (StreamSink<Pipe>, Far) {
        let (to_us, input) = mpsc::channel(4);
        let (output, from_us) = mpsc::channel(1);
        (StreamSink::new(Pipe { input, output }, 1280), (to_us, from_us))
    }

    async fn recv(device: &StreamSink<Pipe>) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; device.capabilities().recv_buffer_len()];
        let meta = poll_fn(|cx| device.poll_recv(cx, &mut buf)).await?;
        Ok(buf[meta.offset..meta.offset + meta.len].to_vec())
    }

    #[tokio::test]
    async fn packets_pass_both_ways_under_back_pressure() {
        use futures::{SinkExt, StreamExt};
        let (device, (mut to_us, mut from_us)) = device();
        let device = Arc::new(device);
        // Tasks of their own, so that each direction has its own waker.
        let sending = device.clone();
        let sender = tokio::spawn(async move {
            for i in 0..50u8 {
                let packet = TxPacket::from_head(&[i; 20]);
                poll_fn(|cx| sending.poll_send(cx, &packet)).await.unwrap();
            }
        });
        let receiver = tokio::spawn(async move {
            for i in 0..50u8 {
                assert_eq!(recv(&device).await.unwrap(), [i; 10]);
            }
        });
        for i in 0..50u8 {
            to_us.send(Ok(Bytes::from(vec![i; 10]))).await.unwrap();
            assert_eq!(from_us.next().await.unwrap()[..], [i; 20]);
        }
        sender.await.unwrap();
        receiver.await.unwrap();
    }

    #[tokio::test]
    async fn large_packets_are_cut_and_none_is_left_behind() {
        use futures::StreamExt;
        let (device, (_to_us, mut from_us)) = device();
        let mut packet = TxPacket::with_head(40, |head| head[0] = 0x45);
        packet.push_payload(Bytes::from_static(&[1; 9500]));
        let (start, offset, size) = (20, 16, 1000);
        let offload = TxOffload::Segment { start, offset, size, ipv6: false, header_len: 40 };
        let packet = packet.with_offload(offload);
        poll_fn(|cx| device.poll_send(cx, &packet)).await.unwrap();
        // The rest is driven by a receiver that gets nothing itself.
        let far = async {
            for _ in 0..10 {
                from_us.next().await.unwrap();
            }
        };
        tokio::select! {
            _ = recv(&device) => unreachable!("nothing was sent to it"),
            () = far => {}
        }
    }

    #[tokio::test]
    async fn the_end_of_the_stream_and_errors_end_the_device() {
        use futures::SinkExt;
        let (device, (mut to_us, from_us)) = device();
        to_us.send(Err(io::ErrorKind::ConnectionReset.into())).await.unwrap();
        drop((to_us, from_us));
        assert_eq!(recv(&device).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(recv(&device).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let packet = TxPacket::from_head(&[0; 20]);
        assert!(poll_fn(|cx| device.poll_send(cx, &packet)).await.is_err());
    }
}
