//! Do several buffers go in one call?
mod common;

use std::io::{ErrorKind, IoSlice, IoSliceMut};

use common::{net, on_both, pair, pattern};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[test]
fn slices_arrive_in_order() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        assert!(a.is_write_vectored());
        let text = pattern(3000);
        let slices = [&text[..1], &[], &text[1..2000], &text[2000..]].map(IoSlice::new);
        assert_eq!(a.write_vectored(&slices).await.unwrap(), 3000);
        let mut got = vec![0; 3000];
        b.read_exact(&mut got).await.unwrap();
        assert!(got == text);
        assert_eq!(b.try_write_vectored(&slices[1..3]).unwrap(), 1999);
        a.read_exact(&mut got[..1999]).await.unwrap();
        assert!(got[..1999] == text[1..2000]);
    });
}

#[test]
fn text_is_scattered() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        a.try_write(b"abcdef").unwrap();
        b.readable().await.unwrap();
        let (mut one, mut two) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(b.try_read_vectored(&mut bufs).unwrap(), 6);
        assert_eq!((&one, &two[..4]), (b"ab", &b"cdef"[..]));
    });
}

#[test]
fn empty_buffers_do_nothing() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        assert_eq!(a.write(&[]).await.unwrap(), 0);
        assert_eq!(a.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(b.read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn a_reset_behind_the_text_is_told_by_the_next_read() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        a.try_write(b"ab").unwrap();
        b.readable().await.unwrap();
        a.abort();
        while b.info().state != tcp_async::State::Closed {
            tokio::task::yield_now().await;
        }
        let (mut one, mut two) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        match b.try_read_vectored(&mut bufs) {
            // The text first, then the reset: it must not look like the end of the stream.
            Ok(2) => {
                let e = b.try_read_vectored(&mut bufs).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::ConnectionReset);
            }
            other => assert_eq!(other.unwrap_err().kind(), ErrorKind::ConnectionReset),
        }
    });
}
