//! How does a connection behave? Conversations with one end (`harness`, `wire`) or between two
//! (`pair`), a behaviour a file.

mod acceptability;
mod acks;
mod buffers;
mod closing;
mod controller;
mod ends;
mod half_open;
mod harness;
mod icmp;
mod keepalive;
mod opening;
mod options;
mod owned;
mod pair;
mod path_mtu;
mod resets;
mod retransmission;
mod seeing;
mod sending;
mod states;
mod timestamps;
mod urgent;
mod user_timeout;
mod windows;
mod wire;
