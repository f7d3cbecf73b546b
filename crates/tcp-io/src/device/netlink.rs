//! How does an interface get an address, and when is it good? One rtnetlink request for each, IPv4
//! and IPv6 alike, so that an interface may have several (RFC 3549; no duplicate detection on a
//! link without neighbours, RFC 4862 5.4).

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;

const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLMSG_ERROR: u16 = 2;
const REQUEST: u16 = 0x01;
/// Request, acknowledge, exclusive, create.
const ADD: u16 = REQUEST | 0x04 | 0x200 | 0x400;
const RTA_DST: u16 = 1;
/// The type of a route to an address of the machine itself.
const RTN_LOCAL: u8 = 2;
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
    let mut body = vec![family(address), prefix, IFA_FLAGS, 0];
    body.extend(index.to_ne_bytes());
    push_address(&mut body, IFA_LOCAL, address);
    push_address(&mut body, IFA_ADDRESS, address);
    match error_number(&exchange(RTM_NEWADDR, ADD, &body)?)? {
        0 => Ok(()),
        code if Errno::from_raw_os_error(code) == Errno::EXIST => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Whether packets for the address are delivered to this machine: an IPv6 address has its route
/// only some time after its interface is up.
pub(super) fn is_delivered(address: IpAddr) -> io::Result<bool> {
    let length = if address.is_ipv4() { 32 } else { 128 };
    // Family, lengths of destination and source, and what else describes a route.
    let mut body = vec![family(address), length, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    push_address(&mut body, RTA_DST, address);
    let answer = exchange(RTM_GETROUTE, REQUEST, &body)?;
    let kind = answer.get(HEADER + 7);
    Ok(message_type(&answer) == Some(RTM_NEWROUTE) && kind == Some(&RTN_LOCAL))
}

/// Sends one request and receives the first message of the answer.
fn exchange(kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    // Protocol 0 is NETLINK_ROUTE.
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::send(&socket, &request(kind, flags, body), SendFlags::empty())?;
    let mut answer = vec![0; 1024];
    let (len, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    answer.truncate(len);
    Ok(answer)
}

fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = (HEADER + body.len()) as u32;
    let mut message = Vec::from(len.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Sequence number and port: the kernel fills in what matters.
    message.extend([0; 8]);
    message.extend(body);
    message
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn push_address(body: &mut Vec<u8>, kind: u16, address: IpAddr) {
    let octets = match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    body.extend((4 + octets.len() as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(octets);
}

fn message_type(answer: &[u8]) -> Option<u16> {
    let kind = answer.get(4..6)?;
    Some(u16::from_ne_bytes([kind[0], kind[1]]))
}

/// The error number of the kernel's acknowledgement; zero is success.
fn error_number(answer: &[u8]) -> io::Result<i32> {
    match answer.get(HEADER..HEADER + 4) {
        Some(&[a, b, c, d]) if message_type(answer) == Some(NLMSG_ERROR) => {
            Ok(i32::from_ne_bytes([a, b, c, d]).saturating_neg())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
