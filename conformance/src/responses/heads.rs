//! Heads that are none (RFC 9112, 4 and 5).

use super::{Asked, Case, Then, invalid};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = HEADS
        .iter()
        .map(|(what, send)| invalid(what, send))
        .collect();
    cases.extend([
        invalid("a closed connection instead of a response", "").then(Then::Close),
        invalid("a closed connection instead of a response to POST", "")
            .then(Then::Close)
            .asked(Asked::Post),
        invalid("a reset instead of a response", "").then(Then::Reset),
        invalid("a head cut off in its first line", "HTTP/1.1 20").then(Then::Close),
        invalid("a head cut off in a field", "HTTP/1.1 200 OK\r\nContent-Le").then(Then::Close),
        invalid(
            "a head cut off before its empty line",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        )
        .then(Then::Close),
        invalid(
            "a head cut off by a reset",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        )
        .then(Then::Reset),
        invalid("HTTP/0.9", "<html>hello</html>\r\n").then(Then::Close),
        invalid(
            "a head too long",
            format!(
                "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
                "x".repeat(70_000)
            ),
        ),
        invalid(
            "a head of too many fields",
            format!(
                "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
                "X: 1\r\n".repeat(400)
            ),
        ),
        invalid(
            "a malformed answer to HEAD",
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        )
        .asked(Asked::Head),
        invalid(
            "a malformed answer to HTTP/1.0",
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        )
        .asked(Asked::Get10),
        invalid(
            "a malformed answer to POST",
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        )
        .asked(Asked::Post),
    ]);
    cases
}

const HEADS: &[(&str, &[u8])] = &[
    ("garbage", b"\x00\x01\x02\xff\xfe\r\n\r\n"),
    ("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46\r\n"),
    ("another protocol's greeting", b"220 mail.example ESMTP\r\n"),
    ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "an empty line before it",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "LF before it",
        b"\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a space before it",
        b" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "HTTP/2.0 in the status line",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a leading zero in the status line",
        b"HTTP/01.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "HTTP/2 in the status line",
        b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "lower case in the status line",
        b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "no version in the status line",
        b"200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    ("no status", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
    (
        "a status of two digits",
        b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a status of four digits",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a status with a letter",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a status below 100",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a status above 599",
        b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a negative status",
        b"HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "two spaces before the status",
        b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a tab before the status",
        b"HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "NUL in the reason",
        b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "LF alone after the status line",
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    ),
    (
        "LF alone after a field",
        b"HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 0\r\n\r\n",
    ),
    (
        "LF alone for the empty line",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
    ),
    (
        "CR alone in the status line",
        b"HTTP/1.1 200 OK\rX: 1\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "CR alone in a value",
        b"HTTP/1.1 200 OK\r\nX: 1\r2\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "NUL in a value",
        b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a control byte in a value",
        b"HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a space before a colon",
        b"HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a folded line",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a space before the first field",
        b"HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a line without a colon",
        b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a field without a name",
        b"HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 0\r\n\r\n",
    ),
];
