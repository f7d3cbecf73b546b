//! Do modules and crates only name what lies below them?
//!
//! The arrows of ARCHITECTURE.md as a table, checked on the names in the sources: cargo stops
//! cycles between crates, nothing stops them between the modules of one.

mod paths;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use crate::rust_source::RustSource;
use crate::tree;
use paths::Named;

/// The modules of the core, lowest layer first. A module may name its own layer and those below.
const CORE_LAYERS: &[&[&str]] = &[
    &["seq", "time", "tuple", "config", "error", "isn", "labels", "memory"],
    &["wire", "buffer"],
    &["recovery", "congestion"],
    &["send", "receive", "reset", "time_wait"],
    &["connection"],
    &["listen"],
];

/// Arrows forbidden within a layer of the core.
const CORE_APART: &[(&str, &str)] = &[("congestion", "recovery")];

/// What a module of a crate must not name (`""` is every module), besides the layers of the core.
const FORBIDDEN: &[Forbidden] = &[
    Forbidden { within: "tcp-core", module: "", names: &["std"], why: "the core is no_std" },
    Forbidden {
        within: "tcp-io",
        module: "",
        names: &["tcp_async", "tcp_sim"],
        why: "they stand above it",
    },
    Forbidden {
        within: "tcp-io",
        module: "stack",
        names: &["tokio", "crate::reactor"],
        why: "the stack runs under virtual time, without a runtime",
    },
    Forbidden {
        within: "tcp-async",
        module: "",
        names: &["tcp_sim"],
        why: "the simulator is for tests",
    },
    Forbidden {
        within: "tcp-sim",
        module: "",
        names: &["tcp_async"],
        why: "the simulator drives the stack, not the sockets",
    },
];

struct Forbidden {
    within: &'static str,
    module: &'static str,
    /// Crates, or modules of the same crate as `crate::module`.
    names: &'static [&'static str],
    why: &'static str,
}

/// Checks every crate of the product.
pub(crate) fn run(root: &Path) -> Result<String, Vec<String>> {
    let sources = tree::sources(root, "crates")?;
    let problems = problems(&sources);
    if problems.is_empty() {
        Ok(format!("{} files keep to their layers", sources.len()))
    } else {
        Err(problems)
    }
}

fn problems(sources: &[RustSource]) -> Vec<String> {
    let core_root = sources.iter().find(|s| s.path == "crates/tcp-core/src/lib.rs");
    let exported = core_root.map(|s| paths::reexports(&s.product_tokens())).unwrap_or_default();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test_file()) {
        let Some((within, module)) = paths::position(&source.path) else { continue };
        let tokens = source.product_tokens();
        for named in paths::named(&tokens, &module) {
            if let Some(problem) = problem(within, &module, &named, &exported) {
                found.push(format!("{}:{}: {problem}", source.path, named.line));
            }
        }
    }
    found
}

fn problem(
    within: &str,
    module: &[&str],
    named: &Named,
    exported: &HashMap<String, String>,
) -> Option<String> {
    let top = module.first().copied().unwrap_or_default();
    let rule = FORBIDDEN.iter().find(|rule| {
        let here = rule.within == within && (rule.module.is_empty() || rule.module == top);
        here && rule.names.contains(&named.path().as_str())
    });
    if let Some(rule) = rule {
        let subject = if rule.module.is_empty() { within } else { rule.module };
        return Some(format!("{subject} names `{}`: {}", named.path(), rule.why));
    }
    if within != "tcp-core" || !named.in_crate || module.is_empty() {
        return None;
    }
    upward(top, exported.get(&named.name).unwrap_or(&named.name))
}

/// What is wrong if module `from` of the core names module `to` of the core.
fn upward(from: &str, to: &str) -> Option<String> {
    let layer = |name| CORE_LAYERS.iter().position(|layer| layer.contains(&name));
    let (Some(below), Some(above)) = (layer(from), layer(to)) else {
        let stranger = if layer(from).is_none() { from } else { to };
        return Some(format!("`{stranger}` has no place in the layers of xtask/src/layers.rs"));
    };
    if below < above {
        return Some(format!("`{from}` names `{to}`, which lies above it"));
    }
    CORE_APART.contains(&(from, to)).then(|| format!("`{from}` must not know `{to}`"))
}
