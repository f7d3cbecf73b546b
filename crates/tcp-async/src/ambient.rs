//! Which stack does `TcpStream::connect` mean? The innermost one entered on this thread, or else
//! the one installed for the process, or else the process's own loopback network.
//!
//! That last one is there for programs that never build a stack, as a machine without a network
//! card has a loopback device. docs/decisions/0022 says why a thread drives it.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use tcp_io::reactor::Phase;

use crate::error;
use crate::net::Net;

thread_local! {
    static ENTERED: RefCell<Vec<Net>> = const { RefCell::new(Vec::new()) };
}

static INSTALLED: RwLock<Option<Net>> = RwLock::new(None);
static LOOPBACK: RwLock<Option<Net>> = RwLock::new(None);

/// Keeps a stack ambient on this thread; see [`Net::enter`]. Guards are dropped in the reverse
/// order of their making.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let outer = Net::builder().address("10.0.0.1/24").loopback()?;
/// let inner = Net::builder().address("10.0.0.2/24").loopback()?;
/// let _outer = outer.enter();
/// {
///     let _inner = inner.enter();
///     TcpListener::bind("10.0.0.2:80").await?;
/// }
/// // The outer one is meant again; it does not have this address.
/// let e = TcpListener::bind("10.0.0.2:80").await.unwrap_err();
/// assert_eq!(e.kind(), std::io::ErrorKind::AddrNotAvailable);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the stack is ambient only while the guard lives"]
pub struct EnterGuard {
    depth: usize,
    /// Belongs to the thread that made it.
    _here: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        ENTERED.with_borrow_mut(|all| all.truncate(self.depth));
    }
}

impl Net {
    /// Makes this stack the one that [`TcpStream::connect`](crate::TcpStream::connect),
    /// [`TcpListener::bind`](crate::TcpListener::bind) and `TcpSocket` mean on this thread, until
    /// the guard is dropped. Tasks on other threads of a multi-threaded runtime need
    /// [`install`](Self::install), or the methods of `Net`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let here = net.enter();
    /// let listener = TcpListener::bind("10.0.0.1:80").await?;
    /// let stream = TcpStream::connect("10.0.0.1:80").await?;
    /// drop(here); // they go on, but new ones are of another stack
    /// let e = TcpStream::connect("10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::NetworkUnreachable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enter(&self) -> EnterGuard {
        ENTERED.with_borrow_mut(|all| {
            all.push(self.clone());
            EnterGuard { depth: all.len() - 1, _here: PhantomData }
        })
    }

    /// Makes this stack the default of the whole process; the one before it is returned.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// assert!(net.install().is_none()); // there was no default before
    /// let listener = TcpListener::bind("10.0.0.1:80").await?;
    /// let stream = TcpStream::connect("10.0.0.1:80").await?;
    /// assert_eq!(net.connection_count(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn install(&self) -> Option<Net> {
        INSTALLED.write().unwrap_or_else(PoisonError::into_inner).replace(self.clone())
    }

    /// The ambient stack: the innermost one entered on this thread, or else the one installed for
    /// the process, or else the process's loopback network.
    ///
    /// The loopback network is made when it is first asked for. It reaches 127.0.0.0/8 and ::1
    /// inside this process and nothing else; a thread of its own drives it, so that it outlives
    /// every runtime. Its time is the machine's, also for a runtime whose clock is paused.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// // Nobody has built a stack: the loopback network of the process.
    /// let net = Net::current()?;
    /// let listener = net.listen("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is neither and the thread of the loopback network can't be started; as tokio's
    /// (`tokio::runtime::is_rt_shutdown_err`) if the runtime around the caller is shut down.
    pub fn current() -> io::Result<Net> {
        if let Some(net) = ENTERED.with_borrow(|all| all.last().cloned()) {
            return Ok(net);
        }
        let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner).clone();
        installed.map_or_else(loopback, Ok)
    }
}

/// The process's loopback network; a new one if somebody has shut the last one down.
fn loopback() -> io::Result<Net> {
    if runtime_is_over() {
        return Err(error::runtime_is_over());
    }
    let usable = |net: &&Net| net.handle.phase() == Phase::Running;
    if let Some(net) =
        LOOPBACK.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(usable)
    {
        return Ok(net.clone());
    }
    let mut kept = LOOPBACK.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(net) = kept.as_ref().filter(usable) {
        return Ok(net.clone());
    }
    let net = Net::builder().loopback_thread()?;
    Ok(kept.insert(net).clone())
}

/// Whether the runtime around the caller is shut down: it then cancels at once what is spawned on
/// it. tokio's own sockets learn it from their driver; the loopback network would go on working,
/// for tasks that never run.
fn runtime_is_over() -> bool {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
    let mut probe = pin!(runtime.spawn(async {}));
    let spawned = probe.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    matches!(spawned, Poll::Ready(Err(e)) if e.is_cancelled())
}
