//! Messages of HTTP/3 (RFC 9114), with heads in QPACK (RFC 9204) that spell everything out: nothing is to be remembered.

use crate::load::h2::integer;

/// A `GET` of `path` with `fields` beside the pseudo-fields, as it goes on a stream of its own.
pub(super) fn get(host: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    // Nothing is remembered, so neither count nor base.
    let mut block = vec![0, 0];
    for index in [METHOD_GET, SCHEME_HTTPS] {
        integer(&mut block, 0xc0, 6, index);
    }
    for (index, value) in [(AUTHORITY, host), (PATH, path)] {
        integer(&mut block, 0x50, 4, index);
        string(&mut block, 0, 7, value);
    }
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        match place_of(&name) {
            Some(index) => integer(&mut block, 0x50, 4, index),
            None => string(&mut block, 0x20, 3, &name),
        }
        string(&mut block, 0, 7, value);
    }
    let mut out = Vec::new();
    put(&mut out, HEADERS, &block);
    out
}

/// What the client says first, on a stream of its own: that it has no settings.
pub(super) fn control() -> Vec<u8> {
    let mut out = vec![CONTROL_STREAM];
    put(&mut out, SETTINGS, &[]);
    out
}

/// Looks at a whole answer: the length of its body, where its status is 200.
pub(super) fn body_length(mut answer: &[u8]) -> Result<usize, &'static str> {
    let mut length = 0;
    let mut headed = false;
    while !answer.is_empty() {
        let (kind, payload) = next(&mut answer).ok_or("a frame was cut short")?;
        if kind == u64::from(HEADERS) && !headed {
            headed = true;
            // Two bytes of what the head builds on; the status comes first.
            if payload.get(2) != Some(&STATUS_200) {
                return Err("the answer is not 200");
            }
        } else if kind == u64::from(DATA) {
            length += payload.len();
        }
    }
    if headed {
        Ok(length)
    } else {
        Err("an answer without a head")
    }
}

/// The place of a field's name in the table that everybody knows, if it is in there.
fn place_of(name: &str) -> Option<usize> {
    Some(match name {
        "cookie" => 5,
        "referer" => 13,
        "accept" => 29,
        "accept-encoding" => 31,
        "accept-language" => 72,
        "user-agent" => 95,
        _ => return None,
    })
}

/// Takes the first frame off `bytes`: its kind and what is in it.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let kind = number(bytes)?;
    let length = usize::try_from(number(bytes)?).ok()?;
    let (payload, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((kind, payload))
}

/// Takes a number of variable length off `bytes` (RFC 9000, 16).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let length = 1 << (bytes.first()? >> 6);
    let (number, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let all = number
        .iter()
        .fold(0u64, |all, &byte| all << 8 | u64::from(byte));
    Some(all & (u64::MAX >> (66 - 8 * length)))
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    // Always in two bytes, which hold more than any head here has.
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX) & 0x3fff;
    out.extend_from_slice(&(length | 0x4000).to_be_bytes());
    out.extend_from_slice(payload);
}

fn string(out: &mut Vec<u8>, pattern: u8, bits: u8, text: &str) {
    integer(out, pattern, bits, text.len());
    out.extend_from_slice(text.as_bytes());
}

const CONTROL_STREAM: u8 = 0;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// Places in the table that everybody knows.
const AUTHORITY: usize = 0;
const PATH: usize = 1;
const METHOD_GET: usize = 17;
const SCHEME_HTTPS: usize = 23;
/// `:status: 200` by its place, as everybody sends it.
const STATUS_200: u8 = 0xc0 + 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_frame_that_spells_its_fields_out() {
        let bytes = get("a", "/1", &[("Cookie", "c"), ("X", "y")]);
        let block = [
            0, 0, 0xd1, 0xd7, 0x50, 1, b'a', 0x51, 2, b'/', b'1', 0x55, 1, b'c', 0x21, b'x', 1,
            b'y',
        ];
        let mut rest = bytes.as_slice();
        assert_eq!(next(&mut rest), Some((1, block.as_slice())));
        assert!(rest.is_empty());
    }

    #[test]
    fn numbers_have_one_to_eight_bytes() {
        let taken = |mut bytes: &[u8]| number(&mut bytes);
        assert_eq!(taken(&[37]), Some(37));
        assert_eq!(taken(&[0x7b, 0xbd]), Some(15_293));
        assert_eq!(taken(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(
            taken(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            Some(151_288_809_941_952_652)
        );
        assert_eq!(taken(&[0x7b]), None);
    }

    #[test]
    fn an_answer_has_to_be_200_and_whole() {
        let answer = [1, 3, 0, 0, 0xd9, 0, 2, b'o', b'k', 0, 1, b'!'];
        assert_eq!(body_length(&answer), Ok(3));
        assert!(body_length(&answer[..8]).is_err());
        assert!(body_length(&[1, 3, 0, 0, 0xda]).is_err());
        assert!(body_length(&[]).is_err());
    }
}
