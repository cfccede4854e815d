//! What of a request the conditions look at.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;
use sluice_model::Country;

use crate::cookies::{cookie_pairs, cookie_value};

/// What is known of a request when its route is looked for. Nothing is copied into it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The host as received, with or without a port, in any case; empty where there is none (HTTP/1.0).
    pub host: &'a str,
    /// The path as [`normalise_path`](crate::normalise_path) returned it; captures are positions in it.
    pub path: &'a str,
    /// What follows the `?`, as received.
    pub query: Option<&'a str>,
    /// The method; methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The header fields.
    pub fields: &'a dyn FieldLookup,
    /// The client's address; IPv4 may be mapped.
    pub client: IpAddr,
    /// What is spoken with the client.
    pub scheme: Scheme,
    /// The subject of the client's certificate; `None` where it has shown none.
    pub tls_subject: Option<&'a str>,
    /// Who knows of countries; `None` where nobody does.
    pub countries: Option<&'a dyn CountryLookup>,
    /// The body, where it is JSON and was asked for; `None` for every other.
    pub json: Option<&'a Value>,
    /// Who knows who the client is; `None` where nobody does.
    pub identity: Option<&'a dyn IdentityLookup>,
}

/// The scheme of a request's URL (RFC 9110, 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear text.
    Http,
    /// Over TLS.
    Https,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl Facts<'_> {
    /// The client's country; `None` where it is not known, as of private addresses. Looked up each time.
    pub fn country(&self) -> Option<Country> {
        self.countries?.country_of(self.client)
    }

    /// Calls `holds` with the value of each cookie of that name (RFC 6265, 4.2.1), in order, until it returns true; returns
    /// whether it did.
    pub fn any_cookie(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.any("cookie", &mut |field| {
            cookie_pairs(field)
                .filter_map(|pair| cookie_value(pair, name))
                .any(&mut *holds)
        })
    }

    /// The value of a parameter of the path (RFC 3986, 3.3), such as `/cart;jsessionid=7`: the one called `name`, in any case, of the last segment that
    /// has one.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        let segments = self.path.rsplit('/');
        let mut parameters = segments.flat_map(|segment| segment.split(';').skip(1));
        parameters.find_map(|parameter| {
            let (found, value) = parameter.split_once('=')?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The query's parameters: names and values, as received. One without `=` has an empty value.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.query.into_iter().flat_map(|query| query.split('&'));
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Knows in which countries addresses are.
pub trait CountryLookup {
    /// The country of an address, which may be a mapped IPv4 one; `None` where it is not known.
    fn country_of(&self, address: IpAddr) -> Option<Country>;
}

/// Looks into the header fields of a request wherever they lie, without building a map.
pub trait FieldLookup {
    /// Calls `holds` with the value of each field line called `name`, in order, until it returns true; returns
    /// whether it did. `name` is in lower case, while fields are found in any case.
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// Knows who a client is, by what it has shown.
pub trait IdentityLookup {
    /// The name under which it was let in; `None` where that was under none, or it is not let in yet.
    fn name(&self) -> Option<&str>;

    /// By which `[auth.NAME]` it was let in; `None` where nobody has asked, or it is not let in yet.
    fn let_in_by(&self) -> Option<&str>;

    /// Appends the name under which it was let in, told apart from the same name of another `[auth.NAME]`. Returns whether
    /// there is one.
    fn write_full_name(&self, out: &mut Vec<u8>) -> bool {
        let Some(name) = self.name() else {
            return false;
        };
        out.extend_from_slice(self.let_in_by().unwrap_or_default().as_bytes());
        // In no name of the file, so that none reads like another one with the beginning of a client's.
        out.push(0);
        out.extend_from_slice(name.as_bytes());
        true
    }

    /// Calls `holds` with the value of a claim, as each of the `verifiers` finds it in the client's token, until it returns true;
    /// returns whether it did. Without verifiers it is the token by which the client was let in.
    ///
    /// A name that begins with `/` is a JSON pointer (RFC 6901) to a claim within others.
    fn any_claim(
        &self,
        verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&Value) -> bool,
    ) -> bool;
}

/// No header fields at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFields;

impl FieldLookup for NoFields {
    fn any(&self, _name: &str, _holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FieldLookup for Vec<(N, V)> {
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter()
            .filter(|(field, _)| field.as_ref().eq_ignore_ascii_case(name))
            .any(|(_, value)| holds(value.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn parameters_of_paths() {
        for (path, expected) in [
            ("/a/b;jsessionid=7", Some("7")),
            ("/a;x=1;JSESSIONID=7.n1/b", Some("7.n1")),
            ("/a;jsessionid=1/b;jsessionid=2", Some("2")),
            ("/a;jsessionid=", Some("")),
            ("/a;jsessionid", None),
            ("/jsessionid=7", None),
            ("/a;jsessionids=7", None),
            ("*", None),
        ] {
            let facts = Facts {
                host: "a",
                path,
                query: Some("jsessionid=9"),
                method: "GET",
                fields: &NoFields,
                client: Ipv4Addr::LOCALHOST.into(),
                scheme: Scheme::Http,
                tls_subject: None,
                countries: None,
                json: None,
                identity: None,
            };
            assert_eq!(facts.path_parameter("JSESSIONID"), expected, "{path}");
        }
    }
}
