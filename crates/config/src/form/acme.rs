//! What an authority is asked for, by whom, and where it is.

use std::net::IpAddr;

use super::{Misfit, host_name};
use crate::read::Typed;

/// A name that an authority can look for by HTTP or TLS, in lower case.
pub(super) fn domain(text: &str) -> Result<Typed, Misfit> {
    if text.starts_with("*.") {
        return Err(Misfit::new(
            "a wildcard is certified by DNS-01 only, which is not spoken here",
        )
        .help("name each host, or have the wildcard made elsewhere and set `tls.certificates`"));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(Misfit::new(
            "only host names are asked for, not IP addresses",
        ));
    }
    if !text.is_ascii() {
        return Err(Misfit::new("letters beyond ASCII are written as in DNS")
            .help("`xn--bcher-kva.example` is `b\u{fc}cher.example`"));
    }
    host_name(text)
        .map_err(|_| Misfit::new("a host name such as www.example.com, without scheme and port"))?;
    Ok(Typed::Text(text.to_ascii_lowercase()))
}

/// As a contact (RFC 8555, 7.3): one address, without a name and without header fields.
pub(super) fn mail(text: &str) -> Result<Typed, Misfit> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?,<>\"%".contains(&byte);
    match address.split_once('@') {
        Some((user, host))
            if !user.is_empty() && address.bytes().all(is_plain) && host_name(host).is_ok() =>
        {
            Ok(Typed::Text(address.to_owned()))
        }
        _ => Err(Misfit::new("an address such as ops@example.com")),
    }
}

/// Of a directory (RFC 8555, 6.1: only https will do).
pub(super) fn https_url(text: &str) -> Result<Typed, Misfit> {
    let form = "a URL such as https://ca.example.com/acme/directory";
    let Some(rest) = text.strip_prefix("https://") else {
        return Err(if text.starts_with("http://") {
            Misfit::new("ACME is spoken over https only")
                .help("a private authority's certificate is trusted by `ca`")
        } else {
            Misfit::new(form)
        });
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>@\\^`{|}".contains(&byte);
    if authority.is_empty() || authority.starts_with(':') || !rest.bytes().all(is_plain) {
        return Err(Misfit::new(form));
    }
    Ok(Typed::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_names_of_single_hosts() {
        let lower = domain("WWW.Example.com");
        assert!(matches!(lower, Ok(Typed::Text(text)) if text == "www.example.com"));
        for wrong in [
            "*.example.com",
            "192.0.2.1",
            "::1",
            "a b",
            "b\u{fc}cher.example",
            "",
        ] {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn contacts_are_single_addresses() {
        let stripped = mail("mailto:ops@example.com");
        assert!(matches!(stripped, Ok(Typed::Text(text)) if text == "ops@example.com"));
        for wrong in [
            "ops",
            "@example.com",
            "a@b,c@d",
            "a@b?subject=x",
            "Ops <ops@example.com>",
        ] {
            assert!(mail(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn directories_are_reached_by_https() {
        for right in [
            "https://ca/dir",
            "https://[::1]:14000/dir?a=b",
            "https://ca",
        ] {
            assert!(https_url(right).is_ok(), "{right}");
        }
        for wrong in [
            "http://ca/dir",
            "ca/dir",
            "https://",
            "https:///dir",
            "https://a b",
            "https://u@ca",
        ] {
            assert!(https_url(wrong).is_err(), "{wrong}");
        }
    }
}
