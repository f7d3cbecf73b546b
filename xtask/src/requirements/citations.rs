//! Where is each requirement cited?
//!
//! The product is what stands below `crates/*/src` outside test code; a test citation counts only
//! with a function to name.

use std::collections::BTreeSet;

use crate::labels::labels;
use crate::rust_source::RustSource;

/// One label in one comment.
pub(super) struct Citation {
    pub(super) id: String,
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: usize,
    place: Place,
}

enum Place {
    Product,
    Test {
        function: String,
    },
    /// A test file's comment with no function around or after it.
    Nowhere,
}

/// All labels cited in the tree.
pub(super) struct Citations(Vec<Citation>);

impl Citations {
    /// Reads the comments of `sources`.
    pub(super) fn collect(sources: &[RustSource]) -> Citations {
        Citations(sources.iter().flat_map(citations).collect())
    }

    /// Every citation, in the order of files and lines.
    pub(super) fn all(&self) -> impl Iterator<Item = &Citation> {
        self.0.iter()
    }

    /// The files of the product that cite `id`, without line numbers, so that the page changes only
    /// when a citation comes or goes.
    pub(super) fn sources(&self, id: &str) -> Vec<String> {
        self.places(id, |c| matches!(c.place, Place::Product).then(|| c.path.clone()))
    }

    /// The tests that cite `id`.
    pub(super) fn tests(&self, id: &str) -> Vec<String> {
        self.places(id, |c| match &c.place {
            Place::Test { function } => Some(format!("{}::{function}", c.path)),
            _ => None,
        })
    }

    fn places(&self, id: &str, place: impl Fn(&Citation) -> Option<String>) -> Vec<String> {
        let cited = self.all().filter(|citation| citation.id == id);
        cited.filter_map(place).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn citations(source: &RustSource) -> impl Iterator<Item = Citation> {
    source.comments().flat_map(move |comment| {
        let line = comment.line;
        labels(comment.text).into_iter().map(move |id| Citation {
            id: id.to_owned(),
            path: source.path.clone(),
            line,
            place: place(source, line),
        })
    })
}

fn place(source: &RustSource, line: usize) -> Place {
    if source.is_test(line) {
        let function = source.test_for(line).map(str::to_owned);
        return function.map_or(Place::Nowhere, |function| Place::Test { function });
    }
    match source.path.split('/').collect::<Vec<_>>().as_slice() {
        ["crates", _, "src", ..] => Place::Product,
        _ => Place::Nowhere,
    }
}
