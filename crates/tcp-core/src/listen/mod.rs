//! What does a passive open look like before it is a connection? Half-open records
//! (RFC 9293 3.10.7.2); the queues over them belong to the stack.

mod establish;
mod half_open;
mod icmp;

pub use half_open::{HalfOpen, HalfOpenVerdict, PeerSyn};
pub use icmp::HalfOpenIcmp;
