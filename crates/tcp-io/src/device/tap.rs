//! What goes through a device? A wrapper that hands every packet, in both directions, to a capture
//! which a thread of its own writes. The traffic never waits for the capture: what does not fit
//! into a bounded queue is left out and counted, and an error ends the capture alone.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::capture::{Capture, CaptureGoes, CaptureOptions, Direction, Seen};
use super::packet::{TxOffload, TxPacket};
use super::{Capabilities, Device, RxMeta};

/// A device whose packets are captured.
///
/// Super-segments stay as the device gets or gives them; the flags of a packet tell of them and of
/// an unfinished checksum, so that a reader does not take it for a wrong one. A packet is captured
/// once the device has taken it. Dropping the tap ends the capture: what is queued is still
/// written, by a thread for which [`CaptureHandle::finish`] waits.
///
/// ```
/// # use std::task::{Context, Waker};
/// use std::time::Duration;
/// use tcp_io::device::{Capabilities, CaptureOptions, Device, Tap, TxPacket, memory_pair};
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// let (device, _peer) = memory_pair(Capabilities::plain(1500));
/// // In earnest a `File` in place of the sink, and a reactor that gets the tap.
/// let tap = Tap::new(device, std::io::sink(), CaptureOptions::default())?;
/// let capture = tap.handle();
/// assert!(tap.poll_send(cx, &TxPacket::from_vec(vec![0x45; 40])).is_ready());
/// drop(tap);
/// let stats = capture.finish(Duration::from_secs(60));
/// assert_eq!((stats.packets, stats.left_out), (1, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Tap<D> {
    device: D,
    queue: Arc<Queue>,
    options: CaptureOptions,
}

/// What became of a capture; outlives its device.
///
/// ```
/// # use std::task::{Context, Waker};
/// use std::time::Duration;
/// use tcp_io::device::{Capabilities, CaptureEnd, CaptureOptions, Device, Tap, TxPacket, memory_pair};
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// # let (device, _peer) = memory_pair(Capabilities::plain(1500));
/// let tap = Tap::new(device, std::io::sink(), CaptureOptions::default())?;
/// let capture = tap.handle();
/// assert_eq!((capture.stats().packets, capture.stats().end), (0, None));
/// capture.stop();
/// assert!(tap.poll_send(cx, &TxPacket::from_vec(vec![0x45; 40])).is_ready()); // not captured
/// let stats = capture.finish(Duration::from_secs(60));
/// assert_eq!((stats.packets, stats.end), (0, Some(CaptureEnd::Told)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CaptureHandle(Arc<Queue>);

/// Counts of a capture.
///
/// ```
/// # use std::task::{Context, Waker};
/// # use std::time::Duration;
/// use tcp_io::device::{Capabilities, CaptureOptions, CaptureStats, Device, Tap, TxPacket, memory_pair};
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// # let (device, _peer) = memory_pair(Capabilities::plain(1500));
/// let options = CaptureOptions { queue_octets: 1000, ..Default::default() };
/// let tap = Tap::new(device, std::io::sink(), options)?;
/// assert!(tap.poll_send(cx, &TxPacket::from_vec(vec![0x45; 1500])).is_ready());
/// let CaptureStats { packets, left_out, .. } = tap.handle().finish(Duration::from_secs(60));
/// assert_eq!((packets, left_out), (0, 1)); // larger than the whole queue
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CaptureStats {
    /// Packets written.
    pub packets: u64,
    /// Octets written to the file, or to its buffer.
    pub octets: u64,
    /// Packets left out since the queue was full.
    pub left_out: u64,
    /// How it ended, if it has.
    pub end: Option<CaptureEnd>,
}

/// How a capture ended.
///
/// ```
/// # use std::task::{Context, Waker};
/// # use std::time::Duration;
/// use tcp_io::device::{Capabilities, CaptureEnd, CaptureOptions, Device, Tap, TxPacket, memory_pair};
///
/// # let cx = &mut Context::from_waker(Waker::noop());
/// # let (device, _peer) = memory_pair(Capabilities::plain(1500));
/// let options = CaptureOptions { max_packets: Some(1), ..Default::default() };
/// let tap = Tap::new(device, std::io::sink(), options)?;
/// for _ in 0..2 {
///     assert!(tap.poll_send(cx, &TxPacket::from_vec(vec![0x45; 40])).is_ready());
/// }
/// assert_eq!(tap.handle().finish(Duration::from_secs(60)).end, Some(CaptureEnd::Full));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaptureEnd {
    /// It was told to, or its device is gone.
    Told,
    /// A limit of [`CaptureOptions`] was reached.
    Full,
    /// Writing failed.
    Failed(io::ErrorKind),
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    /// Something is queued, or the capture is to end.
    work: Condvar,
    /// The capture has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    packets: VecDeque<(Seen, Vec<u8>)>,
    octets: usize,
    closing: bool,
    stats: CaptureStats,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }

    fn end(&self, how: CaptureEnd) {
        let mut state = self.lock();
        state.closing = true;
        state.packets = VecDeque::new();
        state.stats.end = Some(how);
        drop(state);
        self.ended.notify_all();
    }
}

