//! Request targets in their four forms (RFC 9112, section 3.2).

use std::borrow::Cow;

use super::authority;
use super::error::RequestError;
use super::method::Method;

/// A request target.
///
/// Paths and queries are kept as they came: any visible ASCII byte except `#` is let through (browsers send some that
/// RFC 3986 would have encoded), percent-encodings and dot segments are the router's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target<'b> {
    /// `/path?query`, the usual form.
    Origin {
        /// Begins with `/`.
        path: &'b str,
        /// What follows the first `?`, without it.
        query: Option<&'b str>,
        /// Path and query as they came.
        raw: &'b str,
    },
    /// `http://authority/path?query`, as sent to proxies.
    Absolute {
        /// `http` or `https`, in the sender's case.
        scheme: &'b str,
        /// A checked `host[:port]`.
        authority: &'b str,
        /// Begins with `/`; `/` where the sender left it out, and `*` where it is left out of an `OPTIONS` without a
        /// query (RFC 9112, 3.2.4).
        path: &'b str,
        /// What follows the first `?`, without it.
        query: Option<&'b str>,
        /// What came after the authority; may be empty or begin with `?`.
        raw: &'b str,
    },
    /// `host:port`, with `CONNECT` only.
    Authority(&'b str),
    /// `*`, with `OPTIONS` only.
    Asterisk,
}

impl<'b> Target<'b> {
    /// Tells the forms apart and checks that the method has the form.
    #[inline]
    pub(super) fn parse(raw: &'b str, method: &Method<'_>) -> Result<Self, RequestError> {
        if !raw.is_ascii() {
            return Err(RequestError::Target);
        }
        if raw.starts_with('/') && *method != Method::Connect {
            let (path, query) = split_query(raw)?;
            return Ok(Self::Origin { path, query, raw });
        }
        Self::parse_unusual(raw, method)
    }

    fn parse_unusual(raw: &'b str, method: &Method<'_>) -> Result<Self, RequestError> {
        if *method == Method::Connect {
            let authority = authority::check(raw.as_bytes()).ok_or(RequestError::Target)?;
            return match authority::split_port(authority) {
                (_, Some(_)) => Ok(Self::Authority(authority)),
                (_, None) => Err(RequestError::Target),
            };
        }
        if raw == "*" {
            return match method {
                Method::Options => Ok(Self::Asterisk),
                _ => Err(RequestError::Target),
            };
        }
        let (scheme, rest) = raw.split_once("://").ok_or(RequestError::Target)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(RequestError::Target);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, raw) = rest.split_at(end);
        let authority = authority::check(authority.as_bytes()).ok_or(RequestError::Target)?;
        let (path, query) = split_query(raw)?;
        let path = match (path, query, method) {
            ("", None, Method::Options) => "*",
            ("", _, _) => "/",
            _ => path,
        };
        Ok(Self::Absolute {
            scheme,
            authority,
            path,
            query,
            raw,
        })
    }

    /// The path: `*` for [`Target::Asterisk`], empty for [`Target::Authority`].
    #[inline]
    pub fn path(&self) -> &'b str {
        match self {
            Self::Origin { path, .. } | Self::Absolute { path, .. } => path,
            Self::Authority(_) => "",
            Self::Asterisk => "*",
        }
    }

    /// What follows the first `?`, without it.
    #[inline]
    pub fn query(&self) -> Option<&'b str> {
        match self {
            Self::Origin { query, .. } | Self::Absolute { query, .. } => *query,
            Self::Authority(_) | Self::Asterisk => None,
        }
    }

    /// The target to send to a server (`CONNECT` excepted: the authority is returned as it is). Borrowed but for
    /// `http://host?query`, which lacks the path.
    #[inline]
    pub fn origin_form(&self) -> Cow<'b, str> {
        match *self {
            Self::Origin { raw, .. } => Cow::Borrowed(raw),
            Self::Absolute { raw, .. } if raw.starts_with('/') => Cow::Borrowed(raw),
            Self::Absolute { raw: "", path, .. } => Cow::Borrowed(path),
            Self::Absolute { raw, .. } => Cow::Owned(format!("/{raw}")),
            Self::Authority(authority) => Cow::Borrowed(authority),
            Self::Asterisk => Cow::Borrowed("*"),
        }
    }
}

