//! A look at an encoded field section (RFC 9204, 4.5) before it is decoded: the `h3` crate takes pseudo-fields that are
//! repeated, come late or belong to answers, and knows no `:protocol` but its own. Here the former are found, and the
//! latter is taken out.
//!
//! Names are told by their number in the static table or by their bytes, plain and in Huffman's code, of which there is
//! one for each name. What refers to a dynamic table, of which we offer none, is left for the decoder to refuse.

use bytes::Bytes;

/// What a section says in its pseudo-fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The section, without `:protocol`.
    pub encoded: Bytes,
    /// `:protocol`
    pub protocol: Option<Protocol>,
    /// `:scheme` and `:path` are there.
    pub has_target: bool,
}

/// What an extended CONNECT asks for (RFC 9220).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `websocket`
    WebSocket,
    /// Anything else.
    Other,
}

impl Protocol {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Other => "",
        }
    }
}

/// A pseudo-field is where it must not be, or there twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Looks at the section of a request.
///
/// # Errors
/// A pseudo-field is where it must not be, or there twice.
pub fn look_at(encoded: Bytes) -> Result<Section, Malformed> {
    let mut seen = Seen::default();
    let mut protocol = None;
    let mut without = None;
    let mut lines = Lines::new(&encoded);
    while let Some(line) = lines.next() {
        let kind = line.name.pseudo();
        match kind {
            None => {
                seen.fields = true;
                continue;
            }
            Some(kind) => seen.note(kind)?,
        }
        if kind == Some(Pseudo::Protocol) {
            protocol = Some(match line.value {
                Some(b"websocket" | b"\xf0\x58\xd0\x72\x75\x2a\x7f") => Protocol::WebSocket,
                _ => Protocol::Other,
            });
            without = Some((line.start, lines.position));
        }
    }
    let encoded = match without {
        None => encoded,
        Some((start, end)) => [
            encoded.get(..start).unwrap_or_default(),
            encoded.get(end..).unwrap_or_default(),
        ]
        .concat()
        .into(),
    };
    Ok(Section {
        encoded,
        protocol,
        has_target: seen.pseudo & (Pseudo::Scheme.bit() | Pseudo::Path.bit()) != 0,
    })
}

/// Whether trailers hold a pseudo-field (RFC 9114, 4.3).
pub fn has_pseudo(encoded: &Bytes) -> bool {
    let mut lines = Lines::new(encoded);
    while let Some(line) = lines.next() {
        if line.name.pseudo().is_some() {
            return true;
        }
    }
    false
}

#[derive(Default)]
struct Seen {
    pseudo: u8,
    /// Whether any other field came.
    fields: bool,
}

