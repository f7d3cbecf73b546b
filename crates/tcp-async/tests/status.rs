//! Who may look in, and what do they see? The status socket and its client.
#![cfg(all(feature = "status", unix))]

mod common;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use common::{guarded, net, one_thread, pair};
use tcp_async::status::{Client, MAX_CLIENTS, Reply, RowFilter};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A place of its own for a test's socket.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let dir = std::env::temp_dir().join(format!("tcp-status-{}-{test}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Place(dir)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("status")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(test: impl Future<Output = ()>) {
    one_thread().block_on(guarded(test));
}

#[test]
fn a_client_sees_the_tables() {
    run(async {
        let (net, place) = (net(), Place::new("tables"));
        let status = net.serve_status(place.socket()).unwrap();
        assert_eq!(status.path(), place.socket());
        let (mut a, b, listener) = pair(&net).await;
        b.set_label("server");
        a.write_all(b"hello").await.unwrap();
        b.readable().await.unwrap();
        let mut client = Client::connect(place.socket()).await.unwrap();
        let rows = client.connections(RowFilter::default()).await.unwrap();
        assert_eq!(rows.len(), 3, "{rows:#?}");
        let row = rows.iter().find(|r| r.label.as_deref() == Some("server")).unwrap();
        assert_eq!((row.state.as_str(), row.receive_queue), ("ESTABLISHED", 5));
        assert_eq!((row.local, row.remote), (b.local_addr().unwrap(), b.peer_addr().ok()));
        let details = row.details.as_ref().unwrap();
        assert_eq!((details.octets_in, details.congestion.as_str()), (5, "cubic"));
        let filter = RowFilter { states: vec!["listen".to_owned()], ..RowFilter::default() };
        let rows = client.connections(filter).await.unwrap();
        assert_eq!((rows.len(), rows[0].local), (1, listener.local_addr().unwrap()));
        let counters = client.counters().await.unwrap();
        let opens = counters.iter().find(|c| c.name == "TcpActiveOpens").unwrap();
        assert_eq!(opens.value, 1);
        let summary = client.summary().await.unwrap();
        let count = summary.states.iter().find(|s| s.state == "ESTABLISHED").unwrap().count;
        assert_eq!((count, summary.orphans), (2, 0));
    });
}

#[test]
fn only_the_owner_may_ask_and_nothing_stays_behind() {
    run(async {
        let (net, place) = (net(), Place::new("mode"));
        let status = net.serve_status(place.socket()).unwrap();
        let mode = fs::metadata(place.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(status);
        assert!(!place.socket().exists());
        let again = net.serve_status(place.socket()).unwrap();
        Client::connect(again.path()).await.unwrap().summary().await.unwrap();
    });
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    run(async {
        let (net, place) = (net(), Place::new("stale"));
        drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
        assert!(place.socket().exists(), "a dead program leaves its socket");
        let first = net.serve_status(place.socket()).unwrap();
        let second = net.serve_status(place.socket()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        Client::connect(first.path()).await.unwrap().summary().await.unwrap();
        let file = place.0.join("file");
        fs::write(&file, "precious").unwrap();
        let e = net.serve_status(&file).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    });
}

/// One question as it is, and the first line of the answer.
async fn ask(place: &Place, question: &[u8]) -> Reply {
    let mut stream = BufReader::new(UnixStream::connect(place.socket()).await.unwrap());
    stream.write_all(question).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn bad_questions_are_answered_and_cost_nothing() {
    run(async {
        let (net, place) = (net(), Place::new("bad"));
        let _status = net.serve_status(place.socket()).unwrap();
        let long = vec![b' '; 5000];
        for (question, said) in [
            (&b"who are you?\n"[..], "expected value"),
            (b"{\"get\":\"passwords\"}\n", "passwords"),
            (b"{\"get\":\"connections\",\"filter\":{\"states\":[\"OPEN\"]}}\n", "`OPEN`"),
            (b"{\"get\":\"connections\",\"filter\":{\"remote\":\"10.0.0.1\"}}\n", "prefix"),
            (b"\xff\xfe\n", "expected value"),
            (&long, "at most 4096 octets"),
        ] {
            let reply = ask(&place, question).await;
            let Reply::Error { message } = &reply else { panic!("{reply:?}") };
            assert!(message.contains(said), "{message}");
        }
        // The server is as it was.
        let mut client = Client::connect(place.socket()).await.unwrap();
        let filter = RowFilter { states: vec!["OPEN".to_owned()], ..RowFilter::default() };
        let e = client.connections(filter).await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::InvalidInput);
        client.summary().await.unwrap();
    });
}

#[test]
fn clients_are_bounded() {
    run(async {
        let (net, place) = (net(), Place::new("bounded"));
        let _status = net.serve_status(place.socket()).unwrap();
        let mut clients = Vec::new();
        for _ in 0..MAX_CLIENTS {
            let mut client = Client::connect(place.socket()).await.unwrap();
            client.summary().await.unwrap();
            clients.push(client);
        }
        let mut one_too_many = Client::connect(place.socket()).await.unwrap();
        let e = one_too_many.summary().await.unwrap_err();
        assert!(e.to_string().contains("come again"), "{e}");
        drop(clients.pop());
        // Its place is free once the server has seen it go.
        loop {
            let mut client = Client::connect(place.socket()).await.unwrap();
            if client.summary().await.is_ok() {
                break;
            }
        }
    });
}

#[test]
fn the_end_of_the_stack_ends_the_service() {
    run(async {
        let (net, place) = (net(), Place::new("end"));
        let _status = net.serve_status(place.socket()).unwrap();
        let mut stream = UnixStream::connect(place.socket()).await.unwrap();
        net.shutdown().await;
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    });
}
