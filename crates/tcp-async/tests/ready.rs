//! What can be done without waiting, and who is told when that changes?
mod common;

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;

use common::{fill, in_virtual_time, net, on_both, pair, poll_once};
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
        let ready = b.ready(all).await.unwrap();
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
