//! How sessions stay on their servers.

use std::sync::Arc;
use std::time::Duration;

/// `sticky` of `[upstreams.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// `cookie`: the client brings along where its session is.
    Cookie(StickyCookie),
    /// It is remembered here.
    Remembered(Remembered),
}

/// `cookie`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickyCookie {
    /// `name`
    pub name: Box<str>,
    /// `ttl`; `None` is until the browser is closed.
    pub ttl: Option<Duration>,
    /// `domain`; `None` is only the host that set it.
    pub domain: Option<Box<str>>,
    /// `path`
    pub path: Box<str>,
    /// `same-site`
    pub same_site: SameSite,
    /// `secure`; `None` is for clients that came by TLS.
    pub secure: Option<bool>,
}

/// `same-site`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SameSite {
    Lax,
    Strict,
    None,
}

/// Sessions in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What tells a session.
    pub by: SessionKey,
    /// `ttl`: how long one may be silent.
    pub ttl: Duration,
    /// `max-sessions`
    pub max_sessions: usize,
    /// `store`: the name of one; `None` is `"local"`.
    pub store: Option<Arc<str>>,
}

/// What tells a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKey {
    /// `client-ip`
    ClientIp,
    /// `header`: the first field of that name, in lower case.
    Header(Box<str>),
    /// `app-cookie`: the cookie of that name, which servers set.
    AppCookie(Box<str>),
}

impl Sticky {
    /// The cookie that is ours.
    pub fn cookie(&self) -> Option<&StickyCookie> {
        match self {
            Self::Cookie(cookie) => Some(cookie),
            Self::Remembered(_) => None,
        }
    }

    /// What is remembered here.
    pub fn remembered(&self) -> Option<&Remembered> {
        match self {
            Self::Cookie(_) => None,
            Self::Remembered(remembered) => Some(remembered),
        }
    }
}

impl SameSite {
    /// The word for it in `Set-Cookie`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}
