//! How do libraries take our types? A file for each library that asks for traits of its own; those
//! that take any `AsyncRead + AsyncWrite` need nothing. docs/decisions/0026 says why they stand here.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "tokio-util")]
mod tokio_util;
#[cfg(feature = "tonic")]
mod tonic;
