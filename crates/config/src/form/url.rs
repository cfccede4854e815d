//! URLs of services that are asked: `http` or `https`, a host, perhaps a port, a path, a query.

use sluice_model::ServerAddress;

use super::{Misfit, file};
use crate::read::Typed;

/// The parts of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl<'t> {
    pub(crate) is_https: bool,
    /// The host and the port, where there is one.
    pub(crate) authority: &'t str,
    /// Path and query; empty where there are none.
    rest: &'t str,
}

impl<'t> HttpUrl<'t> {
    /// `None` where the text is no such URL.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (is_https, behind) = match text.strip_prefix("https://") {
            Some(behind) => (true, behind),
            None => (false, text.strip_prefix("http://")?),
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>@\\^`{|}".contains(&byte);
        let end = behind.find(['/', '?']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at_checked(end)?;
        let url = Self {
            is_https,
            authority,
            rest,
        };
        let fits = behind.bytes().all(is_plain) && url.address().parse::<ServerAddress>().is_ok();
        fits.then_some(url)
    }

    /// The host with a port, as servers are written.
    pub(crate) fn address(&self) -> String {
        let port = if self.is_https { 443 } else { 80 };
        let has_port = self
            .authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        if has_port {
            self.authority.to_owned()
        } else {
            format!("{}:{port}", self.authority)
        }
    }

    /// The path and the query, as requests name them.
    pub(crate) fn target(&self) -> String {
        let slash = if self.rest.starts_with('/') { "" } else { "/" };
        format!("{slash}{}", self.rest)
    }
}

pub(super) fn http_url(text: &str) -> Result<Typed, Misfit> {
    if HttpUrl::parse(text).is_some() {
        return Ok(Typed::Text(text.to_owned()));
    }
    let misfit = Misfit::new("a URL such as http://127.0.0.1:9100/verify");
    let meant = format!("http://{text}");
    Err(if HttpUrl::parse(&meant).is_some() {
        misfit.help(format!("did you mean \"{meant}\"?"))
    } else {
        misfit
    })
}

/// What begins with a scheme is a URL, unless it begins with `file:`.
pub(super) fn file_or_url(text: &str) -> Result<Typed, Misfit> {
    let has_scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        scheme != "file" && scheme.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    if !has_scheme {
        return file(text);
    }
    if HttpUrl::parse(text).is_none() {
        let form = "a URL such as https://idp.example.com/keys, without a user or a fragment";
        return Err(Misfit::new(form));
    }
    Ok(Typed::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_a_file() {
        let typed = |text| match file_or_url(text) {
            Ok(Typed::Text(text)) => Some(text),
            _ => None,
        };
        for (text, meant) in [
            ("file:keys.json", Some("keys.json")),
            ("file:///etc/keys.json", Some("///etc/keys.json")),
            ("keys.json", Some("keys.json")),
            ("https://idp/keys", Some("https://idp/keys")),
            ("ftp://idp/keys", None),
            ("https://u@idp/keys", None),
            ("", None),
        ] {
            assert_eq!(typed(text).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn urls_have_a_host_and_perhaps_the_rest() {
        let parts = |text| {
            let url = HttpUrl::parse(text)?;
            Some((url.is_https, url.address(), url.target()))
        };
        let whole = |https, address: &str, target: &str| {
            Some((https, address.to_owned(), target.to_owned()))
        };
        assert_eq!(
            parts("http://127.0.0.1:9100/verify"),
            whole(false, "127.0.0.1:9100", "/verify")
        );
        assert_eq!(
            parts("https://idp.example.com"),
            whole(true, "idp.example.com:443", "/")
        );
        assert_eq!(parts("http://[::1]?a=b"), whole(false, "[::1]:80", "/?a=b"));
        for wrong in [
            "ftp://a/",
            "http://",
            "http:///x",
            "http://:80/",
            "http://u@a/",
            "http://a/#x",
            "http://a b/",
            "http://a:x/",
            "http://::1/",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
