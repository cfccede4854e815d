//! Whatever the text: an answer, never a panic.

use proptest::prelude::*;
use sluice_config::{Source, from_addresses};

use crate::invariants;
use crate::world::files;

proptest! {
    #[test]
    fn any_text(text in "\\PC*") {
        invariants::check(text.as_bytes());
    }

    #[test]
    fn any_bytes_that_are_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        invariants::check(String::from_utf8_lossy(&bytes).as_bytes());
    }

    /// Words of the language in any order.
    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        invariants::check(words.concat().as_bytes());
    }

    /// A file with a few characters cut, put in or replaced.
    #[test]
    fn any_slip(file in any::<prop::sample::Index>(), slips in prop::collection::vec(slip(), 1..6)) {
        let files: Vec<Source> = [files("good"), files("wrong"), files("language")].concat();
        let mut text: Vec<char> = files[file.index(files.len())].text.chars().collect();
        for (at, cut, put) in slips {
            let start = at.index(text.len() + 1);
            let end = (start + cut).min(text.len());
            text.splice(start..end, put.chars());
        }
        invariants::check(text.into_iter().collect::<String>().as_bytes());
    }

    #[test]
    fn any_command_line(listen in prop::collection::vec("\\PC*", 0..3), to in prop::collection::vec("\\PC*", 0..3)) {
        match from_addresses(&listen, &to) {
            Ok(loaded) => drop(loaded.warnings.render(true)),
            Err(report) => drop(report.render(true)),
        }
    }
}

/// Where, how many characters are cut, what is put in their place.
fn slip() -> impl Strategy<Value = (prop::sample::Index, usize, &'static str)> {
    (
        any::<prop::sample::Index>(),
        0_usize..12,
        prop::sample::select(WORDS),
    )
}

const WORDS: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ".",
    ",",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "#",
    "\\",
    "\0",
    "\r\n",
    "é",
    "🚰",
    "${",
    "${PORT}",
    "${NONE:-",
    "$${",
    "file:",
    "~",
    "~(",
    "*",
    "/",
    ":",
    "-",
    "0",
    "1",
    "-1",
    "9223372036854775808",
    "1.5",
    "true",
    "1979-05-27",
    "\"5s\"",
    "\"1KiB\"",
    "\":80\"",
    "\"a\"",
    "\"/a/{b}\"",
    "listeners",
    "upstreams",
    "routes",
    "[listeners.a]\n",
    "[upstreams.a]\n",
    "[[routes]]\n",
    "[admin]\n",
    "[logs]\n",
    "[runtime]\n",
    "address = ",
    "servers = ",
    "upstream = ",
    "match.path = ",
    "match.host = ",
    "match.headers = ",
    "respond = ",
    "redirect = ",
    "to = ",
    "balance = ",
    "policy = ",
    "workers = ",
    "token = ",
    "access = ",
    "protocol = ",
    "tls = ",
];
