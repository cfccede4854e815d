//! Response heads: any bytes in, and what must hold of the verdict.

use sluice_wire::h1::{
    FieldKind, FieldStorage, Framing, Limits, ResponseHead, Version, parse_response,
};

const LIMITS: Limits = Limits {
    max_head: 4096,
    max_target: 0,
    max_fields: 64,
};

/// For heads put together from accepted ones, which may come out a little longer.
const WIDE: Limits = Limits {
    max_head: 2 * LIMITS.max_head,
    max_target: 2 * LIMITS.max_target,
    max_fields: 2 * LIMITS.max_fields,
};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    for to_head in [false, true] {
        let mut storage = FieldStorage::new();
        match parse_response(input, &mut storage, &LIMITS, to_head) {
            Ok(Some(head)) => check_head(input, &head, to_head),
            Ok(None) => assert!(
                input.len() < LIMITS.max_head,
                "a head beyond the limit is refused"
            ),
            Err(error) => assert_eq!(error.status(), 502, "{}", error.reason()),
        }
    }
}

fn check_head(input: &[u8], head: &ResponseHead<'_, '_>, to_head: bool) {
    assert!(head.len <= input.len() && head.len <= LIMITS.max_head);
    let bytes = &input[..head.len];
    assert!(bytes.ends_with(b"\r\n\r\n"));
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => assert_eq!(bytes[at - 1], b'\r', "LF alone"),
            b'\r' => assert_eq!(bytes[at + 1], b'\n', "CR alone"),
            b'\t' | 0x20..=0x7E | 0x80.. => {}
            _ => panic!("control byte {byte:#x} in an accepted head"),
        }
    }
    assert!((100..=599).contains(&head.status));
    let no_body = to_head || head.status < 200 || head.status == 204 || head.status == 304;
    assert_eq!(head.framing == Framing::None, no_body);
    let of_kind = |kind| {
        head.fields
            .iter()
            .filter(|field| field.kind == kind)
            .count()
    };
    let (lengths, codings) = (
        of_kind(FieldKind::ContentLength),
        of_kind(FieldKind::TransferEncoding),
    );
    assert!(lengths + codings <= 1);
    match head.framing {
        Framing::None => {}
        Framing::Length(_) => assert_eq!(lengths, 1),
        Framing::Chunked => assert_eq!((codings, head.version), (1, Version::Http11)),
        Framing::UntilClose => assert!(!head.persistent && lengths + codings == 0),
    }
    check_rewritten(head, to_head);
}

/// A head put together from the parts says the same, and putting it together again changes nothing.
fn check_rewritten(head: &ResponseHead<'_, '_>, to_head: bool) {
    let first = rewrite(head);
    let mut storage = FieldStorage::new();
    let again = parse_response(&first, &mut storage, &WIDE, to_head)
        .expect("what we write, we accept")
        .expect("what we write is whole");
    assert_eq!(again.len, first.len());
    assert_eq!((again.status, again.framing), (head.status, head.framing));
    assert_eq!(rewrite(&again), first);
}

fn rewrite(head: &ResponseHead<'_, '_>) -> Vec<u8> {
    let mut out = format!(
        "{} {} {}\r\n",
        head.version.as_str(),
        head.status,
        head.reason
    )
    .into_bytes();
    if head.framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    head.fields.write_kept(&mut out, |field| {
        assert!(!field.hop_by_hop);
        true
    });
    out.extend_from_slice(b"\r\n");
    out
}
