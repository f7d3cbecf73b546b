//! Does a connection behave as its specifications say? Conversations with it, one behaviour a
//! file; `harness` and `pair` hold the two ways of talking to it.

mod harness;
mod pair;

mod acceptability;
mod closing;
mod ends;
mod half_open;
mod opening;
mod options;
mod resets;
mod states;
