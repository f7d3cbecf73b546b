//! What reaches a metrics system? Everything that counters and summary tell, when it is asked for.
#![cfg(feature = "metrics")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{guarded, in_virtual_time, net, one_thread, pair};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Values by metric and the labels in order.
fn values(snapshotter: &Snapshotter) -> HashMap<String, f64> {
    let mut all = HashMap::new();
    for (key, _, meaning, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<String> =
            key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        assert!(meaning.is_some(), "{key:?} has no description");
        let value = match value {
            DebugValue::Counter(n) => n as f64,
            DebugValue::Gauge(n) => n.into_inner(),
            DebugValue::Histogram(_) => panic!("{key:?}"),
        };
        all.insert(format!("{}{{{}}}", key.key().name(), labels.join(",")), value);
    }
    all
}

#[test]
fn counters_and_states_are_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    one_thread().block_on(guarded(async {
        let net = net();
        let _streams = pair(&net).await;
        metrics::with_local_recorder(&recorder, || net.publish_metrics("a"));
        let all = values(&snapshotter);
        assert_eq!(all["nstat_TcpActiveOpens{net=a}"], 1.0);
        assert_eq!(all["tcp_connections{net=a,state=ESTABLISHED}"], 2.0);
        assert_eq!(all["tcp_connections{net=a,state=TIME-WAIT}"], 0.0);
        assert_eq!(all["tcp_orphans{net=a}"], 0.0);
        for row in net.counters().rows() {
            assert!(all.contains_key(&format!("nstat_{}{{net=a}}", row.name)), "{row:?}");
        }
    }));
}

#[test]
fn publishing_ends_with_the_stack() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _here = metrics::set_default_local_recorder(&recorder);
    in_virtual_time(async {
        let net = net();
        let other = net.clone();
        let publisher = tokio::spawn(async move {
            other.publish_metrics_every(Duration::from_secs(10), "b").await;
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        let streams = pair(&net).await;
        assert_eq!(values(&snapshotter)["nstat_TcpActiveOpens{net=b}"], 0.0);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(values(&snapshotter)["nstat_TcpActiveOpens{net=b}"], 1.0);
        drop(streams);
        net.shutdown().await;
        publisher.await.unwrap();
    });
}
