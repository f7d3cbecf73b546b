//! Is every method of tokio's TCP types here, with its signature? The same calls, with every type written down,
//! compiled against both. What needs a kernel descriptor is left out (docs/descriptors.md).
#![cfg(target_os = "linux")]

/// Calls of all methods, never made.
macro_rules! surface {
    ($module:ident, $($types:tt)*) => {
        #[allow(dead_code, deprecated, unused_must_use, reason = "nothing runs; tokio deprecates linger")]
        mod $module {
            use $($types)*::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
            use $($types)*::{TcpListener, TcpSocket, TcpStream};
            use std::io::{self, IoSlice, IoSliceMut};
            use std::net::SocketAddr;
            use std::task::{Context, Poll};
            use std::time::Duration;
            use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

            fn is<T>(_: T) {}

            async fn stream(
                s: TcpStream,
                mut t: TcpStream,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
                octets: &mut [u8],
                slices: &mut [IoSliceMut<'_>],
            ) {
                is::<io::Result<TcpStream>>(TcpStream::connect("localhost:80").await);
                is::<io::Result<SocketAddr>>(s.local_addr());
                is::<io::Result<Option<io::Error>>>(s.take_error());
                is::<io::Result<SocketAddr>>(s.peer_addr());
                is::<Poll<io::Result<usize>>>(s.poll_peek(cx, buf));
                is::<io::Result<Ready>>(s.ready(Interest::READABLE).await);
                is::<io::Result<()>>(s.readable().await);
                is::<Poll<io::Result<()>>>(s.poll_read_ready(cx));
                is::<io::Result<usize>>(s.try_read(octets));
                is::<io::Result<usize>>(s.try_read_vectored(slices));
                is::<io::Result<usize>>(s.try_read_buf(&mut Vec::<u8>::new()));
                is::<io::Result<()>>(s.writable().await);
                is::<Poll<io::Result<()>>>(s.poll_write_ready(cx));
                is::<io::Result<usize>>(s.try_write(&*octets));
                is::<io::Result<usize>>(s.try_write_vectored(&[IoSlice::new(b"")]));
                is::<io::Result<u8>>(s.try_io(Interest::READABLE, || Ok(1)));
                is::<io::Result<u8>>(s.async_io(Interest::READABLE, || Ok(1)).await);
                is::<io::Result<usize>>(s.peek(octets).await);
                is::<io::Result<bool>>(s.nodelay());
                is::<io::Result<()>>(s.set_nodelay(true));
                is::<io::Result<bool>>(s.quickack());
                is::<io::Result<()>>(s.set_quickack(true));
                is::<io::Result<Option<Duration>>>(s.linger());
                is::<io::Result<()>>(s.set_linger(None::<Duration>));
                is::<io::Result<()>>(s.set_zero_linger());
                is::<io::Result<u32>>(s.ttl());
                is::<io::Result<()>>(s.set_ttl(1_u32));
                is::<(ReadHalf<'_>, WriteHalf<'_>)>(t.split());
                is::<(OwnedReadHalf, OwnedWriteHalf)>(s.into_split());
            }

            async fn listener(l: &TcpListener, cx: &mut Context<'_>) {
                is::<io::Result<TcpListener>>(TcpListener::bind("localhost:80").await);
                is::<io::Result<(TcpStream, SocketAddr)>>(l.accept().await);
                is::<Poll<io::Result<(TcpStream, SocketAddr)>>>(l.poll_accept(cx));
                is::<io::Result<SocketAddr>>(l.local_addr());
                is::<io::Result<u32>>(l.ttl());
                is::<io::Result<()>>(l.set_ttl(1_u32));
            }

            async fn socket(s: TcpSocket, t: TcpSocket, addr: SocketAddr) {
                is::<io::Result<TcpSocket>>(TcpSocket::new_v4());
                is::<io::Result<TcpSocket>>(TcpSocket::new_v6());
                is::<io::Result<()>>(s.set_keepalive(true));
                is::<io::Result<bool>>(s.keepalive());
                is::<io::Result<()>>(s.set_reuseaddr(true));
                is::<io::Result<bool>>(s.reuseaddr());
                is::<io::Result<()>>(s.set_reuseport(true));
                is::<io::Result<bool>>(s.reuseport());
                is::<io::Result<()>>(s.set_send_buffer_size(1_u32));
                is::<io::Result<u32>>(s.send_buffer_size());
                is::<io::Result<()>>(s.set_recv_buffer_size(1_u32));
                is::<io::Result<u32>>(s.recv_buffer_size());
                is::<io::Result<()>>(s.set_linger(None::<Duration>));
                is::<io::Result<()>>(s.set_zero_linger());
                is::<io::Result<Option<Duration>>>(s.linger());
                is::<io::Result<()>>(s.set_nodelay(true));
                is::<io::Result<bool>>(s.nodelay());
                is::<io::Result<u32>>(s.tclass_v6());
                is::<io::Result<()>>(s.set_tclass_v6(1_u32));
                is::<io::Result<u32>>(s.tos_v4());
                is::<io::Result<()>>(s.set_tos_v4(1_u32));
                is::<io::Result<Option<Vec<u8>>>>(s.device());
                is::<io::Result<()>>(s.bind_device(None::<&[u8]>));
                is::<io::Result<SocketAddr>>(s.local_addr());
                is::<io::Result<Option<io::Error>>>(s.take_error());
                is::<io::Result<()>>(s.bind(addr));
                is::<io::Result<TcpStream>>(s.connect(addr).await);
                is::<io::Result<TcpListener>>(t.listen(1_u32));
            }

            /// The methods that a read half has, whichever it is.
            macro_rules! reads {
                ($name:ident, $half:ty) => {
                    async fn $name(
                        h: &mut $half,
                        cx: &mut Context<'_>,
                        buf: &mut ReadBuf<'_>,
                        octets: &mut [u8],
                        slices: &mut [IoSliceMut<'_>],
                    ) {
                        is::<Poll<io::Result<usize>>>(h.poll_peek(cx, buf));
                        is::<io::Result<usize>>(h.peek(octets).await);
                        is::<io::Result<Ready>>(h.ready(Interest::READABLE).await);
                        is::<io::Result<()>>(h.readable().await);
                        is::<io::Result<usize>>(h.try_read(octets));
                        is::<io::Result<usize>>(h.try_read_vectored(slices));
                        is::<io::Result<usize>>(h.try_read_buf(&mut Vec::<u8>::new()));
                        is::<io::Result<SocketAddr>>(h.peer_addr());
                        is::<io::Result<SocketAddr>>(h.local_addr());
                        is::<&TcpStream>(h.as_ref());
                        is::<&mut dyn AsyncRead>(h);
                    }
                };
            }
            reads!(read_half, ReadHalf<'static>);
            reads!(owned_read_half, OwnedReadHalf);

            /// The methods that a write half has, whichever it is.
            macro_rules! writes {
                ($name:ident, $half:ty) => {
                    async fn $name(h: &mut $half) {
                        is::<io::Result<Ready>>(h.ready(Interest::WRITABLE).await);
                        is::<io::Result<()>>(h.writable().await);
                        is::<io::Result<usize>>(h.try_write(b""));
                        is::<io::Result<usize>>(h.try_write_vectored(&[IoSlice::new(b"")]));
                        is::<io::Result<SocketAddr>>(h.peer_addr());
                        is::<io::Result<SocketAddr>>(h.local_addr());
                        is::<&TcpStream>(h.as_ref());
                        is::<&mut dyn AsyncWrite>(h);
                    }
                };
            }
            writes!(write_half, WriteHalf<'static>);
            writes!(owned_write_half, OwnedWriteHalf);

            fn reunite(r: OwnedReadHalf, w: OwnedWriteHalf, x: OwnedReadHalf, y: OwnedWriteHalf) {
                if let Err(ReuniteError(r, w)) = r.reunite(w) {
                    is::<Result<TcpStream, ReuniteError>>(w.reunite(r));
                }
                is::<Box<dyn std::error::Error>>(Box::new(x.reunite(y).unwrap_err()));
            }

            fn forget(w: OwnedWriteHalf) {
                is::<()>(w.forget());
            }
        }
    };
}

surface!(theirs, tokio::net);
surface!(ours, tcp_async);
