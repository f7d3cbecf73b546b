//! Which requirement of RFC 9293 is met where, and which test shows it?
//!
//! A row is done when its label stands in a comment of the product's source and in a comment of a
//! test; what is not done says so, with a reason, in a file kept by hand.

mod citations;
mod page;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use crate::rust_source::RustSource;
use crate::tree;
use citations::Citations;
use table::{Declared, Requirement, Status};

const TABLE: &str = "docs/rfc9293.tsv";
const STATUS: &str = "docs/requirement-status.tsv";
const PAGE: &str = "docs/requirements.md";
const COMMAND: &str = "cargo xtask requirements";

/// A requirement with all that is known of it.
struct Row<'a> {
    requirement: &'a Requirement,
    /// What the file kept by hand says, if it says something.
    declared: Option<&'a Declared>,
    /// Files of the product that cite it.
    sources: Vec<String>,
    /// Tests that cite it, `file::function`.
    tests: Vec<String>,
}

impl Row<'_> {
    fn is_done(&self) -> bool {
        !self.sources.is_empty() && !self.tests.is_empty()
    }

    fn status(&self) -> &'static str {
        match self.declared {
            _ if self.is_done() => "done",
            Some(declared) => declared.status.name(),
            None => "?",
        }
    }
}

/// Writes the page, or with `check` compares it with the one on disk; then says what contradicts
/// itself. The page is written in spite of problems: it shows where they are.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, Vec<String>> {
    let requirements = table::requirements(&tree::read(root, TABLE)?)?;
    let declared = table::declared(&tree::read(root, STATUS)?)?;
    let mut sources: Vec<RustSource> = Vec::new();
    for folder in ["crates", "tests"] {
        sources.extend(tree::sources(root, folder)?);
    }
    let citations = Citations::collect(&sources);
    let rows = rows(&requirements, &declared, &citations);
    let mut problems = problems(&rows, &declared, &citations);
    let page = page::render(&rows);
    if !check {
        fs::write(root.join(PAGE), &page).map_err(|e| vec![format!("{PAGE}: {e}")])?;
    } else if tree::read(root, PAGE).unwrap_or_default() != page {
        problems.push(format!("{PAGE}: not up to date; run `{COMMAND}` and commit it"));
    }
    if problems.is_empty() { Ok(summary(&rows)) } else { Err(problems) }
}

fn rows<'a>(
    requirements: &'a [Requirement],
    declared: &'a [Declared],
    citations: &Citations,
) -> Vec<Row<'a>> {
    let row = |requirement: &'a Requirement| Row {
        requirement,
        declared: declared.iter().find(|d| d.id == requirement.id),
        sources: citations.sources(&requirement.id),
        tests: citations.tests(&requirement.id),
    };
    requirements.iter().map(row).collect()
}

fn problems(rows: &[Row<'_>], declared: &[Declared], citations: &Citations) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        let id = &row.requirement.id;
        match row.declared {
            None if !row.is_done() => found.push(format!(
                "{STATUS}: {id} has no status: {}; cite it, or declare it open or n/a",
                missing(row)
            )),
            Some(declared) if row.is_done() => found.push(format!(
                "{STATUS}:{}: {id} is declared {} but cited in {} and tested by {}: delete the row",
                declared.line,
                declared.status.name(),
                row.sources.join(", "),
                row.tests.join(", ")
            )),
            _ => {}
        }
    }
    let known = |id: &str| rows.iter().any(|row| row.requirement.id == id);
    for row in declared.iter().filter(|row| !known(&row.id)) {
        found.push(format!("{STATUS}:{}: {TABLE} has no {}", row.line, row.id));
    }
    for unknown in citations.all().filter(|citation| !known(&citation.id)) {
        found.push(format!("{}:{}: {TABLE} has no {}", unknown.path, unknown.line, unknown.id));
    }
    found
}

fn missing(row: &Row<'_>) -> &'static str {
    match (row.sources.is_empty(), row.tests.is_empty()) {
        (true, true) => "cited in neither source nor test",
        (true, false) => "cited in a test, not in the source",
        _ => "cited in the source, not in a test",
    }
}

fn summary(rows: &[Row<'_>]) -> String {
    let count = |status| rows.iter().filter(|row| row.status() == status).count();
    let na = Status::NotApplicable.name();
    let open = Status::Open.name();
    format!(
        "{} requirements: {} done, {} {open}, {} {na}",
        rows.len(),
        count("done"),
        count(open),
        count(na)
    )
}
