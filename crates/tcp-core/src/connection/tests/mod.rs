//! Does a connection behave as its specifications say? Conversations with it, one behaviour a
//! file; `harness` holds the two ways of talking to it.

mod harness;

mod acceptability;
mod closing;
mod ends;
mod half_open;
mod opening;
mod options;
mod resets;
mod states;
