//! May the task go on? tokio's cooperative budget, taken by every operation that succeeds, so
//! that a task whose peer is always faster does not starve the others.

use std::task::{Context, Poll, ready};

/// Runs a poll under the cooperative budget of the current task.
pub(crate) fn cooperative<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let restore = ready!(tokio::task::coop::poll_proceed(cx));
    let result = poll(cx);
    if result.is_ready() {
        restore.made_progress();
    }
    result
}
