//! How do tasks and the stack share a connection request that is decided before the SYN-ACK? What
//! its SYN said, where it stands, and the task that waits for it.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use tcp_core::Tuple;
use tcp_core::listen::PeerSyn;

use super::ConnCell;
use crate::sync::{Mutex, MutexGuard};

/// What a connection request shows before it is decided.
///
/// ```
#[doc = include_str!("../../doc/request.rs")]
/// let asks = request.request();
/// assert_eq!(asks.tuple.local.to_string(), "10.0.0.1:80");
/// assert_eq!(asks.tuple.remote, client.tuple().local);
/// assert_eq!((asks.text_len, asks.hop_limit, asks.traffic_class), (0, 64, 0));
/// assert_eq!(asks.syn.mss, Some(65_495)); // the loopback network's MTU less both headers
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Both ends; the local one is the destination of the SYN.
    pub tuple: Tuple,
    /// The options and the window of the SYN.
    pub syn: PeerSyn,
    /// Octets of data that came with the SYN. They are delivered if they were kept (see
    /// `StackConfig::syn_text_budget`); otherwise the peer sends them again.
    pub text_len: usize,
    /// TTL or hop limit with which the SYN arrived.
    pub hop_limit: u8,
    /// Type of service or traffic class of the SYN.
    pub traffic_class: u8,
}

/// Why there is no request any more.
///
/// ```
#[doc = include_str!("../../doc/request.rs")]
/// use std::time::Duration;
/// use tcp_io::cell::RequestEnd;
///
/// let now = now + Duration::from_secs(61); // `PendingOptions::timeout` and a little more
/// stack.on_deadline(now);
/// assert_eq!(request.take_established().unwrap_err(), RequestEnd::Expired);
/// assert_eq!(stack.admit(now, &request, None), Err(RequestEnd::Expired));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestEnd {
    /// Nobody decided in time.
    Expired,
    /// The peer took its SYN back, or reset the handshake.
    Withdrawn,
    /// It was admitted, but the peer never answered the SYN-ACK.
    Unanswered,
    /// The listener was closed, or its stack has ended.
    Closed,
    /// It was decided already.
    Decided,
}

impl fmt::Display for RequestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequestEnd::Expired => "nobody decided about the connection request in time",
            RequestEnd::Withdrawn => "the peer withdrew its connection request",
            RequestEnd::Unanswered => "the peer did not complete the handshake",
            RequestEnd::Closed => "the listener of the connection request is closed",
            RequestEnd::Decided => "the connection request was decided already",
        })
    }
}

impl std::error::Error for RequestEnd {}

/// A connection request shared between the stack and the task that decides about it.
///
/// ```
#[doc = include_str!("../../doc/request.rs")]
#[doc = include_str!("../../doc/task.rs")]
/// use tcp_io::cell::RequestEnd;
///
/// assert!(request.is_undecided());
/// assert!(request.poll_gone(cx).is_pending()); // the peer has not given up
/// stack.admit(now, &request, None)?;
/// assert!(request.poll_established(cx).is_pending());
/// stack.settle(now); // SYN-ACK and ACK
/// assert_eq!(task.wakes(), 1);
/// let server = request.take_established()?.unwrap();
/// assert_eq!(server.tuple(), request.request().tuple);
/// assert!(request.is_over() && !request.is_undecided());
/// assert_eq!(request.poll_gone(cx), Poll::Ready(RequestEnd::Decided));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RequestCell {
    pub(crate) slot: u32,
    request: Request,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    stage: Stage,
    waker: Option<Waker>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// No answer was sent.
    Undecided,
    /// The answer was sent; after a SYN-ACK the handshake runs.
    Answered,
    /// The handshake is complete; nobody has fetched the connection.
    Established(Arc<ConnCell>),
    Ended(RequestEnd),
}

impl Inner {
    fn take_established(&mut self) -> Result<Option<Arc<ConnCell>>, RequestEnd> {
        match &self.stage {
            Stage::Undecided | Stage::Answered => Ok(None),
            Stage::Ended(e) => Err(*e),
            Stage::Established(c) => {
                let c = c.clone();
                self.stage = Stage::Ended(RequestEnd::Decided);
                Ok(Some(c))
            }
        }
    }
}

