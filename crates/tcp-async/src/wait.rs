//! How does a task wait for readiness among others? A future that holds a place in the waiter
//! list of a connection and gives it back when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tcp_core::error::End;
use tcp_io::cell::{ConnCell, Interest, Readiness, WaiterKey};

pub(crate) struct Wait {
    cell: Arc<ConnCell>,
    interest: Interest,
    key: Option<WaiterKey>,
}

impl Wait {
    pub(crate) fn new(cell: &Arc<ConnCell>, interest: Interest) -> Wait {
        Wait { cell: cell.clone(), interest, key: None }
    }
}

impl Future for Wait {
    type Output = Readiness;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Readiness> {
        let this = &mut *self;
        // As tokio's, waiting itself takes nothing from the task's budget: what follows it does.
        this.cell.poll_wait(cx, this.interest, &mut this.key)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}

/// Waits until the peer has acknowledged all that was written, and our FIN.
pub(crate) struct Delivery {
    cell: Arc<ConnCell>,
    key: Option<WaiterKey>,
}

impl Delivery {
    pub(crate) fn new(cell: &Arc<ConnCell>) -> Delivery {
        Delivery { cell: cell.clone(), key: None }
    }
}

impl Future for Delivery {
    type Output = Result<(), End>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let this = &mut *self;
        this.cell.poll_delivered(cx, &mut this.key)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}
