//! "Did you mean": the known word that a mistyped one was probably meant to be.

/// The candidate that is nearest to `word`, if any is near enough to be meant.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(&word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether both are the same but for case and `_` for `-`.
pub(crate) fn same_word(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn either_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    listed(words, '`', "or")
}

/// `a`, `b` and `c`, each in backticks.
pub(crate) fn all_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    listed(words, '`', "and")
}

/// "a", "b" or "c", as they are written in the file.
pub(crate) fn either_text<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    listed(words, '"', "or")
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>, quote: char, joint: &str) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| format!("{quote}{word}{quote}"))
        .collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {joint} {last}", others.join(", ")),
    }
}

/// Case and `_` for `-` are how other programs' files differ, not slips of the finger: they cost nothing.
fn plain(word: &str) -> String {
    word.to_ascii_lowercase().replace('_', "-")
}

fn distance(word: &str, candidate: &str) -> usize {
    strsim::osa_distance(word, &plain(candidate))
}

/// A third of the letters may be wrong, but of a short word never so many that any other would do.
fn allowed(word: &str, candidate: &str) -> usize {
    let length = word.chars().count().min(candidate.chars().count());
    length.div_ceil(3).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_meant() {
        let keys = [
            "address",
            "protocol",
            "upstream",
            "idle-timeout",
            "via",
            "to",
        ];
        for (word, expected) in [
            ("adress", Some("address")),
            ("Address", Some("address")),
            ("upstraem", Some("upstream")),
            ("idle_timeout", Some("idle-timeout")),
            ("vai", Some("via")),
            ("xyz", None),
            ("color", None),
            ("", None),
        ] {
            assert_eq!(closest(word, keys), expected, "{word}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(either_of(["a"]), "`a`");
        assert_eq!(either_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(all_of(["a", "b"]), "`a` and `b`");
        assert_eq!(either_text(["a", "b"]), "\"a\" or \"b\"");
    }
}
