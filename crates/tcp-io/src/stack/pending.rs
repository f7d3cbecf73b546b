//! Who decides about a SYN before it is answered? The application, for listeners that leave it to
//! it: requests are admitted, reset, refused by ICMP or ignored (RFC 9293 3.10.7.2;
//! docs/decisions/0012). Where they wait is `requests`' matter.

mod requests;

use std::sync::Arc;
use std::time::Duration;

use tcp_core::Instant;
use tcp_core::config::{SocketOptions, TcpConfig};

use super::syn_queue::Admitted;
use super::{ListenerId, Stack, Unreachability};
use crate::cell::{AcceptError, ListenerCell, RequestCell, RequestEnd};

use requests::RequestEntry;
pub(super) use requests::{Desk, PacketHead, Requests};

/// How a connection request is turned away.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
#[doc = include_str!("../../doc/stack_request.rs")]
/// let request = b.take_request(listener)?.unwrap();
/// b.reject(now, &request, Rejection::Unreachable(Unreachability::Port))?;
/// carry(now, &mut a, &mut b);
/// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::Refused)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rejection {
    /// With a reset: the peer's connect is refused at once.
    Reset,
    /// With an ICMP message.
    Unreachable(Unreachability),
    /// With nothing: the peer asks again, which makes a new request, or gives up.
    Ignore,
}

/// How a listener leaves the decision to the application.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let pending = PendingOptions {
///     timeout: Duration::from_secs(5),
///     on_timeout: Rejection::Ignore,
///     ..PendingOptions::default()
/// };
/// let options = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
/// let listener = b.listen("10.0.0.2:80".parse()?, options)?;
/// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
/// carry(now, &mut a, &mut b);
/// let request = b.take_request(listener)?.unwrap();
/// // Nobody decides.
/// let later = b.next_deadline().unwrap();
/// b.on_deadline(later);
/// assert_eq!(later.since(now).as_secs(), 5);
/// assert_eq!(b.admit(later, &request, None), Err(RequestEnd::Expired));
/// assert!(b.poll_transmit(later).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingOptions {
    /// Undecided requests at most, at least 1, capped by the stack's `max_syn_backlog`. A SYN
    /// beyond them is dropped and counted; its peer asks again.
    pub max_undecided: usize,
    /// How long a request may stay undecided. Linux clients give up after 127 s.
    pub timeout: Duration,
    /// What becomes of a request that nobody has decided by then.
    pub on_timeout: Rejection,
}

impl Default for PendingOptions {
    fn default() -> PendingOptions {
        PendingOptions {
            max_undecided: 1024,
            timeout: Duration::from_secs(60),
            on_timeout: Rejection::Reset,
        }
    }
}

