//! Who drives the stack? One task between a device and the stack: reads a bounded batch, lets time
//! pass, writes what the stack has to say, and sleeps until a packet, a deadline or a task's call.

mod clock;
mod handle;
mod intake;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tcp_core::Instant;
use tokio::time::Sleep;

use self::clock::Clock;
pub use self::handle::{Handle, Phase};
use self::intake::Intake;
use crate::device::{Device, TxPacket};
use crate::stack::Stack;

#[cfg(test)]
mod tests;

/// Packets read in one turn, before the stack plans, acknowledges and wakes. Without receive
/// offload the number of ACKs decides the speed, and one turn makes one (docs/decisions).
const READS: usize = 512;
/// Octets after which a turn stops reading: 32 super-segments, so that eight connections are
/// acknowledged once for four of theirs (docs/decisions/0005).
const READ_OCTETS: usize = 32 << 16;
/// Packets planned under one hold of the stack's lock.
const BATCH: usize = 16;
/// Batches written in one turn, so that a fast sender does not starve the other tasks.
const BATCHES: usize = 4;
/// Answers (SYN-ACKs, resets, ICMP) for which a turn reads: half of what it writes. What a flood
/// asks for is sent before more is read, so that none of it pushes an honest peer's answer out of
/// the queue, and the other half is for connections (docs/decisions/0023).
const ANSWERS: usize = BATCH * BATCHES / 2;

/// The task that drives a stack over a device. A future; spawn it on a tokio runtime with time
/// (and I/O, if the device needs it) enabled. It ends after
/// [`Handle::begin_shutdown`], or with the device's error.
///
/// The [crate's documentation](crate) shows two of them, with a connection.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::Instant;
/// use tcp_io::device::{Capabilities, memory_pair};
/// use tcp_io::reactor::Reactor;
/// use tcp_io::{Stack, StackConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
/// let stack = Stack::new(Instant::ZERO, config, [1; 32]);
/// let (device, peer) = memory_pair(Capabilities::plain(1500));
/// let (reactor, _handle) = Reactor::new(stack, device, Duration::from_secs(1));
/// let reactor = tokio::spawn(reactor);
/// drop(peer); // the device fails, and the reactor ends with its error
/// assert_eq!(reactor.await?.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the stack does nothing unless its reactor is spawned"]
pub struct Reactor<D: Device> {
    handle: Handle,
    device: D,
    intake: Intake,
    /// Planned and not yet taken by the device; the next one is at the end.
    outgoing: Vec<TxPacket>,
    /// Answers that waited in the stack when it was last looked at.
    answers: usize,
    sleep: Pin<Box<Sleep>>,
    sleep_until: Option<Instant>,
    grace: Duration,
    closing: Option<Instant>,
}

impl<D: Device> Reactor<D> {
    /// Puts a stack on a device. `grace` is how long connections may take to close once the
    /// runtime is told to end. Must be called within a tokio runtime.
    ///
    /// The stack's clock starts at zero with this call; it is tokio's, so that a runtime with a
    /// paused clock tests the stack in virtual time.
    pub fn new(stack: Stack, device: D, grace: Duration) -> (Reactor<D>, Handle) {
        Reactor::with_clock(stack, device, grace, Clock::Runtime(tokio::time::Instant::now()))
    }

