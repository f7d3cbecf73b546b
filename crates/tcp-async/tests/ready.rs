//! What can be done without waiting, and who is told when that changes?
mod common;

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;

use common::{fill, in_virtual_time, net, on_both, pair, poll_once};
use tcp_async::Net;
use tcp_core::config::TcpConfig;
use tokio::io::{AsyncReadExt, Interest};

#[test]
fn reading_without_text_would_block() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let e = b.try_read(&mut [0; 4]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::WouldBlock);
        assert_eq!(a.try_write(b"text").unwrap(), 4);
        b.readable().await.unwrap();
        let mut buf = Vec::with_capacity(16);
        assert_eq!(b.try_read_buf(&mut buf).unwrap(), 4);
        assert_eq!(buf, b"text");
        assert_eq!(b.try_read_buf(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn writing_would_block_until_the_peer_reads() {
    in_virtual_time(async {
        let (a, mut b, _l) = pair(&net()).await;
        let written = fill(&a).await;
        assert_eq!(a.try_write(b"more").unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut text = vec![0; written];
        let (w, r) = tokio::join!(a.writable(), b.read_exact(&mut text));
        w.unwrap();
        r.unwrap();
        assert_eq!(a.try_write(b"more").unwrap(), 4);
    });
}

// On Linux the loopback device delivers within the call. Here a task, or a thread of its own, does: room
// that text under way gives back must not come after a writer was told to wait.
#[test]
fn a_writer_to_itself_waits_for_its_reader_only() {
    in_virtual_time(async {
        let wide = |tcp: &mut TcpConfig| tcp.receive_buffer.initial = 4 << 20;
        let net = Net::builder().address("10.0.0.1/24").tcp(wide).loopback().unwrap();
        // The server: the SYN-ACK has told the client of 64 KiB only.
        let (b, a, _l) = pair(&net).await;
        let block = vec![7; 4000];
        let mut written = 0;
        // The stack's task has no turn in here.
        let e = loop {
            match a.try_write(&block) {
                Ok(n) => written += n,
                Err(e) => break e,
            }
        };
        assert_eq!(e.kind(), ErrorKind::WouldBlock);
        for _ in 0..100 {
            assert!(poll_once(pin!(a.writable())).await.is_pending());
            tokio::task::yield_now().await;
        }
        let mut read = 0;
        while read < written {
            b.readable().await.unwrap();
            read += b.try_read(&mut vec![0; 65_536]).unwrap_or(0);
        }
        a.writable().await.unwrap();
    });
}

#[test]
fn every_waiting_task_is_woken() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let b = Arc::new(b);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let b = b.clone();
                tokio::spawn(async move { b.readable().await.unwrap() })
            })
            .collect();
        tokio::task::yield_now().await;
        a.try_write(b"x").unwrap();
        for t in tasks {
            t.await.unwrap();
        }
    });
}

#[test]
fn a_dropped_wait_takes_nothing_from_the_others() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let mut first = Box::pin(b.readable());
        let mut second = pin!(b.readable());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        a.try_write(b"x").unwrap();
        drop(first);
        second.await.unwrap();
        assert_eq!(b.try_read(&mut [0; 2]).unwrap(), 1);
    });
}

#[test]
fn readiness_names_what_is_ready() {
    on_both(|| async {
        let (mut a, b, _l) = pair(&net()).await;
        let all = Interest::READABLE | Interest::WRITABLE;
        let ready = a.ready(all).await.unwrap();
        assert!(ready.is_writable() && !ready.is_readable());
        tokio::io::AsyncWriteExt::shutdown(&mut a).await.unwrap();
        let ready = b.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_read_closed());
    });
}

#[test]
fn own_input_and_output_is_retried_until_it_succeeds() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let e = b.try_io(Interest::READABLE, || Ok(())).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::WouldBlock);
        a.try_write(b"abc").unwrap();
        let mut buf = [0; 8];
        let n = b.async_io(Interest::READABLE, || b.try_read(&mut buf)).await.unwrap();
        assert_eq!(&buf[..n], b"abc");
    });
}

#[test]
fn an_accepted_stream_is_tried_before_it_is_waited_for() {
    on_both(|| async {
        let net = net();
        let listener = net.listen("10.0.0.1:80").await.unwrap();
        let (a, b) = tokio::join!(net.connect("10.0.0.1:80"), listener.accept());
        let (a, b) = (a.unwrap(), b.unwrap().0);
        assert!(poll_once(pin!(a.readable())).await.is_pending());
        assert!(poll_once(pin!(b.readable())).await.is_ready());
        assert_eq!(b.try_read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(poll_once(pin!(b.readable())).await.is_pending());
    });
}

#[test]
fn a_direction_is_ready_until_it_would_block() {
    in_virtual_time(async {
        let (a, b, _l) = pair(&net()).await;
        let block = vec![7; 4000];
        loop {
            assert!(poll_once(pin!(a.writable())).await.is_ready());
            match a.try_write(&block) {
                Ok(_) => {}
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        assert!(poll_once(pin!(a.writable())).await.is_pending());
        // A full read may have left something, a short one has not.
        b.try_write(b"12345678").unwrap();
        a.readable().await.unwrap();
        assert_eq!(a.try_read(&mut [0; 8]).unwrap(), 8);
        assert!(poll_once(pin!(a.readable())).await.is_ready());
        assert_eq!(a.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(poll_once(pin!(a.readable())).await.is_pending());
    });
}

#[test]
fn own_input_that_wants_more_waits_for_it() {
    in_virtual_time(async {
        let (a, b, _l) = pair(&net()).await;
        a.try_write(b"half").unwrap();
        let mut calls = 0;
        let mut buf = [0; 8];
        let whole = b.async_io(Interest::READABLE, || {
            calls += 1;
            let seen = tokio::task::unconstrained(b.peek(&mut buf));
            let n = futures::FutureExt::now_or_never(seen).unwrap_or(Ok(0))?;
            if n < 8 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
        });
        let late = async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            a.try_write(b"half").unwrap();
        };
        let (n, ()) = tokio::join!(whole, late);
        assert_eq!(n.unwrap(), 8);
        assert!(calls <= 4, "called {calls} times");
        // The same without waiting: not ready until something happens.
        let e = b.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        assert_eq!(e.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(poll_once(pin!(b.readable())).await.is_pending());
        a.try_write(b"x").unwrap();
        b.readable().await.unwrap();
        assert_eq!(b.try_read(&mut [0; 16]).unwrap(), 9);
    });
}

#[test]
fn a_growing_buffer_takes_what_it_has_room_for() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        a.try_write(&[7; 1000]).unwrap();
        let mut all = vec![0; 1000];
        while b.peek(&mut all).await.unwrap() < 1000 {
            tokio::task::yield_now().await;
        }
        let mut buf = Vec::with_capacity(100);
        assert_eq!(b.try_read_buf(&mut buf).unwrap(), 100);
        assert_eq!(buf.capacity(), 100, "it did not have to grow");
    });
}
