//! How do tasks and the stack share a UDP socket? Datagrams that have arrived, datagrams that wait
//! to be sent, the pending error, the options, and the tasks that wait (RFC 768). Who gets which
//! datagram, and whether one may be sent, is the stack's to know.

mod words;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tcp_core::Endpoint;

use super::hints::Hints;
use super::waiters::{Interest, Readiness, WaiterKey, Waiters, WakeList};

pub use words::{Look, UdpError, UdpId, UdpOptions, UdpReceiveError, UdpRow};
pub(crate) use words::{Outgoing, Pushed};

/// What a datagram counts beside its text. Linux: the least `truesize` of a packet,
/// `SKB_TRUESIZE(0)`.
pub const DATAGRAM_COST: usize = 576;

/// Least limits of the queues. Linux: `SOCK_MIN_RCVBUF`, `SOCK_MIN_SNDBUF`.
const LEAST: (usize, usize) = (2304, 4608);

/// What all UDP sockets of a stack have received and nobody has read, in octets. Linux:
/// `udp_mem`, of which this is the last number.
#[derive(Debug)]
pub(crate) struct UdpMemory {
    charged: AtomicUsize,
    most: usize,
}

impl UdpMemory {
    pub(crate) fn new(most: usize) -> Arc<UdpMemory> {
        Arc::new(UdpMemory { charged: AtomicUsize::new(0), most })
    }

    /// Charges, unless that is too much. Only the stack charges, so nobody comes between.
    fn take(&self, octets: usize) -> bool {
        let fits = self.charged.load(Ordering::Relaxed) + octets <= self.most;
        if fits {
            self.charged.fetch_add(octets, Ordering::Relaxed);
        }
        fits
    }

    fn give_back(&self, octets: usize) {
        self.charged.fetch_sub(octets, Ordering::Relaxed);
    }

    pub(crate) fn charged(&self) -> usize {
        self.charged.load(Ordering::Relaxed)
    }
}

/// A UDP socket shared between the stack and the tasks that use it.
///
/// ```
#[doc = include_str!("../../doc/udp.rs")]
/// use tcp_io::cell::Look;
///
/// assert_eq!((client.id(), client.peer()), (id, None));
/// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
/// let mut buf = Vec::new();
/// let (n, from) = server.receive(Look::Take, 1500, &mut |text| buf.extend_from_slice(text)).unwrap();
/// assert_eq!((n, &buf[..], from), (8, &b"question"[..], client.local()));
/// // A peer that is fixed need not be named.
/// stack.udp_connect(server.id(), from)?;
/// assert_eq!(server.peer(), Some(from));
/// stack.udp_send(now, server.id(), "answer", None)?;
/// assert_eq!(client.row().receive_queue, 6 + tcp_io::cell::DATAGRAM_COST);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct UdpCell {
    id: UdpId,
    memory: Arc<UdpMemory>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    options: UdpOptions,
    received: VecDeque<Datagram>,
    received_cost: usize,
    outgoing: VecDeque<Outgoing>,
    outgoing_cost: usize,
    /// A send found no room; there is some once half of the queue is gone, as on Linux.
    blocked: bool,
    error: Option<UdpError>,
    open: bool,
    /// Datagrams dropped for want of room.
    drops: u64,
    waiters: Waiters,
    hints: Hints,
}

#[derive(Debug)]
struct Datagram {
    from: SocketAddr,
    text: Box<[u8]>,
}

