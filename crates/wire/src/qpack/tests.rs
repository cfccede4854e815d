//! Sections in and out.

use proptest::prelude::*;

use super::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn decoded(section: &[u8]) -> Result<Fields, DecodeError> {
    let mut fields = Vec::new();
    decode(section, &mut Vec::new(), |name, value| {
        fields.push((name.to_vec(), value.to_vec()));
    })?;
    Ok(fields)
}

fn fields(table: &[(&str, &str)]) -> Fields {
    table
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// The first example of RFC 9204, appendix B.1.
#[test]
fn a_name_by_number_with_a_value() {
    let section = b"\x00\x00\x51\x0b/index.html";
    assert_eq!(decoded(section), Ok(fields(&[(":path", "/index.html")])));
}

#[test]
fn the_forms_of_a_field() {
    let table: &[(&[u8], &str, &str)] = &[
        (b"\xd1", ":method", "GET"),
        (b"\xff\x23", "x-frame-options", "sameorigin"),
        (b"\x5f\x50\x03abc", "user-agent", "abc"),
        (b"\x71\x02/a", ":path", "/a"),
        (b"\x23abc\x01d", "abc", "d"),
        // `custom-key`, `custom-value` in the Huffman code (RFC 7541, C.4.3).
        (
            b"\x2f\x01\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
            "custom-key",
            "custom-value",
        ),
    ];
    for (line, name, value) in table {
        let section = [b"\0\0", *line].concat();
        assert_eq!(decoded(&section), Ok(fields(&[(name, value)])), "{name}");
    }
}

#[test]
fn what_is_no_section() {
    let table: &[(&[u8], DecodeError)] = &[
        (b"", DecodeError::Truncated),
        (b"\0", DecodeError::Truncated),
        (b"\x01\0", DecodeError::Dynamic),
        (b"\0\0\x80", DecodeError::Dynamic),
        (b"\0\0\x40\x00", DecodeError::Dynamic),
        (b"\0\0\x10", DecodeError::Dynamic),
        (b"\0\0\x00\x00", DecodeError::Dynamic),
        (b"\0\0\xff\x24", DecodeError::Index),
        (b"\0\0\x51\x05abc", DecodeError::Truncated),
        (b"\0\0\x51", DecodeError::Truncated),
        (
            b"\0\0\x27\xff\xff\xff\xff\xff\xff\xff",
            DecodeError::Truncated,
        ),
        (b"\0\0\x51\x81\x00", DecodeError::Huffman),
    ];
    for (section, error) in table {
        assert_eq!(decoded(section), Err(*error), "{section:?}");
    }
}

#[test]
fn what_everybody_knows_takes_a_byte_or_two() {
    let mut out = Vec::new();
    Encoder.begin(&mut out);
    Encoder.status(200, &mut out);
    Encoder.status(404, &mut out);
    Encoder.method("GET", &mut out);
    Encoder.scheme(true, &mut out);
    Encoder.field(b"vary", b"origin", &mut out);
    assert_eq!(out, b"\0\0\xd9\xdb\xd1\xd7\xfc");
}

#[test]
fn the_whole_static_table_is_found() {
    for index in 0..99 {
        let (name, value) = static_table::field(index).expect("a field");
        let mut section = Vec::new();
        Encoder.begin(&mut section);
        Encoder.field(name, value, &mut section);
        assert!(section.len() <= 4, "{index}");
        assert_eq!(decoded(&section), Ok(vec![(name.to_vec(), value.to_vec())]));
    }
    assert_eq!(static_table::field(99), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        fields in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
        status in 100..1000_u16,
    ) {
        let mut section = Vec::new();
        Encoder.begin(&mut section);
        Encoder.status(status, &mut section);
        for (name, value) in &fields {
            Encoder.field(name, value, &mut section);
        }
        let mut expected = vec![(b":status".to_vec(), status.to_string().into_bytes())];
        expected.extend(fields);
        prop_assert_eq!(decoded(&section), Ok(expected));
    }
}
