//! Applications and helpers that the whole-stack tests share.

pub mod transfer;