impl UdpCell {
    pub(crate) fn new(
        id: UdpId,
        local: SocketAddr,
        options: UdpOptions,
        memory: Arc<UdpMemory>,
    ) -> Arc<UdpCell> {
        Arc::new(UdpCell {
            id,
            memory,
            inner: Mutex::new(Inner {
                local,
                peer: None,
                options,
                received: VecDeque::new(),
                received_cost: 0,
                outgoing: VecDeque::new(),
                outgoing_cost: 0,
                blocked: false,
                error: None,
                open: true,
                drops: 0,
                waiters: Waiters::default(),
                hints: Hints::default(),
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts, then wakes whom it concerns, after the lock.
    fn tell<R>(&self, act: impl FnOnce(&mut Inner) -> (R, Readiness)) -> R {
        let mut inner = self.lock();
        let (result, concerned) = act(&mut inner);
        let mut wake = WakeList::default();
        if !concerned.is_empty() {
            inner.hints.on_events(concerned);
            inner.waiters.pick(concerned, &mut wake);
        }
        drop(inner);
        wake.wake_all();
        result
    }

    /// The socket's name.
    pub fn id(&self) -> UdpId {
        self.id
    }

    /// The address it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.lock().local
    }

    /// The address it is connected to.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.lock().peer
    }

    /// The options.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.options().hop_limit, 64);
    /// assert!(!client.options().broadcast);
    /// assert_eq!(client.options().receive_buffer, 212_992);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options(&self) -> UdpOptions {
        self.lock().options
    }

    /// Changes options, from the next datagram on.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.set_options(|options| {
    ///     options.hop_limit = 8;
    ///     options.receive_buffer = 1; // less than the least
    /// });
    /// assert_eq!((client.options().hop_limit, client.options().receive_buffer), (8, 2304));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_options(&self, change: impl FnOnce(&mut UdpOptions)) {
        self.tell(|i| {
            change(&mut i.options);
            i.options.receive_buffer = i.options.receive_buffer.max(LEAST.0);
            i.options.send_buffer = i.options.send_buffer.max(LEAST.1);
            ((), i.unblock())
        });
    }

    /// For tables.
    pub fn row(&self) -> UdpRow {
        let i = self.lock();
        UdpRow {
            local: i.local,
            peer: i.peer,
            receive_queue: i.received_cost,
            send_queue: i.outgoing_cost,
            drops: i.drops,
        }
    }

    /// Hands the next datagram to `take`, at most `most` octets of it; the rest is lost. Returns
    /// how many octets that were, and where it came from.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// use tcp_io::cell::{Look, UdpReceiveError};
    ///
    /// stack.udp_send(now, client.id(), "a long datagram", Some(server.local()))?;
    /// let mut text = Vec::new();
    /// let received = server.receive(Look::Take, 6, &mut |octets| text.extend_from_slice(octets));
    /// assert_eq!((received, &text[..]), (Ok((6, client.local())), &b"a long"[..]));
    /// // The rest is not the next datagram.
    /// assert_eq!(server.receive(Look::Take, 6, &mut |_| ()), Err(UdpReceiveError::WouldBlock));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A pending error comes first, as on Linux.
    pub fn receive(
        &self,
        look: Look,
        most: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(usize, SocketAddr), UdpReceiveError> {
        let mut i = self.lock();
        if let Some(e) = i.error.take() {
            return Err(UdpReceiveError::Pending(e));
        }
        let Some(d) = i.received.front() else {
            return Err(if i.open { UdpReceiveError::WouldBlock } else { UdpReceiveError::Closed });
        };
        let (n, from) = (d.text.len().min(most), d.from);
        take(&d.text[..n]);
        if look == Look::Take {
            let gone = i.received.pop_front().map_or(0, |d| cost(d.text.len()));
            i.received_cost -= gone;
            self.memory.give_back(gone);
        }
        Ok((n, from))
    }

    /// Takes the pending error (`SO_ERROR`).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// use tcp_io::cell::UdpError;
    ///
    /// stack.udp_connect(client.id(), "10.0.0.1:9".parse()?)?;
    /// stack.udp_send(now, client.id(), "anybody there?", None)?;
    /// assert_eq!(client.take_error(), Some(UdpError::Refused));
    /// assert_eq!(client.take_error(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_error(&self) -> Option<UdpError> {
        self.lock().error.take()
    }

    /// What could be done without waiting, and a stamp for [`spend`](Self::spend).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// let (ready, _) = server.readiness_seen();
    /// assert_eq!(ready, Readiness::WRITABLE);
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// let (ready, seen) = server.readiness_seen();
    /// assert_eq!(ready, Readiness::READABLE | Readiness::WRITABLE);
    /// server.spend(Interest::READABLE, seen);
    /// assert_eq!(server.readiness_seen().0, Readiness::WRITABLE);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readiness_seen(&self) -> (Readiness, u16) {
        let i = self.lock();
        (i.readiness(), i.hints.seen())
    }

