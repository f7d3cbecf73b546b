//! Do the streams themselves lose no wake-up? What `tcp_async` adds to the cells, with a reactor in a thread of
//! its own, in every order (docs/decisions/0028). The cells and the reactor have their models in tcp-io.

#[path = "../../tcp-io/tests/loom/rig.rs"]
#[expect(dead_code, reason = "the models of tcp-io use the rest")]
mod rig;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use loom::thread::JoinHandle;
use tcp_io::device::{Capabilities, MemoryDevice, memory_pair};
use tcp_io::reactor::Reactor;
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Net, TcpListener, TcpStream};
use rig::{Pair, Task, at, block_on, drain, model, model_with, spawn, stack};

/// A stack whose reactor runs in a thread, as a program has it.
struct Running {
    net: Net,
    thread: JoinHandle<io::Result<()>>,
    _far: MemoryDevice,
}

impl Running {
    fn new(stack: Stack) -> Running {
        let (near, far) = memory_pair(Capabilities::plain(1500));
        let (reactor, handle) = Reactor::new(stack, near, Duration::ZERO);
        Running { net: Net { handle }, thread: spawn(move || block_on(reactor)), _far: far }
    }

    /// With the two ends of a connection.
    fn pair() -> (Running, TcpStream, TcpStream) {
        let p = Pair::new();
        let r = Running::new(p.stack);
        let stream = |cell| TcpStream::new(r.net.clone(), cell);
        let (client, server) = (stream(p.client), stream(p.server));
        (r, client, server)
    }

    fn listening(act: impl FnOnce(&mut Stack)) -> (Running, Arc<TcpListener>) {
        let mut stack = stack();
        let id = stack.listen(at(), ListenOptions::default()).unwrap();
        let cell = stack.listener_cell(id).unwrap();
        act(&mut stack);
        let r = Running::new(stack);
        let listener = Arc::new(TcpListener::new(r.net.clone(), id, cell));
        (r, listener)
    }

    fn end(self) {
        self.net.handle.begin_shutdown();
        self.thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_read_meets_a_write() {
    model_with(2, || {
        let (r, mut client, mut server) = Running::pair();
        let reader = spawn(move || block_on(server.read(&mut [0; 16])).unwrap());
        block_on(client.write_all(b"text")).unwrap();
        assert_eq!(reader.join().unwrap(), 4);
        r.end();
    });
}

#[test]
fn a_read_meets_the_drop_of_the_peer() {
    model_with(2, || {
        let (r, client, mut server) = Running::pair();
        let reader = spawn(move || block_on(server.read(&mut [0; 16])).unwrap());
        drop(client);
        assert_eq!(reader.join().unwrap(), 0);
        r.end();
    });
}

#[test]
fn a_write_meets_the_abort_of_the_peer() {
    model_with(2, || {
        let mut p = Pair::new();
        p.fill();
        let r = Running::new(p.stack);
        let mut client = TcpStream::new(r.net.clone(), p.client);
        let server = TcpStream::new(r.net.clone(), p.server);
        let writer = spawn(move || block_on(client.write(b"more")).map_err(|e| e.kind()));
        server.abort();
        assert_eq!(writer.join().unwrap(), Err(io::ErrorKind::ConnectionReset));
        r.end();
    });
}

#[test]
fn a_read_half_meets_the_drop_of_the_write_half() {
    // Both ends wait for the other to close; the drop of one half is all it takes.
    model_with(1, || {
        let (r, client, mut server) = Running::pair();
        let (mut read, write) = client.into_split();
        let reader = spawn(move || block_on(read.read(&mut [0; 16])).unwrap());
        drop(write);
        assert_eq!(block_on(server.read(&mut [0; 16])).unwrap(), 0);
        drop(server);
        assert_eq!(reader.join().unwrap(), 0);
        r.end();
    });
}

#[test]
fn a_close_that_lingers_meets_the_ack() {
    model_with(1, || {
        let (r, client, mut server) = Running::pair();
        client.set_linger(Some(Duration::from_secs(9))).unwrap();
        let closing = spawn(move || block_on(client.close()).map_err(|e| e.kind()));
        assert_eq!(block_on(server.read(&mut [0; 16])).unwrap(), 0);
        drop(server);
        assert_eq!(closing.join().unwrap(), Ok(()));
        r.end();
    });
}

#[test]
fn an_accept_that_is_dropped_loses_no_connection() {
    model_with(1, || {
        let mut client = None;
        let (r, listener) = Running::listening(|stack| {
            client = stack.connect(rig::NOW, at(), ConnectOptions::default()).ok();
        });
        assert!(client.is_some());
        // Polled once by a task that gives up.
        let (task, other) = (Task::new(), listener.clone());
        let gives_up = spawn(move || {
            let mut accept = std::pin::pin!(other.accept());
            task.poll(&mut accept).is_ready()
        });
        let accepted = spawn(move || block_on(poll_fn(|cx| listener.poll_accept(cx))).is_ok());
        if gives_up.join().unwrap() {
            // It had the only connection: the other one waits until the end.
            r.end();
            accepted.join().unwrap();
        } else {
            assert!(accepted.join().unwrap());
            r.end();
        }
    });
}

#[test]
fn a_connect_that_is_dropped_leaves_nothing() {
    model(|| {
        let (r, listener) = Running::listening(|_| ());
        let task = Task::new();
        {
            let mut connect = std::pin::pin!(r.net.connect_addr(at(), ConnectOptions::default()));
            drop(task.poll(&mut connect));
        }
        let net = r.net.clone();
        drop(listener);
        r.end();
        net.handle.with_stack(|stack, _| drain(stack));
        assert_eq!(net.connection_count(), 0);
        assert!(task.is_forgotten());
    });
}
