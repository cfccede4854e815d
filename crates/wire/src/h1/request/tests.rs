//! Raw bytes in, verdict out; each also byte by byte.

use super::parse_request;
use crate::h1::{
    FieldKind, FieldStorage, Framing, Limits, MAX_FIELDS, Method, RequestHead, Target, Version,
};

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
fn refused_lines_and_words() {
    let table: &[(&[u8], &str)] = &[
        // Before the request.
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (
            b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 empty-lines",
        ),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        // Methods.
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\r\n / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (
            b"A23456789B23456789C23456789D23456 / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 method",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "400 method",
        ),
        // Targets.
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET \t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x80b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /\r\n", "400 target"),
        (b"GET /\n", "400 target"),
        (b"GET \r\n\r\n", "400 target"),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        // Versions.
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / Http/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1,1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/11.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / ICAP/1.0\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (
            b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"GET / HTTP/2\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "505 version-unsupported",
        ),
        (b"GET / HTTP/1.1\nHost: a\n\n", "400 line-end"),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.1\0\r\nHost: a\r\n\r\n", "400 line-end"),
    ];
    for (input, expected) in table {
        check(input, expected);
    }
}

#[test]
fn refused_fields() {
    // Behind `GET / HTTP/1.1\r\n`.
    let table: &[(&[u8], &str)] = &[
        // Line ends and folding.
        (b"Host: a\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\n\r\n", "400 line-end"),
        (b"Host: a\r\n\n", "400 line-end"),
        (b"Host: a\nX: 1\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\n\r\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\rY: 2\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX:\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: \n\r\n", "400 line-end"),
        (b"Host: a\r\nX:\r \r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\n 2\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\nX: 1\r\n\t2\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\nX:\r\n 2\r\n\r\n", "400 folded-line"),
        (b" Host: a\r\n\r\n", "400 folded-line"),
        (b"\tHost: a\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\n \r\n\r\n", "400 folded-line"),
        // Names.
        (b"Host : a\r\n\r\n", "400 space-before-colon"),
        (b"Host\t: a\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nContent-Length : 5\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nX\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX Y: 1\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nX\0: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\x0b: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n\x0bX: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n\"X\": 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX(: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\xff: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\xc3\xa9: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nGET / HTTP/1.1\r\n\r\n", "400 space-before-colon"),
        // Values.
        (b"Host: a\r\nX: 1\0\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x01\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x0b1\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: 1\x0c2\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x1b[0m\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: 1\x7f\r\n\r\n", "400 field-value"),
        // Host.
        (b"\r\n", "400 host-missing"),
        (b"X: 1\r\n\r\n", "400 host-missing"),
        (b"Host: a\r\nHost: a\r\n\r\n", "400 host-repeated"),
        (b"Host: a\r\nX: 1\r\nhOST: b\r\n\r\n", "400 host-repeated"),
        (b"Host:\r\n\r\n", "400 host"),
        (b"Host:  \r\n\r\n", "400 host"),
        (b"Host: a b\r\n\r\n", "400 host"),
        (b"Host: u@a\r\n\r\n", "400 host"),
        (b"Host: a:b\r\n\r\n", "400 host"),
        (b"Host: a:65536\r\n\r\n", "400 host"),
        (b"Host: a/b\r\n\r\n", "400 host"),
        (b"Host: http://a\r\n\r\n", "400 host"),
        (b"Host: ::1\r\n\r\n", "400 host"),
        (b"Host: [::1\r\n\r\n", "400 host"),
        (b"Host: \xc3\xa9\r\n\r\n", "400 host"),
        // Framing.
        (b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400 content-length-repeated"),
        (b"Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400 content-length-repeated"),
        (b"Host: a\r\nContent-Length: 5, 5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 5,6\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length:\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: +5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: -5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 0x5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 5 5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: five\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 18446744073709551621\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 9223372036854775808\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding:\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 transfer-coding-unknown"),
        (b"Host: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n", "501 transfer-coding-unknown"),
        // Connection.
        (b"Host: a\r\nConnection: \"close\"\r\n\r\n", "400 connection-options"),
        (b"Host: a\r\nConnection: close keep-alive\r\n\r\n", "400 connection-options"),
        (b"Host: a\r\nConnection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7\r\n\r\n", "400 connection-options"),
    ];
    for (fields, expected) in table {
        let mut input = b"GET / HTTP/1.1\r\n".to_vec();
        input.extend_from_slice(fields);
        check(&input, expected);
    }
    check(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400 transfer-encoding-http10",
    );
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