impl Seen {
    fn note(&mut self, kind: Pseudo) -> Result<(), Malformed> {
        let bit = kind.bit();
        if self.fields || self.pseudo & bit != 0 || kind == Pseudo::Status {
            return Err(Malformed);
        }
        self.pseudo |= bit;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pseudo {
    Authority,
    Method,
    Path,
    Protocol,
    Scheme,
    Status,
}

impl Pseudo {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The name of a field.
enum Name<'a> {
    Static(u64),
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

impl Name<'_> {
    fn pseudo(&self) -> Option<Pseudo> {
        match self {
            // RFC 9204, appendix A
            Self::Static(0) => Some(Pseudo::Authority),
            Self::Static(1) => Some(Pseudo::Path),
            Self::Static(15..=21) => Some(Pseudo::Method),
            Self::Static(22 | 23) => Some(Pseudo::Scheme),
            Self::Static(24..=28 | 63..=71) => Some(Pseudo::Status),
            Self::Static(_) => None,
            Self::Plain(name) => NAMES
                .iter()
                .find(|(plain, _, _)| plain == name)
                .map(|(_, _, kind)| *kind),
            Self::Huffman(name) => NAMES
                .iter()
                .find(|(_, coded, _)| coded == name)
                .map(|(_, _, kind)| *kind),
        }
    }
}

/// The lines of a section.
struct Lines<'a> {
    bytes: &'a [u8],
    position: usize,
}

struct Line<'a> {
    start: usize,
    name: Name<'a>,
    /// As it is encoded, where it is.
    value: Option<&'a [u8]>,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut lines = Self { bytes, position: 0 };
        // Of the dynamic table (4.5.1).
        if lines.integer(8).is_none() || lines.integer(7).is_none() {
            lines.position = bytes.len();
        }
        lines
    }

    /// The next line; `None` at the end, and where the decoder will find fault with it.
    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.position;
        let first = *self.bytes.get(start)?;
        let (name, has_value) = if first & 0x80 != 0 {
            (self.static_name(first & 0x40 != 0, 6)?, false)
        } else if first & 0x40 != 0 {
            (self.static_name(first & 0x10 != 0, 4)?, true)
        } else if first & 0x20 != 0 {
            let length = self.integer(3)?;
            let name = self.bytes(length)?;
            let name = if first & 0x08 == 0 {
                Name::Plain(name)
            } else {
                Name::Huffman(name)
            };
            (name, true)
        } else {
            return None;
        };
        let value = if has_value {
            let length = self.integer(7)?;
            Some(self.bytes(length)?)
        } else {
            None
        };
        Some(Line { start, name, value })
    }

    fn static_name(&mut self, is_static: bool, prefix: u32) -> Option<Name<'a>> {
        let index = self.integer(prefix)?;
        is_static.then_some(Name::Static(index))
    }

    /// An integer whose first byte gives it `prefix` bits (RFC 7541, 5.1).
    fn integer(&mut self, prefix: u32) -> Option<u64> {
        let most = (1_u64 << prefix) - 1;
        let mut value = u64::from(self.byte()?) & most;
        if value < most {
            return Some(value);
        }
        for shift in (0..=28).step_by(7) {
            let byte = u64::from(self.byte()?);
            value += (byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let end = self.position.checked_add(usize::try_from(length).ok()?)?;
        let bytes = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(bytes)
    }
}

/// Plain, and in the code of RFC 7541, appendix B.
const NAMES: [(&[u8], &[u8], Pseudo); 6] = [
    (
        b":authority",
        b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f",
        Pseudo::Authority,
    ),
    (b":method", b"\xb9\x49\x53\x39\xe4", Pseudo::Method),
    (b":path", b"\xb9\x58\xd3\x3f", Pseudo::Path),
    (
        b":protocol",
        b"\xb9\x5d\x87\x49\xc8\x7a\x3f",
        Pseudo::Protocol,
    ),
    (b":scheme", b"\xb8\x82\x4e\x5a\x4b", Pseudo::Scheme),
    (b":status", b"\xb8\x84\x8d\x36\xa3", Pseudo::Status),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The prefix, then `lines`.
    fn section(lines: &[&[u8]]) -> Bytes {
        [&b"\0\0"[..], &lines.concat()].concat().into()
    }

    const GET: &[u8] = b"\xd1";
    const HTTPS: &[u8] = b"\xd7";
    const ROOT: &[u8] = b"\xc1";
    const HOST: &[u8] = b"\x50\x01a";
    /// `accept: */*`
    const FIELD: &[u8] = b"\xdd";
    const PLAIN_PATH: &[u8] = b"\x25:path\x01/";
    const CODED_PATH: &[u8] = b"\x2c\xb9\x58\xd3\x3f\x01/";

    #[test]
    fn pseudo_fields_come_first_and_once() {
        let good: &[&[&[u8]]] = &[
            &[GET, HTTPS, ROOT, HOST, FIELD, FIELD],
            &[PLAIN_PATH, GET, HTTPS, HOST],
            &[CODED_PATH, HOST],
            &[],
        ];
        for lines in good {
            let section = section(lines);
            let seen = look_at(section.clone()).expect("good");
            assert_eq!(seen.encoded, section);
        }
        let bad: &[&[&[u8]]] = &[
            &[GET, GET],
            &[GET, HTTPS, ROOT, ROOT],
            &[GET, HTTPS, ROOT, CODED_PATH],
            &[PLAIN_PATH, CODED_PATH],
            &[GET, FIELD, HTTPS],
            &[GET, HTTPS, FIELD, PLAIN_PATH],
            // :status 200
            &[GET, b"\xd9"],
            &[GET, HTTPS, ROOT, HOST, HOST],
        ];
        for lines in bad {
            assert_eq!(look_at(section(lines)), Err(Malformed), "{lines:?}");
        }
    }

    #[test]
    fn the_protocol_is_taken_out() {
        let plain: &[u8] = b"\x27\x02:protocol\x09websocket";
        let coded: &[u8] = b"\x2f\x00\xb9\x5d\x87\x49\xc8\x7a\x3f\x87\xf0\x58\xd0\x72\x75\x2a\x7f";
        let other: &[u8] = b"\x27\x02:protocol\x04else";
        for (line, protocol) in [
            (plain, Protocol::WebSocket),
            (coded, Protocol::WebSocket),
            (other, Protocol::Other),
        ] {
            let seen = look_at(section(&[b"\xcf", line, HTTPS, FIELD])).expect("good");
            assert_eq!(seen.protocol, Some(protocol));
            assert_eq!(seen.encoded, section(&[b"\xcf", HTTPS, FIELD]));
            assert!(look_at(section(&[line, line])).is_err());
        }
    }

    #[test]
    fn trailers_have_none() {
        assert!(!has_pseudo(&section(&[FIELD])));
        assert!(has_pseudo(&section(&[FIELD, CODED_PATH])));
    }

    #[test]
    fn what_is_cut_off_is_left_to_the_decoder() {
        let whole = section(&[GET, HOST, PLAIN_PATH, b"\x27\x02:protocol\x09websocket"]);
        for length in 0..whole.len() {
            let _ = look_at(whole.slice(..length));
        }
    }
}
