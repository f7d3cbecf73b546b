//! Drives tcp-core: the sans-IO stack with its tables and timers, packet devices, and the reactor
//! that joins them in one tokio task.
#![deny(unsafe_code)]

pub mod cell;
pub mod device;
pub mod reactor;
pub mod stack;
mod sync;
pub mod wheel;

pub use cell::ConnId;
pub use stack::{Stack, StackConfig};
