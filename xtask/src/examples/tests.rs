//! Which items count, and which examples.

use serde_json::{Value, json};

use super::blocks;
use super::judge;

fn item(name: &str, docs: &str, inner: Value) -> Value {
    let span = json!({ "filename": "src/lib.rs", "begin": [name.len(), 1] });
    json!({ "name": name, "docs": docs, "visibility": "public", "span": span, "inner": inner })
}

/// A crate with a module that is re-exported, a type in it, and one method of that type.
fn described(of_module: &str, of_type: &str, of_method: &str) -> Value {
    let mut private = item("hidden", "", json!({ "function": {} }));
    private["visibility"] = json!("default");
    json!({ "root": 0, "index": {
        "0": item("wheels", "", json!({ "module": { "items": [1] } })),
        "1": item("", "", json!({ "use": { "id": 2 } })),
        "2": item("inner", of_module, json!({ "module": { "items": [3] } })),
        "3": item("Wheel", of_type, json!({ "struct": { "impls": [4, 6] } })),
        "4": item("", "", json!({ "impl": { "trait": null, "items": [5, 8] } })),
        "5": item("turn", of_method, json!({ "function": {} })),
        "6": item("", "", json!({ "impl": { "trait": { "path": "Clone" }, "items": [7] } })),
        "7": item("clone", "", json!({ "function": {} })),
        "8": private,
    } })
}

fn missing(described: &Value, each_its_own: bool) -> Vec<String> {
    judge(described, each_its_own).1.iter().map(ToString::to_string).collect()
}

#[test]
fn public_items_are_found_behind_re_exports_and_others_are_not() {
    let described = described("", "", "");
    let found = missing(&described, true);
    assert_eq!(
        found,
        ["src/lib.rs:4: wheels::inner::Wheel::turn", "src/lib.rs:5: wheels::inner::Wheel"]
    );
    assert_eq!(judge(&described, true).0, 2);
}

#[test]
fn the_example_of_a_type_stands_for_the_methods_that_it_calls() {
    let calls = described("", "```\nWheel::new().turn();\n```", "");
    assert!(missing(&calls, false).is_empty());
    assert_eq!(missing(&calls, true).len(), 1, "unless each needs its own");
    let other = described("", "```\nWheel::new().turn_round();\n```", "");
    assert_eq!(missing(&other, false).len(), 1, "the name is another one");
}

#[test]
fn the_example_of_a_module_stands_for_what_it_names() {
    let named = described("```\nlet wheel = Wheel::new();\nwheel.turn();\n```", "", "");
    assert!(missing(&named, false).is_empty());
}

#[test]
fn only_blocks_that_are_compiled_count() {
    assert_eq!(blocks::rust("text\n```\na\n```\nb\n```no_run\nc\n```"), "a\nc\n");
    for other in ["```text\na\n```", "```ignore\na\n```", "```rust,ignore\na\n```", "a"] {
        assert_eq!(blocks::rust(other), "", "{other}");
    }
}

#[test]
fn a_name_is_a_whole_word() {
    assert!(blocks::names("let x = a.turn();", "turn", &[".", "::"]));
    assert!(blocks::names("turned; turn", "turn", &[]));
    assert!(!blocks::names("a.returns()", "turn", &[".", "::"]));
    assert!(!blocks::names("turn()", "turn", &[".", "::"]), "a method has something before it");
}
