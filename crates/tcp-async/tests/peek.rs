//! Does peeking leave everything where it is?
mod common;

use std::future::poll_fn;

use common::{net, on_both, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};

#[test]
fn peeked_text_is_read_again() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        let mut buf = [0; 16];
        let peek = tokio::spawn(async move {
            let n = b.peek(&mut buf).await.unwrap();
            (b, n, buf)
        });
        a.write_all(b"hello").await.unwrap();
        (b, _, buf) = peek.await.unwrap();
        assert_eq!(&buf[..5], b"hello");
        let mut polled = [0; 3];
        let n = poll_fn(|cx| b.poll_peek(cx, &mut ReadBuf::new(&mut polled))).await.unwrap();
        assert_eq!((n, &polled), (3, b"hel"));
        let mut text = [0; 5];
        b.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"hello");
    });
}

#[test]
fn the_end_is_peeked_as_zero() {
    on_both(|| async {
        let (mut a, b, _l) = pair(&net()).await;
        a.shutdown().await.unwrap();
        assert_eq!(b.peek(&mut [0; 4]).await.unwrap(), 0);
        assert_eq!(b.peek(&mut [0; 4]).await.unwrap(), 0);
    });
}
