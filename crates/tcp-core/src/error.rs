//! How can it end, and what is refused? The reasons a connection ends, soft errors, errors of user
//! calls, and the reasons for which a segment is dropped (RFC 9293 3.9.1.8, 3.10).

use core::fmt;

/// Why a connection is no more.
///
/// ```
/// use tcp_core::error::End;
#[doc = include_str!("../doc/established.rs")]
///
/// server.abort();
/// // All that either has to send reaches the other.
/// exchange(now, &mut client, &mut server);
/// assert_eq!((server.end(), client.end()), (Some(End::Aborted), Some(End::Reset)));
/// assert_eq!(End::Reset.to_string(), "connection reset by peer");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum End {
    /// Both directions were closed in order.
    Closed,
    /// The peer reset it (MUST-12 tells this from an orderly end).
    Reset,
    /// The peer refused it: a reset answered our SYN, or an ICMP error said that no port or
    /// protocol is there.
    Refused,
    /// Retransmissions, keepalive or the user timeout ran out.
    TimedOut,
    /// The network said that the host or network cannot be reached.
    Unreachable(Unreachable),
    /// We aborted it.
    Aborted,
}

/// What an ICMP error says about the destination.
///
/// ```
/// use tcp_core::error::{IcmpError, Unreachable};
#[doc = include_str!("../doc/established.rs")]
///
/// client.write(now, b"hello")?;
/// let packet = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
/// client.on_icmp(now, packet.segment.seq, IcmpError::Unreachable(Unreachable::Port));
/// // An established connection goes on, even after what would have ended its opening.
/// assert!(Unreachable::Port.is_hard() && !Unreachable::Host.is_hard());
/// assert_eq!(client.end(), None);
/// assert_eq!(client.take_soft_error(), Some(Unreachable::Port));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Unreachable {
    /// No route to the network.
    Network,
    /// No route to the host.
    Host,
    /// The host does not speak TCP.
    Protocol,
    /// Nobody listens on the port.
    Port,
    /// A filter on the way forbids it.
    Prohibited,
    /// The packet's time to live ran out, or its fragments did not all arrive.
    TimeExceeded,
    /// A router or host did not understand the header.
    ParameterProblem,
}

impl Unreachable {
    /// Hard errors end a connection that is not synchronized (SHLD-26; RFC 5461 and RFC 5927 make
    /// them soft in synchronized states). MUST-56 lists the soft ones.
    pub const fn is_hard(self) -> bool {
        matches!(self, Unreachable::Protocol | Unreachable::Port)
    }
}

/// An ICMP error about a segment of ours, as far as a connection needs it.
///
/// ```
/// use tcp_core::connection::IcmpVerdict;
/// use tcp_core::error::IcmpError;
#[doc = include_str!("../doc/established.rs")]
///
/// client.write(now, &[0; 1448])?;
/// let packet = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
/// assert_eq!((packet.payload_len, client.path_mtu().mtu), (1448, 1500));
/// // A router on the way carries no more than 1400 octets.
/// let verdict = client.on_icmp(now, packet.segment.seq, IcmpError::TooBig { mtu: 1400 });
/// assert_eq!((verdict, client.path_mtu().mtu), (IcmpVerdict::PathMtu, 1400));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IcmpError {
    /// The destination cannot be reached.
    Unreachable(Unreachable),
    /// A packet was too big; the largest that fits, in octets, if it was told.
    TooBig {
        /// MTU of the next hop; 0 if the router did not say.
        mtu: u32,
    },
}

/// A user call was refused.
///
/// ```
/// use tcp_core::error::{End, UserError};
#[doc = include_str!("../doc/established.rs")]
///
/// let mut text = [0; 100];
/// assert_eq!(client.read(now, &mut text), Err(UserError::WouldBlock));
/// client.close_write()?;
/// assert_eq!(client.write(now, b"more"), Err(UserError::BrokenPipe));
///
/// server.abort();
/// exchange(now, &mut client, &mut server);
/// let failed = client.read(now, &mut text).unwrap_err();
/// assert_eq!(failed, UserError::Ended(End::Reset));
/// assert_eq!(failed.to_string(), "connection reset by peer");
/// # Ok::<(), UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserError {
    /// Nothing to read, or no room to write, at the moment.
    WouldBlock,
    /// The connection is not established yet.
    NotConnected,
    /// This direction was closed by us, or the connection ended in order: writing makes no sense.
    BrokenPipe,
    /// The connection has failed.
    Ended(End),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::WouldBlock => f.write_str("operation would block"),
            UserError::NotConnected => f.write_str("not connected"),
            UserError::BrokenPipe => f.write_str("write after close"),
            UserError::Ended(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for UserError {}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Closed => "connection closed",
            End::Reset => "connection reset by peer",
            End::Refused => "connection refused",
            End::TimedOut => "connection timed out",
            End::Unreachable(Unreachable::Network) => "network unreachable",
            End::Unreachable(_) => "host unreachable",
            End::Aborted => "connection aborted",
        })
    }
}

crate::labels! {
    /// Why a segment, or its text, was not used. Each is a counter.
    ///
    /// ```
    /// use tcp_core::connection::Verdict;
    /// use tcp_core::error::DropReason;
    #[doc = include_str!("../doc/established.rs")]
    ///
    /// // A reset from somebody who guesses the sequence number, and misses it.
    /// let forged = Segment { flags: Flags::RST, seq: SeqNum(6000), ..Segment::default() };
    /// let Verdict::Dropped(reason) = client.on_segment(now, &forged, 0) else { panic!() };
    /// assert_eq!(reason, DropReason::ResetNotExact);
    ///
    /// // A table of counters has a place for each; Linux's name for it, if it has the same one.
    /// let mut drops = [0; DropReason::COUNT];
    /// drops[reason as usize] += 1;
    /// assert_eq!(DropReason::ALL[reason as usize].name(), "ResetNotExact");
    /// assert_eq!(reason.nstat(), "StackSegmentDropResetNotExact");
    /// assert_eq!(DropReason::Paws.nstat(), "TcpExtPAWSEstab");
    /// assert!(DropReason::NoMemory.meaning().starts_with("Memory is short"));
    /// ```
    pub enum DropReason, "StackSegmentDrop" {
        /// Outside of the receive window (RFC 9293 3.10.7.4, first step).
        OutOfWindow,
        /// Its timestamp is older than the last one (RFC 7323 5, PAWS).
        Paws => "TcpExtPAWSEstab",
        /// A reset whose sequence number is not exactly RCV.NXT (RFC 5961 3.2).
        ResetNotExact,
        /// A SYN in a synchronized state (RFC 5961 4.2).
        UnexpectedSyn => "TcpExtTCPSYNChallenge",
        /// It acknowledges what was never sent, or is too old (RFC 5961 5.2).
        BadAck,
        /// No ACK flag where one must be.
        NoAck,
        /// In SYN-SENT: neither SYN nor RST.
        NotSyn,
        /// The table of out-of-order ranges is full.
        TooManyRanges => "TcpExtTCPOFODrop",
        /// Text for a connection whose application has closed (SHLD-3).
        AfterClose => "TcpExtTCPAbortOnData",
        /// The connection has ended.
        Ended,
        /// Memory is short: there is no room for the text, though the window offered it.
        NoMemory => "TcpExtTCPRcvQDrop",
        /// A last ACK without text for a listener that waits for text (`TCP_DEFER_ACCEPT`).
        Deferred => "TcpExtTCPDeferAcceptDrop",
    }
}
