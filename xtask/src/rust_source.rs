//! What of a Rust file is code, what is comment, what is test, and which function is where?
//!
//! Just enough of the language for the tasks: a lexer that knows comments and literals, and
//! brackets that match. No types, no macros expanded.

mod lexer;
#[cfg(test)]
mod tests;

use std::ops::Range;

use lexer::Lexed;
pub(crate) use lexer::Token;

/// A parsed Rust file.
pub(crate) struct RustSource {
    /// Its path from the root of the checkout, with slashes.
    pub(crate) path: String,
    lexed: Lexed,
    functions: Vec<Function>,
    /// Lines that are compiled for tests only; the whole file by its place in the tree is not here.
    test_lines: Vec<Range<usize>>,
}

/// A function and the lines it covers.
struct Function {
    name: String,
    lines: Range<usize>,
    is_test: bool,
}

/// A comment's text on one line.
pub(crate) struct Comment<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

impl RustSource {
    /// Reads `text`; anything at all is accepted, what is not Rust yields less.
    pub(crate) fn parse(path: String, text: &str) -> RustSource {
        let lexed = lexer::lex(text);
        let functions = functions(&lexed.tokens);
        let test_lines = test_lines(&lexed.tokens);
        RustSource { path, lexed, functions, test_lines }
    }

    /// Whether `line` is compiled for tests only: by the file's place or by `#[cfg(test)]`.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.is_test_file() || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Whether the whole file is a test by its place: in a folder `tests`, or named `tests.rs`.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// All comments, a line each.
    pub(crate) fn comments(&self) -> impl Iterator<Item = Comment<'_>> {
        self.lexed.comments.iter().map(|(line, text)| Comment { line: *line, text })
    }

    /// The tokens that are compiled into the product, in order.
    pub(crate) fn product_tokens(&self) -> Vec<Token> {
        self.lexed.tokens.iter().filter(|token| !self.is_test(token.line)).cloned().collect()
    }

    /// The test that a comment at `line` speaks of: the function around it, else the next one.
    /// A function marked as a test goes before a helper.
    pub(crate) fn test_for(&self, line: usize) -> Option<&str> {
        let around = || self.functions.iter().rev().filter(|f| f.lines.contains(&line));
        let after = || self.functions.iter().filter(|f| f.lines.start >= line);
        around()
            .find(|f| f.is_test)
            .or_else(|| around().next())
            .or_else(|| after().find(|f| f.is_test))
            .or_else(|| after().next())
            .map(|f| f.name.as_str())
    }
}

/// The functions with a name, in the order in which they begin.
fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    let mut is_test = false;
    for (i, token) in tokens.iter().enumerate() {
        if token.is("#") {
            is_test |= attribute(tokens, i).is_some_and(|a| names_a_test(&tokens[a]));
        }
        let Some(name) = tokens.get(i + 1).filter(|next| token.is("fn") && next.is_word()) else {
            continue;
        };
        let end = item_end(tokens, i);
        let last = tokens.get(end).or(tokens.last()).map_or(token.line, |t| t.line);
        let lines = token.line..last + 1;
        found.push(Function { name: name.text.clone(), lines, is_test });
        is_test = false;
    }
    found
}

/// The lines under a `#[cfg(test)]`, the attribute included.
fn test_lines(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, token)| token.is("#")) {
        let Some(inside) = attribute(tokens, i) else { continue };
        if !is_cfg_test(&tokens[inside.clone()]) {
            continue;
        }
        let inner = tokens[i + 1].is("!");
        let end = if inner { tokens.len() } else { item_end(tokens, inside.end + 1) };
        let last = tokens.get(end).map_or(usize::MAX - 1, |t| t.line);
        found.push(if inner { 0..usize::MAX } else { token.line..last + 1 });
    }
    found
}

/// The tokens inside `#[..]` or `#![..]`, whose `#` is at `at`.
fn attribute(tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let open = if tokens.get(at + 1)?.is("!") { at + 2 } else { at + 1 };
    if !tokens.get(open)?.is("[") {
        return None;
    }
    Some(open + 1..closing(tokens, open))
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(..)]`.
fn names_a_test(attribute: &[Token]) -> bool {
    let path = attribute.iter().take_while(|t| t.is_word() || t.is("::"));
    path.last().is_some_and(|last| last.is("test"))
}

/// `cfg(test)`, `cfg(all(test, ..))`; not `any`, which the product may satisfy too.
fn is_cfg_test(attribute: &[Token]) -> bool {
    let texts: Vec<&str> = attribute.iter().map(|t| t.text.as_str()).collect();
    match texts.as_slice() {
        ["cfg", "(", "test", ")"] => true,
        ["cfg", "(", "all", "(", inside @ .., ")", ")"] => conjuncts(inside).any(|c| c == ["test"]),
        _ => false,
    }
}

/// The arguments of an `all(..)`: split at the commas that no bracket holds.
fn conjuncts<'a>(inside: &'a [&'a str]) -> impl Iterator<Item = &'a [&'a str]> {
    let mut depth = 0_i32;
    inside.split(move |text| {
        match *text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0 && *text == ","
    })
}

/// Where the item that starts at `from` ends: at its `;`, at the brace that closes its first
/// block, or before the bracket that closes what it stands in.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut i = from;
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            ";" => return i,
            "{" => return closing(tokens, i),
            "(" | "[" => i = closing(tokens, i),
            "}" | ")" | "]" => return i.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    i
}

/// The index of the bracket that closes the one at `open`; past the end if none does.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len()
}
