//! How does a stack end, and who learns of it?
mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{
    ADDR, fill, guarded, in_virtual_time, net, on_both, one_thread, pair, pattern, two_threads,
};
use tcp_async::{Net, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn shutdown_of_an_idle_stack_returns_at_once() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        net.shutdown().await;
        net.shutdown().await;
        net.ended().await;
        assert!(listener.accept().await.is_err());
        let e = net.connect((ADDR, 80)).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NetworkDown);
        assert_eq!(net.listen((ADDR, 81)).await.unwrap_err().kind(), ErrorKind::NetworkDown);
    });
}

#[test]
fn every_waiting_task_learns_of_the_end() {
    on_both(|| async {
        let net = net();
        let (mut a, b, listener) = pair(&net).await;
        let accepting = tokio::spawn(async move { listener.accept().await.is_err() });
        let reading = tokio::spawn(async move { a.read(&mut [0; 1]).await });
        let n = net.clone();
        let connecting = tokio::spawn(async move { n.connect("10.0.0.9:80").await });
        while net.connection_count() < 3 {
            tokio::task::yield_now().await;
        }
        net.shutdown().await;
        assert!(accepting.await.unwrap());
        // An end in order or an error, by which side closed first; no hang.
        assert!(matches!(reading.await.unwrap(), Ok(0) | Err(_)));
        assert!(connecting.await.unwrap().is_err());
        assert_eq!(b.state(), State::Closed);
    });
}

#[test]
fn shutdown_with_a_peer_that_does_not_read_ends_in_the_grace_time() {
    in_virtual_time(async {
        let grace = Duration::from_secs(3);
        let net = Net::builder().address("10.0.0.1/24").grace(grace).loopback().unwrap();
        let (a, _b, _l) = pair(&net).await;
        fill(&a).await;
        let start = tokio::time::Instant::now();
        net.shutdown().await;
        assert!(start.elapsed() <= grace + Duration::from_millis(10), "{:?}", start.elapsed());
        assert_eq!(a.state(), State::Closed);
        assert!(a.try_write(b"x").is_err());
    });
}

#[test]
fn dropping_a_runtime_wakes_the_tasks_of_another() {
    for own in [one_thread(), two_threads()] {
        let other = two_threads();
        // The stack runs on `own`; its streams are used on `other`.
        let (net, mut a, mut b, l) = own.block_on(async {
            let net = net();
            let (a, b, l) = pair(&net).await;
            (net, a, b, l)
        });
        let reading = other.spawn(async move { a.read(&mut [0; 1]).await });
        let accepting = other.spawn(async move { l.accept().await.is_err() });
        let writing = other.spawn(async move {
            let text = pattern(1 << 20);
            loop {
                if let Err(e) = b.write_all(&text).await {
                    return e.kind();
                }
            }
        });
        drop(own);
        other.block_on(guarded(async {
            // It may have read an octet before the end.
            reading.await.unwrap().ok();
            assert!(accepting.await.unwrap());
            writing.await.unwrap();
            net.ended().await;
        }));
    }
}
