//! What is public? The types, traits, functions, methods and macros that a user of the crate can name, from
//! rustdoc's description: from the root through modules and re-exports.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use super::blocks;

/// A public item that wants an example.
pub(super) struct Item<'a> {
    path: String,
    name: &'a str,
    /// What stands in front of its name where it is used; nothing for what has a name of its own.
    before: &'static [&'static str],
    docs: &'a str,
    /// The docs of its type or trait and of the modules around it.
    around: Vec<&'a str>,
    file: &'a str,
    line: u64,
}

impl Item<'_> {
    pub(super) fn has_example(&self, its_own: bool) -> bool {
        !blocks::rust(self.docs).is_empty()
            || !its_own
                && self
                    .around
                    .iter()
                    .any(|docs| blocks::names(&blocks::rust(docs), self.name, self.before))
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.path)
    }
}

/// A walk over the description of one crate.
pub(super) struct Surface<'a> {
    index: &'a Value,
    seen: HashSet<String>,
    items: Vec<Item<'a>>,
}

/// Where the walk is: a path, and the docs of what lies around.
#[derive(Clone)]
struct Place<'a> {
    path: String,
    around: Vec<&'a str>,
}

const METHOD: &[&str] = &[".", "::"];
const REQUIRED: &[&str] = &[".", "::", "fn "];

impl<'a> Surface<'a> {
    /// The items in the order of their declaration.
    pub(super) fn of(described: &'a Value) -> Vec<Item<'a>> {
        let mut walk =
            Surface { index: &described["index"], seen: HashSet::new(), items: Vec::new() };
        walk.visit(&described["root"], &Place { path: String::new(), around: Vec::new() });
        walk.items.sort_by_key(|item| (item.file, item.line));
        walk.items
    }

    /// Goes into an item once, by whichever path comes first.
    fn visit(&mut self, id: &Value, place: &Place<'a>) {
        let index = self.index;
        let item = &index[id.to_string()];
        if item.is_null() || !self.seen.insert(id.to_string()) {
            return;
        }
        let Some((kind, inner)) = item["inner"].as_object().and_then(|o| o.iter().next()) else {
            return;
        };
        match kind.as_str() {
            "use" => self.visit(&inner["id"], place),
            "module" => self.visit_each(&inner["items"], &place.within(item)),
            "struct" | "enum" | "union" => {
                self.note(item, place, &[]);
                self.visit_methods(&inner["impls"], &place.within(item));
            }
            "trait" => {
                self.note(item, place, &[]);
                let place = place.within(item);
                for method in list(&inner["items"]).iter().map(|id| &index[id.to_string()]) {
                    self.note_function(method, &place, REQUIRED);
                }
            }
            "function" | "macro" => self.note(item, place, &[]),
            _ => {}
        }
    }

    fn visit_each(&mut self, ids: &'a Value, place: &Place<'a>) {
        for id in list(ids) {
            self.visit(id, place);
        }
    }

    /// The methods of a type itself: a trait's are documented by the trait.
    fn visit_methods(&mut self, impls: &'a Value, place: &Place<'a>) {
        let index = self.index;
        let own = list(impls).iter().map(|id| &index[id.to_string()]["inner"]["impl"]);
        for block in own.filter(|block| block.is_object() && block["trait"].is_null()) {
            for method in list(&block["items"]).iter().map(|id| &index[id.to_string()]) {
                if method["visibility"] == "public" {
                    self.note_function(method, place, METHOD);
                }
            }
        }
    }

    fn note_function(
        &mut self,
        item: &'a Value,
        place: &Place<'a>,
        before: &'static [&'static str],
    ) {
        if item["inner"]["function"].is_object() {
            self.note(item, place, before);
        }
    }

    fn note(&mut self, item: &'a Value, place: &Place<'a>, before: &'static [&'static str]) {
        self.items.push(Item {
            path: place.join(name(item)),
            name: name(item),
            before,
            docs: docs(item),
            around: place.around.clone(),
            file: item["span"]["filename"].as_str().unwrap_or_default(),
            line: item["span"]["begin"][0].as_u64().unwrap_or_default(),
        });
    }
}

impl<'a> Place<'a> {
    fn within(&self, item: &'a Value) -> Place<'a> {
        let mut around = self.around.clone();
        around.push(docs(item));
        Place { path: self.join(name(item)), around }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}::{name}", self.path) }
    }
}

fn name(item: &Value) -> &str {
    item["name"].as_str().unwrap_or_default()
}

fn docs(item: &Value) -> &str {
    item["docs"].as_str().unwrap_or_default()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}
