//! Does a task lose nothing of what the stack does to its connection? The stack is driven by the
//! first thread; tasks wait on a connection from theirs.

use std::future::poll_fn;
use std::sync::Arc;

use tcp_core::error::{End, UserError};
use tcp_io::cell::{ConnCell, Interest, Readiness};
use tcp_io::stack::ConnectOptions;

use crate::rig::{NOW, Pair, Task, Wait, drain, model, read, spawn, stack, write};

/// Lets a task act on a cell in a thread of its own while the stack goes on.
fn meanwhile<T: Send + 'static, F: Future<Output = T>>(
    cell: &Arc<ConnCell>,
    act: impl FnOnce(Arc<ConnCell>) -> F + Send + 'static,
) -> (Task, loom::thread::JoinHandle<T>) {
    let (task, cell) = (Task::new(), cell.clone());
    let thread = spawn({
        let task = task.clone();
        move || task.run(act(cell))
    });
    (task, thread)
}

#[test]
fn a_reader_hears_of_a_segment() {
    model(|| {
        let mut p = Pair::new();
        let (task, reader) = meanwhile(&p.server, |c| async move { read(&c).await });
        p.client.write(NOW, b"text").unwrap();
        p.drain();
        assert_eq!(reader.join().unwrap(), Ok(4));
        assert!(task.wakes() <= 1, "one event, one wake-up: {}", task.wakes());
    });
}

#[test]
fn a_reader_hears_of_the_end_and_of_a_reset() {
    for reset in [false, true] {
        model(move || {
            let mut p = Pair::new();
            let (task, reader) = meanwhile(&p.server, |c| async move { read(&c).await });
            if reset {
                p.client.abort()
            } else {
                p.client.close_write().unwrap()
            }
            p.drain();
            let expected = if reset { Err(UserError::Ended(End::Reset)) } else { Ok(0) };
            assert_eq!(reader.join().unwrap(), expected);
            assert!(task.wakes() <= 1, "{}", task.wakes());
        });
    }
}

#[test]
fn a_writer_hears_of_the_room_that_an_ack_makes() {
    model(|| {
        let mut p = Pair::new();
        p.fill();
        let (task, writer) = meanwhile(&p.client, |c| async move { write(&c).await });
        while p.server.read(NOW, &mut [0; 4096]).is_ok() {}
        p.drain();
        assert_eq!(writer.join().unwrap(), Ok(4));
        assert!(task.wakes() <= 1, "{}", task.wakes());
    });
}

#[test]
fn a_writer_hears_of_a_reset() {
    model(|| {
        let mut p = Pair::new();
        p.fill();
        let (task, writer) = meanwhile(&p.client, |c| async move { write(&c).await });
        p.server.abort();
        p.drain();
        assert_eq!(writer.join().unwrap(), Err(UserError::Ended(End::Reset)));
        assert!(task.wakes() <= 1, "{}", task.wakes());
    });
}

#[test]
fn who_waits_at_an_end_that_is_reset_or_closed_here_hears_of_it() {
    for reset in [false, true] {
        model(move || {
            let mut p = Pair::new();
            let (_, reader) = meanwhile(&p.server, |c| async move { read(&c).await });
            if reset {
                p.server.abort()
            } else {
                p.server.close(NOW)
            }
            p.drain();
            if !reset {
                p.client.close(NOW);
                p.drain();
            }
            assert_ne!(reader.join().unwrap(), Err(UserError::WouldBlock));
        });
    }
}

#[test]
fn every_one_of_several_waiting_tasks_is_woken_once() {
    model(|| {
        let mut p = Pair::new();
        let wait = |c: Arc<ConnCell>| async move { Wait::new(&c, Interest::READABLE).await };
        let (a, first) = meanwhile(&p.server, wait);
        let (b, second) = meanwhile(&p.server, wait);
        p.client.write(NOW, b"text").unwrap();
        p.drain();
        for (task, waiting) in [(a, first), (b, second)] {
            assert!(waiting.join().unwrap().intersects(Readiness::READABLE));
            assert!(task.wakes() <= 1, "{}", task.wakes());
            assert!(task.is_forgotten());
        }
    });
}

