//! Does a gibibyte arrive unharmed, both ways, over both protocols, with and without offload?
//! SHA-256 at both ends; `--nocapture` shows the rates.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr};

use stack_tests::kernel::bulk::{MIB, Received, Stopwatch, Text, receive, receive_async};
use stack_tests::kernel::{KernelNet, OURS_V4, OURS_V6, connect, patiently, until};
use tcp_async::TcpListener;
use tcp_io::device::Offload;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// One transfer at a time, so that its rate means something.
static WIRE: Mutex<()> = Mutex::const_new(());

async fn start(ip: IpAddr, offload: Offload) -> (KernelNet, TcpListener) {
    let k = KernelNet::with(|tun| tun.offload(offload), |net| net);
    let listener = k.net.listen(SocketAddr::new(ip, 0)).await.unwrap();
    (k, listener)
}

async fn check(received: Received, text: Text) {
    let expected = tokio::task::spawn_blocking(move || text.expected()).await.unwrap();
    assert_eq!(received, expected);
}

/// The kernel sends, then we answer with another text, on one connection.
async fn each_way(name: &str, ip: IpAddr, offload: Offload, len: u64) {
    let _wire = WIRE.lock().await;
    let (k, listener) = start(ip, offload).await;
    let to = listener.local_addr().unwrap();
    let (up, down) = (Text::new(1, len), Text::new(2, len));
    let text = up.clone();
    let client = k.namespace.spawn(move || {
        let mut stream = connect(to).unwrap();
        text.send(&mut stream).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        receive(&mut stream).unwrap()
    });
    let (mut stream, _peer) = patiently("accept", listener.accept()).await.unwrap();
    let watch = Stopwatch::start();
    let received = patiently("into the stack", receive_async(&mut stream)).await.unwrap();
    watch.print(&format!("{name} into the stack"), len);
    check(received, up).await;
    let watch = Stopwatch::start();
    patiently("out of the stack", down.clone().send_async(&mut stream)).await.unwrap();
    stream.shutdown().await.unwrap();
    let received = client.join().await;
    watch.print(&format!("{name} out of the stack"), len);
    check(received, down).await;
    drop((stream, listener));
    // The kernel closed first: TIME-WAIT is there, and nothing is left here.
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_gibibyte_each_way_over_ipv4() {
    each_way("IPv4", OURS_V4, Offload::Required, 1024 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_gibibyte_each_way_over_ipv6() {
    each_way("IPv6", OURS_V6, Offload::Required, 1024 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_plain_device_over_ipv4() {
    each_way("IPv4, plain", OURS_V4, Offload::Off, 128 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_plain_device_over_ipv6() {
    each_way("IPv6, plain", OURS_V6, Offload::Off, 128 * MIB).await;
}

/// We connect, and both directions are full at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn both_ways_at_once() {
    use stack_tests::kernel::{HOST, KernelListener};
    let _wire = WIRE.lock().await;
    let len = 256 * MIB;
    let k = KernelNet::new();
    for ip in HOST {
        let (up, down) = (Text::new(3, len), Text::new(4, len));
        let listener = k.namespace.run(|| KernelListener::bind(ip));
        let (to, text) = (listener.addr, down.clone());
        let server = k.namespace.spawn(move || {
            let mut stream = listener.accept();
            let mut writer = stream.try_clone().unwrap();
            let writing = std::thread::spawn(move || {
                text.send(&mut writer).unwrap();
                writer.flush().unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let received = receive(&mut stream).unwrap();
            writing.join().unwrap();
            received
        });
        let watch = Stopwatch::start();
        let stream = patiently("connect", k.net.connect(to)).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let text = up.clone();
        let writing = tokio::spawn(async move {
            text.send_async(&mut writer).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let received = patiently("reading", receive_async(&mut reader)).await.unwrap();
        patiently("writing", writing).await.unwrap();
        let at_the_kernel = server.join().await;
        watch.print(&format!("{ip}, both ways at once"), 2 * len);
        check(received, down).await;
        check(at_the_kernel, up).await;
    }
    k.end().await;
}
