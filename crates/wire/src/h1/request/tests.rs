//! Raw bytes in, verdict out; each also byte by byte.

use super::parse_request;
use crate::h1::{
    FieldKind, FieldStorage, Framing, Limits, MAX_FIELDS, Method, RequestHead, Target, Version,
};

mod refused;

const LIMITS: Limits = Limits {
    max_head: 2048,
    max_target: 256,
    max_fields: 20,
};

/// Parses, and shows the facts in a line: `GET example.org / 1.1 none keep`.
fn verdict(input: &[u8]) -> String {
    let mut storage = FieldStorage::new();
    match parse_request(input, &mut storage, &LIMITS) {
        Ok(Some(head)) => facts(&head),
        Ok(None) => "partial".to_owned(),
        Err(error) => format!("{} {}", error.status(), error.reason()),
    }
}

fn facts(head: &RequestHead<'_, '_>) -> String {
    let version = match head.version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let framing = match head.framing {
        Framing::None => "none".to_owned(),
        Framing::Length(length) => length.to_string(),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => unreachable!("requests are never delimited by close"),
    };
    let persistent = if head.persistent { "keep" } else { "close" };
    let mut line = format!(
        "{} {} {} {version} {framing} {persistent}",
        head.method,
        head.host,
        head.target.origin_form()
    );
    if head.expect_continue {
        line.push_str(" expect");
    }
    if let Some(protocol) = head.upgrade {
        line.push_str(" upgrade=");
        line.push_str(protocol);
    }
    line
}

/// Whole, at every length, and with more behind it.
fn check(input: &[u8], expected: &str) {
    let shown = String::from_utf8_lossy(input).into_owned();
    assert_eq!(verdict(input), expected, "{shown:?}");
    let mut decided = None;
    for len in 0..=input.len() {
        let so_far = verdict(&input[..len]);
        match &decided {
            None if so_far == "partial" => {}
            None => decided = Some(so_far),
            // Later bytes must not change what was decided.
            Some(earlier) => assert_eq!(&so_far, earlier, "{shown:?} at {len}"),
        }
    }
    let fallback = "partial".to_owned();
    let decided = decided.unwrap_or(fallback);
    assert_eq!(decided, expected, "{shown:?} byte by byte");
    if expected != "partial" {
        let mut more = input.to_vec();
        more.extend_from_slice(b"GET /next HTTP/1.1\r\n\nX\0");
        assert_eq!(verdict(&more), expected, "{shown:?} with more behind it");
    }
}

#[test]
fn accepted() {
    let table: &[(&str, &str)] = &[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET a / 1.1 none keep"),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET a / 1.1 none keep"),
        (
            "\r\nPOST /b?c HTTP/1.9\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST a /b?c 1.1 chunked keep",
        ),
        (
            "GET /a?b HTTP/1.1\r\nhost:a:8080\r\n\r\n",
            "GET a:8080 /a?b 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHOST: \t a \t\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "GET  / 1.0 none close"),
        (
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET a / 1.0 none close",
        ),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET  / 1.0 none keep",
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            "GET  / 1.0 none close",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET a / 1.1 none close",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
            "GET a / 1.1 none close",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            "GET a / 1.1 none close",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: , ,\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST a / 1.1 5 keep",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST a / 1.1 0 keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "GET a / 1.1 5 keep",
        ),
        (
            "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
            "POST  / 1.0 5 close",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST a / 1.1 chunked keep",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:CHUNKED \r\n\r\n",
            "POST a / 1.1 chunked keep",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n",
            "PUT a / 1.1 5 keep expect",
        ),
        (
            "PUT / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            "PUT a / 1.0 5 close",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: tea\r\n\r\n",
            "PUT a / 1.1 5 keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET a / 1.1 none keep upgrade=websocket",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: x/1, y\r\n\r\n",
            "GET a / 1.1 none keep upgrade=x/1, y",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\nUpgrade: c\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n",
            "GET a / 1.0 none close",
        ),
        (
            "GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET b /c?d 1.1 none keep",
        ),
        (
            "GET http://b:81?d HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET b:81 /?d 1.1 none keep",
        ),
        (
            "GET HTTPS://[::1]:81 HTTP/1.0\r\n\r\n",
            "GET [::1]:81 / 1.0 none close",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS a * 1.1 none keep",
        ),
        (
            "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS b * 1.1 none keep",
        ),
        (
            "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
            "CONNECT b:443 b:443 1.1 none keep",
        ),
        (
            "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PROPFIND a / 1.1 none keep",
        ),
        (
            "!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n",
            "!#$%&'*+-.^_`|~9 a / 1.1 none keep",
        ),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "get a / 1.1 none keep"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\nZ: a:b\tc\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\u{4e16}\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~: 1\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\nX_Y: 2\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        // Close cousins of framing fields are plain fields, and passed on as such.
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
            "GET a / 1.1 none keep",
        ),
    ];
    for (input, expected) in table {
        check(input.as_bytes(), expected);
    }
}

#[test]
fn partial() {
    for input in [
        "",
        "\r",
        "\r\n",
        "\r\n\r\n\r\n\r\n",
        "G",
        "GET",
        "GET ",
        "GET /",
        "GET / HTTP/1.",
        "GET / HTTP/1.1\r",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        check(input.as_bytes(), "partial");
    }
}

