//! Request heads: any bytes in, and what must hold of the verdict.

use sluice_wire::h1::{
    FieldKind, FieldStorage, Framing, Limits, RequestError, RequestHead, Version, parse_request,
};

const LIMITS: Limits = Limits {
    max_head: 4096,
    max_target: 1024,
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
    let mut storage = FieldStorage::new();
    let whole = parse_request(input, &mut storage, &LIMITS);
    match &whole {
        Ok(Some(head)) => check_head(input, head),
        Ok(None) => assert!(
            input.len() < LIMITS.max_head,
            "a head beyond the limit is refused"
        ),
        Err(error) => {
            assert!(matches!(error.status(), 400 | 414 | 431 | 501 | 505));
            assert!(!error.reason().is_empty());
        }
    }
    check_beginnings(input, &whole);
}

/// What was decided about a beginning stays decided.
fn check_beginnings(input: &[u8], whole: &Result<Option<RequestHead<'_, '_>>, RequestError>) {
    for len in (0..input.len()).rev().take(64) {
        let mut storage = FieldStorage::new();
        match (parse_request(&input[..len], &mut storage, &LIMITS), whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (Ok(Some(early)), Ok(Some(late))) => assert_eq!(early.len, late.len),
            (early, _) => panic!("decided {early:?} at {len}, then {whole:?}"),
        }
    }
}

fn check_head(input: &[u8], head: &RequestHead<'_, '_>) {
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
    let of_kind = |kind| {
        head.fields
            .iter()
            .filter(|field| field.kind == kind)
            .count()
    };
    let lengths = of_kind(FieldKind::ContentLength);
    let codings = of_kind(FieldKind::TransferEncoding);
    match head.framing {
        Framing::None => assert_eq!((lengths, codings), (0, 0)),
        Framing::Length(length) => {
            assert_eq!((lengths, codings), (1, 0));
            assert!(i64::try_from(length).is_ok());
        }
        Framing::Chunked => {
            assert_eq!((lengths, codings), (0, 1));
            assert_eq!(head.version, Version::Http11);
        }
        Framing::UntilClose => panic!("a request is never delimited by close"),
    }
    assert!(of_kind(FieldKind::Host) <= 1);
    assert!(!head.host.is_empty() || head.version == Version::Http10);
    assert!(!head.host.contains(['@', '/', '?', '#', ' ']));
    assert!(
        head.target
            .origin_form()
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    );
    check_rewritten(head);
}

/// A head put together from the parts says the same, and putting it together again changes nothing.
fn check_rewritten(head: &RequestHead<'_, '_>) {
    let first = rewrite(head);
    let mut storage = FieldStorage::new();
    let again = parse_request(&first, &mut storage, &WIDE)
        .expect("what we write, we accept")
        .expect("what we write is whole");
    assert_eq!(again.len, first.len());
    assert_eq!(again.method, head.method);
    assert_eq!(again.host, head.host);
    assert_eq!(again.framing, head.framing);
    assert_eq!(again.target.path(), head.target.path());
    assert_eq!(again.target.query(), head.target.query());
    assert_eq!(rewrite(&again), first);
}

fn rewrite(head: &RequestHead<'_, '_>) -> Vec<u8> {
    let mut out = format!(
        "{} {} {}\r\n",
        head.method,
        head.target.origin_form(),
        head.version.as_str()
    )
    .into_bytes();
    if !head.host.is_empty() {
        out.extend_from_slice(format!("Host: {}\r\n", head.host).as_bytes());
    }
    if head.framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    head.fields.write_kept(&mut out, |field| {
        assert!(!field.hop_by_hop);
        field.kind != FieldKind::Host
    });
    out.extend_from_slice(b"\r\n");
    out
}
