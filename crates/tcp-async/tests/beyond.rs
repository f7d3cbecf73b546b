//! What do our streams and listeners have beyond tokio's? Urgent text, owned octets, closing the
//! direction that is read, the peer's SYN, the choice of congestion control.

mod common;

use std::io::ErrorKind;
use std::net::Shutdown;

use bytes::Bytes;
use common::{ADDR, guarded, in_virtual_time, net, on_both, one_thread, pair, pattern, poll_once};
use futures::StreamExt;
use tcp_async::{Algorithm, ListenOptions, TcpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// MUST-32, MUST-33
#[test]
fn whoever_waits_for_urgent_text_learns_of_it_and_finds_the_mark() {
    on_both(|| async {
        let net = net();
        let (client, mut server, _listener) = pair(&net).await;
        client.try_write(b"plain ").unwrap();
        server.readable().await.unwrap();
        let mut waits = Box::pin(server.urgent());
        assert!(poll_once(waits.as_mut()).await.is_pending());
        assert_eq!(client.write_urgent(b"now!").await.unwrap(), 4);
        assert_eq!(guarded(waits).await.unwrap(), 10);
        let mut text = [0; 100];
        let mut got = Vec::new();
        while !server.at_mark() {
            let n = guarded(server.read(&mut text)).await.unwrap();
            got.extend_from_slice(&text[..n]);
        }
        assert_eq!((&got[..], server.urgent_left()), (&b"plain now"[..], 1));
        assert_eq!(guarded(server.read_bytes(9)).await.unwrap(), "!");
        assert_eq!((server.urgent_left(), server.at_mark()), (0, false));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn priority_is_an_interest_as_tokio_has_it() {
    use tokio::io::{Interest, Ready};
    one_thread().block_on(async {
        let net = net();
        let (client, server, _listener) = pair(&net).await;
        let (read, write) = server.into_split();
        client.write_urgent(b"x").await.unwrap();
        let ready = guarded(read.ready(Interest::PRIORITY)).await.unwrap();
        assert!(ready.is_priority() && !ready.is_writable(), "{ready:?}");
        // Whoever can do nothing with it waits for the next end of urgent text.
        let blocked = || Err::<(), _>(std::io::Error::from(ErrorKind::WouldBlock));
        assert!(read.as_ref().try_io(Interest::PRIORITY, blocked).is_err());
        let mut waits = Box::pin(read.ready(Interest::PRIORITY));
        assert!(poll_once(waits.as_mut()).await.is_pending());
        client.write_urgent(b"y").await.unwrap();
        assert!(guarded(waits).await.unwrap().is_priority());
        assert_eq!(read.try_read(&mut [0; 10]).unwrap(), 1);
        // The end of the direction ends the wait.
        assert_eq!(read.try_read(&mut [0; 10]).unwrap(), 1);
        let mut waits = Box::pin(read.ready(Interest::PRIORITY));
        assert!(poll_once(waits.as_mut()).await.is_pending());
        drop(client);
        assert_eq!(guarded(waits).await.unwrap(), Ready::READ_CLOSED);
        drop(write);
    });
}

#[test]
fn owned_octets_arrive_as_they_were_written() {
    on_both(|| async {
        let net = net();
        let (client, server, _listener) = pair(&net).await;
        let ((read, _), (_, write)) = (client.into_split(), server.into_split());
        let text = Bytes::from(pattern(3 << 20));
        let sent = text.clone();
        let writer = tokio::spawn(async move {
            // Parts of every size, some below and some above what is worth a reference.
            let mut rest = sent;
            let mut n = 1;
            while !rest.is_empty() {
                write.write_bytes(rest.split_to(n.min(rest.len()))).await.unwrap();
                n = n * 3 % 200_003;
            }
        });
        let mut got = Vec::new();
        loop {
            let part = guarded(read.read_bytes(100_000)).await.unwrap();
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= 100_000);
            got.extend_from_slice(&part);
        }
        writer.await.unwrap();
        assert!(got == text);
    });
}

#[test]
fn what_found_no_room_stays_with_the_caller() {
    in_virtual_time(async {
        let net = net();
        let (client, server, _listener) = pair(&net).await;
        client.set_send_buffer_size(4096).unwrap();
        server.set_recv_buffer_size(4096).unwrap();
        let mut data = Bytes::from(pattern(1 << 20));
        let mut taken = 0;
        loop {
            match client.try_write_bytes(&mut data) {
                Ok(n) => taken += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!(data.len() + taken, 1 << 20);
        // A write of all of it waits, and goes on as the reader reads.
        let mut all = Box::pin(client.write_bytes(data));
        assert!(poll_once(all.as_mut()).await.is_pending());
        let reader = async {
            let mut got = 0;
            while got < 1 << 20 {
                got += server.read_bytes(usize::MAX).await.unwrap().len();
            }
        };
        let (written, ()) = tokio::join!(all, reader);
        written.unwrap();
    });
}

#[test]
fn reads_see_the_end_after_shutting_them() {
    on_both(|| async {
        let net = net();
        let (mut client, mut server, _listener) = pair(&net).await;
        client.write_all(b"before").await.unwrap();
        server.readable().await.unwrap();
        let (mut read, write) = server.split();
        let write: &tcp_async::TcpStream = write.as_ref();
        write.shutdown_direction(Shutdown::Read).unwrap();
        let mut text = Vec::new();
        guarded(read.read_to_end(&mut text)).await.unwrap();
        assert_eq!(text, b"before");
        // As on Linux: the peer is not told, and our direction is open.
        assert_eq!(write.try_write(b"after").unwrap(), 5);
        let mut text = [0; 5];
        guarded(client.read_exact(&mut text)).await.unwrap();
        client.write_all(b"late").await.unwrap();
        while write.info().receive_queue < 4 {
            tokio::task::yield_now().await;
        }
        assert_eq!(guarded(read.read(&mut text)).await.unwrap(), 4);
        assert_eq!(guarded(read.read(&mut text)).await.unwrap(), 0);
    });
}

#[test]
fn shutting_reads_wakes_who_waits_for_text() {
    on_both(|| async {
        let net = net();
        let (_client, server, _listener) = pair(&net).await;
        let mut waits = Box::pin(server.read_bytes(10));
        assert!(poll_once(waits.as_mut()).await.is_pending());
        server.shutdown_direction(Shutdown::Both).unwrap();
        assert!(guarded(waits).await.unwrap().is_empty());
        assert_eq!(server.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn the_peers_syn_is_kept_where_the_listener_says_so() {
    one_thread().block_on(async {
        let net = net();
        let (_client, server, _listener) = pair(&net).await;
        assert_eq!(server.saved_syn(), None);
        let socket = TcpSocket::on(&net, true);
        socket.bind(format!("{ADDR}:81").parse().unwrap()).unwrap();
        let keep = ListenOptions { save_syn: true, ..ListenOptions::default() };
        let listener = socket.listen_with(keep).unwrap();
        let _client = net.connect((ADDR, 81)).await.unwrap();
        let (server, _) = guarded(listener.accept()).await.unwrap();
        let syn = server.saved_syn().unwrap();
        assert!(syn.sack && syn.timestamp.is_some() && syn.mss.is_some() && syn.window > 0);
        server.set_label("named");
        assert_eq!((server.saved_syn(), server.label().as_deref()), (Some(syn), Some("named")));
    });
}

#[test]
fn a_listener_is_a_stream_and_can_be_had_back() {
    one_thread().block_on(async {
        let net = net();
        let listener = net.listen((ADDR, 82)).await.unwrap();
        let mut incoming = listener.incoming();
        let client = net.connect((ADDR, 82)).await.unwrap();
        let server = guarded(incoming.next()).await.unwrap().unwrap();
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        let listener = incoming.into_inner();
        let _client = net.connect((ADDR, 82)).await.unwrap();
        guarded(listener.accept()).await.unwrap();
    });
}

#[test]
fn congestion_control_is_chosen_before_and_changed_after() {
    one_thread().block_on(async {
        let net = net();
        let listener = net.listen((ADDR, 83)).await.unwrap();
        let socket = TcpSocket::on(&net, true);
        socket.set_congestion(Algorithm::Reno);
        let addr = listener.local_addr().unwrap();
        let client = guarded(socket.connect(addr)).await.unwrap();
        assert_eq!((client.info().congestion, client.congestion()), ("reno", Algorithm::Reno));
        let window = client.info().congestion_window;
        client.set_congestion("cubic".parse().unwrap());
        assert_eq!((client.info().congestion, client.info().congestion_window), ("cubic", window));
        assert!("bbr3".parse::<Algorithm>().is_err());
    });
}
