//! Applications and helpers that the whole-stack tests and the fuzz targets share.

pub mod fuzz;
pub mod transfer;