impl Stack {
    /// The shared side of a listener that leaves the decision to the application (see
    /// [`ListenOptions::pending`](super::ListenOptions::pending)); none for another one.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// // A task takes requests without the stack.
    /// let queue = b.request_queue(listener).unwrap();
    /// assert_eq!(queue.queued(), 1);
    /// let request = queue.try_accept()?.unwrap();
    /// assert!(request.is_undecided());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_queue(&self, id: ListenerId) -> Option<Arc<ListenerCell<Arc<RequestCell>>>> {
        self.listeners.desk(id).map(|d| d.cell.clone())
    }

    /// The next request to decide about, of a listener with
    /// [`ListenOptions::pending`](super::ListenOptions::pending).
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// let request = b.take_request(listener)?.unwrap();
    /// let shown = request.request();
    /// assert_eq!(shown.tuple.local.to_string(), "10.0.0.2:80");
    /// assert_eq!((shown.syn.mss, shown.hop_limit), (Some(1460), 64));
    /// assert!(b.take_request(listener)?.is_none());
    /// assert_eq!(a.state(client), State::SynSent); // nothing was answered
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AcceptError::Closed`] if the listener is not there any more, or hands out connections.
    pub fn take_request(
        &mut self,
        id: ListenerId,
    ) -> Result<Option<Arc<RequestCell>>, AcceptError> {
        self.listeners.desk(id).ok_or(AcceptError::Closed)?.cell.try_accept()
    }

    /// Admits a request: the SYN-ACK is sent, and [`RequestCell::take_established`] hands out the
    /// connection when the handshake is complete. `options` hold from the SYN-ACK on; none: those
    /// of the listener.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// let request = b.take_request(listener)?.unwrap();
    /// b.admit(now, &request, None)?;
    /// carry(now, &mut a, &mut b);
    /// let server = request.take_established()?.unwrap();
    /// assert_eq!((a.state(client), server.state()), (State::Established, State::Established));
    /// assert_eq!(b.admit(now, &request, None), Err(RequestEnd::Decided));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it was decided, has expired or was withdrawn.
    pub fn admit(
        &mut self,
        now: Instant,
        request: &RequestCell,
        options: Option<SocketOptions>,
    ) -> Result<(), RequestEnd> {
        request.decide()?;
        let entry = self.requests.slot_of(request).and_then(|slot| self.take_request_entry(slot));
        let entry = entry.ok_or(RequestEnd::Closed)?;
        let RequestEntry { cell, listener, packet, least_isn, .. } = entry;
        let (Some(seg), Some(shared)) = (packet.segment(), self.listeners.tcp(listener)) else {
            // Never: it was parsed before, and goes with its listener. Nobody shall wait for it.
            request.end(RequestEnd::Closed);
            return Err(RequestEnd::Closed);
        };
        let tcp = options
            .filter(|o| *o != shared.options)
            .map(|options| Arc::new(TcpConfig { options, ..TcpConfig::clone(shared) }));
        let admitted = Some(Admitted { cell, tcp });
        self.insert_half_open(now, listener, &packet.tuple, &seg, least_isn, admitted);
        Ok(())
    }

    /// Turns a request away.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// let request = b.take_request(listener)?.unwrap();
    /// b.reject(now, &request, Rejection::Reset)?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::Refused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn reject(
        &mut self,
        now: Instant,
        request: &RequestCell,
        how: Rejection,
    ) -> Result<(), RequestEnd> {
        request.decide()?;
        let slot = self.requests.slot_of(request).ok_or(RequestEnd::Closed)?;
        self.remove_request(now, slot, RequestEnd::Decided, how);
        Ok(())
    }

    /// Nobody wants to know of a request any more: an undecided one, an unfinished handshake and
    /// a connection that nobody fetched are reset.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// let request = b.take_request(listener)?.unwrap();
    /// b.admit(now, &request, None)?;
    /// carry(now, &mut a, &mut b);
    /// b.abandon(now, &request); // nobody fetched the connection
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::Reset)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abandon(&mut self, now: Instant, request: &RequestCell) {
        if let Some(slot) = self.requests.slot_of(request) {
            self.remove_request(now, slot, RequestEnd::Decided, Rejection::Reset);
            return;
        }
        if let Some(conn) = request.end(RequestEnd::Decided) {
            conn.abort();
        }
        let tuple = request.request().tuple;
        let Some(slot) = self.half_open.find(&tuple) else { return };
        let ours = self.half_open.admitted(slot).is_some_and(|a| std::ptr::eq(&*a.cell, request));
        let Some(e) = self.half_open.get(slot) else { return };
        if ours {
            let reset = e.record.reset();
            self.counters.resets_out += 1;
            self.answer_bare(&tuple, reset);
            self.remove_half_open(slot, RequestEnd::Decided);
        }
    }

    /// Undecided requests.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_request.rs")]
    /// assert_eq!(b.request_count(), 1);
    /// let request = b.take_request(listener)?.unwrap();
    /// assert_eq!(b.request_count(), 1); // taken, and still undecided
    /// b.reject(now, &request, Rejection::Ignore)?;
    /// assert_eq!(b.request_count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }
}
