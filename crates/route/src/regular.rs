//! Regular expressions: linear in time, limited in size, and always about the whole of a value.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use thiserror::Error;

/// Why a text is not a regular expression that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegexError {
    /// The syntax is wrong.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// Compiled it would need more than 1 MiB.
    #[error("the regular expression is too large: compiled it must not need more than 1 MiB")]
    TooLarge,
}

/// Compiles `text` so that it matches whole values only. Classes such as `\w` are ASCII.
pub(crate) fn compile(text: &str, ignore_case: bool) -> Result<Regex, RegexError> {
    // By itself first: what is wrong is then said of the text as it was written, and `a)|(b` cannot break out of the
    // group that anchors it.
    build(text, ignore_case)?;
    build(&format!(r"\A(?:{text})\z"), ignore_case)
}

/// What every value begins with that a regular expression matches, of those that [`compile`] takes; empty where that cannot be told.
pub(crate) fn beginning(text: &str) -> String {
    let mut parser = ParserBuilder::new();
    let parser = parser.unicode(false).utf8(false).nest_limit(NEST_LIMIT);
    let Ok(parsed) = parser.build().parse(text) else {
        return String::new();
    };
    let beginnings = Extractor::new().extract(&parsed);
    let shared = beginnings.longest_common_prefix().unwrap_or_default();
    let whole = shared.utf8_chunks().next();
    whole.map_or_else(String::new, |chunk| chunk.valid().to_owned())
}

const SIZE_LIMIT: usize = 1 << 20;
const NEST_LIMIT: u32 = 100;

fn build(text: &str, ignore_case: bool) -> Result<Regex, RegexError> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(ignore_case)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .nest_limit(NEST_LIMIT)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => RegexError::TooLarge,
            other => RegexError::Syntax(last_line(&other.to_string())),
        })
}

/// The crate draws the expression over several lines; the words are in the last one.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_values() {
        for (text, value, expected) in [
            ("ab+", "abb", true),
            ("ab+", "xabb", false),
            ("ab+", "abbx", false),
            ("ab+", "abb\n", false),
            ("a|b", "b", true),
            ("a|ab", "ab", true),
            ("^a$", "a", true),
            (r"\w+", "é", false),
            ("é", "é", true),
        ] {
            let regex = compile(text, false).expect("compiles");
            assert_eq!(regex.is_match(value.as_bytes()), expected, "{text} {value}");
        }
        assert!(compile("ab", true).expect("compiles").is_match(b"AB"));
    }

    #[test]
    fn beginnings() {
        for (text, expected) in [
            ("/a/b", "/a/b"),
            ("^/a/[0-9]+$", "/a/"),
            ("/a(b|c)", "/a"),
            ("/(ab|ac)x", "/a"),
            ("/a|/b", "/"),
            ("/a|b", ""),
            ("/ab?c", "/a"),
            ("/ab*", "/a"),
            ("/(?i)ab", "/"),
            ("(?x) / a", "/a"),
            ("/a(?<id>b.*)", "/ab"),
            (".*", ""),
            ("[/]a", "/a"),
            ("/(?:)a", "/a"),
            (r"/\x61", "/a"),
            (r"/\bab", "/ab"),
            ("/caf\u{e9}", "/caf\u{e9}"),
            (r"/\xff", "/"),
        ] {
            assert_eq!(beginning(text), expected, "{text}");
            assert!(compile(text, false).is_ok(), "{text}");
        }
    }

    #[test]
    fn refused() {
        assert_eq!(
            compile("(", false).err(),
            Some(RegexError::Syntax("unclosed group".into()))
        );
        assert!(matches!(
            compile("a)|(b", false),
            Err(RegexError::Syntax(_))
        ));
        assert!(matches!(
            compile("(?=a)", false),
            Err(RegexError::Syntax(_))
        ));
        assert_eq!(
            compile("((a{1000}){1000}){1000}", false).err(),
            Some(RegexError::TooLarge)
        );
    }
}
