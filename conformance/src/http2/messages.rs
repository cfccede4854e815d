//! Requests (RFC 9113, 8).

use testkit::{Frame, flag, request};

use super::code::{COMPRESSION_ERROR, PROTOCOL_ERROR};
use super::{Case, open, served, stream_error};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(fields());
    cases.extend(pseudo_fields());
    cases.extend(bodies());
    cases
}

/// GET with these fields beside the usual ones.
fn with(fields: &[(&str, &str)]) -> [Frame; 1] {
    let fields = [&request("GET", "/")[..], fields].concat();
    [Frame::headers(1, flag::END_STREAM, &fields)]
}

/// A request of these fields alone.
fn only(fields: &[(&str, &str)]) -> [Frame; 1] {
    [Frame::headers(1, flag::END_STREAM, fields)]
}

/// How a malformed request may end: the stream, or, where its fields cannot be read, the connection.
const MALFORMED: &[u32] = &[PROTOCOL_ERROR, COMPRESSION_ERROR];

fn good() -> Vec<Case> {
    vec![
        served(
            "HEAD",
            &[Frame::headers(1, flag::END_STREAM, &request("HEAD", "/"))],
        ),
        served(
            "OPTIONS of the whole server",
            &[Frame::headers(
                1,
                flag::END_STREAM,
                &request("OPTIONS", "*"),
            )],
        ),
        served("te with trailers", &with(&[("te", "trailers")])),
        served(
            "cookies in crumbs",
            &with(&[("cookie", "a=b"), ("cookie", "c=d")]),
        ),
        served("a host that says the same", &with(&[("host", "a.example")])),
        served(
            "a host instead of an authority",
            &only(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                ("host", "a"),
            ]),
        ),
        served("an empty value", &with(&[("x", "")])),
        served(
            "trailers",
            &[
                open(),
                Frame::data(1, 0, "x"),
                Frame::headers(1, flag::END_STREAM, &[("x", "y")]),
            ],
        ),
        served(
            "a length that is true",
            &[
                Frame::headers(
                    1,
                    0,
                    &[&request("POST", "/")[..], &[("content-length", "3")]].concat(),
                ),
                Frame::data(1, 0, "ab"),
                Frame::data(1, flag::END_STREAM, "c"),
            ],
        ),
    ]
}

fn fields() -> Vec<Case> {
    let table: &[(&'static str, &[(&str, &str)])] = &[
        ("an uppercase letter in a name", &[("X-Test", "a")]),
        ("a space in a name", &[("x y", "a")]),
        ("a colon in a name", &[("x:y", "a")]),
        ("an empty name", &[("", "a")]),
        ("CR LF in a value", &[("x", "a\r\nb: c")]),
        ("LF in a value", &[("x", "a\nb")]),
        ("NUL in a value", &[("x", "a\0b")]),
        ("a space before a value", &[("x", " a")]),
        ("a tab after a value", &[("x", "a\t")]),
        ("connection", &[("connection", "keep-alive")]),
        ("keep-alive", &[("keep-alive", "timeout=5")]),
        ("proxy-connection", &[("proxy-connection", "keep-alive")]),
        ("transfer-encoding", &[("transfer-encoding", "chunked")]),
        ("upgrade", &[("upgrade", "h2c")]),
        ("te with more than trailers", &[("te", "trailers, deflate")]),
        ("another host", &[("host", "b.example")]),
        (
            "two lengths",
            &[("content-length", "0"), ("content-length", "1")],
        ),
        ("a length that is no number", &[("content-length", "-1")]),
        ("a length without a body", &[("content-length", "1")]),
    ];
    let refused = |(what, fields): &(&'static str, &[(&str, &str)])| {
        stream_error(what, MALFORMED, &with(fields))
    };
    table.iter().map(refused).collect()
}

fn pseudo_fields() -> Vec<Case> {
    let (method, scheme, path, host) = (
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a"),
    );
    let table: &[(&'static str, &[(&str, &str)])] = &[
        (
            "an unknown pseudo-field",
            &[method, scheme, path, host, (":test", "a")],
        ),
        (
            "a pseudo-field of responses",
            &[method, scheme, path, host, (":status", "200")],
        ),
        (
            "a pseudo-field after a field",
            &[method, scheme, path, ("x", "y"), host],
        ),
        ("no method", &[scheme, path, host]),
        ("no scheme", &[method, path, host]),
        ("no path", &[method, scheme, host]),
        ("an empty path", &[method, scheme, (":path", ""), host]),
        (
            "a path without a slash",
            &[method, scheme, (":path", "a"), host],
        ),
        (
            "a path with a space",
            &[method, scheme, (":path", "/a b"), host],
        ),
        (
            "a path with CR LF",
            &[method, scheme, (":path", "/ HTTP/1.1\r\nx: y"), host],
        ),
        (
            "a method with a space",
            &[(":method", "GET /"), scheme, path, host],
        ),
        (
            "a host with user information",
            &[method, scheme, path, (":authority", "u@a")],
        ),
        (
            "a host with a path",
            &[method, scheme, path, (":authority", "a/b")],
        ),
        ("neither a host nor an authority", &[method, scheme, path]),
        ("two methods", &[method, method, scheme, path, host]),
        ("two schemes", &[method, scheme, scheme, path, host]),
        ("two paths", &[method, scheme, path, path, host]),
        ("two authorities", &[method, scheme, path, host, host]),
        (
            "CONNECT with a path",
            &[(":method", "CONNECT"), scheme, path, host],
        ),
        (
            "CONNECT to anywhere",
            &[(":method", "CONNECT"), (":authority", "a:443")],
        ),
        (
            "a protocol without CONNECT",
            &[method, scheme, path, host, (":protocol", "websocket")],
        ),
    ];
    let refused = |(what, fields): &(&'static str, &[(&str, &str)])| {
        stream_error(what, MALFORMED, &only(fields))
    };
    table.iter().map(refused).collect()
}

fn bodies() -> Vec<Case> {
    let said = |length| {
        let fields = [&request("POST", "/")[..], &[("content-length", length)]].concat();
        Frame::headers(1, 0, &fields)
    };
    let data = |flags, bytes| Frame::data(1, flags, bytes);
    vec![
        stream_error(
            "a body shorter than said",
            MALFORMED,
            &[said("3"), data(1, "ab")],
        ),
        stream_error(
            "a body longer than said",
            MALFORMED,
            &[said("1"), data(1, "ab")],
        ),
        stream_error(
            "a body in several frames, longer than said",
            MALFORMED,
            &[said("3"), data(0, "ab"), data(1, "cd")],
        ),
        stream_error(
            "a body cut short by trailers",
            MALFORMED,
            &[
                said("3"),
                data(0, "ab"),
                Frame::headers(1, 1, &[("x", "y")]),
            ],
        ),
        stream_error(
            "HEADERS in a body that do not end it",
            MALFORMED,
            &[
                open(),
                data(0, "ab"),
                Frame::headers(1, 0, &[("x", "y")]),
                data(1, ""),
            ],
        ),
        stream_error(
            "a field of the connection as a trailer",
            MALFORMED,
            &[
                open(),
                data(0, "ab"),
                Frame::headers(1, 1, &[("connection", "close")]),
            ],
        ),
    ]
}