#[test]
fn a_reader_and_a_writer_of_one_stream_both_hear_of_a_reset() {
    model(|| {
        let mut p = Pair::new();
        p.fill();
        let (a, reader) = meanwhile(&p.client, |c| async move { read(&c).await });
        let (b, writer) = meanwhile(&p.client, |c| async move { write(&c).await });
        p.server.abort();
        p.drain();
        // The failure is told once; after it come the end and the broken pipe.
        let reset = Err(UserError::Ended(End::Reset));
        let both = (reader.join().unwrap(), writer.join().unwrap());
        assert!(both == (Ok(0), reset) || both == (reset, Err(UserError::BrokenPipe)), "{both:?}");
        assert!(a.wakes() <= 1 && b.wakes() <= 1);
    });
}

#[test]
fn a_wait_that_is_dropped_leaves_no_waker_and_takes_none_from_others() {
    model(|| {
        let mut p = Pair::new();
        let (task, cell) = (Task::new(), p.server.clone());
        let gives_up = spawn({
            let task = task.clone();
            move || task.poll(&mut Wait::new(&cell, Interest::READABLE)).is_ready()
        });
        let (_, reader) =
            meanwhile(&p.server, |c| async move { Wait::new(&c, Interest::READABLE).await });
        p.client.write(NOW, b"text").unwrap();
        p.drain();
        gives_up.join().unwrap();
        assert!(reader.join().unwrap().intersects(Readiness::READABLE));
        assert!(task.wakes() <= 1 && task.is_forgotten());
    });
}

#[test]
fn the_last_task_that_polls_is_the_one_that_is_woken() {
    model(|| {
        let mut p = Pair::new();
        let first = Task::new();
        let mut poll = poll_fn(|cx| p.server.poll_ready(cx, Interest::READABLE));
        assert!(first.poll(&mut poll).is_pending());
        let (last, reader) = meanwhile(&p.server, |c| async move { read(&c).await });
        p.client.write(NOW, b"text").unwrap();
        p.drain();
        assert_eq!(reader.join().unwrap(), Ok(4));
        assert!(first.wakes() + last.wakes() <= 1);
        assert!(first.is_forgotten());
    });
}

#[test]
fn an_event_that_meets_a_closure_that_would_block_is_not_missed() {
    // As `async_io`: whoever would block after looking waits for the next event, unless it has come.
    model(|| {
        let mut p = Pair::new();
        p.server.assume_ready();
        let (_, reader) = meanwhile(&p.server, |c| async move {
            loop {
                Wait::new(&c, Interest::READABLE).await;
                let (_, seen) = c.readiness_seen();
                match c.read(NOW, &mut [0; 16]) {
                    Err(UserError::WouldBlock) => c.spend(Interest::READABLE, seen),
                    r => return r,
                }
            }
        });
        p.client.write(NOW, b"text").unwrap();
        p.drain();
        assert_eq!(reader.join().unwrap(), Ok(4));
    });
}

#[test]
fn what_a_task_writes_while_the_stack_serves_it_is_served_too() {
    model(|| {
        let mut p = Pair::new();
        let client = p.client.clone();
        let writer = spawn(move || {
            for _ in 0..3 {
                client.write(NOW, b"text").unwrap();
            }
        });
        p.drain();
        writer.join().unwrap();
        p.drain();
        assert_eq!(p.server.read(NOW, &mut [0; 16]), Ok(12));
    });
}

#[test]
fn who_waits_for_the_delivery_hears_of_the_last_ack() {
    model(|| {
        let mut p = Pair::new();
        let (task, delivered) = meanwhile(&p.client, |c| async move {
            c.close(NOW);
            let mut key = None;
            poll_fn(|cx| c.poll_delivered(cx, &mut key)).await
        });
        p.drain();
        while !matches!(p.server.read(NOW, &mut [0; 16]), Ok(0)) {
            loom::thread::yield_now();
            p.drain();
        }
        p.server.close(NOW);
        p.drain();
        assert_eq!(delivered.join().unwrap(), Ok(()));
        assert!(task.wakes() <= 1 && task.is_forgotten());
    });
}

#[test]
fn who_connects_hears_of_the_answer() {
    for refused in [false, true] {
        model(move || {
            let mut stack = stack();
            if !refused {
                stack.listen(crate::rig::at(), Default::default()).unwrap();
            }
            let id = stack.connect(NOW, crate::rig::at(), ConnectOptions::default()).unwrap();
            let cell = stack.connection_cell(id).unwrap();
            let (task, connected) =
                meanwhile(&cell, |c| async move { poll_fn(|cx| c.poll_connected(cx)).await });
            drain(&mut stack);
            let expected = if refused { Err(End::Refused) } else { Ok(()) };
            assert_eq!(connected.join().unwrap(), expected);
            assert!(task.wakes() <= 1, "{}", task.wakes());
        });
    }
}
