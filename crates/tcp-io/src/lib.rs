//! Drives tcp-core: the sans-IO stack with its tables and timers, packet devices, and the reactor
//! that joins them in one tokio task.
//!
//! # Driving a stack by hand
//!
//! A [`Stack`] knows no clock and does no I/O. Whoever drives it hands it packets and the time, and
//! sends what comes out. This is all that it takes, with a wire in memory and with time that passes
//! when we say so:
//!
//! ```
//! use std::task::{Context, Poll, Waker};
//! use std::time::Duration;
//! use tcp_core::Instant;
//! use tcp_core::connection::State;
//! use tcp_io::device::{Capabilities, Device, MemoryDevice, TxPacket, memory_pair};
//! use tcp_io::stack::{ConnectOptions, ListenOptions};
//! use tcp_io::{Stack, StackConfig};
//!
//! struct Host {
//!     stack: Stack,
//!     device: MemoryDevice,
//! }
//!
//! impl Host {
//!     fn new(address: &str, device: MemoryDevice, seed: u8) -> Host {
//!         let address = address.parse().expect("an address with its prefix");
//!         let mtu = device.capabilities().mtu;
//!         let config = StackConfig { addresses: vec![address], mtu, ..Default::default() };
//!         Host { stack: Stack::new(Instant::ZERO, config, [seed; 32]), device }
//!     }
//!
//!     /// Reads what has arrived, lets time pass, and sends; whether any packet moved.
//!     fn turn(&mut self, now: Instant) -> bool {
//!         let cx = &mut Context::from_waker(Waker::noop());
//!         let mut buf = vec![0; self.device.capabilities().recv_buffer_len()];
//!         let mut moved = false;
//!         while let Poll::Ready(Ok(meta)) = self.device.poll_recv(cx, &mut buf) {
//!             let packet = &buf[meta.offset..meta.offset + meta.len];
//!             self.stack.receive(now, packet, meta.checksum, meta.gso_size);
//!             moved = true;
//!         }
//!         self.stack.on_deadline(now);
//!         while let Some(packet) = self.stack.poll_transmit(now) {
//!             // A full device would say `Pending`; the wire has room for 256 packets.
//!             assert!(self.device.poll_send(cx, &packet).is_ready());
//!             moved = true;
//!         }
//!         moved
//!     }
//! }
//!
//! /// Lets both hosts talk until they are silent.
//! fn talk(now: Instant, a: &mut Host, b: &mut Host) {
//!     while a.turn(now) | b.turn(now) {}
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = memory_pair(Capabilities::plain(1500));
//! let mut server = Host::new("10.0.0.1/24", here, 1);
//! let mut client = Host::new("10.0.0.2/24", there, 2);
//! let listener = server.stack.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
//!
//! // The first SYN is lost. The next one is sent when its deadline has come, after a second.
//! let mut now = Instant::ZERO;
//! let id = client.stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
//! let _lost: TxPacket = client.stack.poll_transmit(now).expect("a SYN");
//! talk(now, &mut client, &mut server);
//! assert_eq!(client.stack.state(id), State::SynSent);
//! now = client.stack.next_deadline().expect("the retransmission");
//! assert_eq!(now.since(Instant::ZERO).as_secs(), 1);
//! talk(now, &mut client, &mut server);
//! assert_eq!(client.stack.state(id), State::Established);
//!
//! let accepted = server.stack.accept(listener)?.expect("the handshake is complete");
//! client.stack.write(now, id, b"question")?;
//! client.stack.close(now, id); // after what was written
//! talk(now, &mut client, &mut server);
//! let mut buf = [0; 16];
//! assert_eq!(server.stack.read(now, accepted, &mut buf)?, 8);
//! assert_eq!(server.stack.read(now, accepted, &mut buf)?, 0); // the end
//! server.stack.close(now, accepted);
//! talk(now, &mut client, &mut server);
//!
//! // Who closed first waits for a minute, in case that the last ACK is lost.
//! assert_eq!((server.stack.connection_count(), client.stack.time_wait_count()), (0, 1));
//! now += Duration::from_secs(61);
//! talk(now, &mut client, &mut server);
//! assert_eq!(client.stack.time_wait_count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Running a reactor
//!
//! A [`Reactor`](reactor::Reactor) does the same in a tokio task, with tokio's time. Other tasks
//! have its [`Handle`](reactor::Handle), and wait with the [cells](cell) of listeners and connections.
//! (The crate tcp-async makes sockets in tokio's shape of these.)
//!
//! ```
//! use std::future::poll_fn;
//! use std::time::Duration;
//! use tcp_core::Instant;
//! use tcp_io::cell::Interest;
//! use tcp_io::device::{Capabilities, MemoryDevice, memory_pair};
//! use tcp_io::reactor::{Handle, Reactor};
//! use tcp_io::stack::{ConnectOptions, ListenOptions};
//! use tcp_io::{Stack, StackConfig};
//!
//! /// Starts a stack on a device. In earnest its seed is random.
//! fn start(address: &str, device: MemoryDevice, seed: u8) -> Handle {
//!     let address = address.parse().expect("an address with its prefix");
//!     let config = StackConfig { addresses: vec![address], ..Default::default() };
//!     let stack = Stack::new(Instant::ZERO, config, [seed; 32]);
//!     let (reactor, handle) = Reactor::new(stack, device, Duration::from_secs(5));
//!     tokio::spawn(reactor);
//!     handle
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (here, there) = memory_pair(Capabilities::plain(1500));
//!     let server = start("10.0.0.1/24", here, 1);
//!     let client = start("10.0.0.2/24", there, 2);
//!     let addr = "10.0.0.1:80".parse()?;
//!
//!     let listener = server.with_stack(|stack, _| {
//!         let id = stack.listen(addr, ListenOptions::default())?;
//!         Ok::<_, Box<dyn std::error::Error>>(stack.listener_cell(id).expect("it is open"))
//!     })?;
//!     let connection = client.with_stack(|stack, now| {
//!         let id = stack.connect(now, addr, ConnectOptions::default())?;
//!         Ok::<_, Box<dyn std::error::Error>>(stack.connection_cell(id).expect("it is open"))
//!     })?;
//!     assert_eq!(poll_fn(|cx| connection.poll_connected(cx)).await, Ok(()));
//!     let accepted = poll_fn(|cx| listener.poll_accept(cx)).await?;
//!
//!     connection.write(client.now(), b"hello")?; // wakes the reactor, which sends it
//!     poll_fn(|cx| accepted.poll_ready(cx, Interest::READABLE)).await;
//!     let mut buf = [0; 16];
//!     assert_eq!(accepted.read(server.now(), &mut buf)?, 5);
//!     assert_eq!(&buf[..5], b"hello");
//!
//!     // The client's end is closed in order; the server's, after its own.
//!     client.begin_shutdown();
//!     poll_fn(|cx| accepted.poll_ready(cx, Interest::READABLE)).await;
//!     assert_eq!(accepted.read(server.now(), &mut buf)?, 0);
//!     accepted.close(server.now());
//!     client.ended().await;
//!     Ok(())
//! }
//! ```
#![deny(unsafe_code)]

pub mod cell;
pub mod device;
pub mod reactor;
pub mod stack;
mod sync;
pub mod wheel;

pub use cell::ConnId;
pub use stack::{Stack, StackConfig};
