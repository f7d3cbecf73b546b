//! What does the peer see when a stream is closed or dropped?
mod common;

use std::io::ErrorKind;

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
        assert_eq!(start.elapsed(), std::time::Duration::ZERO);
        let e = read.as_ref().try_write(b"x").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::BrokenPipe);
    });
}
