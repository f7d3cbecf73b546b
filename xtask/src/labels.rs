//! Which requirement labels of RFC 9293 does a comment cite?
//!
//! A label is one of `MUST-`, `SHLD-`, `MAY-` and `REC-` with a number (RFC 9293 appendix B).
//! Only labels written in full count: a range or a list names its ends, not what lies between,
//! so that a search for a label finds every place that claims it.

const FAMILIES: [&str; 4] = ["MUST-", "SHLD-", "MAY-", "REC-"];

/// The labels in `text`, in order, repeated if they are.
pub(crate) fn labels(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let Some(label) = label_at(text, from) else {
            from += text[from..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        found.push(label);
        from += label.len();
    }
    found
}

/// The label that starts at byte `at`, if a whole one does.
fn label_at(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at..];
    let family = FAMILIES.into_iter().find(|family| rest.starts_with(family))?;
    let glued = |c: char| c.is_alphanumeric() || c == '_';
    if text[..at].chars().next_back().is_some_and(|c| glued(c) || c == '-') {
        return None;
    }
    let digits = rest[family.len()..].bytes().take_while(u8::is_ascii_digit).count();
    let end = family.len() + digits;
    if digits == 0 || rest[end..].chars().next().is_some_and(glued) {
        return None;
    }
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn a_label_is_a_whole_word() {
        assert_eq!(labels("MUST-1"), ["MUST-1"]);
        assert_eq!(labels("// MUST-10: simultaneous open"), ["MUST-10"]);
        assert_eq!(labels("`SHLD-29`"), ["SHLD-29"]);
        assert_eq!(labels("(MAY-12)."), ["MAY-12"]);
        assert_eq!(labels("windows are unsigned, 32 bit (MUST-1,REC-1)"), ["MUST-1", "REC-1"]);
        assert_eq!(labels("one per batch, MUST-58/MUST-59"), ["MUST-58", "MUST-59"]);
    }

    #[test]
    fn lists_and_ranges_count_what_is_spelled() {
        assert_eq!(labels("MUST-30 to MUST-33"), ["MUST-30", "MUST-33"]);
        assert_eq!(labels("MUST-14, 15 and 16"), ["MUST-14"]);
        assert_eq!(labels("MUST-30..MUST-33"), ["MUST-30", "MUST-33"]);
        assert_eq!(labels("MUST-30-33"), ["MUST-30"]);
        assert_eq!(labels("SHLD-14 … SHLD-17"), ["SHLD-14", "SHLD-17"]);
    }

    #[test]
    fn what_only_looks_like_a_label_is_none() {
        for text in ["MUST", "MUST-", "MAY-BE", "MUST-x1", "must-1", "MUST 1", "SHOULD-1"] {
            assert!(labels(text).is_empty(), "{text}");
        }
        for text in ["XMUST-1", "_MAY-1", "NON-MUST-1", "MUST-1a", "MUST-1_2", "ÉMUST-1"] {
            assert!(labels(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn order_and_repetition_are_kept() {
        assert_eq!(labels("SHLD-2 MUST-2 SHLD-2"), ["SHLD-2", "MUST-2", "SHLD-2"]);
        assert_eq!(labels("a number past the table: MUST-999"), ["MUST-999"]);
    }
}
