//! What the variables of templates stand for.

use std::io::Write as _;

use sluice_http::h1::request::write_address;
use sluice_route::{Captures, Facts, Variable, host_name};
use sluice_tls::Facts as TlsFacts;
use sluice_wire::h1::RequestHead;

use super::identity::Identity;

/// What the variables of a request's templates stand for.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) head: &'a RequestHead<'a, 'a>,
    pub(super) facts: &'a Facts<'a>,
    /// The port that the client speaks from.
    pub(super) client_port: u16,
    pub(super) tls: Option<&'a TlsFacts>,
    pub(super) scheme: &'static str,
    /// Of the path that was matched.
    pub(super) captures: &'a Captures,
    pub(super) request_id: &'a str,
    pub(super) route: &'a str,
    /// Empty where there is none, or it is not known yet.
    pub(super) upstream: &'a str,
    /// As whom the client was let in; `None` before it is.
    pub(super) identity: Option<&'a Identity>,
}

impl Values<'_> {
    /// Appends what `variable` stands for.
    pub(super) fn write(&self, variable: &Variable, out: &mut Vec<u8>) {
        let head = self.head;
        let text: &[u8] = match variable {
            Variable::ClientIp => {
                write_address(self.facts.client.to_canonical(), out);
                return;
            }
            Variable::ClientPort => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "{}", self.client_port);
                return;
            }
            Variable::Country => {
                if let Some(country) = self.facts.country() {
                    out.extend_from_slice(country.as_str().as_bytes());
                }
                return;
            }
            Variable::Claim(name) => {
                let token = self.identity.and_then(Identity::token);
                if let Some(text) = token.and_then(|token| token.claims.text(name)) {
                    out.extend_from_slice(text.as_bytes());
                }
                return;
            }
            Variable::Method => head.method.as_str().as_bytes(),
            Variable::Scheme => self.scheme.as_bytes(),
            Variable::TlsVersion => self.tls.map_or("", |tls| tls.version).as_bytes(),
            Variable::TlsSubject => self
                .tls
                .and_then(|tls| tls.client.as_ref())
                .map_or("", |client| &*client.subject)
                .as_bytes(),
            Variable::Host => {
                out.extend_from_slice(host_name(self.facts.host).as_bytes());
                return;
            }
            Variable::Path => head.target.path().as_bytes(),
            Variable::Query => head.target.query().unwrap_or_default().as_bytes(),
            Variable::RequestId => self.request_id.as_bytes(),
            Variable::Route => self.route.as_bytes(),
            Variable::Upstream => self.upstream.as_bytes(),
            // It is chosen when all that is written of the request is written.
            Variable::Server => b"",
            Variable::Header(name) => head.fields.named(name).unwrap_or_default(),
            Variable::Cookie(name) => {
                self.facts.any_cookie(name, &mut |value| {
                    out.extend_from_slice(value);
                    true
                });
                return;
            }
            Variable::Capture(index) => self
                .captures
                .get(*index, self.facts.path)
                .unwrap_or_default()
                .as_bytes(),
        };
        out.extend_from_slice(text);
    }

    /// The same within a string of JSON. What is no UTF-8 becomes U+FFFD.
    pub(super) fn write_json(&self, variable: &Variable, out: &mut Vec<u8>) {
        let mut raw = Vec::new();
        self.write(variable, &mut raw);
        write_escaped(&String::from_utf8_lossy(&raw), out);
    }
}

/// What may not stand in a string of JSON as it is (RFC 8259, 7).
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            control if control < ' ' => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_json_stay_strings() {
        let mut out = Vec::new();
        write_escaped("a\"b\\c\r\n\0d\u{e9}", &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            r#"a\"b\\c\u000d\u000a\u0000dé"#
        );
    }
}
