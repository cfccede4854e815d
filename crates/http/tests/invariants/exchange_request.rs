//! Requests of HTTP/2 and HTTP/3 as heads of HTTP/1.1: any fields in, and what the strict parser makes of the text says the
//! same, or nothing.
//!
//! The input is `b` for a request with a body, then its fields: each begins with a byte FF, and FE stands between its name
//! and its value.

use std::collections::BTreeMap;

use sluice_http::exchange::{DraftedRequest, RequestBody, RequestDraft};
use sluice_wire::h1::{self, FieldStorage, Framing, Limits, parse_request};

const LIMITS: Limits = Limits {
    max_head: 1 << 20,
    max_target: 1 << 20,
    max_fields: h1::MAX_FIELDS,
};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let Some(asked) = Asked::read(input) else {
        return;
    };
    let mut text = b"before".to_vec();
    let mut draft = RequestDraft::default();
    draft.clear(1 << 20);
    for (name, value) in &asked.fields {
        draft.take(name, value, &mut text);
    }
    let Ok(drafted) = draft.finish(asked.has_body, || "KEY".to_owned(), &mut text) else {
        return;
    };
    let text = text.strip_prefix(b"before").expect("it appends");
    check_lines(text);
    let mut storage = FieldStorage::new();
    // What the parser refuses reaches nobody.
    let Ok(head) = parse_request(text, &mut storage, &LIMITS) else {
        return;
    };
    let head = head.expect("what we write is whole");
    assert_eq!(head.len, text.len(), "something hides behind the head");
    asked.check_head(&head, drafted);
}

/// Lines end in CR LF and have no CR, LF or NUL within; the only empty one is the last.
fn check_lines(text: &[u8]) {
    let ends = text.windows(4).filter(|window| window == b"\r\n\r\n");
    assert!(text.ends_with(b"\r\n\r\n") && ends.count() == 1);
    assert!(!text.starts_with(b"\r\n") && !text.contains(&0));
    for pair in text.windows(2) {
        assert_eq!(pair[0] == b'\r', pair[1] == b'\n', "CR or LF alone");
    }
}

/// A request as it is decoded.
struct Asked {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    has_body: bool,
}

impl Asked {
    fn read(input: &[u8]) -> Option<Self> {
        let mut pieces = input.split(|byte| *byte == 0xFF);
        let has_body = pieces.next()? == b"b";
        let fields = pieces.map(|piece| {
            let at = piece.iter().position(|byte| *byte == 0xFE)?;
            Some((piece[..at].to_vec(), piece[at + 1..].to_vec()))
        });
        Some(Self {
            fields: fields.collect::<Option<_>>()?,
            has_body,
        })
    }

    /// The only value of a pseudo-field.
    fn pseudo(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.fields.iter().filter(|(it, _)| it == name.as_bytes());
        let value = values.next().map(|(_, value)| &**value);
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    /// The values of the fields that are no pseudo-fields, by their names.
    fn values(&self) -> BTreeMap<&[u8], Vec<&[u8]>> {
        let mut values = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in &self.fields {
            let is_pseudo = name.starts_with(b":");
            assert!(!is_pseudo || values.is_empty(), "a late pseudo-field");
            if !is_pseudo {
                values.entry(&**name).or_default().push(&**value);
            }
        }
        values
    }

    fn check_head(&self, head: &h1::RequestHead<'_, '_>, drafted: DraftedRequest) {
        let method = self.pseudo(":method").expect("a method");
        let is_tunnel = self.pseudo(":protocol").is_some();
        assert_eq!(is_tunnel, drafted.kind == RequestBody::Tunnel);
        assert_eq!(drafted.is_head, method == b"HEAD");
        assert!(!is_tunnel || method == b"CONNECT");
        let method = if is_tunnel { b"GET" } else { method };
        assert_eq!(head.method.as_str().as_bytes(), method);
        if let Some(path) = self.pseudo(":path") {
            // The parser's own form of it is checked where the parser is.
            assert!(head.target.origin_form().as_bytes() == path || path == b"*");
            let scheme = self.pseudo(":scheme").expect("a scheme");
            assert!(scheme == b"http" || scheme == b"https");
        } else {
            assert_eq!(method, b"CONNECT");
            assert_eq!(self.pseudo(":scheme"), None);
        }
        let values = self.values();
        let host = values.get(&b"host"[..]).map(|hosts| hosts[0]);
        let host = self.pseudo(":authority").or(host);
        assert_eq!(Some(head.host.as_bytes()), host);
        let count = Self::check_fields(head, &values, is_tunnel);
        let said = values.get(&b"content-length"[..]).map(|said| {
            let said = std::str::from_utf8(said[0]).expect("digits");
            said.parse().expect("digits")
        });
        let (framing, added) = self.framing(head, drafted, said);
        assert_eq!(head.framing, framing);
        assert_eq!(head.fields.iter().count(), count + added, "another field");
    }

    /// All fields are there, and say the same; how many lines they take.
    fn check_fields(
        head: &h1::RequestHead<'_, '_>,
        values: &BTreeMap<&[u8], Vec<&[u8]>>,
        is_tunnel: bool,
    ) -> usize {
        // The host.
        let mut count = 1;
        for (name, values) in values {
            if *name == b"host" || (is_tunnel && *name == b"sec-websocket-key") {
                continue;
            }
            assert!(!OF_CONNECTION.contains(name));
            let values = match *name {
                // A last crumb may be empty.
                b"cookie" => vec![values.join(&b"; "[..]).trim_ascii_end().to_vec()],
                b"content-length" => vec![values[0].to_vec()],
                _ => values.iter().map(|value| value.to_vec()).collect(),
            };
            let seen = head.fields.iter();
            let seen = seen.filter(|field| field.name.as_bytes() == *name);
            let seen: Vec<_> = seen.map(|field| field.value.to_vec()).collect();
            // An empty cookie says nothing.
            if *name == b"cookie" && seen.is_empty() && values == [b""] {
                continue;
            }
            assert_eq!(seen, values, "{}", String::from_utf8_lossy(name));
            count += values.len();
        }
        count
    }

    /// How the body has to follow, and how many fields were added for it.
    fn framing(
        &self,
        head: &h1::RequestHead<'_, '_>,
        drafted: DraftedRequest,
        said: Option<u64>,
    ) -> (Framing, usize) {
        match drafted.kind {
            RequestBody::Tunnel => {
                assert_eq!(head.upgrade, Some("websocket"));
                (head.framing, 3)
            }
            RequestBody::Chunked => (Framing::Chunked, 1),
            RequestBody::AsIs => (Framing::Length(said.expect("a length")), 0),
            RequestBody::None => {
                assert!(!self.has_body);
                match (said, head.framing) {
                    (Some(said), _) => {
                        assert_eq!(said, 0, "what was said does not come");
                        (Framing::Length(0), 0)
                    }
                    (None, Framing::Length(_)) => (Framing::Length(0), 1),
                    (None, _) => (Framing::None, 0),
                }
            }
        }
    }
}

const OF_CONNECTION: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];
