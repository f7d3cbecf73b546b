//! What do the two tables kept by hand say: the requirements, and the status of those not done?
//!
//! Tab-separated, a header line, one row a line; errors name file and line.

use std::collections::HashSet;

use super::{STATUS, TABLE};
use crate::labels::labels;

/// A row of the table of requirements.
pub(super) struct Requirement {
    pub(super) id: String,
    /// `MUST`, `MUST NOT`, `SHOULD`, ...
    pub(super) level: String,
    pub(super) text: String,
    /// Section of RFC 9293.
    pub(super) section: String,
}

/// Why a row is not done.
#[derive(Clone, Copy)]
pub(super) enum Status {
    /// Nothing to do, for the reason given.
    NotApplicable,
    /// To do; the note names the issue and what is missing.
    Open,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::NotApplicable => "n/a",
            Status::Open => "open",
        }
    }
}

/// A row of the table of exceptions.
pub(super) struct Declared {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) note: String,
    /// Counted from 1.
    pub(super) line: usize,
}

/// Reads `docs/rfc9293.tsv`.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, Vec<String>> {
    parse(TABLE, text, |cells| {
        let [id, level, text, section] = cells else {
            return Err(format!("4 columns expected, {} found", cells.len()));
        };
        let [level, text, section] = [level, text, section].map(ToString::to_string);
        Ok(Requirement { id: (*id).to_owned(), level, text, section })
    })
    .map(|rows| rows.into_iter().map(|(_, row)| row).collect())
}

/// Reads `docs/requirement-status.tsv`.
pub(super) fn declared(text: &str) -> Result<Vec<Declared>, Vec<String>> {
    let rows = parse(STATUS, text, |cells| {
        let [id, status, note] = cells else {
            return Err(format!("3 columns expected, {} found", cells.len()));
        };
        let status = match *status {
            "n/a" => Status::NotApplicable,
            "open" => Status::Open,
            other => return Err(format!("status is `n/a` or `open`, not `{other}`")),
        };
        check_note(status, note)?;
        Ok(Declared { id: (*id).to_owned(), status, note: (*note).to_owned(), line: 0 })
    })?;
    Ok(rows.into_iter().map(|(line, row)| Declared { line, ..row }).collect())
}

fn check_note(status: Status, note: &str) -> Result<(), String> {
    let names_issue = || {
        let number = note.strip_prefix("issue ").and_then(|n| n.split([',', ':', ';']).next());
        number.is_some_and(|n| n.parse::<u32>().is_ok())
    };
    match status {
        Status::NotApplicable if note.trim().is_empty() => Err("`n/a` needs a reason".to_owned()),
        Status::Open if !names_issue() => {
            Err("the note of an open row is `issue N, what is missing`".to_owned())
        }
        _ => Ok(()),
    }
}

/// Rows with their line numbers; the first cell must be a label, and no label may come twice.
fn parse<T>(
    file: &str,
    text: &str,
    row: impl Fn(&[&str]) -> Result<T, String>,
) -> Result<Vec<(usize, T)>, Vec<String>> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    for (i, line) in text.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let id = cells[0];
        let parsed = if labels(id) != [id] {
            Err(format!("`{id}` is no label"))
        } else if !seen.insert(id) {
            Err(format!("{id} stands here twice"))
        } else {
            row(&cells)
        };
        match parsed {
            Ok(parsed) => rows.push((i + 1, parsed)),
            Err(problem) => problems.push(format!("{file}:{}: {problem}", i + 1)),
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}
