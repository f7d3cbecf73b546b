//! What does rustdoc know of a crate? Its description as JSON, with all features.
//!
//! The format is not stable yet, so rustdoc must be told to behave as the nightly one. It alone: in the environment
//! of the whole build that would compile every dependency again. So cargo is given this very program
//! as its rustdoc, which calls the real one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

/// Set where this program stands in for rustdoc; its value is the program that it calls.
pub(crate) const AS_RUSTDOC: &str = "XTASK_AS_RUSTDOC";

/// Calls the real rustdoc with this program's arguments.
pub(crate) fn as_rustdoc(real: OsString) -> ExitCode {
    let mut rustdoc = Command::new(real);
    rustdoc.args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").env_remove(AS_RUSTDOC);
    match rustdoc.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("rustdoc: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The description of the package `name`.
pub(super) fn describe(root: &Path, name: &str) -> Result<Value, Vec<String>> {
    let problem = |what: &dyn std::fmt::Display| vec![format!("{name}: {what}")];
    let this = env::current_exe().map_err(|e| problem(&e))?;
    let mut build = cargo(root);
    build.args(["rustdoc", "--quiet", "--all-features", "--package", name, "--"]);
    build.args(["-Zunstable-options", "--output-format", "json"]);
    let real = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    build.env("RUSTDOC", this).env(AS_RUSTDOC, real);
    if !build.status().map_err(|e| problem(&e))?.success() {
        return Err(problem(&"rustdoc failed"));
    }
    let file = format!("doc/{}.json", name.replace('-', "_"));
    let text = fs::read(target(root)?.join(&file)).map_err(|e| problem(&e))?;
    serde_json::from_slice(&text).map_err(|e| problem(&e))
}

fn target(root: &Path) -> Result<PathBuf, Vec<String>> {
    let mut ask = cargo(root);
    ask.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
    let answer = ask.output().map_err(|e| vec![e.to_string()])?;
    let metadata: Value =
        serde_json::from_slice(&answer.stdout).map_err(|e| vec![e.to_string()])?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target")))
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
