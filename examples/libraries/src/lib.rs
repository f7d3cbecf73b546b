//! What do the examples of libraries on our types share? Where they run and how they end; see
//! [`common`]. Each example is a program of its own: `cargo run -p library-examples --example NAME`.

pub mod common;
