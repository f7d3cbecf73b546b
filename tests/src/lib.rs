//! Applications and helpers that the whole-stack tests and the fuzz targets share.

pub mod app;
#[cfg(target_os = "linux")]
pub mod beside_flood;
pub mod closing;
#[cfg(target_os = "linux")]
pub mod differ;
pub mod explore;
pub mod flood;
pub mod fuzz;
pub mod heap;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod matrix;
pub mod scenario;
pub mod survivor;
pub mod tables;
pub mod transfer;
