//! Which addresses do both ends and their peer have? The same for the kernel as for our stack:
//! they live in different worlds, and the packets may be the same to the octet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcp_core::{Endpoint, Tuple};

use super::script::{Case, Opening};

/// The end's addresses.
pub(super) const LOCAL_V4: &str = "10.45.0.1/16";
pub(super) const LOCAL_V6: &str = "fd45::1/64";

/// The port where somebody listens.
pub(super) const LISTENS: u16 = 80;
/// The port where nobody does.
const SILENT: u16 = 81;
/// The port from which the end connects.
const CONNECTS: u16 = 4000;
/// The peer's port where it does not matter.
pub(super) const PEER_PORT: u32 = 5000;

/// The connection of a case, as the end names it. `peer` chooses the peer's port and address: the
/// kernel remembers, so that every case needs another.
pub(super) fn tuple(case: &Case, peer: u32) -> Tuple {
    let port = match case.opening {
        Opening::Nobody => SILENT,
        Opening::Passive => LISTENS,
        Opening::Active => CONNECTS,
    };
    let (local, remote) = if case.ipv6 {
        let host = |n| IpAddr::V6(Ipv6Addr::new(0xfd45, 0, 0, 0, 0, 0, 0, n));
        (host(1), host(0x100 + (peer >> 15) as u16))
    } else {
        let host = |n: u16| IpAddr::V4(Ipv4Addr::new(10, 45, (n >> 8) as u8, n as u8));
        (host(1), host(0x100 + (peer >> 15) as u16))
    };
    let remote = Endpoint::new(remote, 1024 + (peer & 0x7fff) as u16);
    Tuple { local: Endpoint::new(local, port), remote }
}
