//! How do tasks and the stack share a UDP socket? Datagrams that have arrived, datagrams that wait
//! to be sent, the pending error, the options, and the tasks that wait (RFC 768). Who gets which
//! datagram, and whether one may be sent, is the stack's to know.
//! Tasks wait in `wait`; the stack fills and empties the queues in `queues`.

mod queues;
mod wait;
mod words;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hints::Hints;
use super::waiters::{Readiness, Waiters, WakeList};

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
}
