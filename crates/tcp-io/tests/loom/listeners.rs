//! Does every connection find a task that accepts, and every such task an end? The stack is driven by the
//! first thread; tasks accept in theirs.

use std::future::poll_fn;
use std::sync::Arc;

use loom::thread::JoinHandle;
use tcp_io::ConnId;
use tcp_io::cell::{AcceptError, ListenerCell};
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, Stack};

use crate::rig::{Accept, NOW, Task, at, drain, model, spawn, stack};

fn listening() -> (Stack, ListenerId, Arc<ListenerCell>) {
    let mut stack = stack();
    let l = stack.listen(at(), ListenOptions::default()).unwrap();
    let cell = stack.listener_cell(l).unwrap();
    (stack, l, cell)
}

fn connect(stack: &mut Stack) {
    stack.connect(NOW, at(), ConnectOptions::default()).unwrap();
    drain(stack);
}

fn accepting(cell: &Arc<ListenerCell>) -> (Task, JoinHandle<Result<ConnId, AcceptError>>) {
    let (task, cell) = (Task::new(), cell.clone());
    let thread = spawn({
        let task = task.clone();
        move || task.run(Accept::new(&cell)).map(|c| c.id())
    });
    (task, thread)
}

#[test]
fn a_connection_finds_the_task_that_accepts() {
    model(|| {
        let (mut stack, _, cell) = listening();
        let (task, accepted) = accepting(&cell);
        connect(&mut stack);
        assert!(accepted.join().unwrap().is_ok());
        assert!(task.wakes() <= 1 && task.is_forgotten());
    });
}

#[test]
fn two_connections_find_two_tasks_and_wake_each_once() {
    model(|| {
        let (mut stack, _, cell) = listening();
        let (a, first) = accepting(&cell);
        let (b, second) = accepting(&cell);
        connect(&mut stack);
        connect(&mut stack);
        assert_ne!(first.join().unwrap().unwrap(), second.join().unwrap().unwrap());
        // A task may be woken for a connection that the other one took: never more often than
        // connections come.
        assert!(a.wakes() + b.wakes() <= 2, "{} and {}", a.wakes(), b.wakes());
        assert!(a.is_forgotten() && b.is_forgotten());
    });
}

#[test]
fn a_task_that_gives_up_hands_its_wake_up_on() {
    model(|| {
        let (mut stack, _, cell) = listening();
        let (gave_up, lost) = (Task::new(), cell.clone());
        let gives_up = spawn({
            let task = gave_up.clone();
            move || task.poll(&mut Accept::new(&lost)).is_ready()
        });
        let (_, accepted) = accepting(&cell);
        connect(&mut stack);
        if gives_up.join().unwrap() {
            connect(&mut stack);
        }
        assert!(accepted.join().unwrap().is_ok());
        assert!(gave_up.is_forgotten());
    });
}

#[test]
fn closing_ends_every_wait() {
    model(|| {
        let (mut stack, l, cell) = listening();
        let (a, listed) = accepting(&cell);
        let slot = spawn({
            let cell = cell.clone();
            move || crate::rig::block_on(poll_fn(|cx| cell.poll_accept(cx))).map(|c| c.id())
        });
        stack.close_listener(l);
        assert_eq!(listed.join().unwrap(), Err(AcceptError::Closed));
        assert_eq!(slot.join().unwrap(), Err(AcceptError::Closed));
        assert!(a.wakes() <= 1);
    });
}

#[test]
fn a_connection_that_meets_the_close_is_accepted_or_reset() {
    model(|| {
        let (mut stack, l, cell) = listening();
        let (_, accepted) = accepting(&cell);
        let id = stack.connect(NOW, at(), ConnectOptions::default()).unwrap();
        let client = stack.connection_cell(id).unwrap();
        drain(&mut stack);
        stack.close_listener(l);
        drain(&mut stack);
        match accepted.join().unwrap() {
            Ok(_) => assert_eq!(client.end(), None),
            Err(AcceptError::Closed) => assert!(client.end().is_some()),
        }
    });
}
