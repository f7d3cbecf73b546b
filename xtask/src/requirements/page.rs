//! How does the table of requirements read, as a page?

use super::table::Status;
use super::{COMMAND, Row, STATUS, TABLE, summary};

/// The whole page.
pub(super) fn render(rows: &[Row<'_>]) -> String {
    let mut page = format!(
        "# Requirements of RFC 9293\n\n\
         Written by `{COMMAND}`; do not edit. The requirements stand in\n\
         [`{TABLE}`](../{TABLE}) (labels of RFC 9293 appendix B, in our words). A row is *done* when its\n\
         label is cited in the source, where it is met, and in a test, where it is shown. What is\n\
         not done says why in [`{STATUS}`](../{STATUS}).\n\n\
         {}.\n",
        summary(rows)
    );
    for (title, status) in [
        ("Open", Status::Open.name()),
        ("Without a status", "?"),
        ("Not applicable", Status::NotApplicable.name()),
        ("Done", "done"),
    ] {
        let section: Vec<&Row<'_>> = rows.iter().filter(|row| row.status() == status).collect();
        if !section.is_empty() {
            page.push_str(&format!("\n## {title}\n\n"));
            page.push_str(&table(&section));
        }
    }
    page
}

fn table(rows: &[&Row<'_>]) -> String {
    let mut out = String::from(
        "| label | level | requirement | section | why | source | tests |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let requirement = row.requirement;
        let note = row.declared.filter(|_| !row.is_done()).map_or("", |d| &d.note);
        let cells = [
            requirement.id.clone(),
            requirement.level.clone(),
            cell(&requirement.text),
            requirement.section.clone(),
            cell(note),
            code(&row.sources),
            code(&row.tests),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(places: &[String]) -> String {
    places.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", ")
}
