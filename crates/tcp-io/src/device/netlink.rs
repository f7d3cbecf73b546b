//! How does an interface get an address? One rtnetlink request for each, IPv4 and IPv6 alike, so
//! that an interface may have several (RFC 3549; no duplicate detection on a link without
//! neighbours, RFC 4862 5.4).

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
/// Request, acknowledge, exclusive, create.
const FLAGS: u16 = 0x01 | 0x04 | 0x200 | 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Permanent, and good at once.
const IFA_FLAGS: u8 = 0x80 | 0x02;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Octets of `nlmsghdr`.
const HEADER: usize = 16;

/// Gives the interface with this index an address; one that it has already is left as it is.
pub(super) fn add_address(index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
    // Protocol 0 is NETLINK_ROUTE.
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::send(&socket, &request(index, address, prefix), SendFlags::empty())?;
    match acknowledgement(&socket)? {
        0 => Ok(()),
        code if Errno::from_raw_os_error(code) == Errno::EXIST => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn request(index: u32, address: IpAddr, prefix: u8) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
    };
    let mut message = vec![0; HEADER];
    message.extend([family, prefix, IFA_FLAGS, 0]);
    message.extend(index.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        message.extend((4 + octets.len() as u16).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(&octets);
    }
    let len = message.len() as u32;
    message[0..4].copy_from_slice(&len.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWADDR.to_ne_bytes());
    message[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    message
}

/// The error number of the kernel's answer; zero is success.
fn acknowledgement(socket: &OwnedFd) -> io::Result<i32> {
    let mut answer = [0; 256];
    let (len, _) = rustix::net::recv(socket, &mut answer[..], RecvFlags::empty())?;
    let [_, _, _, _, k0, k1, ..] = answer;
    if len < HEADER + 4 || u16::from_ne_bytes([k0, k1]) != NLMSG_ERROR {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let code = i32::from_ne_bytes([16, 17, 18, 19].map(|i| answer[i]));
    Ok(code.saturating_neg())
}
