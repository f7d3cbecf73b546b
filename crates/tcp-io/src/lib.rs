//! Drives the machines of tcp-core: timer wheel, packet devices, and what stands between them.
//!
//! Nothing outside `device` touches an operating system; nothing at all reads a clock.
#![deny(unsafe_code)]

pub mod device;
pub mod wheel;
