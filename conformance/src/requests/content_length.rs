//! `Content-Length` (RFC 9112, 6.2 and 6.3; RFC 9110, 8.6).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "a body",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 5",
            b"hello",
        ),
        passed(
            "zero",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 0",
            b"",
        ),
        passed(
            "a body that looks like a request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 27",
            b"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a body of all bytes that end something",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n\r\n\r\n\0\n0\r",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 8",
            b"\r\n\r\n\0\n0\r",
        ),
        passed(
            "whitespace around it",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t2 \r\n\r\nhi",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        ),
        refused(
            400,
            "twice, different",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        ),
        refused(
            400,
            "twice, equal",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        ),
        refused(
            400,
            "twice, zero first",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\ncontent-length: 5\r\n\r\nhello",
        ),
        refused(
            400,
            "a list of equal ones",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
        ),
        refused(
            400,
            "a list of different ones",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5,6\r\n\r\nhello!",
        ),
        refused(
            400,
            "empty",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello",
        ),
        refused(
            400,
            "a plus sign",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        ),
        refused(
            400,
            "a minus sign",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
        ),
        refused(
            400,
            "minus zero",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n",
        ),
        refused(
            400,
            "hexadecimal",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
        ),
        refused(
            400,
            "a letter behind it",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5a\r\n\r\nhello",
        ),
        refused(
            400,
            "a fraction",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello",
        ),
        refused(
            400,
            "an exponent",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\nhellohello",
        ),
        refused(
            400,
            "two words",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello",
        ),
        refused(
            400,
            "a word",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\nhello",
        ),
        refused(
            400,
            "quoted",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \"5\"\r\n\r\nhello",
        ),
        refused(
            400,
            "an underscore among digits",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\nhellohello",
        ),
        refused(
            400,
            "digits of another script",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \u{665}\r\n\r\nhello",
        ),
        refused(
            400,
            "2^63",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n",
        ),
        refused(
            400,
            "2^64 + 5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        ),
        refused(
            400,
            "2^128 + 5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 340282366920938463463374607431768211461\r\n\r\nhello",
        ),
        refused(
            400,
            "a space before its colon",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
        ),
        refused(
            400,
            "a wrong one of a GET",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        ),
    ]
}
