//! What does a test against the kernel start with? A namespace, a TUN device in it with the
//! kernel's addresses, and a stack with ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tcp_async::{Builder, Net};
use tcp_io::device::{TunBuilder, TunDevice};

use super::{Namespace, patiently};

/// The kernel's IPv4 address.
pub const HOST_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 45, 0, 1));
/// The stack's IPv4 address.
pub const OURS_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 45, 0, 2));
/// The kernel's IPv6 address.
pub const HOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd45, 0, 0, 0, 0, 0, 0, 1));
/// The stack's IPv6 address.
pub const OURS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd45, 0, 0, 0, 0, 0, 0, 2));
/// The kernel's addresses.
pub const HOST: [IpAddr; 2] = [HOST_V4, HOST_V6];
/// The stack's addresses.
pub const OURS: [IpAddr; 2] = [OURS_V4, OURS_V6];

/// The name of the TUN interface; it is alone in its namespace.
const INTERFACE: &str = "tcp0";

/// A stack and the kernel, joined by a TUN device.
#[derive(Debug)]
pub struct KernelNet {
    /// Our end.
    pub net: Net,
    /// The kernel's end.
    pub namespace: Namespace,
}

impl KernelNet {
    /// With the defaults of device and stack.
    ///
    /// # Panics
    /// Without root and `/dev/net/tun`.
    #[expect(clippy::new_without_default, reason = "it changes the machine")]
    pub fn new() -> KernelNet {
        KernelNet::with(|tun| tun, |net| net)
    }

    /// With another configuration of the device or the stack.
    ///
    /// # Panics
    /// As [`new`](Self::new), or if the configuration is wrong.
    pub fn with(
        device: impl FnOnce(TunBuilder) -> TunBuilder,
        stack: impl FnOnce(Builder) -> Builder,
    ) -> KernelNet {
        let namespace = Namespace::new();
        let tun = KernelNet::device(&namespace);
        let device = device(tun).open().expect("a TUN device");
        let net = Net::builder().address("10.45.0.2/24").address("fd45::2/64");
        let net = stack(net).device(device).expect("a stack");
        KernelNet { net, namespace }
    }

    /// The builder of the device that [`new`](Self::new) opens.
    pub fn device(namespace: &Namespace) -> TunBuilder {
        TunDevice::builder()
            .name(INTERFACE)
            .namespace(namespace.name())
            .host_address("10.45.0.1/24")
            .host_address("fd45::1/64")
    }

    /// Ends the stack.
    ///
    /// # Panics
    /// If that takes longer than [`GUARD`](super::GUARD).
    pub async fn end(self) {
        patiently("the end of the stack", self.net.shutdown()).await;
    }

    /// Whether nothing is left: no connection, no record, no listener.
    pub fn is_empty(&self) -> bool {
        self.net.connections().is_empty() && self.net.connection_count() == 0
    }

    /// Starts an echo server on a port of every address of ours.
    ///
    /// # Panics
    /// If the port is taken.
    pub async fn echo(&self, port: u16) {
        for ip in OURS {
            let listener = self.net.listen(SocketAddr::new(ip, port)).await.expect("a free port");
            tokio::spawn(async move {
                while let Ok((mut stream, _peer)) = listener.accept().await {
                    tokio::spawn(async move {
                        let (mut read, mut write) = stream.split();
                        // A client that resets is its own test's business.
                        let _ = tokio::io::copy(&mut read, &mut write).await;
                        let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
                    });
                }
            });
        }
    }
}
