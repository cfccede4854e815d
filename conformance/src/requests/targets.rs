//! Request targets in their four forms (RFC 9112, 3.2).

use crate::case::{Case, answered, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(bad());
    cases
}

fn good() -> Vec<Case> {
    vec![
        passed(
            "path and query stay as they are",
            "GET /a/b?c=d&e=%2F?f HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a/b?c=d&e=%2F?f HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an empty query",
            "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a? HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an empty segment",
            "GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a//b HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "dot segments stay as they are",
            "GET /a/./b/../c HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a/./b/../c HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "percent-encodings stay as they are",
            "GET /%41%7e%2f%20 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%41%7e%2f%20 HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "visible bytes that browsers do not encode",
            "GET /a|b?{c}^\"` HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a|b?{c}^\"` HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "what looks absolute behind a slash is a path",
            "GET /http://x/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /http://x/ HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "absolute form: its host wins over Host",
            "GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /c?d HTTP/1.1\nHost: b",
            b"",
        ),
        passed(
            "absolute form with a port and no path",
            "GET http://b:81 HTTP/1.1\r\nHost: b:81\r\n\r\n",
            "GET / HTTP/1.1\nHost: b:81",
            b"",
        ),
        passed(
            "absolute form with a query and no path",
            "GET http://b?q HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET /?q HTTP/1.1\nHost: b",
            b"",
        ),
        passed(
            "absolute form in upper case",
            "GET HTTP://B/c HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /c HTTP/1.1\nHost: B",
            b"",
        ),
        passed(
            "absolute form of IPv6",
            "GET http://[::1]:81/c HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /c HTTP/1.1\nHost: [::1]:81",
            b"",
        ),
        passed(
            "OPTIONS of the server",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "OPTIONS of the server in absolute form",
            "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\nHost: b",
            b"",
        ),
        answered(404, "no route", "GET /-nowhere HTTP/1.1\r\nHost: a\r\n\r\n"),
        answered(
            404,
            "no route for HEAD",
            "HEAD /-nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        answered(
            404,
            "no route, twice",
            "GET /-nowhere HTTP/1.1\r\nHost: a\r\n\r\nGET /-no HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .and_own(404),
        answered(
            404,
            "no route for a body, which may be here or not when the answer is made",
            "POST /-nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        )
        .either(),
    ]
}

fn bad() -> Vec<Case> {
    vec![
        refused(400, "no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "an authority for GET",
            "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "an asterisk for GET",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "a query alone", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400, "a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a fragment after a query",
            "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "another scheme",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a scheme that begins alike",
            "GET httpx://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "no host in absolute form",
            "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "one slash in absolute form",
            "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "user information",
            "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a port out of range",
            "GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "half an IPv6 address",
            "GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a path for CONNECT",
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "CONNECT without a port",
            "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "NUL", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a control byte",
            b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "DEL", b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a byte above 127",
            b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "an encoded NUL",
            "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "half a percent-encoding",
            "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a percent sign before no digits",
            "GET /a%zzb HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "above the root",
            "GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "above the root, encoded",
            "GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "dots behind an encoded slash",
            "GET /a/..%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "dots behind a backslash",
            "GET /a/..\\b HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ]
}
