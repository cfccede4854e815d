//! What the variables of templates stand for.

use std::io::Write as _;
use std::net::SocketAddr;

use sluice_route::{Captures, Variable};
use sluice_tls::Facts;
use sluice_wire::h1::{FieldKind, RequestHead};

/// What the variables of a request's templates stand for.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) head: &'a RequestHead<'a, 'a>,
    pub(super) client: SocketAddr,
    pub(super) tls: Option<&'a Facts>,
    pub(super) scheme: &'static str,
    /// The path that the captures are of.
    pub(super) path: &'a str,
    pub(super) captures: &'a Captures,
    pub(super) request_id: &'a str,
    pub(super) route: &'a str,
    /// Empty where there is none, or it is not known yet.
    pub(super) upstream: &'a str,
}

impl Values<'_> {
    /// Appends what `variable` stands for.
    pub(super) fn write(&self, variable: &Variable, out: &mut Vec<u8>) {
        let head = self.head;
        let text: &[u8] = match variable {
            Variable::ClientIp => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "{}", self.client.ip());
                return;
            }
            Variable::ClientPort => {
                let _ = write!(out, "{}", self.client.port());
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
            Variable::Host => head.host.as_bytes(),
            Variable::Path => head.target.path().as_bytes(),
            Variable::Query => head.target.query().unwrap_or_default().as_bytes(),
            Variable::RequestId => self.request_id.as_bytes(),
            Variable::Route => self.route.as_bytes(),
            Variable::Upstream => self.upstream.as_bytes(),
            // It is chosen when all that is written of the request is written.
            Variable::Server => b"",
            Variable::Header(name) => head.fields.named(name).unwrap_or_default(),
            Variable::Cookie(name) => cookie(head, name).unwrap_or_default(),
            Variable::Capture(index) => self
                .captures
                .get(*index, self.path)
                .unwrap_or_default()
                .as_bytes(),
        };
        out.extend_from_slice(text);
    }
}

/// RFC 6265, 4.2.1
fn cookie<'a>(head: &RequestHead<'_, 'a>, name: &str) -> Option<&'a [u8]> {
    head.fields
        .iter()
        .filter(|field| field.kind == FieldKind::Cookie)
        .flat_map(|field| field.value.split(|byte| *byte == b';'))
        .find_map(|pair| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(value)
        })
}
