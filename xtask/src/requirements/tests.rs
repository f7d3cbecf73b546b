//! Does the table say of each requirement what the comments and the file kept by hand say?

use super::citations::Citations;
use super::{page, problems, rows, table};
use crate::rust_source::RustSource;

const REQUIREMENTS: &str = "id\tlevel\ttext\tsection\n\
    MUST-1\tMUST\tunsigned windows\t3.1\n\
    MUST-10\tMUST\tsimultaneous open\t3.5\n\
    MAY-4\tMAY\tthis | that\t3.8.1\n";

struct Outcome {
    problems: Vec<String>,
    page: String,
}

fn check(status: &str, files: &[(&str, &str)]) -> Outcome {
    let requirements = table::requirements(REQUIREMENTS).unwrap();
    let declared = table::declared(&format!("id\tstatus\tnote\n{status}")).unwrap();
    let parse = |(path, text): &(&str, &str)| RustSource::parse((*path).to_owned(), text);
    let sources: Vec<RustSource> = files.iter().map(parse).collect();
    let citations = Citations::collect(&sources);
    let rows = rows(&requirements, &declared, &citations);
    Outcome { problems: problems(&rows, &declared, &citations), page: page::render(&rows) }
}

const REST: &str = "MUST-10\topen\tissue 3, the crossing SYN\nMAY-4\tn/a\tno use\n";
const SOURCE: (&str, &str) = ("crates/a/src/w.rs", "// MUST-1: u32\nfn f() {}\n");
const TEST: (&str, &str) = ("crates/a/tests/t.rs", "/// MUST-1\n#[test]\nfn stays_unsigned() {}\n");

#[test]
fn cited_in_source_and_test_is_done() {
    let outcome = check(REST, &[SOURCE, TEST]);
    assert_eq!(outcome.problems, [""; 0]);
    assert!(outcome.page.contains("3 requirements: 1 done, 1 open, 1 n/a."));
    assert!(
        outcome.page.contains("`crates/a/src/w.rs` | `crates/a/tests/t.rs::stays_unsigned` |"),
        "{}",
        outcome.page
    );
    assert!(outcome.page.contains("this \\| that"));
}

#[test]
fn one_half_is_not_done() {
    for (files, what) in [
        (vec![SOURCE], "cited in the source, not in a test"),
        (vec![TEST], "cited in a test, not in the source"),
        (vec![], "cited in neither source nor test"),
    ] {
        let outcome = check(REST, &files);
        assert_eq!(outcome.problems.len(), 1);
        assert!(outcome.problems[0].contains("MUST-1 has no status"), "{:?}", outcome.problems);
        assert!(outcome.problems[0].contains(what), "{:?}", outcome.problems);
    }
}

#[test]
fn a_longer_number_is_another_label() {
    let ten = ("crates/a/src/w.rs", "// MUST-10\n");
    let outcome = check(REST, &[ten, TEST]);
    assert!(outcome.problems[0].contains("MUST-1 has no status"));
}

#[test]
fn a_test_module_in_the_source_is_a_test() {
    let inline =
        "// MUST-1\nfn f() {}\n#[cfg(test)]\nmod tests {\n// MUST-1\n#[test]\nfn g() {}\n}\n";
    let outcome = check(REST, &[("crates/a/src/w.rs", inline)]);
    assert_eq!(outcome.problems, [""; 0]);
    assert!(outcome.page.contains("`crates/a/src/w.rs::g`"));
}

#[test]
fn a_test_citation_without_a_function_does_not_count() {
    let outcome = check(REST, &[SOURCE, ("tests/tests/x.rs", "fn f() {}\n// MUST-1\n")]);
    assert!(outcome.problems[0].contains("not in a test"));
}

#[test]
fn a_declared_row_that_is_done_is_stale() {
    for declared in ["MUST-1\tn/a\tno windows\n", "MUST-1\topen\tissue 2, all\n"] {
        let outcome = check(&format!("{REST}{declared}"), &[SOURCE, TEST]);
        assert_eq!(outcome.problems.len(), 1);
        assert!(outcome.problems[0].starts_with("docs/requirement-status.tsv:4: MUST-1"));
    }
}

#[test]
fn labels_that_do_not_exist_are_named_with_their_place() {
    let status = format!("{REST}MUST-1\topen\tissue 2, all\nSHLD-7\tn/a\twhat\n");
    let outcome = check(&status, &[("crates/a/src/w.rs", "\n// MUST-11 and REC-9\n")]);
    let expected = [
        "docs/requirement-status.tsv:5: docs/rfc9293.tsv has no SHLD-7",
        "crates/a/src/w.rs:2: docs/rfc9293.tsv has no MUST-11",
        "crates/a/src/w.rs:2: docs/rfc9293.tsv has no REC-9",
    ];
    assert_eq!(outcome.problems, expected);
}

#[test]
fn rows_that_say_nothing_are_refused() {
    for row in [
        "MUST-1\tn/a\t",
        "MUST-1\topen\tsoon",
        "MUST-1\topen\tissue x, y",
        "MUST-1\tdone\tyes",
        "MUST-1\tn/a",
        "MUST\tn/a\twhy",
        "MUST-1\tn/a\ta\nMUST-1\tn/a\tb",
        "",
    ] {
        assert!(table::declared(&format!("id\tstatus\tnote\n{row}\n")).is_err(), "{row}");
    }
}
