//! Does a program see the same of a bad network? The kernel's TCP and ours, each a hop away from the same router,
//! connect to the same addresses. The results stand in `docs/parity-network.md`, which this test checks;
//! `PARITY=write` rewrites it. The rest is in `kernel_parity`, and needs no network.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use stack_tests::kernel::{GUARD, KernelNet, Namespace};
use tcp_async::{Net, Routes, TcpConfig};

/// Where to connect, and what becomes of the packets.
const SITUATIONS: &[(&str, &str)] = &[
    ("a closed port", "10.45.0.1:4999"),
    ("the router has no route", "10.98.0.1:80"),
    ("the router says that the host is unreachable", "10.99.1.1:80"),
    ("the router says that it is prohibited", "10.99.2.1:80"),
    ("the router drops the packets", "10.99.3.1:80"),
];

const HEAD: &str = "# Side by side with the kernel, in a bad network\n\n\
    What `connect` returns with `tokio::net` on Linux and with `tcp_async`, both a hop away from the\n\
    same router. Made and checked by `tests/tests/kernel_parity_network.rs` (`PARITY=write` rewrites\n\
    it), as root; a difference fails.\n\n\
    | connect, where | kernel | ours |\n|---|---|---|\n";

async fn told<T>(connect: impl Future<Output = io::Result<T>>) -> String {
    let result = tokio::time::timeout(GUARD, connect).await.expect("it hangs");
    result.map_or_else(|e| format!("{:?}", e.kind()), |_| "()".to_owned())
}

/// What the kernel says inside a namespace.
fn kernel(inside: &Namespace, to: SocketAddr) -> String {
    inside.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(told(tokio::net::TcpStream::connect(to)))
    })
}

/// The stack's namespace as a router, and the kernel as a host behind it.
fn network() -> (KernelNet, Namespace) {
    let impatient = |c: &mut TcpConfig| c.syn_retries = 1;
    let k = KernelNet::with(|tun| tun, |net| net.tcp(impatient));
    let host = Namespace::new();
    let router = &k.namespace;
    router.ip_words(&format!("link add veth0 type veth peer name veth1 netns {}", host.name()));
    router.ip_words("address add 10.46.0.1/24 dev veth0");
    router.ip_words("link set veth0 up");
    router.set("net.ipv4.ip_forward", "1");
    router.set("net.ipv4.icmp_ratelimit", "0");
    for (kind, network) in [("unreachable", 1), ("prohibit", 2), ("blackhole", 3)] {
        router.ip_words(&format!("route add {kind} 10.99.{network}.0/24"));
    }
    host.ip_words("address add 10.46.0.2/24 dev veth1");
    host.ip_words("link set veth1 up");
    host.ip_words("route add default via 10.46.0.1");
    host.set("net.ipv4.tcp_syn_retries", "1");
    (k, host)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_program_sees_the_same_of_a_bad_network() {
    let (k, host) = network();
    let mut rows = Vec::new();
    for (situation, to) in SITUATIONS {
        let to: SocketAddr = to.parse().unwrap();
        rows.push((*situation, kernel(&host, to), told(k.net.connect(to)).await));
    }
    let alone = Namespace::new();
    let nowhere = Net::builder().address("10.45.0.2/24").routes(Routes::Only(Vec::new()));
    let nowhere = nowhere.loopback().unwrap();
    let to = "10.98.0.1:80".parse().unwrap();
    rows.push((
        "the host itself has no route",
        kernel(&alone, to),
        told(nowhere.connect(to)).await,
    ));
    k.end().await;

    let mut page = HEAD.to_owned();
    for (situation, theirs, own) in rows {
        assert_eq!(theirs, own, "{situation}");
        page += &format!("| {situation} | {theirs} | the same |\n");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parity-network.md");
    if std::env::var_os("PARITY").is_some_and(|v| v == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "PARITY=write mends it");
}
