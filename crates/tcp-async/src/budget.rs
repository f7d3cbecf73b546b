//! May the task go on? tokio's cooperative budget, taken by every operation that succeeds, so
//! that a task whose peer is always faster does not starve the others.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::task::coop::poll_proceed;

/// Runs a poll under the cooperative budget of the current task.
pub(crate) fn cooperative<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let restore = ready!(poll_proceed(cx));
    let result = poll(cx);
    if result.is_ready() {
        restore.made_progress();
    }
    result
}

/// As [`cooperative`] for an attempt that can't be pending: waits until the task may go on, then
/// tries. An attempt that would block costs nothing.
pub(crate) async fn attempt<R>(act: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let restore = poll_fn(poll_proceed).await;
    let result = act();
    if !matches!(&result, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
        restore.made_progress();
    }
    result
}
