//! `TcpStream`, `TcpListener` and `UdpSocket` in the shape of `tokio::net`, over a TCP and UDP
//! that run in this process instead of the kernel.
//!
//! A [`Net`] is a running stack on a packet device. Its methods [`Net::connect`] and
//! [`Net::listen`] are explicit; with an ambient stack ([`Net::enter`] or [`Net::install`]) the
//! associated functions work as those of `tokio::net` do, so that changing one `use` line swaps
//! the TCP under a program:
//!
//! ```
//! use tcp_async::{Net, TcpListener, TcpStream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! // No device: addresses of the stack itself loop back inside it.
//! let net = Net::builder().address("10.0.0.1/24").loopback()?;
//! let _here = net.enter();
//!
//! let listener = TcpListener::bind("10.0.0.1:80").await?;
//! let mut client = TcpStream::connect("10.0.0.1:80").await?;
//! let (mut server, _peer) = listener.accept().await?;
//! client.write_all(b"hello").await?;
//! client.shutdown().await?;
//! let mut text = String::new();
//! server.read_to_string(&mut text).await?;
//! assert_eq!(text, "hello");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod ambient;
mod budget;
mod builder;
mod closing;
mod error;
mod libraries;
mod listener;
mod look;
#[cfg(all(test, tcp_loom))]
mod loom_tests;
#[cfg(feature = "metrics")]
mod metrics;
mod net;
mod options;
mod owned;
mod pending;
mod socket;
mod split;
#[cfg(all(feature = "status", unix))]
pub mod status;
mod stream;
mod udp;
mod urgent;
mod wait;

pub use ambient::EnterGuard;
pub use builder::{BuildError, Builder};
#[cfg(feature = "hyper")]
pub use libraries::hyper;
pub use listener::{Incoming, TcpListener};
pub use look::Slices;
pub use net::Net;
pub use pending::{IncomingPending, PendingConnection, PendingListener};
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;

/// Halves of a stream, where `tokio::net::tcp` has them.
pub mod tcp {
    pub use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}

pub use tcp_core::Instant;
pub use tcp_core::config::{
    Algorithm, BufferLimits, Keepalive, Linger, Linger2, SocketOptions, TcpConfig,
};
pub use tcp_core::congestion;
pub use tcp_core::connection::{
    Happening, Info, Limit, Limited, RecoveryState, SendReason, State, Stats, Timer,
};
pub use tcp_core::listen::PeerSyn;
pub use tcp_io::cell::{UdpOptions, UdpRow};
pub use tcp_io::device;
pub use tcp_io::stack::{
    BindOptions, Cidr, ConnectionRow, CounterRow, Counters, Filter, Foreign, ListenOptions,
    ListenScope, Network, PacketDrop, PendingOptions, Rejection, Routes, RunningTimer, StackConfig,
    Summary, SynCookies, TimeWaitReuse, UdpBindOptions, Unreachability,
};
