//! From fields to heads, and what is malformed.

use super::*;

const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "a.example"),
];

/// The head and what is said of the body; as HTTP/1.1 has them.
fn drafted(fields: &[(&str, &str)], has_body: bool) -> Result<(String, RequestBody), Refusal> {
    let (mut draft, mut head) = (RequestDraft::default(), Vec::new());
    draft.clear(1000);
    for (name, value) in fields {
        draft.take(name.as_bytes(), value.as_bytes(), &mut head);
    }
    let drafted = draft.finish(has_body, || "key".to_owned(), &mut head)?;
    Ok((String::from_utf8(head).expect("text"), drafted.kind))
}

fn get_with(fields: &[(&str, &str)]) -> Result<(String, RequestBody), Refusal> {
    drafted(&[GET, fields].concat(), false)
}

#[test]
fn fields_become_a_head() {
    let text = |fields: &[(&str, &str)], has_body| drafted(fields, has_body).expect("a request");
    let head = "GET / HTTP/1.1\r\nhost: a.example\r\n";
    assert_eq!(text(GET, false), (format!("{head}\r\n"), RequestBody::None));
    let fields = [
        GET,
        &[
            ("x", "1"),
            ("cookie", "a=1"),
            ("te", "trailers"),
            ("cookie", "b=2"),
            ("host", "A.example"),
        ],
    ]
    .concat();
    assert_eq!(
        text(&fields, true),
        (
            format!(
                "{head}x: 1\r\nte: trailers\r\ncookie: a=1; b=2\r\ntransfer-encoding: chunked\r\n\r\n"
            ),
            RequestBody::Chunked
        )
    );
    let fields = [GET, &[("content-length", "5"), ("content-length", "5")]].concat();
    assert_eq!(
        text(&fields, true),
        (
            format!("{head}content-length: 5\r\n\r\n"),
            RequestBody::AsIs
        )
    );
    let fields = [
        (":path", "/p?q"),
        (":scheme", "http"),
        (":method", "POST"),
        ("host", "b"),
    ];
    assert_eq!(
        text(&fields, false),
        (
            "POST /p?q HTTP/1.1\r\nhost: b\r\ncontent-length: 0\r\n\r\n".to_owned(),
            RequestBody::None
        )
    );
    let fields = [(":method", "CONNECT"), (":authority", "a:1")];
    assert_eq!(
        text(&fields, false).0,
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n"
    );
}

#[test]
fn an_extended_connect_becomes_an_upgrade() {
    let fields = [
        &[(":protocol", "websocket"), (":method", "CONNECT")],
        &GET[1..],
        &[
            ("sec-websocket-key", "theirs"),
            ("sec-websocket-version", "13"),
        ],
    ]
    .concat();
    let (head, kind) = drafted(&fields, true).expect("a request");
    assert_eq!(kind, RequestBody::Tunnel);
    assert_eq!(
        head,
        "GET / HTTP/1.1\r\nhost: a.example\r\nsec-websocket-version: 13\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: key\r\n\r\n"
    );
    let mut other = fields;
    other[0].1 = "webtransport";
    assert_eq!(drafted(&other, true), Err(Refusal::Protocol));
}

#[test]
fn a_host_that_differs_is_left_to_the_parser() {
    let (head, _) = get_with(&[("host", "b.example")]).expect("a request");
    assert_eq!(
        head,
        "GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n"
    );
}

#[test]
fn a_fragment_is_left_to_the_parser_too() {
    let fields = [GET[0], GET[1], (":path", "/a#b"), GET[3]];
    let (head, _) = drafted(&fields, false).expect("a request");
    assert!(head.starts_with("GET /a#b HTTP/1.1\r\n"), "{head}");
}

#[test]
fn malformed_fields_are_refused() {
    let table: &[&[(&str, &str)]] = &[
        &[("connection", "close")],
        &[("keep-alive", "1")],
        &[("proxy-connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "h2c")],
        &[("te", "gzip")],
        &[("X", "a")],
        &[("", "a")],
        &[("a b", "c")],
        &[("a:", "c")],
        &[("x", "a\r\nb: c")],
        &[("x", "a\nb")],
        &[("x", "a\0")],
        &[("x", " a")],
        &[("x", "a\t")],
        &[("content-length", "x")],
        &[("content-length", "")],
        &[("content-length", "+1")],
        &[("content-length", "1"), ("content-length", "2")],
        &[("content-length", "99999999999999999999")],
        // Said, but nothing follows.
        &[("content-length", "1")],
        &[("x", "a"), (":path", "/late")],
        &[(":path", "/again")],
        &[(":status", "200")],
        &[(":what", "a")],
        &[(":protocol", "websocket")],
    ];
    for fields in table {
        assert_eq!(get_with(fields), Err(Refusal::Malformed), "{fields:?}");
    }
}

#[test]
fn malformed_first_lines_are_refused() {
    let table: &[(&str, &str)] = &[
        (":method", "GET / HTTP/1.1\r\nx:"),
        (":method", "G ET"),
        (":method", ""),
        (":path", ""),
        (":path", "no-slash"),
        (":path", "/a b"),
        (":path", "/\r\nx: y"),
        (":path", "http://a.example/"),
        (":authority", "a\r\nx: y"),
        (":scheme", "ftp"),
        (":scheme", ""),
        // Without its other half it is no CONNECT.
        (":method", "CONNECT"),
    ];
    for (name, value) in table {
        let fields: Vec<_> = GET
            .iter()
            .map(|(known, usual)| (*known, if known == name { *value } else { *usual }))
            .collect();
        let refused = drafted(&fields, false);
        assert_eq!(refused, Err(Refusal::Malformed), "{name} {value:?}");
    }
    for missing in [":method", ":path", ":scheme"] {
        let fields: Vec<_> = GET
            .iter()
            .copied()
            .filter(|(name, _)| *name != missing)
            .collect();
        assert_eq!(
            drafted(&fields, false),
            Err(Refusal::Malformed),
            "{missing}"
        );
        let with_field = [&fields[..], &[("x", "y")]].concat();
        assert_eq!(drafted(&with_field, false), Err(Refusal::Malformed));
    }
    assert_eq!(
        drafted(&[(":method", "CONNECT")], false),
        Err(Refusal::Malformed)
    );
}

#[test]
fn too_many_fields_are_refused_and_cost_nothing() {
    let long = "a".repeat(300);
    let (mut draft, mut head) = (RequestDraft::default(), Vec::new());
    draft.clear(1000);
    for (name, value) in GET.iter().chain(&[("x", long.as_str()); 100]) {
        draft.take(name.as_bytes(), value.as_bytes(), &mut head);
    }
    let refused = draft.finish(false, String::new, &mut head);
    assert_eq!(refused.map(|_| ()), Err(Refusal::TooLarge));
    assert!(head.len() < 1000);
    // The draft is good for the next one.
    draft.clear(1000);
    for (name, value) in GET {
        draft.take(name.as_bytes(), value.as_bytes(), &mut head);
    }
    assert!(draft.finish(false, String::new, &mut head).is_ok());
}
