//! Methods (RFC 9110, 9).

use crate::case::{Case, answered, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "HEAD",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "POST",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        ),
        passed(
            "POST without a body",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "PUT",
            "PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            "PUT /p HTTP/1.1\nHost: a\nContent-Length: 1",
            b"x",
        ),
        passed(
            "DELETE",
            "DELETE /d HTTP/1.1\r\nHost: a\r\n\r\n",
            "DELETE /d HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "DELETE with a body",
            "DELETE /d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            "DELETE /d HTTP/1.1\nHost: a\nContent-Length: 1",
            b"x",
        ),
        passed(
            "PATCH",
            "PATCH /p HTTP/1.1\r\nHost: a\r\n\r\n",
            "PATCH /p HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "OPTIONS",
            "OPTIONS /o HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS /o HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "TRACE",
            "TRACE /t HTTP/1.1\r\nHost: a\r\n\r\n",
            "TRACE /t HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "a method of WebDAV",
            "PROPFIND /w HTTP/1.1\r\nHost: a\r\n\r\n",
            "PROPFIND /w HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "a method in lower case is another one",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "every byte that a token may have",
            "!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n",
            "!#$%&'*+-.^_`|~9 / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "GET with a body",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "GET / HTTP/1.1\nHost: a\nContent-Length: 3",
            b"abc",
        ),
        passed(
            "Max-Forwards is counted down for TRACE",
            "TRACE /t HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n",
            "TRACE /t HTTP/1.1\nHost: a\nMax-Forwards: 4",
            b"",
        ),
        passed(
            "Max-Forwards is left alone for GET",
            "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nMax-Forwards: 0",
            b"",
        ),
        answered(
            200,
            "Max-Forwards: 0 ends OPTIONS here",
            "OPTIONS /o HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
        ),
        refused(
            400,
            "Max-Forwards that is no number",
            "OPTIONS /o HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n",
        ),
        refused(
            405,
            "CONNECT",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
        ),
        refused(400, "an at sign in it", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400, "a bracket in it", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400, "a colon in it", "GET: / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400, "NUL in it", b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a byte above 127 in it",
            b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "longer than any that is known",
            "A".repeat(40) + " / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ]
}
