//! TCP as values: segments, buffers, loss recovery, congestion control and the connection state
//! machine of RFC 9293, without I/O, clock, lock or task.
//!
//! Time, randomness and buffers are arguments; packets, events and deadlines come out. The crate
//! is `no_std` (it needs `alloc`) and contains no unsafe code.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod buffer;
pub mod config;
pub mod congestion;
pub mod connection;
pub mod error;
pub mod isn;
mod labels;
pub mod listen;
pub mod memory;
mod receive;
mod recovery;
pub mod reset;
mod send;
pub mod seq;
pub mod time;
pub mod time_wait;
pub mod tuple;
pub mod wire;

pub use connection::Connection;
pub use seq::SeqNum;
pub use time::Instant;
pub use tuple::{Endpoint, Tuple};
