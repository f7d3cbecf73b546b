//! What does the peer see when a stream is closed or dropped?
mod common;

use std::io::ErrorKind;

use std::time::Duration;

use common::{fill, in_virtual_time, net, on_both, pair, pattern, poll_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn after_shutdown_reading_goes_on_and_writing_fails() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        a.write_all(b"question").await.unwrap();
        a.shutdown().await.unwrap();
        a.shutdown().await.unwrap();
        assert_eq!(a.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut text = String::new();
        b.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        b.write_all(&pattern(200_000)).await.unwrap();
        drop(b);
        let mut answer = Vec::new();
        a.read_to_end(&mut answer).await.unwrap();
        assert!(answer == pattern(200_000));
        assert_eq!(a.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn what_was_written_before_the_drop_is_delivered() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        a.set_nodelay(false).unwrap();
        let text = pattern(200_000);
        a.write_all(&text).await.unwrap();
        drop(a);
        let mut got = Vec::new();
        b.read_to_end(&mut got).await.unwrap();
        assert!(got == text);
    });
}

// SHLD-3: closing with unread text resets.
#[test]
fn dropping_with_unread_text_resets_the_peer() {
    on_both(|| async {
        let (mut a, b, _l) = pair(&net()).await;
        a.write_all(b"never read").await.unwrap();
        b.readable().await.unwrap();
        drop(b);
        let e = a.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
        // As on Linux the failure is told once.
        assert_eq!(a.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(a.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_pending_error_is_taken_once() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        assert!(a.take_error().unwrap().is_none());
        b.abort();
        a.readable().await.unwrap();
        let e = a.take_error().unwrap().unwrap();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
        assert!(a.take_error().unwrap().is_none());
    });
}

#[test]
fn zero_linger_resets() {
    on_both(|| async {
        let (a, mut b, _l) = pair(&net()).await;
        a.set_zero_linger().unwrap();
        drop(a);
        let e = b.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_writer_that_waits_for_room_learns_of_the_shutdown() {
    in_virtual_time(async {
        let (a, _b, _l) = pair(&net()).await;
        fill(&a).await;
        let (read, mut write) = a.into_split();
        let mut writable = Box::pin(read.as_ref().writable());
        assert!(poll_once(writable.as_mut()).await.is_pending());
        write.shutdown().await.unwrap();
        let start = tokio::time::Instant::now();
        writable.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        let e = read.as_ref().try_write(b"x").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::BrokenPipe);
    });
}

// As tokio on Linux: shutdown(2) says ENOTCONN, which tokio takes for done, and the failure is
// still there to be read.
#[test]
fn shutdown_after_a_reset_is_ok_and_takes_no_error() {
    on_both(|| async {
        let (mut a, b, _l) = pair(&net()).await;
        b.abort();
        a.readable().await.unwrap();
        for _ in 0..2 {
            a.shutdown().await.unwrap();
        }
        let e = a.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
        a.shutdown().await.unwrap();
        // The same for halves, and after an end in order.
        let (a, b, _l) = pair(&net()).await;
        let (read, mut write) = a.into_split();
        b.abort();
        read.readable().await.unwrap();
        write.shutdown().await.unwrap();
        let (mut a, mut b, _l) = pair(&net()).await;
        b.shutdown().await.unwrap();
        a.shutdown().await.unwrap();
        assert_eq!(b.read(&mut [0; 1]).await.unwrap(), 0);
        b.shutdown().await.unwrap();
    });
}

#[test]
fn flush_returns_after_a_reset() {
    on_both(|| async {
        let (mut a, b, _l) = pair(&net()).await;
        a.write_all(b"unsent, perhaps").await.unwrap();
        b.abort();
        a.flush().await.unwrap();
        let (mut a, b, _l) = pair(&net()).await;
        b.abort();
        a.readable().await.unwrap();
        a.flush().await.unwrap();
    });
}

#[test]
fn shutdown_returns_once_the_fin_is_queued() {
    in_virtual_time(async {
        let (mut a, mut b, _l) = pair(&net()).await;
        // The peer reads nothing: neither the text nor the FIN can be sent.
        let written = fill(&a).await;
        let start = tokio::time::Instant::now();
        a.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        let mut got = Vec::new();
        b.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), written);
        // Nor does it wait through TIME-WAIT.
        b.shutdown().await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(a.read(&mut [0; 1]).await.unwrap(), 0);
        a.shutdown().await.unwrap();
        drop(a);
        assert!(start.elapsed() < Duration::from_millis(10));
    });
}

#[test]
fn close_waits_for_the_delivery() {
    in_virtual_time(async {
        let (mut a, mut b, _l) = pair(&net()).await;
        a.set_linger(Some(Duration::from_secs(10))).unwrap();
        a.write_all(&pattern(1000)).await.unwrap();
        a.close().await.unwrap();
        let mut got = Vec::new();
        b.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, pattern(1000));
    });
}

// As Linux: the linger time bounds the wait, not the delivery.
#[test]
fn a_linger_time_costs_no_text() {
    in_virtual_time(async {
        for wait in [true, false] {
            let (a, mut b, _l) = pair(&net()).await;
            let linger = Duration::from_secs(3);
            a.set_linger(Some(linger)).unwrap();
            let written = fill(&a).await;
            let start = tokio::time::Instant::now();
            if wait {
                let e = a.close().await.unwrap_err();
                assert_eq!(e.kind(), ErrorKind::TimedOut);
                assert!(start.elapsed().abs_diff(linger) < Duration::from_millis(10));
            } else {
                drop(a);
                assert_eq!(start.elapsed(), Duration::ZERO);
                tokio::time::sleep(2 * linger).await;
            }
            let mut got = Vec::new();
            b.read_to_end(&mut got).await.unwrap();
            assert_eq!(got.len(), written);
        }
    });
}

#[test]
fn close_says_what_ended_it() {
    in_virtual_time(async {
        // Without a linger time nothing is waited for.
        let (a, _b, _l) = pair(&net()).await;
        fill(&a).await;
        a.close().await.unwrap();
        // Zero resets.
        let (a, mut b, _l) = pair(&net()).await;
        a.set_zero_linger().unwrap();
        let e = a.close().await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionAborted);
        let e = b.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
        // The peer resets while we wait.
        let (a, b, _l) = pair(&net()).await;
        a.set_linger(Some(Duration::from_secs(10))).unwrap();
        fill(&a).await;
        let mut closing = Box::pin(a.close());
        assert!(poll_once(closing.as_mut()).await.is_pending());
        b.abort();
        assert_eq!(closing.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}
