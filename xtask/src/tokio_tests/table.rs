//! Which of tokio's tests apply? The table kept by hand: a row for each file that names a TCP type,
//! and for each test that can't apply, with the reason.

/// A row of the table.
#[derive(Debug)]
struct Row {
    file: String,
    /// A test's path in the file, or `*`.
    test: String,
    /// On which runtime, or `both`.
    runtime: String,
    /// Why it does not apply; empty for a file that is run.
    reason: String,
}

#[derive(Debug)]
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn parse(text: &str) -> Result<Table, Vec<String>> {
        let mut rows = Vec::new();
        let mut problems = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            match fields[..] {
                [file, "*", "both", reason] => rows.push(Row::new(file, "*", "both", reason)),
                [file, test, runtime, reason] if test != "*" && !reason.is_empty() => {
                    rows.push(Row::new(file, test, runtime, reason));
                }
                _ => problems.push(format!("line {}: `{line}` is not a row", number + 1)),
            }
        }
        if problems.is_empty() { Ok(Table(rows)) } else { Err(problems) }
    }

    /// The files that are compiled and run.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let runs = |row: &&Row| row.test == "*" && row.reason.is_empty();
        self.0.iter().filter(runs).map(|row| row.file.as_str())
    }

    /// The files that can't apply as a whole, with the reason.
    pub(super) fn other_files(&self) -> impl Iterator<Item = (&str, &str)> {
        let other = |row: &&Row| row.test == "*" && !row.reason.is_empty();
        self.0.iter().filter(other).map(|row| (row.file.as_str(), row.reason.as_str()))
    }

    /// The tests of a file that do not apply on a runtime, with the reason.
    pub(super) fn skipped(&self, file: &str, runtime: &str) -> Vec<(String, String)> {
        let here = |row: &&Row| row.test != "*" && row.file == file;
        let on = |row: &&Row| row.runtime == "both" || row.runtime == runtime;
        let rows = self.0.iter().filter(here).filter(on);
        rows.map(|row| (row.test.clone(), row.reason.clone())).collect()
    }

    /// Files of tokio that name a TCP type and stand nowhere in the table.
    pub(super) fn unlisted(&self, files: &[String]) -> Vec<String> {
        let listed = |file: &&String| self.0.iter().any(|row| row.file == **file);
        let missing = files.iter().filter(|file| !listed(file));
        missing.map(|file| format!("{file} names a TCP type and is not in the table")).collect()
    }

    /// Rows for tests of a file that it does not have.
    pub(super) fn stale(&self, file: &str, tests: &[String]) -> Vec<String> {
        let here = |row: &&Row| row.test != "*" && row.file == file;
        let rows = self.0.iter().filter(here).filter(|row| !tests.contains(&row.test));
        rows.map(|row| format!("{file} has no test {}", row.test)).collect()
    }
}

impl Row {
    fn new(file: &str, test: &str, runtime: &str, reason: &str) -> Row {
        let [file, test, runtime, reason] = [file, test, runtime, reason].map(str::to_owned);
        Row { file, test, runtime, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = "file\ttest\truntime\treason\n\
                    a\t*\tboth\t\n\
                    a\tone\tboth\ta kernel peer\n\
                    a\ttwo\tmulti-thread\tcounts polls\n\
                    b\t*\tboth\ta descriptor\n";
        Table::parse(rows).unwrap()
    }

    #[test]
    fn a_reason_for_a_whole_file_keeps_it_out() {
        assert_eq!(table().files().collect::<Vec<_>>(), ["a"]);
        assert_eq!(table().other_files().collect::<Vec<_>>(), [("b", "a descriptor")]);
    }

    #[test]
    fn a_test_may_not_apply_on_one_runtime_only() {
        let names = |runtime| -> Vec<String> {
            table().skipped("a", runtime).into_iter().map(|(test, _)| test).collect()
        };
        assert_eq!(names("current-thread"), ["one"]);
        assert_eq!(names("multi-thread"), ["one", "two"]);
    }

    #[test]
    fn what_tokio_adds_or_takes_away_is_told() {
        let files = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(table().unlisted(&files), ["c names a TCP type and is not in the table"]);
        assert_eq!(table().stale("a", &["one".to_owned()]), ["a has no test two"]);
    }

    #[test]
    fn a_test_without_a_reason_is_no_row() {
        assert_eq!(Table::parse("head\na\tone\tboth\t\n").unwrap_err().len(), 1);
    }
}
