//! In which state does the kernel hold a connection? One request of the kernel's socket
//! monitoring for exactly these endpoints, as `ss` does it for all (sock_diag(7)).

use std::io;
use std::net::IpAddr;

use rustix::fd::OwnedFd;
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use tcp_core::Tuple;
use tcp_core::connection::State;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// Octets of `nlmsghdr`.
const HEADER: usize = 16;

/// An open door to the kernel's tables; it belongs to the namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Diag {
    socket: OwnedFd,
}

impl Diag {
    pub(super) fn open() -> io::Result<Diag> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(SOCK_DIAG),
        )?;
        Ok(Diag { socket })
    }

    /// The state of a connection; a listener on its port is none.
    pub(super) fn state(&self, tuple: &Tuple) -> io::Result<State> {
        rustix::net::send(&self.socket, &request(tuple), SendFlags::empty())?;
        let mut answer = [0; 1024];
        let (len, _) = rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
        let answer = &answer[..len];
        let kind = answer.get(4..6).map(|b| u16::from_ne_bytes([b[0], b[1]]));
        match (kind, answer.get(HEADER + 1)) {
            (Some(SOCK_DIAG_BY_FAMILY), Some(&state)) => Ok(named(state)),
            // ENOENT
            _ => Ok(State::Closed),
        }
    }
}

/// The kernel's numbers (`include/net/tcp_states.h`).
fn named(state: u8) -> State {
    match state {
        1 => State::Established,
        2 => State::SynSent,
        // The second is that of a record without a socket.
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        8 => State::CloseWait,
        9 => State::LastAck,
        11 => State::Closing,
        _ => State::Closed,
    }
}

/// `nlmsghdr`, then `inet_diag_req_v2`.
fn request(tuple: &Tuple) -> Vec<u8> {
    let family = if tuple.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut body = vec![family, IPPROTO_TCP, 0, 0];
    // All states.
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(tuple.local.port.to_be_bytes());
    body.extend(tuple.remote.port.to_be_bytes());
    body.extend(octets(tuple.local.ip));
    body.extend(octets(tuple.remote.ip));
    // Any interface, and no cookie.
    body.extend(0u32.to_ne_bytes());
    body.extend([0xff; 8]);
    let mut message = Vec::from(((HEADER + body.len()) as u32).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&ip.octets());
            all
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}
