//! The head that goes to the server: the client's, less what was meant for us, plus what we know of the client.

use std::io::Write as _;
use std::net::IpAddr;

use sluice_route::is_taken_for;
use sluice_wire::h1::{Field, FieldKind, Fields, Framing, RequestHead, Target, Version};

use super::cookies;
use super::edits::Edits;

/// What is said to the server about a request.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// Whether what the client says of clients before it is believed and passed on; otherwise it is replaced.
    pub trusted: bool,
    /// A field beside those that is passed on of trusted clients only.
    pub believed_of_trusted: Option<&'a str>,
    /// The version that the client spoke, where the head is a translation of it (`2.0`).
    pub spoken: Option<&'static str>,
    /// How the client spoke to us: `http` or `https`.
    pub scheme: &'static str,
    /// `X-Request-ID`
    pub request_id: &'a str,
    /// The name to add to `Via`.
    pub via: Option<&'a str>,
    /// Whether to send `Forwarded` (RFC 7239) too.
    pub forwarded: bool,
    /// The `Host` to send where the client (HTTP/1.0) named none.
    pub default_host: &'a str,
    /// What is said of the client's certificate.
    pub certificate: Certificate<'a>,
    /// Whether the request came before the client's handshake was done (RFC 8470).
    pub early: bool,
    /// The value of `Max-Forwards`, already counted down; `None` passes the field on as it is.
    pub max_forwards: Option<u64>,
    /// A field that is sent before all others, in the place of the client's of that name: the sender knows where it is then.
    pub first: Option<(&'a str, &'a [u8])>,
    /// The name of a cookie that came and is not passed on.
    pub hides_cookie: Option<&'a str>,
    /// What is vouched for of who the client is.
    pub vouched: Option<Vouched<'a>>,
    /// What is changed in the fields, after all of the above.
    pub edits: Option<Edits<'a>>,
    /// The place that is asked for instead of the client's.
    pub place: Option<Place<'a>>,
}

/// Fields that clients cannot forge, as only who lets them in may set them.
#[derive(Clone, Copy, Debug)]
pub struct Vouched<'a> {
    /// Their names, in lower case. The client's fields of these names are not passed on, nor what servers may take for them.
    pub names: &'a [Box<str>],
    /// Whole field lines, each with its line end, that are added.
    pub lines: &'a [u8],
}

/// What a server is asked for instead of what the client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The target in origin form (RFC 9112, 3.2.1); `None` is the client's.
    pub target: Option<&'a str>,
    /// The `Host`; `None` is the client's.
    pub host: Option<&'a str>,
}

impl Forwarding<'_> {
    /// Whether fields have to be looked at by their names, as there is one that is not passed on. Asked once for all of them.
    fn names_matter(&self) -> bool {
        self.guards_certificates()
            || self.first.is_some()
            || self.distrusted().is_some()
            || self.vouched.is_some()
    }

    /// Whether a field of this name is.
    #[cold]
    fn passes_on(&self, name: &str, kind: FieldKind) -> bool {
        let is_replaced = |(ours, _): (&str, _)| ours.eq_ignore_ascii_case(name);
        let is_distrusted = |ours| kind == FieldKind::Other && is_taken_for(ours, name);
        let is_vouched_for = |vouched: Vouched<'_>| {
            let mut names = vouched.names.iter();
            names.any(|ours| is_taken_for(ours, name))
        };
        !(self.guards_certificates() && is_of_certificate(name)
            || self.vouched.is_some_and(is_vouched_for)
            || self.first.is_some_and(is_replaced)
            || self.distrusted().is_some_and(is_distrusted))
    }

    fn guards_certificates(&self) -> bool {
        self.certificate != Certificate::NotAsked
    }

    fn distrusted(&self) -> Option<&str> {
        self.believed_of_trusted.filter(|_| !self.trusted)
    }
}

/// What is said to the server about the client's certificate, in fields that clients cannot forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate<'a> {
    /// Nobody is asked for one: the fields are like any others.
    NotAsked,
    /// There is none.
    None,
    /// This one.
    Shown {
        /// Its subject.
        subject: &'a str,
        /// Its SHA-256 in hexadecimal digits.
        fingerprint: &'a str,
    },
}

