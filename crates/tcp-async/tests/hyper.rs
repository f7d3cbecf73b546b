//! Does the connector for hyper-util's clients connect as theirs does? URIs, names, several
//! addresses, patience, options.
#![cfg(feature = "hyper")]

mod common;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{guarded, in_virtual_time, net, on_both};
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use tcp_async::hyper::{ConnectError, HttpConnector, HttpInfo};
use tcp_async::{Keepalive, Net, TcpListener, TcpStream};
use tcp_io::device::{Capabilities, memory_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// Every name has these addresses.
#[derive(Clone)]
struct Names(Vec<SocketAddr>);

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _name: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}

fn names(net: &Net, addrs: &[&str]) -> HttpConnector<Names> {
    let addrs = addrs.iter().map(|a| a.parse().unwrap()).collect();
    HttpConnector::new_with_resolver(Names(addrs)).through(net)
}

async fn open<C>(mut connector: C, uri: &str) -> Result<TcpStream, ConnectError>
where
    C: Service<Uri, Response = hyper_util::rt::TokioIo<TcpStream>, Error = ConnectError>,
{
    let stream = connector.call(uri.parse().unwrap()).await?;
    Ok(stream.into_inner())
}

fn io_error(e: &ConnectError) -> (Option<SocketAddr>, io::ErrorKind) {
    match e {
        ConnectError::Connect { addr, source } => (*addr, source.kind()),
        e => panic!("{e:?}"),
    }
}

/// Answers every request of one connection with the peer's address.
async fn serve(listener: TcpListener) {
    while let Ok((mut stream, peer)) = listener.accept().await {
        let text = peer.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let mut request = vec![0; 4096];
        while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

#[test]
fn a_client_keeps_its_connection_and_says_which() {
    on_both(|| async {
        let net = net();
        tokio::spawn(serve(net.listen("10.0.0.1:80").await.unwrap()));
        let client = Client::builder(TokioExecutor::new());
        let client = client.build::<_, Empty<&[u8]>>(HttpConnector::on(&net));
        let mut peers = Vec::new();
        for _ in 0..3 {
            let answer = client.get(Uri::from_static("http://10.0.0.1/")).await.unwrap();
            let info = *answer.extensions().get::<HttpInfo>().unwrap();
            assert_eq!(info.remote_addr(), "10.0.0.1:80".parse().unwrap());
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, info.local_addr().to_string());
            peers.push(body);
        }
        assert!(peers.iter().all(|p| *p == peers[0]), "{peers:?}");
    });
}

#[test]
fn without_a_stack_of_its_own_it_uses_the_ambient_one() {
    on_both(|| async {
        let net = net();
        let listener = net.listen("[fd00::1]:80").await.unwrap();
        let connecting = {
            let _here = net.enter();
            HttpConnector::new().call(Uri::from_static("http://[fd00::1]/"))
        };
        // The stack was chosen when the connection was asked for.
        let stream = connecting.await.unwrap().into_inner();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    });
}

#[test]
fn an_address_that_refuses_gives_way_to_the_next() {
    on_both(|| async {
        let net = net();
        let _listener = net.listen("10.0.0.1:8080").await.unwrap();
        // The URI's port counts, not the resolver's; nobody listens on the IPv6 address.
        let connector = names(&net, &["[fd00::1]:1", "10.0.0.1:1"]);
        let stream = open(connector.clone(), "http://somewhere:8080/").await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), "10.0.0.1:8080".parse().unwrap());
        let e = open(connector, "http://somewhere:9/").await.unwrap_err();
        let refused = io::ErrorKind::ConnectionRefused;
        assert_eq!(io_error(&e), (Some("10.0.0.1:9".parse().unwrap()), refused));
        let cause = std::error::Error::source(&e).unwrap();
        assert!(cause.to_string().contains("refused"), "{cause}");
    });
}

#[test]
fn a_port_that_only_the_resolver_knows_counts() {
    on_both(|| async {
        let net = net();
        let _listener = net.listen("10.0.0.1:8080").await.unwrap();
        open(names(&net, &["10.0.0.1:8080"]), "http://somewhere/").await.unwrap();
    });
}

/// A stack whose packets nobody answers.
fn lonely() -> (Net, impl Sized) {
    let (here, nobody) = memory_pair(Capabilities::offloading(1500));
    let builder = Net::builder().address("10.0.0.1/24").address("fd00::1/64");
    (builder.device(here).unwrap(), nobody)
}

