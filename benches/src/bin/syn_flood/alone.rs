//! What does one SYN cost? CPU time of our stack without a device, and of Linux in the write of the
//! same packet into a TUN device, where its softirq runs.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use stack_tests::beside_flood::cpu;
use stack_tests::flood::SynFlood;
use stack_tests::kernel::{HOST_V4, KernelListener, KernelNet, Namespace};
use tcp_async::{ListenOptions, SynCookies};
use tcp_io::device::{Device, Offload, RxChecksum, TunDevice, TxPacket};
use tcp_io::stack::{Stack, StackConfig};

use super::{PORT, SYN_BACKLOG, per_packet};

/// Prints all of it.
pub(super) async fn run(syns: u32) -> Result<(), String> {
    for cookies in [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never] {
        let ns = stack_alone(syns, cookies)?;
        println!("our stack, no device, cookies {cookies:?}: {ns:.0} ns a SYN");
    }
    let plain = through_tun(syns, Ipv4Addr::new(10, 45, 0, 99)).await?;
    let kernel = through_tun(syns, Ipv4Addr::new(10, 45, 0, 1)).await?;
    println!("Linux, the TUN write of a packet for nobody: {plain:.0} ns");
    println!("Linux, the TUN write of a SYN that gets a cookie: {kernel:.0} ns");
    println!("Linux, the SYN without the device: {:.0} ns", kernel - plain);
    Ok(())
}

/// The stack's own time: the packet is in memory, and so is the answer.
fn stack_alone(syns: u32, syn_cookies: SynCookies) -> Result<f64, String> {
    let address = "10.0.0.1/24".parse().map_err(|e| format!("{e}"))?;
    let config = StackConfig { addresses: vec![address], syn_cookies, ..StackConfig::default() };
    let mut stack = Stack::new(tcp_core::Instant::ZERO, config, [1; 32]);
    let to = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), PORT);
    let options = ListenOptions { syn_backlog: Some(SYN_BACKLOG), ..ListenOptions::default() };
    stack.listen(to.into(), options).map_err(|e| e.to_string())?;
    let mut flood = SynFlood::new(1, to);
    let packets: Vec<_> = (0..syns).map(|_| flood.packet()).collect();
    let mut pour = |packets: &[[u8; 60]]| {
        for (n, p) in packets.iter().enumerate() {
            let now = tcp_core::Instant::from_micros(n as u64);
            stack.receive(now, p, RxChecksum::Unknown, None);
            while stack.poll_transmit(now).is_some() {}
        }
    };
    let (warm, rest) = packets.split_at(packets.len() / 10);
    pour(warm);
    let start = cpu();
    pour(rest);
    Ok(per_packet(cpu() - start, rest.len() as u64))
}

/// Linux's time in the write of a SYN to a TUN device; its softirq runs in that write. A reader
/// takes the SYN-ACKs away.
async fn through_tun(syns: u32, to: Ipv4Addr) -> Result<f64, String> {
    let namespace = Namespace::new();
    let device = KernelNet::device(&namespace).offload(Offload::Off).tx_queue_len(10_000);
    let device = Arc::new(device.open().map_err(|e| e.to_string())?);
    prepare(&namespace);
    let listener = namespace.run(|| KernelListener::with_backlog(HOST_V4, 64));
    let to = SocketAddrV4::new(to, listener.addr.port());
    let reader = tokio::spawn(drain(device.clone()));
    let mut flood = SynFlood::new(1, to);
    let packets: Vec<_> = (0..syns).map(|_| TxPacket::from_vec(flood.packet().to_vec())).collect();
    let (warm, rest) = packets.split_at(packets.len() / 10);
    write_all(&device, warm).await?;
    let mut spent = Duration::ZERO;
    for some in rest.chunks(256) {
        let start = cpu();
        write_all(&device, some).await?;
        spent += cpu() - start;
        tokio::task::yield_now().await;
    }
    reader.abort();
    Ok(per_packet(spent, rest.len() as u64))
}

/// Lets the flood's sources in, and a way back to them.
fn prepare(namespace: &Namespace) {
    for variable in ["all", "default", "tcp0"] {
        namespace.set(&format!("net.ipv4.conf.{variable}.rp_filter"), "0");
    }
    namespace.set("net.ipv4.tcp_syncookies", "1");
    namespace.ip(["route", "add", "198.18.0.0/15", "dev", "tcp0"]);
}

async fn drain(device: Arc<TunDevice>) {
    let mut buf = vec![0; device.capabilities().recv_buffer_len()];
    while std::future::poll_fn(|cx| device.poll_recv(cx, &mut buf)).await.is_ok() {}
}

async fn write_all(device: &TunDevice, packets: &[TxPacket]) -> Result<(), String> {
    for p in packets {
        let sent = std::future::poll_fn(|cx| device.poll_send(cx, p)).await;
        sent.map_err(|e| e.to_string())?;
    }
    Ok(())
}
