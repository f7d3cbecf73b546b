//! Which crates and which modules of its own crate does a file name?
//!
//! Paths are read as they are written: `crate::x`, `super::x`, groups of both, and `other_crate::x`.
//! What a macro builds or a glob brings in is not seen; the glob's module is.

use std::collections::HashMap;

use crate::rust_source::Token;

/// The first step of a path.
pub(super) struct Named {
    /// A crate, or an item at the root of this one.
    pub(super) name: String,
    /// Whether `name` stands at the root of this crate.
    pub(super) in_crate: bool,
    /// Counted from 1.
    pub(super) line: usize,
}

impl Named {
    /// As rules write it: `tokio`, `crate::reactor`.
    pub(super) fn path(&self) -> String {
        if self.in_crate { format!("crate::{}", self.name) } else { self.name.clone() }
    }
}

/// Crate and module path of a file: `crates/tcp-core/src/send/plan.rs` is `send::plan` of `tcp-core`.
pub(super) fn position(path: &str) -> Option<(&str, Vec<&str>)> {
    let (within, file) = path.strip_prefix("crates/")?.split_once("/src/")?;
    let module = file.strip_suffix(".rs")?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    let steps =
        if matches!(module, "lib" | "main") { Vec::new() } else { module.split('/').collect() };
    Some((within, steps))
}

/// Every first step in the file of `module`.
pub(super) fn named(tokens: &[Token], module: &[&str]) -> Vec<Named> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let leads = tokens.get(i + 1).is_some_and(|next| next.is("::"));
        let imported = i > 0 && (tokens[i - 1].is("use") || tokens[i - 1].is("crate"));
        let is_start = token.is_word() && !continues_a_path(tokens, i);
        if !is_start || !(leads || imported) {
            continue;
        }
        let after = match token.text.as_str() {
            "crate" => Some(i + 2),
            "super" => root_after_supers(tokens, i, module.len()),
            name => {
                found.push(Named { name: name.to_owned(), in_crate: false, line: token.line });
                None
            }
        };
        let steps = after.map(|after| first_steps(tokens, after)).unwrap_or_default();
        found.extend(steps.into_iter().map(|(name, line)| Named { name, in_crate: true, line }));
    }
    found
}

/// Whether the word at `at` is a later step of a path (`a::b`, `<A>::b`) or a field (`a.b`); the
/// leading colons of `::a` make it no later step.
fn continues_a_path(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|i| tokens.get(i));
    let is_step =
        |t: &Token| t.is_word() && !matches!(t.text.as_str(), "use" | "return" | "as" | "in");
    match before(1) {
        Some(previous) if previous.is(".") => true,
        Some(previous) if previous.is("::") => before(2).is_some_and(|t| is_step(t) || t.is(">")),
        _ => false,
    }
}

/// Where the path goes on once its `super::` have led from `depth` to the root; none if they don't.
fn root_after_supers(tokens: &[Token], at: usize, depth: usize) -> Option<usize> {
    let step = |i: usize| {
        tokens.get(i)?.is("super").then(|| tokens.get(i + 1)?.is("::").then_some(i + 2))?
    };
    let mut i = at;
    let mut supers = 0;
    while let Some(next) = step(i) {
        supers += 1;
        i = next;
    }
    (supers == depth).then_some(i)
}

/// The name at `at`, or the names that begin the members of the group that opens there.
fn first_steps(tokens: &[Token], at: usize) -> Vec<(String, usize)> {
    let step = |token: &Token| (token.text.clone(), token.line);
    match tokens.get(at) {
        Some(token) if token.is_word() => vec![step(token)],
        Some(token) if token.is("{") => members(tokens, at).map(|i| step(&tokens[i])).collect(),
        _ => Vec::new(),
    }
}

/// Where each member of the group that opens at `open` begins.
fn members(tokens: &[Token], open: usize) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    let mut fresh = false;
    let mut begins = Vec::new();
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => {}
            _ if fresh && token.is_word() => begins.push(i),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        fresh = depth == 1 && matches!(token.text.as_str(), "{" | ",");
    }
    begins.into_iter()
}

/// Names that the root of a crate re-exports, each with the module it comes from.
pub(super) fn reexports(tokens: &[Token]) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (i, _) in tokens.iter().enumerate().filter(|(_, token)| token.is("use")) {
        let statement = tokens[i + 1..].iter().take_while(|token| !token.is(";"));
        let words: Vec<&str> = statement
            .filter(|token| token.is_word() && !matches!(token.text.as_str(), "crate" | "self"))
            .map(|token| token.text.as_str())
            .collect();
        if let Some((module, names)) = words.split_first() {
            found.extend(names.iter().map(|name| ((*name).to_owned(), (*module).to_owned())));
        }
    }
    found
}
