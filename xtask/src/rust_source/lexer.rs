//! Where do comments and literals of a Rust file begin and end?
//!
//! Literals vanish (what they hold is data, not a claim); comments are kept by line; the rest is
//! words and punctuation.

/// A word, or a piece of punctuation (`::` in one piece, all else character by character).
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text.chars().next().is_some_and(is_word_char)
    }
}

/// A file in pieces.
#[derive(Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// Line, counted from 1, and text; a comment over several lines is several.
    pub(super) comments: Vec<(usize, String)>,
}

/// Cuts `text` up.
pub(super) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { rest: text, line: 1, out: Lexed::default() };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    lexer.out
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    out: Lexed,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let first = self.rest.chars().next().unwrap_or(' ');
        if self.rest.starts_with("//") {
            let len = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(len);
        } else if self.rest.starts_with("/*") {
            self.comment(block_comment_len(self.rest));
        } else if first == '"' {
            self.skip(string_len(self.rest));
        } else if first == '\'' {
            self.skip(quote_len(self.rest));
        } else if is_word_char(first) {
            self.word();
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            let len = if self.rest.starts_with("::") { 2 } else { first.len_utf8() };
            self.token(len);
        }
    }

    fn word(&mut self) {
        let len = self.rest.find(|c| !is_word_char(c)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(len);
        if let ("r" | "br" | "cr", Some(literal)) = (word, raw_string_len(after)) {
            self.skip(len + literal);
        } else {
            self.token(len);
        }
    }

    fn token(&mut self, len: usize) {
        let line = self.line;
        let text = self.skip(len).to_owned();
        self.out.tokens.push(Token { text, line });
    }

    fn comment(&mut self, len: usize) {
        let first = self.line;
        let text = self.skip(len);
        let lines = text.lines().enumerate().map(|(i, line)| (first + i, line.to_owned()));
        self.out.comments.extend(lines);
    }

    fn skip(&mut self, len: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(len);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        skipped
    }
}

/// The length of the `/* */` that `text` starts with; they nest.
fn block_comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string or character literal that `text` starts with, quotes included.
fn string_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    let quote = chars.next().map_or('"', |(_, c)| c);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return at + 1;
        }
        if c == '\\' {
            chars.next();
        }
    }
    text.len()
}

/// The length of the character literal, or of the quote of the lifetime, that `text` starts with.
fn quote_len(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => string_len(text),
        _ => 1,
    }
}

/// The length of `"..."`, `#"..."#` and so on, if `text` (after the `r`) starts with one.
fn raw_string_len(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|b| *b == b'#').count();
    let body = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &text[..hashes]);
    let len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(hashes + 1 + len)
}
