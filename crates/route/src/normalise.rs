//! One form for each path, so that no way of writing it slips past a route.
//!
//! Routes are matched with this form; the server gets the bytes that came. Whatever two readers of those bytes might
//! take for different paths is refused instead of guessed at.

use thiserror::Error;

/// The path in the form that routes are matched with. Returns `path` itself where there is nothing to change, which
/// is found in one pass; otherwise the form is built in `buffer`, whose content is replaced.
///
/// - `%41` becomes `A`: characters that RFC 3986 calls unreserved (letters, digits, `-._~`) are decoded (§6.2.2.2). Every
///   other escape stays, with upper-case digits. Characters that may not stand in a path, `\` among them, are escaped.
/// - `/./` and `/../` are resolved (§5.2.4), also when their dots came escaped; `//` counts as `/`.
/// - An escaped slash is no separator: `/queues/%2F/jobs` has three segments.
/// - `*` (of `OPTIONS *`) is left as it is; an empty path is `/`.
///
/// What is refused says [`PathError`]; each deserves a 400.
pub fn normalise_path<'a>(path: &'a str, buffer: &'a mut String) -> Result<&'a str, PathError> {
    if path == "*" || is_normal(path.as_bytes()) {
        return Ok(path);
    }
    if path.is_empty() {
        return Ok("/");
    }
    let segments = path.strip_prefix('/').ok_or(PathError::NoLeadingSlash)?;
    buffer.clear();
    let mut merged = false;
    let mut directory = false;
    for segment in segments.split('/') {
        let start = buffer.len();
        buffer.push('/');
        write_canonical(segment, "", buffer)?;
        let written = buffer.get(start + 1..).unwrap_or_default();
        directory = matches!(written, "" | "." | "..");
        match written {
            "" => {
                merged = true;
                buffer.truncate(start);
            }
            "." => buffer.truncate(start),
            // Some resolve `/a//..` to `/a/`, others, merging slashes first, to `/`.
            ".." if merged => return Err(PathError::Ambiguous),
            ".." => {
                buffer.truncate(start);
                let parent = buffer.rfind('/').ok_or(PathError::AboveRoot)?;
                buffer.truncate(parent);
            }
            hidden if hides_dots(hidden) => return Err(PathError::Ambiguous),
            _ => {}
        }
    }
    if directory {
        buffer.push('/');
    }
    Ok(buffer)
}

/// Why a path is not matched with any route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// A path starts with a slash.
    #[error("the path does not start with a slash")]
    NoLeadingSlash,
    /// A `%` without two hexadecimal digits.
    #[error("a `%` in the path is not followed by two hexadecimal digits")]
    BadEscape,
    /// `%00`, which ends a text early for some.
    #[error("the path holds an escaped NUL")]
    Nul,
    /// More `..` than segments before them.
    #[error("the path leads above the root")]
    AboveRoot,
    /// Dot segments beside escaped slashes, backslashes, path parameters or empty segments, which servers resolve
    /// differently: `/a/..%2Fb`, `/a/..\b`, `/a/..;x/b`, `/a//../b`.
    #[error("the path holds dot segments that can be read in two ways")]
    Ambiguous,
}

/// Appends `text` with unreserved characters decoded and all others escaped that may not stand in a path, except
/// those in `keep`.
pub(crate) fn write_canonical(text: &str, keep: &str, out: &mut String) -> Result<(), PathError> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (Some(high), Some(low)) = (bytes.next().and_then(hex), bytes.next().and_then(hex))
            else {
                return Err(PathError::BadEscape);
            };
            match high << 4 | low {
                0 => return Err(PathError::Nul),
                decoded if is_unreserved(decoded) => out.push(char::from(decoded)),
                escaped => write_escape(escaped, out),
            }
        } else if is_path_byte(byte) || keep.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            write_escape(byte, out);
        }
    }
    Ok(())
}

/// One pass without a branch on what is seen.
fn is_normal(path: &[u8]) -> bool {
    let Some((&b'/', rest)) = path.split_first() else {
        return false;
    };
    let mut seen = 0;
    let mut looked_for = FOREIGN | SLASH_OR_DOT;
    for &byte in rest {
        seen |= CLASSES
            .get(usize::from(byte))
            .map_or(FOREIGN, |class| class & looked_for);
        looked_for = FOREIGN | if byte == b'/' { SLASH_OR_DOT } else { 0 };
    }
    seen == 0
}

/// What never stands in a normal path as it is.
const FOREIGN: u8 = 1;
/// What cannot follow a slash.
const SLASH_OR_DOT: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0;
    while let Some((class, left)) = rest.split_first_mut() {
        *class = match byte {
            b'/' | b'.' => SLASH_OR_DOT,
            _ if is_path_byte(byte) => 0,
            _ => FOREIGN,
        };
        byte = byte.wrapping_add(1);
        rest = left;
    }
    classes
};

