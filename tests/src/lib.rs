//! Applications and helpers that the whole-stack tests share.

pub mod app;
pub mod closing;
pub mod matrix;
pub mod scenario;
pub mod transfer;
