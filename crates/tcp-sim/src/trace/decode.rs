//! What does this packet say, on one line? IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293 3.1),
//! and the first fields of UDP and ICMP, as far as the bytes go: damaged and truncated packets
//! are described too, nothing is verified.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcp_core::Endpoint;

const PROTO_ICMP: u8 = 1;
const PROTO_TCP: u8 = 6;
const PROTO_UDP: u8 = 17;
const PROTO_ICMPV6: u8 = 58;

/// The flags of octet 13, each with its letter, from the most telling on.
const FLAGS: [(u8, char); 8] = [
    (0x02, 'S'),
    (0x01, 'F'),
    (0x04, 'R'),
    (0x08, 'P'),
    (0x10, 'A'),
    (0x20, 'U'),
    (0x40, 'E'),
    (0x80, 'C'),
];

/// One line about an IP packet, like
/// `10.0.0.1:4000 > 10.0.0.2:80 [SA] seq 1 ack 2 win 65535 len 0 <mss 1460,sackOK>`.
///
/// The window is printed unscaled, sequence numbers as they are. Whatever can't be read ends the
/// line with `(cut)`.
///
/// ```
/// use tcp_io::stack::{ConnectOptions, StackConfig};
/// use tcp_sim::{Node, trace::describe};
///
/// # let now = tcp_core::Instant::ZERO;
/// let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
/// let mut host = tcp_sim::Host::new(now, config, 1);
/// let local = Some("10.0.0.1:4000".parse()?);
/// host.stack.connect(now, "10.0.0.2:80".parse()?, ConnectOptions { local, options: None })?;
/// let mut lines = Vec::new();
/// host.transmit(now, &mut |packet| lines.push(describe(&packet)));
/// assert!(lines[0].starts_with("10.0.0.1:4000 > 10.0.0.2:80 [S] seq "));
/// assert!(lines[0].contains("<mss 1460,"));
/// assert_eq!(describe(&[0x45, 0, 0]), "(cut)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn describe(packet: &[u8]) -> String {
    describe_prefix(packet, packet.len())
}

/// The same for a packet of `len` bytes of which only the first ones are at hand.
pub(super) fn describe_prefix(head: &[u8], len: usize) -> String {
    let mut line = String::new();
    if ip(&mut line, head, len).is_err() {
        line.push_str(if line.is_empty() { "(cut)" } else { " (cut)" });
    }
    line
}

/// The destination address, if this is an IP packet long enough to have one.
pub(crate) fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => address4(packet, 16).ok().map(IpAddr::V4),
        6 => address6(packet, 24).ok().map(IpAddr::V6),
        _ => None,
    }
}

/// The packet ends before the field. Formatting into a `String` does not fail by itself.
struct Cut;

impl From<fmt::Error> for Cut {
    fn from(_: fmt::Error) -> Cut {
        Cut
    }
}

type Done = Result<(), Cut>;

/// What the IP header told about its payload.
struct Payload<'a> {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    bytes: &'a [u8],
    /// Length by the IP header; `bytes` may be shorter or, with junk behind the packet, longer.
    len: usize,
}

fn ip(line: &mut String, head: &[u8], len: usize) -> Done {
    match octet(head, 0)? >> 4 {
        4 => ipv4(line, head, len),
        6 => ipv6(line, head, len),
        version => Ok(write!(line, "IP version {version}, {len} bytes")?),
    }
}

fn ipv4(line: &mut String, head: &[u8], len: usize) -> Done {
    let header_len = usize::from(octet(head, 0)? & 0x0f) * 4;
    let total = usize::from(word(head, 2)?);
    let payload = Payload {
        protocol: octet(head, 9)?,
        src: IpAddr::V4(address4(head, 12)?),
        dst: IpAddr::V4(address4(head, 16)?),
        bytes: head.get(header_len..).ok_or(Cut)?,
        len: total.checked_sub(header_len).ok_or(Cut)?,
    };
    let fragment_offset = (word(head, 6)? & 0x1fff) * 8;
    if fragment_offset == 0 {
        transport(line, &payload)?;
    } else {
        let Payload { src, dst, protocol, .. } = payload;
        write!(line, "{src} > {dst} protocol {protocol} fragment at {fragment_offset}")?;
    }
    length_mismatch(line, total, len)
}

fn ipv6(line: &mut String, head: &[u8], len: usize) -> Done {
    let payload_len = usize::from(word(head, 4)?);
    let payload = Payload {
        protocol: octet(head, 6)?,
        src: IpAddr::V6(address6(head, 8)?),
        dst: IpAddr::V6(address6(head, 24)?),
        bytes: head.get(40..).ok_or(Cut)?,
        len: payload_len,
    };
    transport(line, &payload)?;
    length_mismatch(line, 40 + payload_len, len)
}

