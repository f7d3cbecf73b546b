//! Has every public item an example that compiles?
//!
//! The compiler's own view of the public interface (rustdoc's JSON) says what can be reached and what its docs
//! hold; `cargo test` compiles and runs the examples. Types, traits, functions, methods and macros need
//! one; fields, variants, constants and implementations of traits are shown by those.

mod blocks;
mod rustdoc;
mod surface;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use serde_json::Value;
use surface::{Item, Surface};

pub(crate) use rustdoc::{AS_RUSTDOC, as_rustdoc};

/// Crates whose every item has an example of its own. In the others one on the type, or on a module around it,
/// is enough for what it calls.
const EACH_ITS_OWN: &[&str] = &["tcp-async"];

/// Lists the items without an example, each with the place of its declaration.
pub(crate) fn run(root: &Path) -> Result<String, Vec<String>> {
    let (mut problems, mut items) = (Vec::new(), 0);
    let crates = crates(root)?;
    for name in &crates {
        let described = rustdoc::describe(root, name)?;
        let (all, missing) = judge(&described, EACH_ITS_OWN.contains(&name.as_str()));
        items += all;
        problems.extend(missing.iter().map(|item| format!("{item}: no example")));
    }
    if items == 0 {
        problems.push("rustdoc names no public item".to_owned());
    }
    if problems.is_empty() {
        Ok(format!("{items} public items of {} crates have an example", crates.len()))
    } else {
        Err(problems)
    }
}

/// How many items there are, and those without an example.
fn judge(described: &Value, each_its_own: bool) -> (usize, Vec<Item<'_>>) {
    let items = Surface::of(described);
    let all = items.len();
    let without = items.into_iter().filter(|item| !item.has_example(each_its_own));
    (all, without.collect())
}

fn crates(root: &Path) -> Result<Vec<String>, Vec<String>> {
    let folder = fs::read_dir(root.join("crates")).map_err(|e| vec![format!("crates: {e}")])?;
    let mut names: Vec<_> =
        folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}
