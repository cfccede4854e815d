//! Request methods and what may be assumed of them (RFC 9110, section 9).

use std::fmt;

/// A request method. Methods are case-sensitive: `get` is [`Method::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method<'b> {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `CONNECT`
    Connect,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `PATCH` (RFC 5789)
    Patch,
    /// Any other token of at most [`MAX_METHOD_LEN`] bytes.
    Other(&'b str),
}

/// The longest method accepted, in bytes. The longest registered one (`UPDATEREDIRECTREF`) has 17.
pub const MAX_METHOD_LEN: usize = 32;

impl<'b> Method<'b> {
    /// Recognises a token that is already known to be one.
    #[inline]
    pub(super) fn from_token(token: &'b str) -> Self {
        match token.as_bytes() {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"CONNECT" => Self::Connect,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            _ => Self::Other(token),
        }
    }

    /// The token on the wire.
    pub fn as_str(&self) -> &'b str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(token) => token,
        }
    }

    /// Read-only by definition (RFC 9110, 9.2.1). Unknown methods are not assumed to be.
    pub fn is_safe(&self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// May be repeated without further effect (RFC 9110, 9.2.2). Unknown methods are not assumed to be.
    pub fn is_idempotent(&self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn every_method_keeps_its_word() {
        for word in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "get",
            "PROPFIND",
        ] {
            assert_eq!(Method::from_token(word).as_str(), word);
        }
        assert_eq!(Method::from_token("get"), Method::Other("get"));
        assert_eq!(Method::from_token("PATCH"), Method::Patch);
    }

    #[test]
    fn safety_and_idempotence_follow_the_table() {
        let table = [
            ("GET", true, true),
            ("HEAD", true, true),
            ("OPTIONS", true, true),
            ("TRACE", true, true),
            ("PUT", false, true),
            ("DELETE", false, true),
            ("POST", false, false),
            ("PATCH", false, false),
            ("CONNECT", false, false),
            ("PROPFIND", false, false),
        ];
        for (word, safe, idempotent) in table {
            let method = Method::from_token(word);
            assert_eq!(
                (method.is_safe(), method.is_idempotent()),
                (safe, idempotent),
                "{word}"
            );
        }
    }
}
