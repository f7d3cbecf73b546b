//! What does a program get that never builds a stack? The process's loopback network, whatever
//! becomes of the runtimes that use it.
mod common;

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use common::{guarded, in_virtual_time, on_both, one_thread, two_threads};
use tcp_async::{Net, TcpListener, TcpSocket, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One test ends the network that the others use.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A connection over the loopback network, and text in both directions.
async fn exchange(addr: &str) {
    let listener = TcpListener::bind(addr).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    client.write_all(b"ping").await.unwrap();
    let mut text = [0; 4];
    server.read_exact(&mut text).await.unwrap();
    server.write_all(&text).await.unwrap();
    client.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"ping");
}

#[test]
fn both_families_are_there() {
    let _alone = alone();
    on_both(|| async {
        exchange("127.0.0.1:0").await;
        exchange("127.1.2.3:0").await;
        exchange("[::1]:0").await;
        exchange("localhost:0").await;
    });
}

#[test]
fn it_outlives_the_runtime_that_asked_for_it() {
    let _alone = alone();
    let first = one_thread();
    let listener = first.block_on(guarded(TcpListener::bind("127.0.0.1:0"))).unwrap();
    let addr = listener.local_addr().unwrap();
    drop(first);
    two_threads().block_on(guarded(async {
        let (client, server) = tokio::join!(TcpStream::connect(addr), listener.accept());
        assert_eq!(client.unwrap().local_addr().unwrap(), server.unwrap().1);
    }));
}

#[test]
fn two_runtimes_meet_on_it() {
    let _alone = alone();
    let (one, two) = (two_threads(), one_thread());
    let listener = one.block_on(guarded(TcpListener::bind("127.0.0.1:0"))).unwrap();
    let addr = listener.local_addr().unwrap();
    let server = one.spawn(async move { listener.accept().await.unwrap().0.write_all(b"x").await });
    let mut client = two.block_on(guarded(TcpStream::connect(addr))).unwrap();
    two.block_on(guarded(async {
        assert_eq!(client.read_u8().await.unwrap(), b'x');
    }));
    one.block_on(guarded(server)).unwrap().unwrap();
}

#[test]
fn a_paused_clock_does_not_disturb_it() {
    let _alone = alone();
    in_virtual_time(async {
        for _ in 0..8 {
            exchange("127.0.0.1:0").await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    });
}

#[test]
fn a_new_one_is_made_after_it_was_shut_down() {
    let _alone = alone();
    on_both(|| async {
        let old = Net::current().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        old.shutdown().await;
        assert!(listener.accept().await.is_err());
        exchange("127.0.0.1:0").await;
    });
}

#[test]
fn a_runtime_that_is_shut_down_gets_tokios_error() {
    let _alone = alone();
    for runtime in [one_thread(), two_threads()] {
        let _here = runtime.enter();
        let binding = TcpListener::bind("127.0.0.1:0");
        runtime.shutdown_timeout(Duration::from_secs(60));
        let handle = tokio::runtime::Handle::current();
        for e in [
            handle.block_on(binding).unwrap_err(),
            handle.block_on(TcpStream::connect("127.0.0.1:1")).unwrap_err(),
            TcpSocket::new_v4().unwrap_err(),
        ] {
            assert!(tokio::runtime::is_rt_shutdown_err(&e), "{e}");
        }
    }
}

#[test]
fn it_reaches_nobody_else() {
    let _alone = alone();
    on_both(|| async {
        let kernel = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let e = TcpStream::connect(kernel.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
        let e = TcpStream::connect("192.0.2.1:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NetworkUnreachable);
    });
}
