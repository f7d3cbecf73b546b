//! Which Rust does a doc comment show? The blocks that are compiled as doc tests, and whether they call a name.

/// The lines of the blocks that `cargo test` compiles; empty without one.
pub(super) fn rust(docs: &str) -> String {
    let mut shown = String::new();
    let mut block: Option<bool> = None;
    for line in docs.lines() {
        match (line.trim().strip_prefix("```"), block) {
            (Some(tags), None) => block = Some(is_compiled(tags)),
            (Some(_), Some(_)) => block = None,
            (None, Some(true)) => {
                shown.push_str(line);
                shown.push('\n');
            }
            (None, _) => {}
        }
    }
    shown
}

/// A block that is ignored, or of another language, proves nothing.
fn is_compiled(tags: &str) -> bool {
    let known = ["rust", "no_run", "should_panic", "compile_fail"];
    tags.split([',', ' ']).filter(|tag| !tag.is_empty()).all(|tag| known.contains(&tag))
}

/// Whether `code` names `name` as a whole word that one of `before` stands in front of.
pub(super) fn names(code: &str, name: &str, before: &[&str]) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let (left, right) = (&code[..at], &code[at + name.len()..]);
        !right.starts_with(word)
            && !left.ends_with(word)
            && (before.is_empty() || before.iter().any(|b| left.ends_with(b)))
    })
}
