//! Who gets the next connection?
mod common;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use common::{ADDR, net, on_both, poll_once};
use futures::StreamExt;
use tokio::io::AsyncReadExt;

#[test]
fn waiting_tasks_get_connections_in_the_order_in_which_they_came() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(listener.accept())).collect();
        for w in &mut waiting {
            assert!(poll_once(w.as_mut()).await.is_pending());
        }
        for w in waiting {
            let client = net.connect((ADDR, 80)).await.unwrap();
            let (_, peer) = w.await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    });
}

#[test]
fn several_tasks_share_the_connections() {
    on_both(|| async {
        let net = net();
        let listener = Arc::new(net.listen((ADDR, 80)).await.unwrap());
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let l = listener.clone();
                tokio::spawn(async move {
                    for _ in 0..8 {
                        l.accept().await.unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..32 {
            net.connect((ADDR, 80)).await.unwrap();
        }
        for t in tasks {
            t.await.unwrap();
        }
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let mut first = Box::pin(listener.accept());
        let mut second = pin!(listener.accept());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        // This connection wakes the first, which gives up: the second has to be woken.
        let client = net.connect((ADDR, 80)).await.unwrap();
        drop(first);
        let (_, peer) = second.await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn a_cancelled_accept_wakes_a_polling_task() {
    on_both(|| async {
        let net = net();
        let listener = Arc::new(net.listen((ADDR, 80)).await.unwrap());
        let mut first = Box::pin(listener.accept());
        assert!(poll_once(first.as_mut()).await.is_pending());
        let (l, (ready, go)) = (listener.clone(), tokio::sync::oneshot::channel());
        let mut ready = Some(ready);
        let polling = tokio::spawn(async move {
            poll_fn(|cx| {
                let p = l.poll_accept(cx);
                ready.take().map(|r| r.send(()));
                p
            })
            .await
            .unwrap()
        });
        go.await.unwrap();
        let _client = net.connect((ADDR, 80)).await.unwrap();
        drop(first);
        polling.await.unwrap();
    });
}

#[test]
fn connections_come_as_a_stream() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let mut incoming = listener.incoming();
        for _ in 0..3 {
            let client = net.connect((ADDR, 80)).await.unwrap();
            let server = Pin::new(&mut incoming).next().await.unwrap().unwrap();
            assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        }
    });
}

#[test]
fn dropping_the_listener_resets_what_nobody_accepted() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let mut accepted = net.connect((ADDR, 80)).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut waiting = net.connect((ADDR, 80)).await.unwrap();
        while listener.pending() == 0 {
            tokio::task::yield_now().await;
        }
        drop(listener);
        let e = waiting.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);
        server.try_write(b"x").unwrap();
        assert_eq!(accepted.read(&mut [0; 1]).await.unwrap(), 1);
    });
}
