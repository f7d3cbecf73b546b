//! What became of each test of a program? A program that hangs or dies fails the tests of which it
//! has not told.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may run.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a test came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
    /// It can't apply; why.
    NotApplicable(String),
}

/// The names of a program's tests.
pub(super) fn list(program: &Path, folder: &Path) -> Result<Vec<String>, Vec<String>> {
    let output = Command::new(program).arg("--list").current_dir(folder).output();
    let output = output.map_err(|e| vec![format!("{}: {e}", program.display())])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// Runs a program; returns each of its tests with how it came out.
pub(super) fn outcomes(
    program: &Path,
    folder: &Path,
    runtime: &str,
    tests: &[String],
    skipped: &[(String, String)],
) -> Result<Vec<(String, Outcome)>, Vec<String>> {
    let log = program.with_extension(format!("{runtime}.log"));
    let told = logged(program, folder, runtime, skipped, &log)
        .map_err(|e| vec![format!("{}: {e}", program.display())])?;
    let reasons: HashMap<&String, &String> = skipped.iter().map(|(t, r)| (t, r)).collect();
    let outcome = |test: &String| match (reasons.get(test), told.tests.get(test.as_str())) {
        (Some(reason), _) => Outcome::NotApplicable((*reason).clone()),
        (None, Some(outcome)) => outcome.clone(),
        (None, None) => Outcome::Failed(format!("no result: {}", told.end)),
    };
    Ok(tests.iter().map(|test| (test.clone(), outcome(test))).collect())
}

/// What a program has told.
struct Told {
    tests: HashMap<String, Outcome>,
    /// How it ended.
    end: String,
}

fn logged(
    program: &Path,
    folder: &Path,
    runtime: &str,
    skipped: &[(String, String)],
    log: &Path,
) -> std::io::Result<Told> {
    let mut run = Command::new(program);
    run.arg("--exact").args(skipped.iter().flat_map(|(test, _)| ["--skip", test]));
    run.current_dir(folder).env("TOKIO_FACADE_RUNTIME", runtime).env("RUST_BACKTRACE", "0");
    // A file, not a pipe: a program that hangs must not fill it.
    let out = File::create(log)?;
    run.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
    let end = match patiently(&mut run.spawn()?)? {
        Some(status) => format!("the program ended with {status}"),
        None => format!("the program was still running after {PATIENCE:?}"),
    };
    let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let result = |line: &str| outcome(line, &text);
    Ok(Told { tests: text.lines().filter_map(result).collect(), end })
}

fn patiently(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// A test's name and outcome, from a line such as `test name - should panic ... ok`.
fn outcome(line: &str, log: &str) -> Option<(String, Outcome)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.split(" - should panic").next()?.to_owned();
    let outcome = match result {
        "ok" => Outcome::Passed,
        r if r.starts_with("ignored") => Outcome::NotApplicable(format!("{r} by tokio")),
        _ => Outcome::Failed(output_of(&name, log)),
    };
    Some((name, outcome))
}

/// What a failed test has printed.
fn output_of(name: &str, log: &str) -> String {
    let Some((_, rest)) = log.split_once(&format!("---- {name} stdout ----")) else {
        return "failed".to_owned();
    };
    let rest = rest.split("\n---- ").next().unwrap_or_default();
    rest.split("\n\nfailures:").next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_an_outcome() {
        let log = "---- c stdout ----\nit broke\n\nfailures:\n";
        let told = |line| outcome(line, log);
        assert_eq!(told("test a::b ... ok"), Some(("a::b".to_owned(), Outcome::Passed)));
        assert_eq!(told("test b - should panic ... ok"), Some(("b".to_owned(), Outcome::Passed)));
        let failed = Outcome::Failed("it broke".to_owned());
        assert_eq!(told("test c ... FAILED"), Some(("c".to_owned(), failed)));
        assert_eq!(told("test result: ok. 1 passed"), None);
    }
}