/// Splits at the first `?`. A fragment is never sent (RFC 9112, 3.2), so `#` is an error anywhere.
#[inline]
fn split_query(raw: &str) -> Result<(&str, Option<&str>), RequestError> {
    let bytes = raw.as_bytes();
    match memchr::memchr2(b'?', b'#', bytes) {
        None => Ok((raw, None)),
        Some(at) => {
            if memchr::memchr(b'#', bytes).is_some() {
                return Err(RequestError::Target);
            }
            Ok((raw.get(..at).unwrap_or_default(), raw.get(at + 1..)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;
    use crate::h1::{Method, RequestError};

    #[test]
    fn forms() {
        // method, target, path, query, origin form
        let table = [
            ("GET", "/", "/", None, "/"),
            ("GET", "/a/b", "/a/b", None, "/a/b"),
            ("GET", "/a?", "/a", Some(""), "/a?"),
            ("GET", "/a?b=c?d", "/a", Some("b=c?d"), "/a?b=c?d"),
            ("GET", "//a", "//a", None, "//a"),
            ("GET", "/http://x/", "/http://x/", None, "/http://x/"),
            (
                "GET",
                "/a|b{c}\"^`<>\\",
                "/a|b{c}\"^`<>\\",
                None,
                "/a|b{c}\"^`<>\\",
            ),
            ("GET", "http://a", "/", None, "/"),
            ("GET", "HTTPS://a:1/b?c", "/b", Some("c"), "/b?c"),
            ("GET", "http://a?c", "/", Some("c"), "/?c"),
            ("OPTIONS", "http://a", "*", None, "*"),
            ("OPTIONS", "http://a/", "/", None, "/"),
            ("OPTIONS", "http://a?c", "/", Some("c"), "/?c"),
            ("OPTIONS", "*", "*", None, "*"),
            ("OPTIONS", "/x", "/x", None, "/x"),
            ("CONNECT", "a:443", "", None, "a:443"),
            ("CONNECT", "[::1]:443", "", None, "[::1]:443"),
        ];
        for (method, raw, path, query, origin) in table {
            let target = Target::parse(raw, &Method::from_token(method)).unwrap();
            assert_eq!(
                (target.path(), target.query(), target.origin_form().as_ref()),
                (path, query, origin),
                "{method} {raw}"
            );
        }
    }

    #[test]
    fn refused() {
        let table = [
            ("GET", "*"),
            ("GET", "a"),
            ("GET", "a:80"),
            ("GET", "?a"),
            ("GET", "/a#b"),
            ("GET", "/a?b#c"),
            ("GET", "#"),
            ("GET", "http://a#b"),
            ("GET", "http://a/b#c"),
            ("GET", "/\u{e9}"),
            ("GET", "http:///a"),
            ("GET", "http://"),
            ("GET", "http:/a"),
            ("GET", "http:a"),
            ("GET", "://a"),
            ("GET", "ftp://a/"),
            ("GET", "httpx://a/"),
            ("GET", "ws://a/"),
            ("GET", "file:///etc/passwd"),
            ("GET", "javascript:alert(1)"),
            ("GET", "http://u@a/"),
            ("GET", "http://u:p@a/"),
            ("GET", "http://a:x/"),
            ("GET", "http://a:65536/"),
            ("GET", "http://[::1/"),
            ("GET", "http://a\\b/"),
            ("OPTIONS", "**"),
            ("OPTIONS", "*/"),
            ("CONNECT", "/"),
            ("CONNECT", "a"),
            ("CONNECT", "a:"),
            ("CONNECT", ":443"),
            ("CONNECT", "http://a:443"),
            ("CONNECT", "u@a:443"),
            ("CONNECT", "a:443/"),
            ("CONNECT", "*"),
        ];
        for (method, raw) in table {
            assert_eq!(
                Target::parse(raw, &Method::from_token(method)),
                Err(RequestError::Target),
                "{method} {raw}"
            );
        }
    }
}
