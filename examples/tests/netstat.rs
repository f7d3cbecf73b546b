//! Does `netstat` show what goes on? The program itself, against a stack of this process.
#![cfg(unix)]

use std::path::PathBuf;
use std::process::{Command, Output};

use tcp_async::Net;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Cargo builds a package's examples before its tests run, next to them.
fn netstat() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    deps.parent().unwrap().parent().unwrap().join("examples/netstat")
}

/// Runs it without holding up the runtime, on which its server lives.
async fn run(socket: PathBuf, arguments: &'static [&'static str]) -> Output {
    let program = move || {
        let output = Command::new(netstat()).arg(socket).args(arguments).output();
        output.expect("examples are built by `cargo test` without a choice of targets")
    };
    tokio::task::spawn_blocking(program).await.unwrap()
}

async fn shown(socket: &std::path::Path, arguments: &'static [&'static str]) -> String {
    let output = run(socket.to_owned(), arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn line<'a>(table: &'a str, parts: &[&str]) -> &'a str {
    table
        .lines()
        .find(|l| parts.iter().all(|p| l.contains(p)))
        .unwrap_or_else(|| panic!("no line with {parts:?} in\n{table}"))
}

#[tokio::test]
async fn it_shows_connections_counters_and_states() {
    let dir = std::env::temp_dir().join(format!("netstat-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let socket = dir.join("status");
    let net = Net::builder().address("10.0.0.1/24").loopback().unwrap();
    let listener = net.listen("10.0.0.1:80").await.unwrap();
    listener.set_label("web");
    let _status = net.serve_status(&socket).unwrap();
    let mut client = net.connect("10.0.0.1:80").await.unwrap();
    let (mut server, peer) = listener.accept().await.unwrap();
    client.write_all(b"a question").await.unwrap();
    server.readable().await.unwrap();
    let peer = peer.to_string();

    let table = shown(&socket, &[]).await;
    let header = table.lines().next().unwrap();
    assert!(header.starts_with("State") && header.contains("Peer Address:Port"), "{table}");
    let row: Vec<&str> = line(&table, &["10.0.0.1:80", "web"]).split_whitespace().collect();
    assert_eq!(row[..5], ["ESTABLISHED", "10", "0", "10.0.0.1:80", peer.as_str()]);
    assert_eq!(table.lines().count(), 3, "{table}");
    let table = shown(&socket, &["--listening"]).await;
    line(&table, &["LISTEN", "128", "10.0.0.1:80", "*", "web"]);
    let table = shown(&socket, &["--info", "--label", "web", "-t", "estab"]).await;
    line(&table, &["cubic", "sack", "bytes_received:10", "mss:"]);
    assert_eq!(shown(&socket, &["-t", "time-wait"]).await.lines().count(), 1);

    let counters = shown(&socket, &["--statistics"]).await;
    let row = line(&counters, &["TcpActiveOpens"]);
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["TcpActiveOpens", "1"]);
    assert!(!counters.contains("TcpEstabResets"), "zero is not shown");
    let all = shown(&socket, &["--statistics", "--verbose"]).await;
    line(&all, &["TcpEstabResets", "0", "CLOSE-WAIT"]);
    let summary = shown(&socket, &["--summary"]).await;
    line(&summary, &["TCP: 2 (estab 2, closed 0, orphaned 0, timewait 0), 1 listening"]);
    let json = shown(&socket, &["--json", "--all"]).await;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows.as_array().unwrap().iter().any(|r| r["receive_queue"] == 10));

    // Still there, after all that looking.
    server.read_exact(&mut [0; 10]).await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn it_says_what_is_wrong() {
    let output = run(PathBuf::from("/nowhere/status"), &[]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("/nowhere/status"), "{said:?}");
    for arguments in [&["-t", "open"][..], &["--watch", "0"], &["-s", "-l"]] {
        let output = run(PathBuf::from("/nowhere/status"), arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.contains("panicked"), "{said:?}");
    }
}
