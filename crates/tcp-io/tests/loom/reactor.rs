//! Does the reactor hear of every call, and every task of what the reactor does? The reactor runs in a
//! thread of its own, as a task of a runtime would.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use loom::thread::JoinHandle;
use tcp_core::error::{End, UserError};
use tcp_io::cell::{AcceptError, Interest};
use tcp_io::device::{
    Capabilities, Device, MemoryDevice, RxMeta, TxPacket, memory_pair, memory_pair_bounded,
};
use tcp_io::reactor::{Handle, Phase, Reactor};
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

use crate::rig::{
    Accept, NOW, Pair, Task, Wait, at, block_on, model, model_with, read, spawn, stack,
};

/// No way out: whoever calls is the only one to wake the reactor.
struct Nowhere;

impl Device for Nowhere {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(65_535)
    }

    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        Poll::Pending
    }

    fn poll_send(&self, _: &mut Context<'_>, _: &TxPacket) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A reactor in its thread, which ends when it is told.
struct Running {
    handle: Handle,
    task: Task,
    thread: JoinHandle<io::Result<()>>,
}

fn run<D: Device + Unpin>(stack: Stack, device: D) -> Running {
    let (reactor, handle) = Reactor::new(stack, device, Duration::ZERO);
    let task = Task::new();
    let thread = spawn({
        let task = task.clone();
        move || task.run(reactor)
    });
    Running { handle, task, thread }
}

impl Running {
    /// Ends it; returns its task.
    fn end(self) -> Task {
        self.handle.begin_shutdown();
        self.thread.join().unwrap().unwrap();
        assert_eq!(self.handle.phase(), Phase::Ended);
        self.task
    }
}

#[test]
fn a_call_reaches_the_reactor_while_it_goes_to_sleep() {
    model(|| {
        let p = Pair::new();
        let r = run(p.stack, Nowhere);
        p.client.write(NOW, b"text").unwrap();
        assert_eq!(block_on(read(&p.server)), Ok(4));
        // One for the write, one for the read, which acknowledges, one for the end, and those of turns that
        // found more to do: with the text, and with its ACK.
        let task = r.end();
        assert!(task.wakes() <= 6, "{}", task.wakes());
    });
}

#[test]
fn calls_of_two_tasks_at_once_reach_the_reactor() {
    model_with(2, || {
        let p = Pair::new();
        let r = run(p.stack, Nowhere);
        let other = spawn({
            let server = p.server.clone();
            move || {
                server.write(NOW, b"reply").unwrap();
                block_on(read(&server))
            }
        });
        p.client.write(NOW, b"text").unwrap();
        assert_eq!(block_on(read(&p.client)), Ok(5));
        assert_eq!(other.join().unwrap(), Ok(4));
        r.end();
    });
}

#[test]
fn a_reader_is_woken_once_by_one_write() {
    model_with(2, || {
        let p = Pair::new();
        let r = run(p.stack, Nowhere);
        let task = Task::new();
        let reader = spawn({
            let (task, server) = (task.clone(), p.server.clone());
            move || task.run(read(&server))
        });
        p.client.write(NOW, b"text").unwrap();
        assert_eq!(reader.join().unwrap(), Ok(4));
        assert!(task.wakes() <= 1, "{}", task.wakes());
        r.end();
    });
}

#[test]
fn a_connect_and_an_accept_meet() {
    model_with(2, || {
        let mut stack = stack();
        let l = stack.listen(at(), ListenOptions::default()).unwrap();
        let cell = stack.listener_cell(l).unwrap();
        let r = run(stack, Nowhere);
        let accepted = spawn(move || block_on(Accept::new(&cell)).map(|c| c.id()));
        assert_eq!(connect(&r.handle), Some(Ok(())));
        assert!(accepted.join().unwrap().is_ok());
        r.end();
    });
}

/// Connects as `tcp_async` does; nothing if the stack is told to end.
fn connect(handle: &Handle) -> Option<Result<(), End>> {
    let cell = handle.open(|stack, now| {
        let id = stack.connect(now, at(), ConnectOptions::default()).unwrap();
        stack.connection_cell(id).unwrap()
    })?;
    Some(block_on(poll_fn(|cx| cell.poll_connected(cx))))
}

#[test]
fn a_listener_that_is_closed_ends_the_accept_that_waits() {
    model(|| {
        let mut stack = stack();
        let l = stack.listen(at(), ListenOptions::default()).unwrap();
        let cell = stack.listener_cell(l).unwrap();
        let r = run(stack, Nowhere);
        let accepted = spawn(move || block_on(Accept::new(&cell)).map(drop));
        r.handle.with_stack(|stack, _| stack.close_listener(l));
        assert_eq!(accepted.join().unwrap(), Err(AcceptError::Closed));
        let handle = r.handle.clone();
        assert!(r.end().is_forgotten(), "though a handle lives on");
        drop(handle);
    });
}

#[test]
fn the_end_of_a_stack_ends_every_wait() {
    model_with(2, || {
        let p = Pair::new();
        let r = run(p.stack, Nowhere);
        let (server, client) = (p.server.clone(), p.client.clone());
        let listed = spawn(move || block_on(Wait::new(&server, Interest::READABLE)));
        let polling = spawn(move || block_on(read(&client)));
        r.end();
        assert!(!listed.join().unwrap().is_empty());
        assert!(polling.join().unwrap() != Err(UserError::WouldBlock));
    });
}

#[test]
fn a_connect_that_meets_the_end_of_the_stack_has_an_end_too() {
    model_with(2, || {
        let mut stack = stack();
        stack.listen(at(), ListenOptions::default()).unwrap();
        let r = run(stack, Nowhere);
        let handle = r.handle.clone();
        let connecting = spawn(move || connect(&handle));
        r.end();
        // Any end will do; a wait for ever is a deadlock.
        connecting.join().unwrap();
    });
}

#[test]
fn a_reactor_that_is_dropped_ends_every_wait() {
    model(|| {
        let p = Pair::new();
        let (reactor, handle) = Reactor::new(p.stack, Nowhere, Duration::ZERO);
        let server = p.server.clone();
        let reader = spawn(move || block_on(read(&server)));
        drop(reactor);
        reader.join().unwrap().unwrap_err();
        assert_eq!(handle.phase(), Phase::Ended);
    });
}

#[test]
fn a_packet_reaches_the_reactor_while_it_goes_to_sleep() {
    model(|| {
        let (near, far) = memory_pair(Capabilities::plain(1500));
        let r = run(stack(), near);
        block_on(poll_fn(|cx| far.poll_send(cx, &syn_to_nobody()))).unwrap();
        assert!(next_packet(&far).is_ok(), "its reset");
        r.end();
    });
}

/// A SYN for a port where nobody listens.
fn syn_to_nobody() -> TxPacket {
    let addresses = vec!["10.0.0.2/24".parse().unwrap()];
    let mut other = Stack::new(NOW, StackConfig { addresses, ..Default::default() }, [9; 32]);
    other.connect(NOW, "10.0.0.1:81".parse().unwrap(), ConnectOptions::default()).unwrap();
    other.poll_transmit(NOW).unwrap()
}

/// More packets for others than the wire takes.
fn three_syns(stack: &mut Stack) {
    for port in 1..=3 {
        let to = ([10, 0, 0, 2], port).into();
        stack.connect(NOW, to, ConnectOptions::default()).unwrap();
    }
}

fn next_packet(far: &MemoryDevice) -> io::Result<RxMeta> {
    let mut buf = vec![0; far.capabilities().recv_buffer_len()];
    block_on(poll_fn(|cx| far.poll_recv(cx, &mut buf)))
}

#[test]
fn a_device_that_takes_packets_again_is_written_to() {
    model_with(2, || {
        let (near, far) = memory_pair_bounded(Capabilities::plain(1500), 1);
        let mut stack = stack();
        three_syns(&mut stack);
        let r = run(stack, near);
        for _ in 0..3 {
            assert!(next_packet(&far).is_ok());
        }
        r.end();
    });
}

#[test]
fn a_task_hears_of_its_connection_while_the_device_is_full() {
    model_with(2, || {
        let (near, far) = memory_pair_bounded(Capabilities::plain(1500), 1);
        let mut p = Pair::new();
        three_syns(&mut p.stack);
        let r = run(p.stack, near);
        p.client.abort();
        // Nobody takes a packet meanwhile.
        block_on(read(&p.client)).unwrap_err();
        drop(far);
        r.handle.begin_shutdown();
        // The device has failed, or the end came first.
        let _ = r.thread.join().unwrap();
    });
}
