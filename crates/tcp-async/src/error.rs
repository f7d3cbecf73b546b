//! Which `io::Error` is it? The stack's errors as the kinds that programs written for the kernel's
//! TCP expect. There is no number behind them: no system call has failed.

use std::io::{Error, ErrorKind};

use tcp_core::error::{End, Unreachable, UserError};
use tcp_io::cell::{AcceptError, RequestEnd, TakenError, UdpError, UdpReceiveError};
use tcp_io::stack::{BindError, GroupError, ListenError, OpenError, UdpBindError, UdpSendError};

pub(crate) fn from_end(e: End) -> Error {
    let kind = match e {
        End::Closed => ErrorKind::NotConnected,
        End::Reset => ErrorKind::ConnectionReset,
        End::Refused => ErrorKind::ConnectionRefused,
        End::TimedOut => ErrorKind::TimedOut,
        End::Unreachable(u) => return from_unreachable(u),
        End::Aborted => ErrorKind::ConnectionAborted,
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_unreachable(u: Unreachable) -> Error {
    let kind = match u {
        Unreachable::Network => ErrorKind::NetworkUnreachable,
        Unreachable::Port => ErrorKind::ConnectionRefused,
        Unreachable::Prohibited => ErrorKind::PermissionDenied,
        Unreachable::ParameterProblem => ErrorKind::InvalidData,
        Unreachable::Host | Unreachable::Protocol | Unreachable::TimeExceeded => {
            ErrorKind::HostUnreachable
        }
    };
    Error::new(kind, End::Unreachable(u).to_string())
}

pub(crate) fn from_taken(e: TakenError) -> Error {
    match e {
        TakenError::Ended(e) => from_end(e),
        TakenError::Soft(u) => from_unreachable(u),
    }
}

pub(crate) fn from_user(e: UserError) -> Error {
    match e {
        UserError::WouldBlock => Error::from(ErrorKind::WouldBlock),
        UserError::NotConnected => Error::new(ErrorKind::NotConnected, e.to_string()),
        UserError::BrokenPipe => Error::new(ErrorKind::BrokenPipe, "broken pipe"),
        UserError::Ended(e) => from_end(e),
    }
}

pub(crate) fn from_open(e: OpenError) -> Error {
    let kind = match e {
        OpenError::BadRemote => ErrorKind::InvalidInput,
        OpenError::BadLocal | OpenError::InUse | OpenError::NoPorts => ErrorKind::AddrNotAvailable,
        OpenError::NoRoute => ErrorKind::NetworkUnreachable,
        OpenError::TooMany => ErrorKind::OutOfMemory,
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_bind(e: BindError) -> Error {
    let kind = match e {
        BindError::NotLocal => ErrorKind::AddrNotAvailable,
        BindError::InUse | BindError::NoPorts => ErrorKind::AddrInUse,
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_listen(e: ListenError) -> Error {
    match e {
        ListenError::Bind(e) => from_bind(e),
        ListenError::NotUnspecified => Error::new(ErrorKind::InvalidInput, e.to_string()),
        ListenError::OwnAddressesOnly => Error::new(ErrorKind::AddrNotAvailable, e.to_string()),
    }
}

pub(crate) fn from_request(e: RequestEnd) -> Error {
    let kind = match e {
        RequestEnd::Expired | RequestEnd::Unanswered => ErrorKind::TimedOut,
        RequestEnd::Withdrawn => ErrorKind::ConnectionReset,
        RequestEnd::Closed | RequestEnd::Decided => ErrorKind::ConnectionAborted,
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_accept(e: AcceptError) -> Error {
    Error::new(ErrorKind::InvalidInput, e.to_string())
}

pub(crate) fn from_udp(e: UdpError) -> Error {
    let kind = match e {
        UdpError::Refused => ErrorKind::ConnectionRefused,
        UdpError::Host => ErrorKind::HostUnreachable,
        UdpError::Network => ErrorKind::NetworkUnreachable,
        UdpError::Prohibited => ErrorKind::PermissionDenied,
        UdpError::Protocol => ErrorKind::Other,
        UdpError::TooBig => ErrorKind::InvalidInput,
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_udp_receive(e: UdpReceiveError) -> Error {
    match e {
        UdpReceiveError::WouldBlock => Error::from(ErrorKind::WouldBlock),
        UdpReceiveError::Pending(e) => from_udp(e),
        UdpReceiveError::Closed => stack_ended(),
    }
}

pub(crate) fn from_udp_send(e: UdpSendError) -> Error {
    let kind = match e {
        UdpSendError::WouldBlock => return Error::from(ErrorKind::WouldBlock),
        UdpSendError::Pending(e) => return from_udp(e),
        UdpSendError::Closed => return stack_ended(),
        UdpSendError::NotConnected => ErrorKind::NotConnected,
        UdpSendError::NoRoute => ErrorKind::NetworkUnreachable,
        UdpSendError::NoBroadcast => ErrorKind::PermissionDenied,
        UdpSendError::TooLong | UdpSendError::BadRemote | UdpSendError::BadLocal => {
            ErrorKind::InvalidInput
        }
    };
    Error::new(kind, e.to_string())
}

pub(crate) fn from_udp_bind(e: UdpBindError) -> Error {
    match e {
        UdpBindError::Bind(e) => from_bind(e),
        UdpBindError::TooMany => Error::new(ErrorKind::OutOfMemory, e.to_string()),
    }
}

pub(crate) fn from_group(e: GroupError) -> Error {
    let kind = match e {
        GroupError::Closed => return stack_ended(),
        GroupError::NotMulticast => ErrorKind::InvalidInput,
        GroupError::Joined => ErrorKind::AddrInUse,
        GroupError::NotJoined => ErrorKind::AddrNotAvailable,
        GroupError::TooMany => ErrorKind::OutOfMemory,
        GroupError::NoInterface => ErrorKind::NotFound,
    };
    Error::new(kind, e.to_string())
}

/// The stack has ended: nothing can be opened on it any more.
pub(crate) fn stack_ended() -> Error {
    Error::new(ErrorKind::NetworkDown, "the network stack has ended")
}

/// A stack without an address was asked for another host: most likely nobody built one.
pub(crate) fn no_way_out() -> Error {
    Error::new(
        ErrorKind::NetworkUnreachable,
        "this stack is the loopback network only: build one with a device, then call Net::enter \
         or Net::install, or use the methods of Net",
    )
}

/// The text is tokio's, by which `tokio::runtime::is_rt_shutdown_err` knows the error.
pub(crate) fn runtime_is_over() -> Error {
    Error::other("A Tokio 1.x context was found, but it is being shutdown.")
}
