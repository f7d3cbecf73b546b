//! Does the task that decides about a request, or waits for its connection, hear of its end? The stack is
//! driven by the first thread.

use std::future::poll_fn;
use std::sync::Arc;

use tcp_io::cell::{RequestCell, RequestEnd};
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, PendingOptions, Stack};

use crate::rig::{NOW, Task, at, drain, model, spawn, stack};

/// A request that nobody has decided about.
fn asked() -> (Stack, ListenerId, Arc<RequestCell>) {
    let mut stack = stack();
    let pending = Some(PendingOptions::default());
    let l = stack.listen(at(), ListenOptions { pending, ..ListenOptions::default() }).unwrap();
    stack.connect(NOW, at(), ConnectOptions::default()).unwrap();
    drain(&mut stack);
    let request = stack.take_request(l).unwrap().unwrap();
    (stack, l, request)
}

#[test]
fn who_admits_hears_of_the_connection() {
    model(|| {
        let (mut stack, _, request) = asked();
        stack.admit(NOW, &request, None).unwrap();
        let (task, cell) = (Task::new(), request.clone());
        let waiting = spawn({
            let task = task.clone();
            move || task.run(poll_fn(|cx| cell.poll_established(cx))).map(|c| c.id())
        });
        drain(&mut stack);
        assert!(waiting.join().unwrap().is_ok());
        assert!(task.wakes() <= 1 && task.is_forgotten());
    });
}

#[test]
fn who_waits_hears_of_the_end() {
    for admitted in [false, true] {
        model(move || {
            let (mut stack, l, request) = asked();
            if admitted {
                stack.admit(NOW, &request, None).unwrap();
            }
            let cell = request.clone();
            let task = Task::new();
            let waiting = spawn({
                let task = task.clone();
                move || match admitted {
                    true => task.run(poll_fn(|cx| cell.poll_established(cx))).map(drop),
                    false => Err(task.run(poll_fn(|cx| cell.poll_gone(cx)))),
                }
            });
            stack.close_listener(l);
            assert_eq!(waiting.join().unwrap(), Err(RequestEnd::Closed));
            assert!(task.wakes() <= 1 && task.is_forgotten());
        });
    }
}
