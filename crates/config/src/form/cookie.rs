//! Parts of cookies (RFC 6265, 4.1.1).

use super::{Misfit, is_token};
use crate::read::Typed;

/// The name of a cookie.
pub(super) fn name(text: &str) -> Result<Typed, Misfit> {
    if is_token(text) {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "the name of a cookie has no spaces and no separators in it",
    ))
}

/// A domain, with a dot before it or without: that is the same (RFC 6265, 5.2.3).
pub(super) fn domain(text: &str) -> Result<Typed, Misfit> {
    let host = text.strip_prefix('.').unwrap_or(text);
    if host.starts_with("*.") {
        return Err(
            Misfit::new("it is for all hosts below it by itself").help(format!(
                "did you mean \"{}\"?",
                host.trim_start_matches('*')
            )),
        );
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() <= 253 && host.split('.').all(is_label) {
        return Ok(Typed::Text(text.to_ascii_lowercase()));
    }
    Err(Misfit::new(
        "a domain such as example.com, without a scheme, port or path",
    ))
}

/// A path, without what ends an attribute.
pub(super) fn path(text: &str) -> Result<Typed, Misfit> {
    let fits = text.starts_with('/')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b',');
    if fits {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "a path begins with `/`, and has no spaces, `;` and `,` in it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for text in ["example.com", ".example.com", "A-1.example", "localhost"] {
            assert!(domain(text).is_ok(), "{text}");
        }
        for text in [
            "",
            ".",
            "a..b",
            "example.com:80",
            "https://a",
            "a/b",
            "a;b",
            "*.a",
        ] {
            assert!(domain(text).is_err(), "{text}");
        }
        let misfit = domain("*.example.com").expect_err("a pattern");
        assert_eq!(
            misfit.help.as_deref(),
            Some("did you mean \".example.com\"?")
        );
    }

    #[test]
    fn paths() {
        for text in ["/", "/shop", "/shop/%20a"] {
            assert!(path(text).is_ok(), "{text}");
        }
        for text in ["", "shop", "/a b", "/a;b", "/a,b", "/\r\n"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
