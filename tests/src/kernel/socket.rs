//! How do the kernel's sockets behave in a test? They block, but not for ever.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect as connect_socket};
use rustix::net::{ipproto, socket_with, sockopt};

use super::GUARD;

/// Connects the kernel to `to`.
///
/// # Errors
/// What the kernel says.
pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    guarded(TcpStream::connect_timeout(&to, GUARD)?)
}

/// Connects the kernel to `to` from a given address and port.
///
/// # Errors
/// What the kernel says.
pub fn connect_from(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Bounds the connect as well.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(GUARD))?;
    bind(&socket, &from)?;
    connect_socket(&socket, &to)?;
    guarded(TcpStream::from(socket))
}

fn guarded(stream: TcpStream) -> io::Result<TcpStream> {
    // The machine's own choice may be another; rates are only comparable with one and the same.
    // A kernel without it passes the tests as well.
    let _ = sockopt::set_tcp_congestion(&stream, "cubic");
    stream.set_read_timeout(Some(GUARD))?;
    stream.set_write_timeout(Some(GUARD))?;
    Ok(stream)
}

/// A listener of the kernel on a port that the kernel chose. Made inside the namespace with
/// [`Namespace::run`](super::Namespace::run), it may be used anywhere.
#[derive(Debug)]
pub struct KernelListener {
    listener: TcpListener,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl KernelListener {
    /// Listens.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn bind(ip: IpAddr) -> KernelListener {
        KernelListener::with_backlog(ip, 128)
    }

    /// Listens with a backlog of the test's choice.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn with_backlog(ip: IpAddr, backlog: i32) -> KernelListener {
        let listener = TcpListener::bind((ip, 0)).expect("the kernel listens");
        // Listening again changes the backlog.
        rustix::net::listen(&listener, backlog).expect("a backlog");
        let addr = listener.local_addr().expect("an address");
        // The next connection, or an error; not for ever.
        sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(GUARD))
            .expect("a timeout");
        KernelListener { listener, addr }
    }

    /// The next connection.
    ///
    /// # Panics
    /// If none comes.
    pub fn accept(&self) -> TcpStream {
        let (stream, _peer) = self.listener.accept().expect("a connection");
        guarded(stream).expect("timeouts")
    }
}