    /// A task could do nothing with the readiness that it saw at `seen`: it waits for the next
    /// event.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// stack.udp_send(now, client.id(), "1", Some(server.local()))?;
    /// let (_, seen) = server.readiness_seen();
    /// stack.udp_send(now, client.id(), "2", Some(server.local()))?;
    /// // The second one came in between: nothing is spent.
    /// server.spend(Interest::READABLE, seen);
    /// assert!(server.readiness_seen().0.intersects(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spend(&self, interest: Interest, seen: u16) {
        self.lock().hints.spend(interest, seen);
    }

    /// Polls for readiness on behalf of a `poll_*` function: one task per direction is kept, the
    /// last. `interest` is reading, writing or both; what else there is to wait for has
    /// [`poll_wait`](Self::poll_wait).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// assert!(server.poll_ready(cx, Interest::READABLE).is_pending());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(server.poll_ready(cx, Interest::READABLE), Poll::Ready(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<Readiness> {
        let mut i = self.lock();
        let ready = i.readiness() & interest.mask();
        if !ready.is_empty() {
            return Poll::Ready(ready);
        }
        i.waiters.set_slot(interest, cx.waker());
        Poll::Pending
    }

    /// Registers one of any number of waiting tasks, or renews its waker; `None` as key starts.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::Interest;
    ///
    /// let (mut one, mut another) = (None, None);
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut one).is_pending());
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut another).is_pending());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 2); // each place in the list
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut one).is_ready());
    /// assert_eq!(one, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Readiness> {
        let mut i = self.lock();
        let ready = i.readiness() & interest.mask();
        if !ready.is_empty() {
            if let Some(k) = key.take() {
                i.waiters.remove(k);
            }
            return Poll::Ready(ready);
        }
        i.waiters.register(interest, cx.waker(), key);
        Poll::Pending
    }

    /// A waiting task gives up.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::Interest;
    ///
    /// let mut key = None;
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut key).is_pending());
    /// server.cancel_wait(key.unwrap());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_wait(&self, key: WaiterKey) {
        self.lock().waiters.remove(key);
    }

    /// Datagrams of one sender have arrived.
    pub(crate) fn push<'a>(
        &self,
        from: IpAddr,
        port: u16,
        texts: impl Iterator<Item = &'a [u8]>,
    ) -> Pushed {
        self.tell(|i| {
            let from = SocketAddr::new(i.shown(from), port);
            let mut pushed = Pushed::default();
            for text in texts {
                let cost = cost(text.len());
                // Linux: what is there decides, so that one datagram of any size fits.
                if !i.open || i.received_cost > i.options.receive_buffer {
                    pushed.full += 1;
                } else if !self.memory.take(cost) {
                    pushed.no_memory += 1;
                } else {
                    i.received_cost += cost;
                    i.received.push_back(Datagram { from, text: text.into() });
                    pushed.taken += 1;
                }
            }
            i.drops += pushed.full + pushed.no_memory;
            (pushed, if pushed.taken > 0 { Readiness::READABLE } else { Readiness::EMPTY })
        })
    }

    /// The network complains; the next call tells.
    pub(crate) fn fail(&self, error: UdpError) {
        self.tell(|i| {
            i.error = Some(error);
            // Who polls to receive keeps one waker for text and errors.
            ((), Readiness::READABLE | Readiness::ERROR)
        });
    }

    /// What keeps a send from being queued: the error that it tells instead, or no room.
    pub(crate) fn check_room(&self) -> Result<(), Option<UdpError>> {
        let mut i = self.lock();
        match i.error.take() {
            Some(e) => Err(Some(e)),
            None if i.has_room() => Ok(()),
            None => Err(None),
        }
    }

    /// Queues a datagram for which [`check_room`](Self::check_room) has found room.
    pub(crate) fn queue(&self, datagram: Outgoing) {
        let mut i = self.lock();
        i.outgoing_cost += cost(datagram.text.len());
        i.outgoing.push_back(datagram);
    }

    /// The next datagram to send, and whether more wait.
    pub(crate) fn take_outgoing(&self) -> Option<(Outgoing, bool)> {
        self.tell(|i| {
            let Some(d) = i.outgoing.pop_front() else { return (None, Readiness::EMPTY) };
            i.outgoing_cost -= cost(d.text.len());
            let more = !i.outgoing.is_empty();
            (Some((d, more)), i.unblock())
        })
    }

    /// Both addresses, as they are from now on.
    pub(crate) fn set_addresses(&self, local: Endpoint, peer: Option<Endpoint>) {
        let mut i = self.lock();
        let shown = |e: Endpoint| SocketAddr::new(i.shown(e.ip), e.port);
        let (local, peer) = (shown(local), peer.map(shown));
        (i.local, i.peer) = (local, peer);
    }

    /// Nothing arrives any more, and every waiting task learns it. What is there can be read.
    pub(crate) fn end(&self) {
        self.tell(|i| {
            i.open = false;
            ((), Readiness::READABLE | Readiness::WRITABLE | Readiness::ERROR)
        });
    }

    /// The application lets go: nothing will be read.
    pub(crate) fn close(&self) {
        self.end();
        let mut i = self.lock();
        self.memory.give_back(std::mem::take(&mut i.received_cost));
        i.received = VecDeque::new();
    }
}

/// What a datagram counts.
fn cost(len: usize) -> usize {
    len + DATAGRAM_COST
}

impl Inner {
    /// An IPv6 socket knows IPv4 addresses in their mapped form, as on Linux.
    fn shown(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(a) if self.local.is_ipv6() => IpAddr::V6(a.to_ipv6_mapped()),
            ip => ip,
        }
    }

    /// Linux: what is there decides, so that one datagram of any size fits.
    fn has_room(&mut self) -> bool {
        let room = !self.open || self.outgoing_cost < self.options.send_buffer;
        self.blocked |= !room;
        room
    }

    fn unblock(&mut self) -> Readiness {
        if self.blocked && self.outgoing_cost < self.options.send_buffer / 2 {
            self.blocked = false;
            return Readiness::WRITABLE;
        }
        Readiness::EMPTY
    }

    fn readiness(&self) -> Readiness {
        let mut r = Readiness::EMPTY;
        let mut add = |is: bool, what: Readiness| {
            if is {
                r = r | what;
            }
        };
        add(!self.received.is_empty() || !self.open, Readiness::READABLE);
        add(!self.blocked || !self.open, Readiness::WRITABLE);
        add(self.error.is_some() || !self.open, Readiness::ERROR);
        add(!self.open, Readiness::READ_CLOSED | Readiness::WRITE_CLOSED);
        self.hints.apply(r)
    }
}
