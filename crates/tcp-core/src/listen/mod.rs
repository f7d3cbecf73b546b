//! What does a passive open look like before it is a connection? Half-open records
//! (RFC 9293 3.10.7.2), cookies in their place, and the rules of the queues; the queues themselves
//! belong to the stack.

mod answers;
mod arrives;
mod backlog;
mod cookie;
mod defer;
mod establish;
mod half_open;
mod icmp;
mod peer_syn;

pub use arrives::HalfOpenVerdict;
pub use backlog::{Admission, Backlog, Completion, SynCookies};
pub use cookie::CookieKeys;
pub use half_open::{HalfOpen, HalfOpenTimeout};
pub use icmp::HalfOpenIcmp;
pub use peer_syn::PeerSyn;
