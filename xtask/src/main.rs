//! Project tasks: what can be asked of the tree as `cargo xtask <task>`?
//!
//! Most read sources as text and need nothing but the checkout; `tokio-tests` compiles and runs.

mod examples;
mod labels;
mod layers;
mod requirements;
mod rust_source;
mod tokio_tests;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks on the tree that cargo does not know", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write docs/requirements.md: which requirement of RFC 9293 is met where, and tested where
    Requirements {
        /// Write nothing; fail if the page on disk differs from what would be written
        #[arg(long)]
        check: bool,
    },
    /// List the public items that no example shows
    Examples,
    /// Check that modules and crates only name what lies below them
    Layers,
    /// Run tokio's own tests for TCP over our types
    TokioTests {
        /// List the tests that pass, too
        #[arg(long)]
        all: bool,
    },
}

fn main() -> ExitCode {
    if let Some(real) = std::env::var_os(examples::AS_RUSTDOC) {
        return examples::as_rustdoc(real);
    }
    let root = tree::root();
    let outcome = match Arguments::parse().task {
        Task::Requirements { check } => requirements::run(&root, check),
        Task::Examples => examples::run(&root),
        Task::Layers => layers::run(&root),
        Task::TokioTests { all } => tokio_tests::run(&root, all),
    };
    match outcome {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("{} problem(s)", problems.len());
            ExitCode::FAILURE
        }
    }
}
