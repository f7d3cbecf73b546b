//! Do tokio's own tests for TCP pass over our types?
//!
//! They are taken unmodified from the package that cargo has downloaded, and compiled in a workspace
//! of their own against a crate named tokio whose `net` holds our types (tests/tokio-facade). What
//! can't apply stands in a table kept by hand, with the reason.

mod report;
mod run;
mod scratch;
mod table;

use std::path::Path;

use report::Report;
use scratch::Scratch;
use table::Table;

use crate::tree;

const TABLE: &str = "tests/tokio-facade/tests.tsv";

/// The runtimes that `#[tokio::test]` builds in turn, as the facade's environment variable says it.
const RUNTIMES: [&str; 2] = ["current-thread", "multi-thread"];

/// Compiles and runs the tests; a test that fails is a problem, and so is a row of the table for
/// which there is no test. With `all`, tests that pass are listed too.
pub(crate) fn run(root: &Path, all: bool) -> Result<String, Vec<String>> {
    let table = Table::parse(&tree::read(root, TABLE)?)?;
    let scratch = Scratch::new(root)?;
    let mut problems = table.unlisted(&scratch.files_about_tcp()?);
    scratch.write(table.files())?;
    let mut report = Report::default();
    for (file, program) in scratch.build()? {
        let tests = run::list(&program, &scratch.tests())?;
        problems.extend(table.stale(&file, &tests));
        for runtime in RUNTIMES {
            let skipped = table.skipped(&file, runtime);
            let outcomes = run::outcomes(&program, &scratch.tests(), runtime, &tests, &skipped)?;
            report.add(&file, runtime, outcomes);
        }
    }
    report.skip_files(&table);
    print!("{}", report.text(all));
    problems.extend(report.failures());
    if problems.is_empty() { Ok(report.summary(&scratch.version)) } else { Err(problems) }
}