    /// As [`new`](Self::new), with the machine's clock: for a stack that tasks of several
    /// runtimes use. Its own runtime's clock must not be paused.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tcp_core::Instant;
    /// use tcp_io::device::{Capabilities, memory_pair};
    /// use tcp_io::reactor::Reactor;
    /// use tcp_io::{Stack, StackConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::new(Instant::ZERO, StackConfig::default(), [1; 32]);
    /// let (device, _peer) = memory_pair(Capabilities::plain(1500));
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// let handle = runtime.block_on(async {
    ///     let (reactor, handle) = Reactor::on_machine_time(stack, device, Duration::ZERO);
    ///     handle.begin_shutdown();
    ///     reactor.await.map(|()| handle)
    /// })?;
    /// // The handle is good in every runtime, or in none.
    /// let before = handle.now();
    /// assert!(before <= handle.now());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_machine_time(stack: Stack, device: D, grace: Duration) -> (Reactor<D>, Handle) {
        Reactor::with_clock(stack, device, grace, Clock::Machine(std::time::Instant::now()))
    }

    fn with_clock(stack: Stack, device: D, grace: Duration, clock: Clock) -> (Reactor<D>, Handle) {
        let handle = Handle::new(stack, clock, device.name());
        let reactor = Reactor {
            handle: handle.clone(),
            intake: Intake::new(device.capabilities().recv_buffer_len()),
            device,
            outgoing: Vec::with_capacity(BATCH),
            answers: 0,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            sleep_until: None,
            grace,
            closing: None,
        };
        (reactor, handle)
    }

    /// One turn; returns whether another one would find something to do.
    fn turn(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        // A device that takes nothing does not stop the reading: two stacks would wait for each
        // other. Answers that find no room are dropped then, and counted.
        let answers = if self.flush(cx)? { ANSWERS } else { usize::MAX };
        let more_to_read = self.read_batch(cx, answers)?;
        let now = self.handle.now();
        {
            let mut stack = self.handle.lock();
            stack.on_deadline(now);
        }
        let more_to_write = self.write_batches(cx, now)?;
        Ok(more_to_read || more_to_write)
    }

    /// MUST-59: everything that has arrived is processed before any ACK is made. Stops at so many
    /// `answers`.
    fn read_batch(&mut self, cx: &mut Context<'_>, answers: usize) -> io::Result<bool> {
        let (mut packets, mut octets) = (0, 0);
        while packets < READS && octets < READ_OCTETS && self.answers < answers {
            let most = (READS - packets).min(answers - self.answers);
            // By the contract of `Device`, an error means that it is dead.
            let more = self.intake.fill(&self.device, cx, most);
            if self.intake.len() > 0 {
                packets += self.intake.len();
                let now = self.handle.now();
                let mut stack = self.handle.lock();
                octets += self.intake.drain(|packet, meta| {
                    stack.receive(now, packet, meta.checksum, meta.gso_size);
                });
                self.answers = stack.answers_waiting();
            }
            if !more? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether something is left that could be written at once.
    fn write_batches(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<bool> {
        for _ in 0..BATCHES {
            if self.outgoing.is_empty() {
                let out = &mut self.outgoing;
                let mut stack = self.handle.lock();
                stack.transmit(now, &mut |p| {
                    out.push(p);
                    out.len() < BATCH
                });
                self.answers = stack.answers_waiting();
                out.reverse();
            }
            if self.outgoing.is_empty() {
                return Ok(false);
            }
            // What has arrived or ended is told now: the device may wait for a task of ours.
            if !self.flush(cx)? {
                self.handle.lock().notify_tasks();
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what is planned; `false`: the device is full. It wakes us, and tasks see full send
    /// buffers.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while let Some(p) = self.outgoing.last() {
            match self.device.poll_send(cx, p) {
                Poll::Pending => return Ok(false),
                Poll::Ready(sent) => sent?,
            }
            self.outgoing.pop();
        }
        Ok(true)
    }

    /// Arms the sleep for the next deadline; returns whether it has passed already.
    fn sleep(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.handle.lock().next_deadline();
        let closing = self.closing.map(|at| at + self.grace);
        let Some(at) = deadline.into_iter().chain(closing).min() else { return false };
        // An earlier sleep wakes us for nothing now and then; resetting it for every packet
        // would cost more.
        let armed = self.sleep_until.is_some_and(|s| s <= at) && !self.sleep.is_elapsed();
        if !armed {
            self.sleep.as_mut().reset(self.handle.sleep_until(at));
            self.sleep_until = Some(at);
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }

    /// Once told to end: closes everything, then waits for the grace time.
    fn is_over(&mut self) -> bool {
        if self.handle.phase() == Phase::Running {
            return false;
        }
        let now = self.handle.now();
        let started = *self.closing.get_or_insert_with(|| {
            self.handle.lock().close_all(now);
            now
        });
        let idle = {
            let stack = self.handle.lock();
            stack.connection_count() == 0 && !stack.has_work()
        };
        (idle && self.outgoing.is_empty()) || now.since(started) >= self.grace
    }

    /// What is left is reset; the device gets one chance to take the resets.
    fn finish(&mut self, cx: &mut Context<'_>) {
        self.handle.lock().abort_all();
        let now = self.handle.now();
        // A device that is full loses what is left; its peer finds out by itself.
        while let Ok(true) = self.write_batches(cx, now) {}
    }
}

impl<D: Device + Unpin> Future for Reactor<D> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.handle.register(cx.waker());
        let more = this.turn(cx);
        if this.is_over() {
            this.finish(cx);
            this.handle.end();
            return Poll::Ready(Ok(()));
        }
        let more = match more {
            Ok(more) => more,
            Err(e) => {
                this.handle.end();
                return Poll::Ready(Err(e));
            }
        };
        // One turn a poll: the tasks it woke run before the next one.
        if more || this.sleep(cx) || (this.outgoing.is_empty() && this.handle.lock().has_work()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<D: Device> Drop for Reactor<D> {
    /// A runtime that is torn down must not leave tasks of another one waiting.
    fn drop(&mut self) {
        if self.handle.phase() != Phase::Ended {
            self.handle.end();
        }
    }
}
