//! `Host` (RFC 9112, 3.2; RFC 9110, 7.2).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "a name and a port",
            "GET / HTTP/1.1\r\nHost: a.b:8080\r\n\r\n",
            "GET / HTTP/1.1\nHost: a.b:8080",
            b"",
        ),
        passed(
            "upper case",
            "GET / HTTP/1.1\r\nHOST: A.Example\r\n\r\n",
            "GET / HTTP/1.1\nHost: A.Example",
            b"",
        ),
        passed(
            "whitespace around it",
            "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "no space before it",
            "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an IPv4 address",
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n",
            "GET / HTTP/1.1\nHost: 127.0.0.1:80",
            b"",
        ),
        passed(
            "an IPv6 address",
            "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            "GET / HTTP/1.1\nHost: [::1]:80",
            b"",
        ),
        passed(
            "an empty port",
            "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
            "GET / HTTP/1.1\nHost: a:",
            b"",
        ),
        passed(
            "the last field",
            "GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nX: 1",
            b"",
        ),
        refused(400, "missing", "GET / HTTP/1.1\r\n\r\n"),
        refused(
            400,
            "missing, with other fields",
            "GET / HTTP/1.1\r\nX-Host: a\r\n\r\n",
        ),
        refused(
            400,
            "missing with an absolute target",
            "GET http://a/ HTTP/1.1\r\n\r\n",
        ),
        refused(
            400,
            "twice, different",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "twice, equal",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "twice, apart and in other case",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nhOST: b\r\n\r\n",
        ),
        refused(
            400,
            "twice with HTTP/1.0",
            "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "twice with an absolute target",
            "GET http://c/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "twice for HEAD",
            "HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ),
        refused(400, "empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        refused(400, "blank", "GET / HTTP/1.1\r\nHost:  \t\r\n\r\n"),
        refused(400, "a space in it", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        refused(400, "a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        refused(
            400,
            "user information",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        ),
        refused(400, "a path in it", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        refused(400, "a URL", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"),
        refused(
            400,
            "a port that is no number",
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        ),
        refused(
            400,
            "a port out of range",
            "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
        ),
        refused(400, "two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
        refused(400, "a port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
        refused(
            400,
            "IPv6 without brackets",
            "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n",
        ),
        refused(
            400,
            "IPv6 with one bracket",
            "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        ),
        refused(
            400,
            "a byte above 127",
            b"GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
        ),
        refused(400, "NUL in it", b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        refused(
            400,
            "a bad Host beside an absolute target",
            "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        ),
        refused(
            400,
            "a space before its colon",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        ),
    ]
}
