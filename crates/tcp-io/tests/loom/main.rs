//! Is a wake-up ever lost, or given twice? The real cells, queues and reactor under loom, which runs
//! every order of their threads (docs/decisions/0028).
#![cfg(tcp_loom)]

mod cells;
mod listeners;
mod reactor;
mod requests;
mod rig;
