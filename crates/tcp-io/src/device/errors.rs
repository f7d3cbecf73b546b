//! Is a device gone, or only a packet? Which errors of a TUN descriptor end it (Linux
//! `drivers/net/tun.c` is the source; no RFC).

use rustix::io::Errno;
use std::io;

/// Whether the error of a write says that the descriptor will never take a packet again: the
/// interface was deleted or the descriptor is none. All else (interface down, no memory, a packet
/// that the kernel refuses) costs the one packet.
pub(super) fn is_fatal(error: &io::Error) -> bool {
    let gone = [Errno::BADF, Errno::BADFD, Errno::NODEV, Errno::NXIO];
    error.raw_os_error().is_none_or(|code| gone.contains(&Errno::from_raw_os_error(code)))
}