impl RequestCell {
    pub(crate) fn new(slot: u32, request: Request) -> Arc<RequestCell> {
        let inner = Mutex::new(Inner { stage: Stage::Undecided, waker: None });
        Arc::new(RequestCell { slot, request, inner })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the SYN said.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether it can still be decided.
    pub fn is_undecided(&self) -> bool {
        matches!(self.lock().stage, Stage::Undecided)
    }

    /// Whether nothing more will come of it: it was turned away or given up, or its connection was
    /// fetched.
    pub fn is_over(&self) -> bool {
        matches!(self.lock().stage, Stage::Ended(_))
    }

    /// The connection that an admitted request has become, once; none before the handshake is
    /// complete.
    ///
    /// ```
    #[doc = include_str!("../../doc/request.rs")]
    /// use tcp_io::cell::RequestEnd;
    ///
    /// assert!(request.take_established()?.is_none());
    /// stack.admit(now, &request, None)?;
    /// stack.settle(now);
    /// let server = request.take_established()?.unwrap();
    /// assert_eq!(server.tuple().remote, client.tuple().local);
    /// assert_eq!(request.take_established().unwrap_err(), RequestEnd::Decided);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What became of the request instead.
    pub fn take_established(&self) -> Result<Option<Arc<ConnCell>>, RequestEnd> {
        self.lock().take_established()
    }

    /// Polls for the end of the handshake; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/request.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// stack.admit(now, &request, None)?;
    /// assert!(request.poll_established(cx).is_pending());
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1);
    /// let Poll::Ready(Ok(server)) = request.poll_established(cx) else { panic!("it is complete") };
    /// assert_eq!(server.tuple().remote, client.tuple().local);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_established(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Arc<ConnCell>, RequestEnd>> {
        let mut i = self.lock();
        match i.take_established() {
            Ok(Some(c)) => Poll::Ready(Ok(c)),
            Ok(None) => {
                i.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e)),
        }
    }

    /// Polls until it can't be decided any more, and says why.
    ///
    /// ```
    #[doc = include_str!("../../doc/request.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::RequestEnd;
    ///
    /// assert!(request.poll_gone(cx).is_pending());
    /// stack.close_listener(listener); // while somebody looks up whether the client is welcome
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(request.poll_gone(cx), Poll::Ready(RequestEnd::Closed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<RequestEnd> {
        let mut i = self.lock();
        match i.stage {
            Stage::Undecided => {
                i.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Stage::Answered | Stage::Established(_) => Poll::Ready(RequestEnd::Decided),
            Stage::Ended(e) => Poll::Ready(e),
        }
    }

    /// The application has decided; the answer is about to be sent.
    ///
    /// # Errors
    /// If it was decided, or has ended.
    pub(crate) fn decide(&self) -> Result<(), RequestEnd> {
        let mut i = self.lock();
        match i.stage {
            Stage::Undecided => {
                i.stage = Stage::Answered;
                Ok(())
            }
            Stage::Answered | Stage::Established(_) => Err(RequestEnd::Decided),
            Stage::Ended(e) => Err(e),
        }
    }

    /// The handshake is complete; gives the connection back if nobody wants it any more.
    pub(crate) fn establish(&self, conn: Arc<ConnCell>) -> Result<(), Arc<ConnCell>> {
        let mut i = self.lock();
        if !matches!(i.stage, Stage::Answered) {
            return Err(conn);
        }
        i.stage = Stage::Established(conn);
        let waker = i.waker.take();
        drop(i);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// It is over. A connection that nobody fetched is handed back.
    pub(crate) fn end(&self, why: RequestEnd) -> Option<Arc<ConnCell>> {
        let mut i = self.lock();
        if matches!(i.stage, Stage::Ended(_)) {
            return None;
        }
        let was = std::mem::replace(&mut i.stage, Stage::Ended(why));
        let waker = i.waker.take();
        drop(i);
        waker.into_iter().for_each(Waker::wake);
        match was {
            Stage::Established(c) => Some(c),
            _ => None,
        }
    }
}