#[test]
fn limits() {
    let target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(len - 1));
    assert!(verdict(target(256).as_bytes()).starts_with("GET a /aa"));
    check(target(257).as_bytes(), "414 target-too-long");
    check(
        format!("GET /{}", "a".repeat(300)).as_bytes(),
        "414 target-too-long",
    );
    check("A".repeat(33).as_bytes(), "400 method");

    let head = |len: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(len - frame)
        )
    };
    check(head(2048).as_bytes(), "GET a / 1.1 none keep");
    check(head(2049).as_bytes(), "431 head-too-long");
    check(&head(5000).as_bytes()[..3000], "431 head-too-long");
    // Empty lines before it count.
    check(
        format!("\r\n{}", head(2047)).as_bytes(),
        "431 head-too-long",
    );

    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: 1\r\n".repeat(count - 1)
        )
    };
    check(fields(20).as_bytes(), "GET a / 1.1 none keep");
    check(fields(21).as_bytes(), "431 too-many-fields");

    // The room for fields is the last word.
    let wide = Limits {
        max_head: usize::MAX,
        max_target: usize::MAX,
        max_fields: usize::MAX,
    };
    let most = fields(MAX_FIELDS);
    let mut storage = FieldStorage::new();
    let parsed = parse_request(most.as_bytes(), &mut storage, &wide)
        .unwrap()
        .unwrap();
    assert_eq!((parsed.fields.len(), parsed.len), (MAX_FIELDS, most.len()));
    let too_many = fields(MAX_FIELDS + 1);
    let mut storage = FieldStorage::new();
    let error = parse_request(too_many.as_bytes(), &mut storage, &wide).unwrap_err();
    assert_eq!(error.status(), 431);
}

#[test]
fn what_is_passed_on() {
    // fields, names kept out by the caller, what is written
    let table: &[(&str, &[FieldKind], &str)] = &[
        ("Host: a\r\nB:  c \r\n", &[], "Host: a\r\nB:  c \r\n"),
        ("Host: a\r\nB: c\r\n", &[FieldKind::Host], "B: c\r\n"),
        ("B: c\r\nHost: a\r\n", &[FieldKind::Host], "B: c\r\n"),
        (
            "B: c\r\nHost: a\r\nD: e\r\nF:\r\n",
            &[FieldKind::Host],
            "B: c\r\nD: e\r\nF:\r\n",
        ),
        ("Host: a\r\n", &[FieldKind::Host], ""),
        (
            "Host: a\r\nVia: b\r\nTE: c\r\nVia: d\r\n",
            &[FieldKind::Via],
            "Host: a\r\n",
        ),
        (
            "Host: a\r\nConnection: x, Y,upgrade\r\nKeep-Alive: 5\r\nX: 1\r\nZ: 2\r\ny: 3\r\nUpgrade: b\r\nX: 4\r\n",
            &[],
            "Host: a\r\nZ: 2\r\n",
        ),
        (
            "TE: trailers\r\nTransfer-Encoding: chunked\r\nProxy-Connection: a\r\nHost: a\r\n",
            &[],
            "Host: a\r\n",
        ),
        // Named, but not the client's to take away.
        (
            "Host: a\r\nConnection: host, content-length, authorization, x-forwarded-for, cookie, trailer\r\nContent-Length: 1\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nCookie: d\r\nTrailer: e\r\n",
            &[],
            "Host: a\r\nContent-Length: 1\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nCookie: d\r\nTrailer: e\r\n",
        ),
        (
            "Host: a\r\nX: 1\r\nConnection: x\r\nConnection: y\r\nY: 2\r\n",
            &[],
            "Host: a\r\n",
        ),
    ];
    for (fields, without, expected) in table {
        for start in ["GET / HTTP/1.1\r\n", "\r\n\r\nGET / HTTP/1.1\r\n"] {
            let input = format!("{start}{fields}\r\nbody");
            let mut storage = FieldStorage::new();
            let head = parse_request(input.as_bytes(), &mut storage, &LIMITS)
                .unwrap()
                .unwrap();
            let mut out = b"start:".to_vec();
            head.fields.write_kept(&mut out, |field| {
                assert!(!field.hop_by_hop);
                !without.contains(&field.kind)
            });
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("start:{expected}"),
                "{input:?}"
            );
            assert_eq!(head.len, input.len() - "body".len());
        }
    }
}

#[test]
fn fields_are_found() {
    let input =
        b"GET /p?q HTTP/1.1\r\nHost: a\r\nX-One:  1 \r\nx-ONE: 2\r\nCookie: c\r\nEmpty:\r\n\r\n";
    let mut storage = FieldStorage::new();
    let head = parse_request(input, &mut storage, &LIMITS)
        .unwrap()
        .unwrap();
    assert_eq!(head.method, Method::Get);
    assert!(matches!(
        head.target,
        Target::Origin {
            path: "/p",
            query: Some("q"),
            raw: "/p?q"
        }
    ));
    assert_eq!(head.fields.first(FieldKind::Cookie), Some(&b"c"[..]));
    assert_eq!(head.fields.first(FieldKind::Via), None);
    assert_eq!(head.fields.named("x-one"), Some(&b"1"[..]));
    assert_eq!(head.fields.named("empty"), Some(&b""[..]));
    assert_eq!(head.fields.named("none"), None);
    let all: Vec<_> = head.fields.all_named("X-One").collect();
    assert_eq!(all, [&b"1"[..], &b"2"[..]]);
    let names: Vec<_> = head.fields.iter().map(|field| field.name).collect();
    assert_eq!(names, ["Host", "X-One", "x-ONE", "Cookie", "Empty"]);
    assert_eq!(head.fields.iter().len(), 5);
    assert!(!head.fields.is_empty());
}