/// Appends the request head for the server to `out`.
///
/// The target goes out in origin form (RFC 9112, 3.2.1), the host of an absolute one in `Host` (3.2.2). Runs of fields
/// that stay as they are are copied as runs.
pub fn compose(head: &RequestHead<'_, '_>, forwarding: &Forwarding<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    let place = forwarding.place;
    match place.and_then(|place| place.target) {
        Some(target) => out.extend_from_slice(target.as_bytes()),
        None => out.extend_from_slice(head.target.origin_form().as_bytes()),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some((name, value)) = forwarding.first {
        write_field(out, name, value);
    }
    let other_host = place.and_then(|place| place.host);
    let replaces_host = other_host.is_some() || replaces_host(head);
    if replaces_host {
        let host = match other_host {
            Some(host) => host,
            None if head.host.is_empty() => forwarding.default_host,
            None => head.host,
        };
        write_field(out, "Host", host.as_bytes());
    }
    let names_matter = forwarding.names_matter();
    let is_kept = |field: &Field<'_>| {
        !field.hop_by_hop
            && match field.kind {
                FieldKind::Host => !replaces_host,
                FieldKind::Expect => head.expect_continue,
                FieldKind::MaxForwards => forwarding.max_forwards.is_none(),
                FieldKind::Via => forwarding.via.is_none(),
                FieldKind::Cookie => forwarding.hides_cookie.is_none(),
                FieldKind::XRequestId | FieldKind::XForwardedFor | FieldKind::Lookalike => false,
                FieldKind::XForwardedProto
                | FieldKind::XForwardedHost
                | FieldKind::XForwardedPort
                | FieldKind::XRealIp => forwarding.trusted,
                FieldKind::Forwarded => forwarding.trusted && !forwarding.forwarded,
                kind => !names_matter || forwarding.passes_on(field.name, kind),
            }
    };
    match &forwarding.edits {
        None => {
            head.fields.write_kept(out, is_kept);
            write_client(head, forwarding, out);
        }
        Some(edits) => write_edited(head, forwarding, edits, is_kept, out),
    }
    write_hop(head, out);
    out.extend_from_slice(b"\r\n");
}

/// The client's fields and what we know of the client, with edits.
#[inline(never)]
fn write_edited(
    head: &RequestHead<'_, '_>,
    forwarding: &Forwarding<'_>,
    edits: &Edits<'_>,
    is_kept: impl Fn(&Field<'_>) -> bool,
    out: &mut Vec<u8>,
) {
    let is_kept = |field: &Field<'_>| is_kept(field) && !edits.leaves_out(field);
    head.fields.write_kept(out, is_kept);
    let start = out.len();
    write_client(head, forwarding, out);
    let may_be_copied = |field: &Field<'_>| {
        !forwarding.names_matter() || forwarding.passes_on(field.name, field.kind)
    };
    edits.apply(&head.fields, may_be_copied, start, out);
}

/// The client's `X-Request-ID`, where it is one that can be passed on and logged as it is: 1 to 128 letters, digits and
/// `-_.:+/=@`.
pub fn kept_request_id<'b>(fields: &Fields<'_, 'b>) -> Option<&'b str> {
    let value = fields.first(FieldKind::XRequestId)?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    ((1..=128).contains(&value.len()) && value.iter().all(is_plain))
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
}

fn replaces_host(head: &RequestHead<'_, '_>) -> bool {
    matches!(head.target, Target::Absolute { .. })
        || head
            .fields
            .first(FieldKind::Host)
            .is_none_or(<[u8]>::is_empty)
}

/// What we know of the client.
#[inline]
fn write_client(head: &RequestHead<'_, '_>, forwarding: &Forwarding<'_>, out: &mut Vec<u8>) {
    let mut address = AddressText { bytes: [0; 48] };
    let client = address.write(forwarding.client);
    if let Some(name) = forwarding.hides_cookie {
        cookies::write_without(name, &head.fields, out);
    }
    let trusts = |kind| forwarding.trusted && head.fields.has(kind);

    out.extend_from_slice(b"X-Forwarded-For: ");
    if forwarding.trusted {
        write_list(&head.fields, FieldKind::XForwardedFor, out);
    }
    out.extend_from_slice(client);
    out.extend_from_slice(b"\r\n");
    if !trusts(FieldKind::XForwardedProto) {
        write_field(out, "X-Forwarded-Proto", forwarding.scheme.as_bytes());
    }
    if !trusts(FieldKind::XForwardedHost) && !head.host.is_empty() {
        write_field(out, "X-Forwarded-Host", head.host.as_bytes());
    }
    write_field(out, "X-Request-ID", forwarding.request_id.as_bytes());
    if let Certificate::Shown {
        subject,
        fingerprint,
    } = forwarding.certificate
    {
        write_field(out, CERTIFICATE_SUBJECT, subject.as_bytes());
        write_field(out, CERTIFICATE_FINGERPRINT, fingerprint.as_bytes());
    }
    if let Some(vouched) = &forwarding.vouched {
        out.extend_from_slice(vouched.lines);
    }
    // One that is there already says the same, and goes on (RFC 8470, 5.1).
    if forwarding.early && head.fields.named("early-data").is_none() {
        write_field(out, "Early-Data", b"1");
    }
    if forwarding.forwarded {
        write_forwarded(head, forwarding, client, out);
    }
    if let Some(name) = forwarding.via {
        let spoken = forwarding.spoken.unwrap_or(via_version(head.version));
        write_via(&head.fields, spoken, name, out);
    }
    if let Some(left) = forwarding.max_forwards {
        // Writing to a vector cannot fail.
        let _ = write!(out, "Max-Forwards: {left}\r\n");
    }
}

