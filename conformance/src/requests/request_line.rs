//! The request line as a whole (RFC 9112, 3) and what may stand before it (2.2).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "the usual",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an empty line before it",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "two empty lines before it",
            "\r\n\r\nGET /e HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /e HTTP/1.1\nHost: a",
            b"",
        ),
        refused(
            400,
            "a flood of empty lines before it",
            "\r\n".repeat(30) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a space before it",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a tab before it",
            "\tGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "NUL before it", b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a byte order mark before it",
            b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "two spaces after the method",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "two spaces before the version",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a tab after the method",
            "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a tab before the version",
            "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a space at its end",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        ),
        refused(400, "a fourth word", "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a fourth word at its end",
            "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
        ),
        refused(400, "no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400, "the method alone", "GET\r\nHost: a\r\n\r\n"),
        refused(
            400,
            "a space in the target",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a vertical tab for a space",
            b"GET\x0b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a form feed before the version",
            b"GET /\x0cHTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(400, "a field for it", "Host: a\r\n\r\n"),
        refused(
            400,
            "a status line for it",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        refused(400, "garbage", b"\x00\xff\xfe\x01garbage\r\n\r\n"),
        refused(
            400,
            "a TLS client hello",
            b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03 and so on\r\n",
        ),
        refused(400, "an SSH greeting", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    ]
}
