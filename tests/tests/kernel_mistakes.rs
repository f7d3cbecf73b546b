//! Does a mistake get an answer that says what is wrong? Names, addresses, privileges and
//! destinations that can't be, with a real device around.
#![cfg(target_os = "linux")]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use stack_tests::kernel::{KernelNet, Namespace, OURS, OURS_V4, patiently, until};
use tcp_async::{Net, TcpSocket};
use tcp_io::device::{TunDevice, TunError};

fn kind(error: TunError) -> ErrorKind {
    io::Error::from(error).kind()
}

/// Nothing was left behind. It may take a moment: a process that another test is about to start
/// holds all descriptors until it executes its program.
async fn gone(namespace: &Namespace) {
    let interface = std::path::Path::new("/proc/sys/net/ipv4/conf/tcp0");
    until("the interface is gone", || !namespace.run(|| interface.exists())).await;
}

#[tokio::test]
#[ignore = "needs root and /dev/net/tun"]
async fn a_name_that_is_taken() {
    let namespace = Namespace::new();
    let first = KernelNet::device(&namespace).open().unwrap();
    let error = KernelNet::device(&namespace).open().err().expect("the name is taken");
    assert!(error.to_string().contains("tcp0"), "{error}");
    assert!(matches!(&error, TunError::NameTaken(name) if name == "tcp0"), "{error:?}");
    assert_eq!(kind(error), ErrorKind::AddrInUse);
    drop(first);
    gone(&namespace).await;
    KernelNet::device(&namespace).open().unwrap();
}

#[tokio::test]
#[ignore = "needs root and /dev/net/tun"]
async fn an_address_that_is_none() {
    let namespace = Namespace::new();
    for bad in ["10.45.0.1/33", "10.45.0/24", "fd45::1/129", "host/24", ""] {
        let tun = KernelNet::device(&namespace).host_address(bad);
        let error = tun.open().err().unwrap_or_else(|| panic!("{bad:?} was taken"));
        assert!(matches!(&error, TunError::BadAddress(text) if text == bad), "{error:?}");
        assert_eq!(kind(error), ErrorKind::InvalidInput);
    }
    gone(&namespace).await;
    for bad in ["10.45.0.2", "10.45.0.2/40", "224.0.0.1/4"] {
        let error = Net::builder().address(bad).loopback().expect_err(bad);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
#[ignore = "needs root and /dev/net/tun"]
async fn an_address_that_the_kernel_refuses() {
    let namespace = Namespace::new();
    let error = KernelNet::device(&namespace).host_address("ff02::1/64").open();
    let error = error.err().expect("a multicast address is not a host's");
    assert!(matches!(error, TunError::Io("address", _)), "{error:?}");
    gone(&namespace).await;
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn without_the_privilege() {
    let namespace = Namespace::new();
    let error = namespace.run(|| {
        // Capabilities belong to a thread; this one ends with the closure.
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_ADMIN);
        sets.permitted.remove(CapabilitySet::NET_ADMIN);
        sets.inheritable.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, sets).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        TunDevice::builder().name("tcp0").open().err().expect("it is not permitted")
    });
    assert!(matches!(error, TunError::NotPermitted), "{error:?}");
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    assert_eq!(kind(error), ErrorKind::PermissionDenied);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn without_the_right_to_enter_the_namespace() {
    let namespace = Namespace::new();
    let thread = std::thread::spawn(move || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::SYS_ADMIN);
        set_capabilities(None, sets).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let error = KernelNet::device(&namespace).open().err();
        (error, namespace)
    });
    let (error, _namespace) = thread.join().unwrap();
    assert!(matches!(error, Some(TunError::NotPermitted)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn destinations_that_are_no_hosts() {
    let k = KernelNet::new();
    // MUST-46: broadcast and multicast.
    for bad in [
        "10.45.0.255:80",
        "255.255.255.255:80",
        "224.0.0.1:80",
        "239.1.2.3:80",
        "[ff02::1]:80",
        "[ff05::2]:80",
        "10.45.0.1:0",
    ] {
        let error = patiently(bad, k.net.connect(bad)).await.expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
    }
    assert!(k.is_empty());
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn addresses_of_another_host() {
    let k = KernelNet::new();
    // The kernel's addresses are its own, and those of nobody are not ours.
    for other in ["10.45.0.1:80", "[fd45::1]:80", "192.0.2.1:80"] {
        let error = k.net.listen(other).await.expect_err(other);
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{other}");
        let other: SocketAddr = other.parse().unwrap();
        let socket = TcpSocket::on(&k.net, other.is_ipv4());
        let error = socket.bind(other).expect_err("not ours");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{other}");
    }
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_port_that_is_taken() {
    let k = KernelNet::new();
    for ip in OURS {
        let first = k.net.listen(SocketAddr::new(ip, 80)).await.unwrap();
        let error = k.net.listen(SocketAddr::new(ip, 80)).await.expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(first);
        let _again = k.net.listen(SocketAddr::new(ip, 80)).await.unwrap();
    }
    k.end().await;
}

/// The interface is taken away from under the stack: connections fail, nothing hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_interface_is_deleted() {
    use stack_tests::kernel::connect;
    let k = KernelNet::new();
    let listener = k.net.listen(SocketAddr::new(OURS_V4, 0)).await.unwrap();
    let to = listener.local_addr().unwrap();
    let kernel = k.namespace.spawn(move || connect(to).unwrap()).join().await;
    let (stream, _peer) = patiently("accept", listener.accept()).await.unwrap();
    k.namespace.ip(["link", "del", "tcp0"]);
    patiently("the end of the stack", k.net.ended()).await;
    patiently("the end of the stream", stream.readable()).await.unwrap();
    let read = stream.try_read(&mut [0; 16]).map_err(|e| e.kind());
    assert!(matches!(read, Err(kind) if kind != ErrorKind::WouldBlock), "{read:?}");
    let accept = patiently("accept", listener.accept()).await;
    assert!(accept.is_err());
    drop(kernel);
}