/// `pchar` of RFC 3986 §3.3 and `/`, without `%`.
pub(crate) const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a canonical segment becomes dot segments for servers that decode slashes before they resolve dots, take
/// `\` for `/`, or cut off what follows a `;`.
fn hides_dots(segment: &str) -> bool {
    let mut rest = segment;
    loop {
        let cut = rest
            .match_indices('%')
            .map(|(at, _)| at)
            .find(|&at| matches!(rest.get(at..at + 3), Some("%2F" | "%5C")));
        let part = cut.and_then(|at| rest.get(..at)).unwrap_or(rest);
        let name = part.split(';').next().unwrap_or(part);
        if matches!(name, "." | "..") {
            return true;
        }
        match cut.and_then(|at| rest.get(at + 3..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

pub(crate) fn write_escape(byte: u8, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    out.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        out.extend(DIGITS.get(usize::from(digit)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(path: &str) -> Result<String, PathError> {
        normalise_path(path, &mut "left over".to_owned()).map(str::to_owned)
    }

    #[test]
    fn one_form() {
        for (path, expected) in [
            ("", "/"),
            ("*", "*"),
            ("/", "/"),
            ("/a/b.c/d-e_f~g/", "/a/b.c/d-e_f~g/"),
            ("/%61%7E%2d", "/a~-"),
            ("/%c3%a9", "/%C3%A9"),
            ("/é", "/%C3%A9"),
            ("/a b|c\"", "/a%20b%7Cc%22"),
            ("/a\\b", "/a%5Cb"),
            ("/a?b", "/a%3Fb"),
            ("/%2561", "/%2561"),
            ("/queues/%2f/jobs", "/queues/%2F/jobs"),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/.", "/"),
            ("/./a/./b/.", "/a/b/"),
            ("/api/../admin", "/admin"),
            ("/api/%2e%2E/admin", "/admin"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/../../b/..", "!"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/...", "/a/..."),
            ("/a/..b/.c", "/a/..b/.c"),
            ("/a;x=../b", "/a;x=../b"),
        ] {
            if expected == "!" {
                assert_eq!(normal(path), Err(PathError::AboveRoot));
            } else {
                assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
            }
        }
    }

    #[test]
    fn refused() {
        for (path, error) in [
            ("a", PathError::NoLeadingSlash),
            ("**", PathError::NoLeadingSlash),
            ("/%", PathError::BadEscape),
            ("/%4", PathError::BadEscape),
            ("/%g1", PathError::BadEscape),
            ("/%+1", PathError::BadEscape),
            ("/%00", PathError::Nul),
            ("/..", PathError::AboveRoot),
            ("/a/../..", PathError::AboveRoot),
            ("/%2e./a", PathError::AboveRoot),
            ("/a/..%2fb", PathError::Ambiguous),
            ("/a%2F../b", PathError::Ambiguous),
            ("/a/%2e%2e%5cb", PathError::Ambiguous),
            ("/a/..\\b", PathError::Ambiguous),
            ("/a%2F.%2Fb", PathError::Ambiguous),
            ("/a/..;/b", PathError::Ambiguous),
            ("/a/.;x=1/b", PathError::Ambiguous),
            ("/a//../b", PathError::Ambiguous),
        ] {
            assert_eq!(normal(path), Err(error), "{path}");
        }
    }

    #[test]
    fn what_is_normal_is_not_copied() {
        let mut buffer = String::new();
        let path = "/users/7/posts;v=1,2:@!$&'()*+=";
        let normal = normalise_path(path, &mut buffer).expect("a path");
        assert!(std::ptr::eq(path, normal));
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_as_it_is(
            path in "/?([ab.;é%?]|/|//|/\\.\\./|%2[eEfF]|%5c|%61|\\\\){0,12}",
        ) {
            if let Ok(once) = normal(&path) {
                prop_assert_eq!(normal(&once), Ok(once.clone()));
                prop_assert!(once.starts_with('/') && once.is_ascii());
                let mut segments = once.get(1..).unwrap_or_default().split('/');
                let last = segments.next_back().unwrap_or_default();
                prop_assert!(segments.all(|segment| !matches!(segment, "" | "." | "..")));
                prop_assert!(!matches!(last, "." | ".."));
                // Nothing is left that resolves differently once slashes are decoded.
                let decoded = once.replace("%2F", "/").replace("%5C", "/");
                prop_assert!(decoded.split('/').all(|segment| !matches!(segment, "." | "..")));
            }
        }
    }
}
