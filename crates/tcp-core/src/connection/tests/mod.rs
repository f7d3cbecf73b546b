//! What does a connection say, and when? Conversations with a scripted peer under virtual time,
//! one behaviour a file.

mod acks;
mod buffers;
mod icmp;
mod keepalive;
mod retransmission;
mod sending;
mod timestamps;
mod user_timeout;
mod windows;
mod wire;
