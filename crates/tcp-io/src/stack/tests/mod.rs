//! Does the stack do what it should? One behaviour a file; the peer is written out packet by
//! packet (`peer`), so that a test reads as a conversation.

mod addresses;
mod backlog;
mod closing;
mod connecting;
mod cookies;
mod deferring;
mod drops;
mod flood;
mod flows;
mod fragments;
mod garbage;
mod headers;
mod icmp_errors;
mod icmp_out;
mod listening;
mod loopback;
mod memory;
mod orphans;
mod peer;
mod pending;
mod pending_in_any_order;
mod routes;
mod seeing;
mod sharing;
mod source_ports;
mod time_waits;
mod transparent;
mod udp;
