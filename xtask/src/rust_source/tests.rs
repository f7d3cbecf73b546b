//! Is what the lexer and the bracket matcher say of a file true of Rust?

use super::RustSource;

fn parse(text: &str) -> RustSource {
    RustSource::parse("crates/a/src/b.rs".to_owned(), text)
}

fn words(source: &RustSource) -> String {
    let tokens = source.product_tokens();
    tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn comments(source: &RustSource) -> Vec<(usize, &str)> {
    source.comments().map(|c| (c.line, c.text)).collect()
}

#[test]
fn comments_are_kept_by_line() {
    let source = parse("//! one\nlet a = 1; // two\n/* three\n/* four */ five */ b\n// six");
    let expected =
        [(1, "//! one"), (2, "// two"), (3, "/* three"), (4, "/* four */ five */"), (5, "// six")];
    assert_eq!(comments(&source), expected);
    assert_eq!(words(&source), "let a = 1 ; b");
}

#[test]
fn literals_hide_what_looks_like_comment_or_code() {
    for literal in [
        r#""// no" "#,
        r#""\" /* no" "#,
        r##"r#"" // no"# "##,
        r#"br"\" "#,
        r#"b"/*" "#,
        "'\"' ",
        r"'\'' ",
        r"'\u{2f}' ",
        "b'/' ",
        "'é' ",
    ] {
        let source = parse(&format!("a({literal}) // yes\nfn f() {{}}"));
        assert_eq!(comments(&source).len(), 1, "{literal}");
        assert_eq!(source.test_for(2), Some("f"), "{literal}");
    }
}

#[test]
fn lifetimes_are_no_literals() {
    let source = parse("fn f<'a>(x: &'a str, y: &'_ str) -> &'static str { x } // 'c'\nr#type");
    assert_eq!(comments(&source), [(1, "// 'c'")]);
    assert!(words(&source).ends_with("{ x } r # type"));
}

#[test]
fn a_cfg_test_module_is_test_and_what_follows_is_not() {
    let source = parse(
        "fn a() {}\n#[cfg(test)]\n#[rustfmt::skip]\nmod tests {\n fn b() { if x { y } }\n}\nfn c() {}",
    );
    let test: Vec<usize> = (1..=7).filter(|line| source.is_test(*line)).collect();
    assert_eq!(test, [2, 3, 4, 5, 6]);
    assert_eq!(words(&source), "fn a ( ) { } fn c ( ) { }");
}

#[test]
fn a_cfg_test_declaration_ends_at_its_semicolon() {
    let source = parse("#[cfg(test)]\nextern crate std;\n#[cfg(test)]\nmod tests;\nuse a::b;");
    assert_eq!(words(&source), "use a :: b ;");
}

#[test]
fn a_cfg_test_field_does_not_swallow_what_follows_its_struct() {
    let source = parse("struct A {\n#[cfg(test)]\nx: u8,\n}\nfn f() {}");
    assert!(source.is_test(3));
    assert!(!source.is_test(4) && !source.is_test(5));
}

#[test]
fn only_what_is_for_tests_alone_is_test() {
    for (attribute, expected) in [
        ("#[cfg(test)]", true),
        ("#[cfg(all(test, unix))]", true),
        ("#[cfg(all(feature = \"a\", test))]", true),
        ("#[cfg(any(test, unix))]", false),
        ("#[cfg(all(not(test), unix))]", false),
        ("#[cfg(not(test))]", false),
        ("#[cfg_attr(test, derive(Debug))]", false),
    ] {
        assert_eq!(parse(&format!("{attribute}\nfn f() {{}}")).is_test(2), expected, "{attribute}");
    }
    assert!(parse("#![cfg(test)]\n\nfn f() {}").is_test(3));
}

#[test]
fn files_are_tests_by_their_place() {
    for (path, expected) in [
        ("crates/a/src/b.rs", false),
        ("crates/a/src/b/tests.rs", true),
        ("crates/a/src/b/tests/c.rs", true),
        ("crates/a/tests/c.rs", true),
        ("tests/tests/c.rs", true),
        ("tests/src/lib.rs", true),
        ("crates/a/src/attests.rs", false),
    ] {
        assert_eq!(RustSource::parse(path.to_owned(), "").is_test_file(), expected, "{path}");
    }
}

#[test]
fn a_comment_belongs_to_the_test_around_it_or_after_it() {
    let source = parse(concat!(
        "//! file\n",                           // 1
        "fn helper() {\n // in helper\n}\n",    // 2-4
        "/// before\n#[test]\nfn first() {\n",  // 5-7
        "  fn inner() {\n// in inner\n}\n",     // 8-10
        "  // in first\n}\n",                   // 11-12
        "// between\n#[tokio::test(flavor)]\n", // 13-14
        "async fn second() { let f: fn(u8); }\n",
        "// at the end\n",
    ));
    assert_eq!(source.test_for(1), Some("first"));
    assert_eq!(source.test_for(3), Some("helper"));
    assert_eq!(source.test_for(5), Some("first"));
    assert_eq!(source.test_for(9), Some("first"));
    assert_eq!(source.test_for(11), Some("first"));
    assert_eq!(source.test_for(13), Some("second"));
    assert_eq!(source.test_for(16), None);
}

#[test]
fn tests_inside_a_macro_are_found() {
    let source = parse("proptest! {\n // MUST-1\n #[test]\n fn law(a: u32, b in 1u32..5) { c }\n}");
    assert_eq!(source.test_for(2), Some("law"));
}

#[test]
fn broken_text_does_not_panic() {
    for text in
        ["\"", "'", "/*", "/* /*", "r#\"", "#[cfg(test)]", "#[", "fn", "fn f(", "}}}", "é'é"]
    {
        let source = parse(text);
        let _ = source.test_for(1);
        let _ = source.is_test(1);
    }
}