fn length_mismatch(line: &mut String, told: usize, real: usize) -> Done {
    if told != real {
        write!(line, " (IP length {told}, real {real})")?;
    }
    Ok(())
}

fn transport(line: &mut String, ip: &Payload<'_>) -> Done {
    match ip.protocol {
        PROTO_TCP => tcp(line, ip),
        PROTO_UDP => udp(line, ip),
        PROTO_ICMP | PROTO_ICMPV6 => icmp(line, ip),
        protocol => Ok(write!(line, "{} > {} protocol {protocol} len {}", ip.src, ip.dst, ip.len)?),
    }
}

fn ports(line: &mut String, ip: &Payload<'_>) -> Done {
    let from = Endpoint::new(ip.src, word(ip.bytes, 0)?);
    let to = Endpoint::new(ip.dst, word(ip.bytes, 2)?);
    Ok(write!(line, "{from} > {to}")?)
}

fn udp(line: &mut String, ip: &Payload<'_>) -> Done {
    ports(line, ip)?;
    Ok(write!(line, " udp len {}", ip.len.checked_sub(8).ok_or(Cut)?)?)
}

fn icmp(line: &mut String, ip: &Payload<'_>) -> Done {
    write!(line, "{} > {}", ip.src, ip.dst)?;
    let (kind, code) = (octet(ip.bytes, 0)?, octet(ip.bytes, 1)?);
    Ok(write!(line, " icmp type {kind} code {code} len {}", ip.len)?)
}

fn tcp(line: &mut String, ip: &Payload<'_>) -> Done {
    let bytes = ip.bytes;
    ports(line, ip)?;
    let flags = octet(bytes, 13)?;
    write!(line, " [{}] seq {}", flag_letters(flags), long(bytes, 4)?)?;
    if flags & 0x10 != 0 {
        write!(line, " ack {}", long(bytes, 8)?)?;
    }
    write!(line, " win {}", word(bytes, 14)?)?;
    if flags & 0x20 != 0 {
        write!(line, " urg {}", word(bytes, 18)?)?;
    }
    let header_len = usize::from(octet(bytes, 12)? >> 4) * 4;
    write!(line, " len {}", ip.len.checked_sub(header_len).ok_or(Cut)?)?;
    options(line, bytes.get(20..header_len).ok_or(Cut)?)
}

fn flag_letters(flags: u8) -> String {
    if flags == 0 {
        return "-".to_owned();
    }
    FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| letter).collect()
}

fn options(line: &mut String, mut rest: &[u8]) -> Done {
    let mut separator = " <";
    while let Some(&kind) = rest.first() {
        // RFC 9293 3.1: end of the list (0) and no-operation (1) have no length octet.
        match kind {
            0 => break,
            1 => rest = &rest[1..],
            _ => {
                let len = usize::from(octet(rest, 1)?);
                let body = rest.get(2..len).ok_or(Cut)?;
                line.push_str(separator);
                separator = ",";
                option(line, kind, body)?;
                rest = &rest[len..];
            }
        }
    }
    if separator == "," {
        line.push('>');
    }
    Ok(())
}

fn option(line: &mut String, kind: u8, body: &[u8]) -> Done {
    match (kind, body.len()) {
        (2, 2) => write!(line, "mss {}", word(body, 0)?)?,
        (3, 1) => write!(line, "wscale {}", body[0])?,
        (4, 0) => line.push_str("sackOK"),
        (5, 8 | 16 | 24 | 32) => {
            line.push_str("sack");
            for block in body.chunks_exact(8) {
                write!(line, " {}:{}", long(block, 0)?, long(block, 4)?)?;
            }
        }
        (8, 8) => write!(line, "ts {} {}", long(body, 0)?, long(body, 4)?)?,
        (34, cookie) => write!(line, "tfo {cookie}")?,
        (kind, len) => write!(line, "option {kind} len {}", len + 2)?,
    }
    Ok(())
}

fn octet(bytes: &[u8], at: usize) -> Result<u8, Cut> {
    bytes.get(at).copied().ok_or(Cut)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Cut> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Cut)
}

fn word(bytes: &[u8], at: usize) -> Result<u16, Cut> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn long(bytes: &[u8], at: usize) -> Result<u32, Cut> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn address4(bytes: &[u8], at: usize) -> Result<Ipv4Addr, Cut> {
    array::<4>(bytes, at).map(Ipv4Addr::from)
}

fn address6(bytes: &[u8], at: usize) -> Result<Ipv6Addr, Cut> {
    array::<16>(bytes, at).map(Ipv6Addr::from)
}