#[test]
fn a_silent_address_costs_no_more_than_the_time_allowed() {
    in_virtual_time(async {
        let (net, _nobody) = lonely();
        let mut connector = names(&net, &["[fd00::2]:80", "10.0.0.2:80"]);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        for head_start in [Some(Duration::from_millis(300)), None] {
            connector.set_happy_eyeballs_timeout(head_start);
            let begin = Instant::now();
            let e = open(connector.clone(), "http://somewhere/").await.unwrap_err();
            assert_eq!(io_error(&e).1, io::ErrorKind::TimedOut);
            let took = begin.elapsed();
            let expected = Duration::from_secs(2)..Duration::from_millis(2010);
            assert!(expected.contains(&took), "{head_start:?}: {took:?}");
        }
    });
}

#[test]
fn dropping_the_future_aborts_every_attempt() {
    in_virtual_time(async {
        let (net, _nobody) = lonely();
        let connector = names(&net, &["[fd00::2]:80", "10.0.0.2:80"]);
        let opening = timeout(Duration::from_secs(1), open(connector, "http://somewhere/"));
        assert!(opening.await.is_err());
        // The reactor takes note in its next turn.
        guarded(async {
            while net.connection_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}

#[test]
fn a_family_without_a_local_address_is_not_tried() {
    on_both(|| async {
        let net = net();
        net.add_address("10.0.0.9/24".parse().unwrap());
        let _v6 = net.listen("[fd00::1]:80").await.unwrap();
        let _v4 = net.listen("10.0.0.1:80").await.unwrap();
        let mut connector = names(&net, &["[fd00::1]:80", "10.0.0.1:80"]);
        let local: IpAddr = "10.0.0.9".parse().unwrap();
        connector.set_local_address(Some(local));
        let stream = open(connector.clone(), "http://somewhere/").await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local);
        connector.set_local_addresses(Ipv4Addr::new(10, 0, 0, 9), "fd00::1".parse().unwrap());
        let stream = open(connector.clone(), "http://somewhere/").await.unwrap();
        assert!(stream.peer_addr().unwrap().is_ipv6());
        // Not an address of the stack.
        connector.set_local_address(Some("10.0.0.77".parse().unwrap()));
        let e = open(connector, "http://somewhere/").await.unwrap_err();
        assert_eq!(io_error(&e).1, io::ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn options_hold_on_what_it_opens() {
    on_both(|| async {
        let net = net();
        let _listener = net.listen("10.0.0.1:80").await.unwrap();
        let mut connector = HttpConnector::on(&net);
        let plain = open(connector.clone(), "http://10.0.0.1/").await.unwrap();
        assert!(!plain.nodelay().unwrap() && plain.keepalive().is_none());
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        connector.set_keepalive_retries(Some(3));
        connector.set_tcp_user_timeout(Some(Duration::from_secs(20)));
        connector.set_send_buffer_size(Some(70_000));
        connector.set_recv_buffer_size(Some(50_000));
        let stream = open(connector, "http://10.0.0.1/").await.unwrap();
        assert!(stream.nodelay().unwrap());
        let interval = Keepalive::default().interval;
        let expected = Keepalive { idle: Duration::from_secs(60), interval, count: 3 };
        assert_eq!(stream.keepalive(), Some(expected));
        assert_eq!(stream.user_timeout(), Some(Duration::from_secs(20)));
        assert_eq!(stream.send_buffer_size().unwrap(), 70_000);
        assert_eq!(stream.recv_buffer_size().unwrap(), 50_000);
    });
}

#[test]
fn a_uri_that_names_no_http_server_is_refused() {
    on_both(|| async {
        let net = net();
        let mut connector = HttpConnector::on(&net);
        for (uri, said) in [("https://10.0.0.1/", "not http"), ("/path", "scheme is missing")] {
            let e = open(connector.clone(), uri).await.unwrap_err();
            assert!(matches!(e, ConnectError::Uri(_)) && e.to_string().contains(said), "{e}");
        }
        connector.enforce_http(false);
        let e = open(connector, "https://10.0.0.1/").await.unwrap_err();
        assert_eq!(io_error(&e).0, Some("10.0.0.1:443".parse().unwrap()));
    });
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    on_both(|| async {
        let net = net();
        // RFC 6761 6.4: no resolver knows names under `invalid`.
        let e = open(HttpConnector::on(&net), "http://nobody.invalid/").await.unwrap_err();
        assert!(matches!(e, ConnectError::LookUp(_)), "{e:?}");
        let e = open(names(&net, &[]), "http://somewhere/").await.unwrap_err();
        assert_eq!(io_error(&e), (None, io::ErrorKind::InvalidInput));
    });
}
