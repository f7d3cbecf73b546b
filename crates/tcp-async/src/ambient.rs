//! Which stack does `TcpStream::connect` mean? The innermost one entered on this thread, or else
//! the one installed for the process.

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::sync::{PoisonError, RwLock};

use crate::error::no_stack;
use crate::net::Net;

thread_local! {
    static ENTERED: RefCell<Vec<Net>> = const { RefCell::new(Vec::new()) };
}

static INSTALLED: RwLock<Option<Net>> = RwLock::new(None);

/// Keeps a stack ambient on this thread; see [`Net::enter`]. Guards are dropped in the reverse
/// order of their making.
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
    pub fn enter(&self) -> EnterGuard {
        ENTERED.with_borrow_mut(|all| {
            all.push(self.clone());
            EnterGuard { depth: all.len() - 1, _here: PhantomData }
        })
    }

    /// Makes this stack the default of the whole process; the one before it is returned.
    pub fn install(&self) -> Option<Net> {
        INSTALLED.write().unwrap_or_else(PoisonError::into_inner).replace(self.clone())
    }

    /// The ambient stack.
    ///
    /// # Errors
    /// If none was entered on this thread or installed.
    pub fn current() -> io::Result<Net> {
        if let Some(net) = ENTERED.with_borrow(|all| all.last().cloned()) {
            return Ok(net);
        }
        INSTALLED.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(no_stack)
    }
}
