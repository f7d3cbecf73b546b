//! Is nothing lost at the end of a connection with the kernel? Dropped streams, half-close from
//! either side, both at once, dropped listeners, and the end of the whole stack.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use stack_tests::kernel::bulk::{MIB, Text, receive, receive_async};
use stack_tests::kernel::{
    HOST, HOST_V4, KernelListener, KernelNet, OURS, OURS_V4, connect, patiently, until,
};
use tcp_async::{BufferLimits, State, TcpConfig, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A send buffer that takes a whole test's text at once.
fn roomy(config: &mut TcpConfig) {
    config.send_buffer = BufferLimits { initial: 16 << 20, max: 16 << 20 };
}

async fn pair(k: &KernelNet, ip: IpAddr) -> (TcpStream, std::net::TcpStream) {
    let listener = k.namespace.run(|| KernelListener::bind(ip));
    let ours = patiently("connect", k.net.connect(listener.addr)).await.unwrap();
    (ours, listener.accept())
}

/// Reads in small bites with a small buffer, so that the window closes again and again.
fn receive_slowly(stream: &mut std::net::TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut all, mut bite) = (Vec::new(), [0; 3000]);
    loop {
        match stream.read(&mut bite)? {
            0 => return Ok(all),
            n => all.extend(&bite[..n]),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_dropped_stream_still_delivers_to_a_slow_reader() {
    let k = KernelNet::with(|tun| tun, |net| net.tcp(roomy));
    for ip in HOST {
        let (mut ours, mut theirs) = pair(&k, ip).await;
        rustix::net::sockopt::set_socket_recv_buffer_size(&theirs, 16 << 10).unwrap();
        let (dropped, wait) = mpsc::channel();
        let reader = k.namespace.spawn(move || {
            // Not an octet is read before the stream is gone.
            wait.recv().unwrap();
            receive_slowly(&mut theirs).unwrap()
        });
        let text: Vec<u8> = (0..8 * MIB).map(|i| (i.wrapping_mul(31) >> 3) as u8).collect();
        patiently("writing", ours.write_all(&text)).await.unwrap();
        let unsent = ours.info().send_queue;
        assert!(unsent > 4 << 20, "only {unsent} octets are left to send");
        drop(ours);
        let start = Instant::now();
        dropped.send(()).unwrap();
        let received = reader.join().await;
        println!("{ip}: {unsent} octets of {} after the drop, {:?}", text.len(), start.elapsed());
        assert!(received == text, "{} of {} octets arrived", received.len(), text.len());
        until("the connection is gone", || k.net.connection_count() == 0).await;
    }
    assert_eq!(k.net.counters().failures, 0);
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn dropping_with_unread_text_resets() {
    let k = KernelNet::new();
    for ip in HOST {
        let (ours, mut theirs) = pair(&k, ip).await;
        theirs.write_all(b"nobody will read this").unwrap();
        patiently("the text", ours.readable()).await.unwrap();
        // RFC 9293 3.6.1, SHLD-3
        drop(ours);
        let reader = k.namespace.spawn(move || theirs.read(&mut [0; 16]).map_err(|e| e.kind()));
        assert_eq!(reader.join().await, Err(ErrorKind::ConnectionReset));
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

/// The kernel sends on although our stream is gone: it is told by a reset.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn text_for_a_dropped_stream_is_answered_by_a_reset() {
    let k = KernelNet::new();
    for ip in HOST {
        let (ours, mut theirs) = pair(&k, ip).await;
        drop(ours);
        let writer = k.namespace.spawn(move || {
            // Our FIN.
            assert_eq!(theirs.read(&mut [0; 16]).unwrap(), 0);
            loop {
                if let Err(e) = theirs.write_all(&[0; 4096]) {
                    return e.kind();
                }
            }
        });
        let kind = writer.join().await;
        let broken = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(broken.contains(&kind), "{kind:?}");
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_kernel_closes_half_and_reads_our_answer() {
    let k = KernelNet::new();
    for ip in OURS {
        let listener = k.net.listen(SocketAddr::new(ip, 0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        let question = Text::new(5, MIB);
        let (text, expected) = (question.clone(), question.expected());
        let client = k.namespace.spawn(move || {
            let mut stream = connect(to).unwrap();
            text.send(&mut stream).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            receive(&mut stream).unwrap()
        });
        let (mut ours, _peer) = patiently("accept", listener.accept()).await.unwrap();
        let received = patiently("the question", receive_async(&mut ours)).await.unwrap();
        assert_eq!(received, expected);
        assert_eq!(ours.state(), State::CloseWait);
        let answer = Text::new(6, 3 * MIB);
        patiently("the answer", answer.clone().send_async(&mut ours)).await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(client.join().await, answer.expected());
        until("our FIN is acknowledged", || ours.state() == State::Closed).await;
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn we_close_half_and_read_the_kernels_answer() {
    // The kernel probes for the loss of its FIN after a few round trips. Should the probe cross
    // our ACK, our second ACK meets a closed port, whose reset would end TIME-WAIT (RFC 1337).
    let k = KernelNet::with(|tun| tun, |net| net.tcp(|tcp| tcp.rfc1337 = true));
    for ip in HOST {
        let (mut ours, mut theirs) = pair(&k, ip).await;
        let (question, answer) = (Text::new(7, MIB), Text::new(8, 3 * MIB));
        let text = answer.clone();
        let server = k.namespace.spawn(move || {
            let question = receive(&mut theirs).unwrap();
            text.send(&mut theirs).unwrap();
            question
        });
        patiently("the question", question.clone().send_async(&mut ours)).await.unwrap();
        ours.shutdown().await.unwrap();
        let received = patiently("the answer", receive_async(&mut ours)).await.unwrap();
        assert_eq!(received, answer.expected());
        assert_eq!(server.join().await, question.expected());
        let write = ours.write(b"x").await.map_err(|e| e.kind());
        assert_eq!(write, Err(ErrorKind::BrokenPipe));
        // MUST-13: we closed first.
        until("TIME-WAIT", || ours.state() == State::TimeWait).await;
        assert!(k.net.connections().iter().any(|row| row.state == State::TimeWait));
        assert_eq!(k.net.connection_count(), 1, "the stream is held still");
        drop(ours);
        until("only the record is left", || k.net.connection_count() == 0).await;
    }
    k.end().await;
}

/// Our FIN is queued while the kernel's is on its way: the runtime has one thread, and that
/// thread waits for the kernel's close before it closes and lets the reactor run.
#[tokio::test]
#[ignore = "needs root and /dev/net/tun"]
async fn both_close_at_once() {
    let k = KernelNet::new();
    for ip in HOST {
        let (mut ours, mut theirs) = pair(&k, ip).await;
        let (close, closed) = (mpsc::channel::<()>(), mpsc::channel());
        let kernel = k.namespace.spawn(move || {
            close.1.recv().unwrap();
            theirs.shutdown(Shutdown::Write).unwrap();
            closed.0.send(()).unwrap();
            theirs.read(&mut [0; 16]).unwrap()
        });
        close.0.send(()).unwrap();
        closed.1.recv().unwrap();
        assert_eq!(ours.state(), State::Established, "the reactor has not read the FIN");
        ours.shutdown().await.unwrap();
        assert_eq!(ours.state(), State::FinWait1);
        assert_eq!(patiently("our end", ours.read(&mut [0; 16])).await.unwrap(), 0);
        assert_eq!(kernel.join().await, 0);
        drop(ours);
        until("only TIME-WAIT is left", || {
            let rows = k.net.connections();
            k.net.connection_count() == 0 && rows.iter().all(|row| row.state == State::TimeWait)
        })
        .await;
    }
    assert_eq!(k.net.connections().len(), 2, "CLOSING led to TIME-WAIT");
    k.end().await;
}

/// A race of two closes, many times over; whoever wins, both see an orderly end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn both_close_in_a_race() {
    let k = KernelNet::new();
    for _ in 0..200 {
        let (mut ours, mut theirs) = pair(&k, HOST_V4).await;
        let (go, start) = mpsc::channel();
        let kernel = k.namespace.spawn(move || {
            start.recv().unwrap();
            theirs.shutdown(Shutdown::Write).unwrap();
            theirs.read(&mut [0; 16]).unwrap()
        });
        go.send(()).unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(patiently("our end", ours.read(&mut [0; 16])).await.unwrap(), 0);
        assert_eq!(kernel.join().await, 0);
    }
    until("only TIME-WAIT is left", || {
        let rows = k.net.connections();
        k.net.connection_count() == 0 && rows.iter().all(|row| row.state == State::TimeWait)
    })
    .await;
    assert_eq!(k.net.counters().failures, 0);
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_dropped_listener_resets_what_nobody_accepted() {
    let k = KernelNet::new();
    for ip in OURS {
        let listener = k.net.listen(SocketAddr::new(ip, 0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        let mut taken = k.namespace.spawn(move || connect(to).unwrap()).join().await;
        let (mut accepted, _peer) = patiently("accept", listener.accept()).await.unwrap();
        let mut left = k.namespace.spawn(move || connect(to).unwrap()).join().await;
        until("it is in the queue", || listener.pending() == 1).await;
        drop(listener);
        let read = k.namespace.spawn(move || left.read(&mut [0; 16]).map_err(|e| e.kind()));
        assert_eq!(read.join().await, Err(ErrorKind::ConnectionReset));
        let refused = k.namespace.spawn(move || connect(to).map_err(|e| e.kind())).join().await;
        assert_eq!(refused.err(), Some(ErrorKind::ConnectionRefused));
        accepted.write_all(b"still here").await.unwrap();
        accepted.shutdown().await.unwrap();
        let reading = k.namespace.spawn(move || {
            let mut text = String::new();
            taken.read_to_string(&mut text).map(|_| text)
        });
        assert_eq!(reading.join().await.unwrap(), "still here");
    }
    until("nothing is left but TIME-WAIT", || k.net.connection_count() == 0).await;
    k.end().await;
}

/// The end of the stack with three peers: one that reads at last, one that hangs, one that is
/// quiet. Everything that can be delivered is, and it does not take longer than the grace time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_end_of_the_stack_delivers_what_it_can() {
    let grace = Duration::from_millis(1500);
    let k = KernelNet::with(|tun| tun, |net| net.tcp(roomy).grace(grace));
    let (mut slow, mut slow_reader) = pair(&k, HOST_V4).await;
    let (mut hung, mut hung_reader) = pair(&k, HOST_V4).await;
    let (quiet, mut quiet_reader) = pair(&k, HOST_V4).await;
    let text = Text::new(9, 8 * MIB);
    patiently("writing", text.clone().send_async(&mut slow)).await.unwrap();
    patiently("writing", text.clone().send_async(&mut hung)).await.unwrap();
    // Both windows are closed by now, or will be: nobody reads.
    assert!(slow.info().send_queue > 1 << 20 && hung.info().send_queue > 1 << 20);
    let (ending, begun) = mpsc::channel();
    let reader = k.namespace.spawn(move || {
        begun.recv().unwrap();
        assert_eq!(quiet_reader.read(&mut [0; 16]).unwrap(), 0, "a FIN, not a reset");
        receive(&mut slow_reader).unwrap()
    });
    let net = k.net.clone();
    let start = Instant::now();
    let over = tokio::spawn(async move {
        net.shutdown().await;
        start.elapsed()
    });
    ending.send(()).unwrap();
    assert_eq!(reader.join().await, text.expected());
    let took = patiently("the end", over).await.unwrap();
    println!("ended after {took:?} of {grace:?}");
    assert!(took >= grace, "the hung peer was not given its time: {took:?}");
    assert!(took < grace + Duration::from_secs(1), "{took:?}");
    // The hung peer wakes up too late: it gets what the kernel holds for it, then the reset.
    let late = k.namespace.spawn(move || receive(&mut hung_reader).map_err(|e| e.kind()));
    assert_eq!(late.join().await, Err(ErrorKind::ConnectionReset));
    let mut buf = [0; 16];
    let error = patiently("a read", quiet.readable()).await.and_then(|()| quiet.try_read(&mut buf));
    assert!(matches!(&error, Ok(0)) || error.is_err(), "{error:?}");
    let again = k.net.connect(SocketAddr::new(HOST_V4, 80)).await;
    assert_eq!(again.err().map(|e| e.kind()), Some(ErrorKind::NetworkDown));
}

/// Without anything open the end is immediate, and the interface goes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_end_of_an_idle_stack_is_immediate() {
    let k = KernelNet::new();
    k.echo(7).await;
    let client = k.namespace.spawn(move || {
        let mut stream = connect(SocketAddr::new(OURS_V4, 7)).unwrap();
        stream.write_all(b"once").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        assert_eq!(back, "once");
    });
    client.join().await;
    until("nothing is left", || k.net.connection_count() == 0).await;
    let interface = std::path::Path::new("/proc/sys/net/ipv4/conf/tcp0");
    let there = || k.namespace.run(|| interface.exists());
    assert!(there());
    let start = Instant::now();
    patiently("the end", k.net.shutdown()).await;
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    until("the interface is gone", || !there()).await;
}
