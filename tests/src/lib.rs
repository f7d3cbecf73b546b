//! Applications and helpers that the whole-stack tests share.

#[cfg(target_os = "linux")]
pub mod kernel;
pub mod transfer;
