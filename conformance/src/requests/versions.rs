//! Protocol versions (RFC 9110, 2.5; RFC 9112, 2.3).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "HTTP/1.0 is closed after the answer",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        )
        .closed(),
        passed(
            "HTTP/1.0 that asks to be kept",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "HTTP/1.0 with a body",
            "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        )
        .closed(),
        refused(505, "HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
        refused(400, "HTTP/0.9 without a version", "GET /\r\n\r\n"),
        passed(
            "HTTP/1.2",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "HTTP/1.9 with chunks",
            "POST / HTTP/1.9\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"hi",
        ),
        refused(
            400,
            "HTTP/2 without a minor version",
            "GET / HTTP/2\r\nHost: a\r\n\r\n",
        ),
        refused(505, "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        refused(505, "HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
        refused(505, "HTTP/3.7", "GET / HTTP/3.7\r\nHost: a\r\n\r\n"),
        refused(
            505,
            "the preface of HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ),
        refused(400, "lower case", "GET / http/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "two digits behind the point",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "two digits before the point",
            "GET / HTTP/11.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "a leading zero", "GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
        refused(400, "no minor version", "GET / HTTP/1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a comma for the point",
            "GET / HTTP/1,1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a letter for a digit",
            "GET / HTTP/1.x\r\nHost: a\r\n\r\n",
        ),
        refused(400, "no slash in it", "GET / HTTP1.1\r\nHost: a\r\n\r\n"),
        refused(400, "a space in it", "GET / HTTP/ 1.1\r\nHost: a\r\n\r\n"),
        refused(400, "another protocol", "GET / ICAP/1.0\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a negative version",
            "GET / HTTP/-1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "NUL behind it", b"GET / HTTP/1.1\0\r\nHost: a\r\n\r\n"),
    ]
}