impl<D: Device> Tap<D> {
    /// Captures what goes through `device` into `writer`.
    ///
    /// # Errors
    /// If the beginning of the capture cannot be written, or no thread can be had.
    pub fn new(
        device: D,
        writer: impl Write + Send + 'static,
        options: CaptureOptions,
    ) -> io::Result<Tap<D>> {
        let name = device.name().unwrap_or_else(|| "packets".to_owned());
        let mut capture = Capture::new(BufWriter::new(writer), &name, options)?;
        capture.flush()?;
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        });
        let written = queue.clone();
        thread::Builder::new().name("capture".to_owned()).spawn(move || {
            let end = write_all(&written, &mut capture);
            if let CaptureEnd::Failed(kind) = end {
                tracing::warn!(%kind, "the capture has ended; the traffic goes on");
            }
            written.end(end);
        })?;
        Ok(Tap { device, queue, options })
    }

    /// For looking at the capture while the tap belongs to a reactor.
    pub fn handle(&self) -> CaptureHandle {
        CaptureHandle(self.queue.clone())
    }

    /// Queues a packet, if there is room: `copy` appends at most as many octets as it is told.
    fn capture(&self, mut seen: Seen, copy: impl FnOnce(&mut Vec<u8>, usize)) {
        let kept = seen.original_len.min(self.options.snap_length as usize);
        {
            let mut state = self.queue.lock();
            if state.closing {
                return;
            }
            if state.octets + kept > self.options.queue_octets {
                state.stats.left_out += 1;
                return;
            }
            state.octets += kept;
        }
        let mut octets = Vec::with_capacity(kept);
        copy(&mut octets, kept);
        seen.at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.queue.lock().packets.push_back((seen, octets));
        self.queue.work.notify_one();
    }

    fn received(&self, meta: &RxMeta, buf: &[u8]) {
        let packet = buf.get(meta.offset..meta.offset + meta.len).unwrap_or_default();
        let seen = Seen {
            several_segments: meta.gso_size.is_some(),
            ..Seen::plain(Duration::ZERO, Direction::In, packet.len())
        };
        self.capture(seen, |to, kept| to.extend_from_slice(&packet[..kept]));
    }

    fn sent(&self, packet: &TxPacket) {
        let seen = Seen {
            unfinished_checksum: packet.offload() != TxOffload::None,
            several_segments: matches!(packet.offload(), TxOffload::Segment { .. }),
            ..Seen::plain(Duration::ZERO, Direction::Out, packet.len())
        };
        self.capture(seen, |to, kept| {
            for part in std::iter::once(packet.head()).chain(packet.payload().iter().map(|p| &**p))
            {
                to.extend_from_slice(&part[..part.len().min(kept - to.len())]);
            }
        });
    }
}

/// Writes what is queued until the capture ends. The file is up to date whenever the queue is
/// empty.
fn write_all<W: Write>(queue: &Queue, capture: &mut Capture<W>) -> CaptureEnd {
    match write_queued(queue, capture) {
        Ok(end) => match capture.flush() {
            Ok(()) => end,
            Err(e) => CaptureEnd::Failed(e.kind()),
        },
        Err(e) => CaptureEnd::Failed(e.kind()),
    }
}

fn write_queued<W: Write>(queue: &Queue, capture: &mut Capture<W>) -> io::Result<CaptureEnd> {
    loop {
        let mut state = queue.lock();
        state.stats.packets = capture.packets();
        state.stats.octets = capture.octets();
        let Some((seen, octets)) = state.packets.pop_front() else {
            if state.closing {
                return Ok(CaptureEnd::Told);
            }
            drop(state);
            capture.flush()?;
            let state = queue.lock();
            if state.packets.is_empty() && !state.closing {
                drop(queue.work.wait(state));
            }
            continue;
        };
        state.octets -= octets.len();
        drop(state);
        if capture.packet(&seen, &octets)? == CaptureGoes::NoFurther {
            return Ok(CaptureEnd::Full);
        }
    }
}

impl<D: Device> Device for Tap<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        let polled = self.device.poll_recv(cx, buf);
        if let Poll::Ready(Ok(meta)) = &polled {
            self.received(meta, buf);
        }
        polled
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        let polled = self.device.poll_send(cx, packet);
        if let Poll::Ready(Ok(())) = &polled {
            self.sent(packet);
        }
        polled
    }

    fn name(&self) -> Option<String> {
        self.device.name()
    }
}

impl<D> Drop for Tap<D> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl CaptureHandle {
    /// What has been captured so far.
    pub fn stats(&self) -> CaptureStats {
        self.0.lock().stats
    }

    /// Ends the capture; the traffic goes on.
    pub fn stop(&self) {
        self.0.close();
    }

    /// Ends the capture and waits, at most for `patience`, until it is written. Blocks the thread:
    /// for the end of a program.
    pub fn finish(&self, patience: Duration) -> CaptureStats {
        self.stop();
        let until = Instant::now() + patience;
        let mut state = self.0.lock();
        while state.stats.end.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.stats
    }
}

#[cfg(test)]
mod tests;
