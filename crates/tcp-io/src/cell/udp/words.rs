//! What do the stack, the cell and the tasks of a UDP socket tell each other? Names, options, errors,
//! and datagrams that are to be sent. No RFC but where an error names one.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use tcp_core::Endpoint;

/// Names a UDP socket of one stack; never reused while the socket is known.
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// assert_eq!(client.id(), id);
/// stack.udp_close(id);
/// assert!(stack.udp_cell(id).is_none());
/// let next = stack.udp_bind("10.0.0.1:4000".parse()?, UdpBindOptions::default())?;
/// assert_ne!(next, id); // though the place in the table may be the same
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UdpId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What the network said about a datagram of ours (RFC 1122 4.1.3.3).
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// use tcp_io::cell::UdpError;
/// use tcp_io::stack::UdpSendError;
///
/// stack.udp_connect(client.id(), "10.0.0.1:9".parse()?)?;
/// stack.udp_send(now, client.id(), "anybody there?", None)?;
/// // The next call tells, once.
/// let refused = stack.udp_send(now, client.id(), "again", None);
/// assert_eq!(refused, Err(UdpSendError::Pending(UdpError::Refused)));
/// assert_eq!(UdpError::Refused.to_string(), "connection refused");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpError {
    /// Nobody is at the port. Linux: `ECONNREFUSED`.
    Refused,
    /// The host cannot be reached. Linux: `EHOSTUNREACH`.
    Host,
    /// The network cannot be reached. Linux: `ENETUNREACH`.
    Network,
    /// A filter on the way forbids it. Linux: `EACCES`.
    Prohibited,
    /// The host does not speak UDP, or did not understand the header. Linux: `ENOPROTOOPT`,
    /// `EPROTO`.
    Protocol,
    /// A datagram was larger than the path carries; the next ones go in fragments. Linux:
    /// `EMSGSIZE`.
    TooBig,
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UdpError::Refused => "connection refused",
            UdpError::Host => "host unreachable",
            UdpError::Network => "network unreachable",
            UdpError::Prohibited => "administratively prohibited",
            UdpError::Protocol => "protocol error",
            UdpError::TooBig => "message too long for the path",
        })
    }
}

impl std::error::Error for UdpError {}

/// Nothing could be received.
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// use tcp_io::cell::{Look, UdpError, UdpReceiveError};
///
/// let next = |cell: &tcp_io::cell::UdpCell| cell.receive(Look::Take, 1500, &mut |_| ()).unwrap_err();
/// assert_eq!(next(&client), UdpReceiveError::WouldBlock);
/// stack.udp_connect(client.id(), "10.0.0.1:9".parse()?)?;
/// stack.udp_send(now, client.id(), "anybody there?", None)?;
/// assert_eq!(next(&client), UdpReceiveError::Pending(UdpError::Refused));
/// stack.close_all(now);
/// assert_eq!(next(&client), UdpReceiveError::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpReceiveError {
    /// No datagram is there.
    WouldBlock,
    /// The network said something about a datagram that was sent before; told once.
    Pending(UdpError),
    /// The stack has ended.
    Closed,
}

/// What can be set on a UDP socket. Defaults are Linux's.
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// use tcp_io::cell::UdpOptions;
///
/// let options = UdpOptions { broadcast: true, ..UdpOptions::default() };
/// let options = UdpBindOptions { options: Some(options), ..Default::default() };
/// let id = stack.udp_bind("10.0.0.1:68".parse()?, options)?;
/// stack.udp_send(now, id, "who has an address for me?", Some("255.255.255.255:67".parse()?))?;
/// assert!(stack.poll_transmit(now).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpOptions {
    /// TTL or hop limit of unicast datagrams.
    pub hop_limit: u8,
    /// Type of service of IPv4 datagrams.
    pub tos: u8,
    /// Traffic class of IPv6 datagrams.
    pub traffic_class: u8,
    /// Whether datagrams to broadcast addresses may be sent (`SO_BROADCAST`).
    pub broadcast: bool,
    /// TTL of IPv4 multicast datagrams.
    pub multicast_ttl_v4: u8,
    /// Hop limit of IPv6 multicast datagrams.
    pub multicast_hops_v6: u8,
    /// Whether the stack's own sockets hear IPv4 multicast datagrams of this one.
    pub multicast_loop_v4: bool,
    /// The same for IPv6.
    pub multicast_loop_v6: bool,
    /// Octets that received datagrams may hold, [`DATAGRAM_COST`](super::DATAGRAM_COST) for each included (`SO_RCVBUF`).
    pub receive_buffer: usize,
    /// Octets that datagrams which the device has not taken may hold (`SO_SNDBUF`).
    pub send_buffer: usize,
}

impl Default for UdpOptions {
    fn default() -> UdpOptions {
        UdpOptions {
            hop_limit: 64,
            tos: 0,
            traffic_class: 0,
            broadcast: false,
            multicast_ttl_v4: 1,
            multicast_hops_v6: 1,
            multicast_loop_v4: true,
            multicast_loop_v6: true,
            receive_buffer: 212_992,
            send_buffer: 212_992,
        }
    }
}

/// How a datagram is looked at.
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// use tcp_io::cell::Look;
///
/// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
/// let peeked = server.receive(Look::Peek, 1500, &mut |_| ());
/// assert_eq!(peeked, Ok((8, client.local())));
/// assert_eq!(server.receive(Look::Take, 1500, &mut |_| ()), peeked);
/// assert!(server.receive(Look::Take, 1500, &mut |_| ()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// It is taken out of the queue.
    Take,
    /// It stays there.
    Peek,
}

/// A UDP socket, for tables.
///
/// ```
#[doc = include_str!("../../../doc/udp.rs")]
/// use tcp_io::cell::DATAGRAM_COST;
///
/// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
/// let row = stack.udp_rows().find(|row| row.local.port() == 53).unwrap();
/// assert_eq!((row.peer, row.receive_queue), (None, 8 + DATAGRAM_COST));
/// assert_eq!((row.send_queue, row.drops), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpRow {
    /// The address it is bound to.
    pub local: SocketAddr,
    /// The address it is connected to.
    pub peer: Option<SocketAddr>,
    /// What is received and not read, in octets, [`DATAGRAM_COST`](super::DATAGRAM_COST) for each datagram included.
    pub receive_queue: usize,
    /// What is to be sent, in octets, counted likewise.
    pub send_queue: usize,
    /// Datagrams dropped for want of room in the queue.
    pub drops: u64,
}

/// A datagram to send: checked, and on its way as soon as the device takes it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// A copy is for the stack's own sockets.
    pub(crate) looped: bool,
    pub(crate) text: Bytes,
}

/// What became of the datagrams that the stack handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) taken: u64,
    /// The queue was full.
    pub(crate) full: u64,
    /// All queues of the stack together hold too much.
    pub(crate) no_memory: u64,
}
