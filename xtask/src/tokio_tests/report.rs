//! How did it go? A line for each file with passed, failed and not applicable tests on each runtime;
//! below, each test that did not pass, with the reason.

use std::fmt::Write as _;

use super::run::Outcome;
use super::table::Table;

#[derive(Debug, Default)]
pub(super) struct Report {
    /// Files in the order in which they were run; one without a test was compiled: that is its test.
    compiled: Vec<String>,
    tests: Vec<Line>,
    /// Files that can't apply as a whole, with the reason.
    files: Vec<(String, String)>,
}

#[derive(Debug)]
struct Line {
    file: String,
    runtime: String,
    test: String,
    outcome: Outcome,
}

#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    not_applicable: usize,
}

impl Report {
    pub(super) fn add(&mut self, file: &str, runtime: &str, outcomes: Vec<(String, Outcome)>) {
        let (file, runtime) = (file.to_owned(), runtime.to_owned());
        self.compiled.push(file.clone());
        self.compiled.dedup();
        self.tests.extend(outcomes.into_iter().map(|(test, outcome)| Line {
            file: file.clone(),
            runtime: runtime.clone(),
            test,
            outcome,
        }));
    }

    pub(super) fn skip_files(&mut self, table: &Table) {
        self.files = table.other_files().map(|(f, r)| (f.to_owned(), r.to_owned())).collect();
    }

    /// The table. With `all`, tests that passed are listed too.
    pub(super) fn text(&self, all: bool) -> String {
        let mut text = format!("{:24}{:>30}{:>30}\n", "file", "one thread", "two threads");
        let columns = format!("{:>9}{:>8}{:>13}", "passed", "failed", "n/a");
        let _ = writeln!(text, "{:24}{columns}{columns}", "");
        for file in &self.compiled {
            let _ = write!(text, "{file:24}");
            for runtime in super::RUNTIMES {
                let c = self.count(|l| l.file == *file && l.runtime == runtime);
                let _ = write!(text, "{:>9}{:>8}{:>13}", c.passed, c.failed, c.not_applicable);
            }
            text.push('\n');
        }
        text.push('\n');
        for (file, reason) in &self.files {
            let _ = writeln!(text, "n/a     {file}, the whole file: {reason}");
        }
        for line in self.tests.iter().filter(|l| all || l.outcome != Outcome::Passed) {
            let _ = writeln!(text, "{}", line.text());
        }
        text
    }

    fn count(&self, which: impl Fn(&Line) -> bool) -> Count {
        let mut count = Count::default();
        for line in self.tests.iter().filter(|line| which(line)) {
            match line.outcome {
                Outcome::Passed => count.passed += 1,
                Outcome::Failed(_) => count.failed += 1,
                Outcome::NotApplicable(_) => count.not_applicable += 1,
            }
        }
        count
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let failed = |l: &&Line| matches!(l.outcome, Outcome::Failed(_));
        let name = |l: &Line| format!("{}::{} on {} failed", l.file, l.test, l.runtime);
        self.tests.iter().filter(failed).map(name).collect()
    }

    pub(super) fn summary(&self, version: &str) -> String {
        let Count { passed, failed, not_applicable } = self.count(|_| true);
        format!(
            "tokio {version}: {passed} passed, {failed} failed, {not_applicable} tests and {} \
             files not applicable",
            self.files.len()
        )
    }
}

impl Line {
    fn text(&self) -> String {
        let Line { file, runtime, test, outcome } = self;
        match outcome {
            Outcome::Passed => format!("passed  {file}::{test}, {runtime}"),
            Outcome::Failed(how) => format!("FAILED  {file}::{test}, {runtime}: {how}"),
            Outcome::NotApplicable(why) => format!("n/a     {file}::{test}, {runtime}: {why}"),
        }
    }
}
