//! The services of the benchmark protocol, over any stream.

pub mod services;
