//! Can two tasks use the two directions?
mod common;

use common::{net, on_both, pair, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn borrowed_halves_work_at_the_same_time() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        let text = pattern(300_000);
        let (mut ar, mut aw) = a.split();
        let (mut br, mut bw) = b.split();
        let (mut at_a, mut at_b) = (vec![0; text.len()], vec![0; text.len()]);
        let (w1, w2, r1, r2) = tokio::join!(
            aw.write_all(&text),
            bw.write_all(&text),
            ar.read_exact(&mut at_a),
            br.read_exact(&mut at_b),
        );
        w1.and(w2).unwrap();
        r1.and(r2).unwrap();
        assert!(at_a == text && at_b == text);
    });
}

#[test]
fn owned_halves_go_to_different_tasks() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let (mut read, mut write) = a.into_split();
        let writer = tokio::spawn(async move {
            write.write_all(&pattern(200_000)).await.unwrap();
            write
        });
        let reader = tokio::spawn(async move {
            let mut text = Vec::new();
            read.read_to_end(&mut text).await.unwrap();
            text.len()
        });
        let (mut br, mut bw) = b.into_split();
        let mut text = vec![0; 200_000];
        br.read_exact(&mut text).await.unwrap();
        bw.write_all(b"done").await.unwrap();
        drop(bw);
        assert_eq!(reader.await.unwrap(), 4);
        drop(writer.await.unwrap());
        assert_eq!(br.read(&mut text).await.unwrap(), 0);
    });
}

#[test]
fn dropping_the_write_half_closes_and_reading_goes_on() {
    on_both(|| async {
        let (a, mut b, _l) = pair(&net()).await;
        let (mut read, mut write) = a.into_split();
        write.write_all(b"question").await.unwrap();
        drop(write);
        let mut text = String::new();
        b.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        b.write_all(b"answer").await.unwrap();
        b.shutdown().await.unwrap();
        text.clear();
        read.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
    });
}

#[test]
fn a_forgotten_write_half_leaves_the_direction_open() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let (read, write) = a.into_split();
        write.forget();
        b.try_write(b"x").unwrap();
        read.readable().await.unwrap();
        assert_eq!(read.try_read(&mut [0; 2]).unwrap(), 1);
        let end = b.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(end.kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn halves_of_one_stream_reunite_and_others_do_not() {
    on_both(|| async {
        let (a, b, _l) = pair(&net()).await;
        let peer = a.peer_addr().unwrap();
        let (ar, aw) = a.into_split();
        let (br, bw) = b.into_split();
        let e = ar.reunite(bw).unwrap_err();
        assert!(e.to_string().contains("not from the same socket"));
        let tcp_async::ReuniteError(ar, bw) = e;
        let mut a = aw.reunite(ar).unwrap();
        let mut b = br.reunite(bw).unwrap();
        assert_eq!(a.peer_addr().unwrap(), peer);
        a.write_all(b"still open").await.unwrap();
        let mut text = [0; 10];
        b.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"still open");
    });
}