/// The fields that tell of a client's certificate.
fn is_of_certificate(name: &str) -> bool {
    [CERTIFICATE_SUBJECT, CERTIFICATE_FINGERPRINT]
        .iter()
        .any(|ours| is_taken_for(ours, name))
}

const CERTIFICATE_SUBJECT: &str = "X-Client-Cert-Subject";
const CERTIFICATE_FINGERPRINT: &str = "X-Client-Cert-Fingerprint";

/// What concerns the connection to the server.
fn write_hop(head: &RequestHead<'_, '_>, out: &mut Vec<u8>) {
    let takes_trailers = accepts_trailers(&head.fields);
    match (head.upgrade, takes_trailers) {
        (Some(_), true) => out.extend_from_slice(b"Connection: upgrade, te\r\n"),
        (Some(_), false) => out.extend_from_slice(b"Connection: upgrade\r\n"),
        (None, true) => out.extend_from_slice(b"Connection: te\r\n"),
        (None, false) => {}
    }
    if let Some(protocol) = head.upgrade {
        write_field(out, "Upgrade", protocol.as_bytes());
    }
    if takes_trailers {
        out.extend_from_slice(b"TE: trailers\r\n");
    }
    if head.framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
}

/// RFC 7239, 4: `for`, `proto` and `host` of this hop, after those before it.
fn write_forwarded(
    head: &RequestHead<'_, '_>,
    forwarding: &Forwarding<'_>,
    client: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"Forwarded: ");
    if forwarding.trusted {
        write_list(&head.fields, FieldKind::Forwarded, out);
    }
    let node: (&[u8], &[u8]) = match forwarding.client {
        IpAddr::V4(_) => (b"", b""),
        IpAddr::V6(_) => (b"\"[", b"]\""),
    };
    for part in [b"for=", node.0, client, node.1, b";proto="] {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(forwarding.scheme.as_bytes());
    if !head.host.is_empty() {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(head.host.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110, 7.6.3: the protocol received and a pseudonym, after those before it.
pub(super) fn write_via(fields: &Fields<'_, '_>, version: &str, name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Via: ");
    write_list(fields, FieldKind::Via, out);
    out.extend_from_slice(version.as_bytes());
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The version as `Via` names it.
pub(super) fn via_version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    }
}

#[inline]
pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The values of all fields of that kind, each followed by a comma.
fn write_list(fields: &Fields<'_, '_>, kind: FieldKind, out: &mut Vec<u8>) {
    for field in fields.iter().filter(|field| field.kind == kind) {
        if !field.value.is_empty() {
            out.extend_from_slice(field.value);
            out.extend_from_slice(b", ");
        }
    }
}

/// RFC 9110, 10.1.4
fn accepts_trailers(fields: &Fields<'_, '_>) -> bool {
    fields.has(FieldKind::Te)
        && fields
            .iter()
            .filter(|field| field.kind == FieldKind::Te)
            .flat_map(|field| field.value.split(|byte| *byte == b','))
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Appends an IP address as text.
pub fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(AddressText { bytes: [0; 48] }.write(address));
}

/// An IP address as text, without an allocation.
struct AddressText {
    bytes: [u8; 48],
}

impl AddressText {
    fn write(&mut self, address: IpAddr) -> &[u8] {
        let length = match address {
            IpAddr::V4(address) => self.write_v4(address.octets()),
            IpAddr::V6(_) => self.format(address),
        };
        self.bytes.get(..length).unwrap_or_default()
    }

    /// Three times as fast as formatting, and done for every request.
    fn write_v4(&mut self, octets: [u8; 4]) -> usize {
        let mut length = 0;
        let mut push = |byte: u8| {
            if let Some(slot) = self.bytes.get_mut(length) {
                *slot = byte;
                length += 1;
            }
        };
        for (position, octet) in octets.into_iter().enumerate() {
            if position > 0 {
                push(b'.');
            }
            if octet >= 100 {
                push(b'0' + octet / 100);
            }
            if octet >= 10 {
                push(b'0' + octet / 10 % 10);
            }
            push(b'0' + octet % 10);
        }
        length
    }

    fn format(&mut self, address: IpAddr) -> usize {
        let room = self.bytes.len();
        let mut rest = self.bytes.as_mut_slice();
        // The longest address has 45 characters.
        let _ = write!(rest, "{address}");
        room - rest.len()
    }
}

#[cfg(test)]
mod tests;
