//! What does a running stack show? Tables under traffic, `info` and labels of streams, counters.

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::{ADDR, guarded, in_virtual_time, net, on_both, pair, two_threads};
use tcp_async::{Filter, Limit, State, Timer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn the_table_is_consistent_under_traffic() {
    two_threads().block_on(guarded(async {
        let net = net();
        // It is there from beginning to end, so every table has it once.
        let (kept, _other, listener) = pair(&net).await;
        let ends = (kept.local_addr().unwrap(), kept.peer_addr().unwrap());
        kept.set_label("kept");
        let to = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            for _ in 0..300 {
                let (mut s, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    s.read_to_end(&mut text).await.unwrap();
                    s.write_all(&text).await.unwrap();
                });
            }
            listener
        });
        let client = net.clone();
        let clients = tokio::spawn(async move {
            for n in 0..300 {
                let mut c = client.connect(to).await.unwrap();
                c.write_all(&vec![1; n * 10]).await.unwrap();
                c.shutdown().await.unwrap();
                c.read_to_end(&mut Vec::new()).await.unwrap();
            }
        });
        let mut tables = 0;
        while !clients.is_finished() || tables == 0 {
            let rows = net.connections();
            let mut seen = HashSet::new();
            for row in &rows {
                assert!(seen.insert((row.local, row.remote)), "twice: {row:?}");
                let Some(info) = &row.info else { continue };
                assert_eq!((row.state, row.receive_queue), (info.state, info.receive_queue));
                let text = u64::from(info.outstanding + info.not_sent);
                // A FIN takes a number too.
                assert!((row.send_queue as u64).abs_diff(text) <= 1, "{row:?}");
                assert!(info.stats.octets_sent >= info.stats.octets_acked, "{row:?}");
            }
            let kept: Vec<_> = rows.iter().filter(|r| r.label.as_deref() == Some("kept")).collect();
            assert_eq!(kept.len(), 1);
            assert_eq!((kept[0].local_addr(), kept[0].peer_addr()), (ends.0, Some(ends.1)));
            tables += 1;
            tokio::task::yield_now().await;
        }
        clients.await.unwrap();
        let listener = server.await.unwrap();
        assert!(tables > 10, "{tables}");
        let counters = net.counters();
        assert_eq!((counters.active_opens, counters.passive_opens), (301, 301));
        assert_eq!(counters.by_name("TcpExtListenDrops"), Some(0));
        let summary = net.summary();
        assert_eq!(summary.count(State::Listen), 1);
        assert!(summary.count(State::TimeWait) >= 300, "{summary:?}");
        drop(listener);
    }));
}

#[test]
fn slices_hold_at_most_256_rows_and_together_everything() {
    on_both(|| async {
        let net = net();
        let mut listeners = Vec::new();
        for _ in 0..600 {
            listeners.push(net.listen((ADDR, 0)).await.unwrap());
        }
        let sizes: Vec<usize> = net.slices(Filter::new()).map(|s| s.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 600);
        assert!(sizes.iter().all(|n| *n <= 256), "{sizes:?}");
        assert_eq!(net.connections().len(), 600);
        let port = listeners[17].local_addr().unwrap().port();
        assert_eq!(net.connections_where(&Filter::new().local_port(port)).len(), 1);
    });
}

#[test]
fn info_tells_what_limits_a_writer() {
    in_virtual_time(async {
        let net = net();
        let (mut client, mut server, _listener) = pair(&net).await;
        // Nobody reads: both buffers fill, and then the peer's window is the limit.
        let octets = common::fill(&client).await;
        let before = client.info();
        assert_eq!(before.limited.now, Limit::ReceiveWindow, "{before:#?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let info = client.info();
        let limited = info.limited.receive_window - before.limited.receive_window;
        assert_eq!(limited, Duration::from_secs(3));
        assert!(info.limited.busy >= info.limited.receive_window);
        assert_eq!((info.send_window, info.send_queue > 0, info.not_sent > 0), (0, true, true));
        let timers: Vec<Timer> = net
            .connections_where(&Filter::new().remote_port(server.local_addr().unwrap().port()))
            .iter()
            .flat_map(|r| r.timers.iter().map(|t| t.timer))
            .collect();
        assert!(timers.contains(&Timer::Probe), "{timers:?}");
        // Reading ends it.
        let mut buf = vec![0; octets];
        server.read_exact(&mut buf).await.unwrap();
        client.write_all(b"!").await.unwrap();
        server.read_exact(&mut buf[..1]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = client.info();
        assert_eq!((after.limited.now, after.send_queue), (Limit::Idle, 0));
        let more = after.limited.receive_window - info.limited.receive_window;
        assert!(more < Duration::from_secs(1), "{:?}", after.limited);
        assert_eq!(after.stats.octets_acked, octets as u64 + 1);
        assert!(net.counters().by_name("TcpExtTCPWinProbe").unwrap() > 0);
    });
}

#[test]
fn labels_belong_to_listeners_and_streams() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 0)).await.unwrap();
        listener.set_label("api");
        let client = net.connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!((server.label().as_deref(), client.label()), (Some("api"), None));
        assert_eq!(listener.label().as_deref(), Some("api"));
        server.set_label(format!("api {}", server.peer_addr().unwrap()));
        let label = server.label().unwrap();
        let rows = net.connections_where(&Filter::new().label(label.clone()));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].peer_addr(), Some(server.peer_addr().unwrap()));
    });
}
