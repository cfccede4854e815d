//! Chunked bodies (RFC 9112, 7.1).

use crate::case::{Case, passed, refused_body};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(
        bad().into_iter().map(|(status, what, body)| {
            refused_body(status, what, [HEAD.as_bytes(), body].concat())
        }),
    );
    cases
}

fn good() -> Vec<Case> {
    let chunked = |what, body: &[u8], payload| {
        let send = [HEAD.as_bytes(), body].concat();
        passed(
            what,
            send,
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            payload,
        )
    };
    vec![
        chunked("no payload", b"0\r\n\r\n", b""),
        chunked("three chunks", b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef"),
        chunked("digits of both cases", b"A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a"),
        chunked("leading zeros", b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
        chunked("line ends in the payload", b"8\r\n\r\n0\r\n\r\n\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\n"),
        chunked("an extension", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
        chunked("an extension without a value", b"5;a\r\nhello\r\n0;z\r\n\r\n", b"hello"),
        chunked("a quoted extension", b"5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n", b"hello"),
        chunked("whitespace in an extension", b"5; a = b\r\nhello\r\n0\r\n\r\n", b"hello"),
        chunked("a trailer", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello").trailers("X-Sum: 1"),
        chunked("two trailers", b"1\r\na\r\n0\r\nX-One: 1\r\nX-Two:\r\n\r\n", b"a").trailers("X-One: 1\nX-Two:"),
        chunked(
            "trailers that must not be trailers are dropped",
            b"1\r\na\r\n0\r\nContent-Length: 5\r\nX: 1\r\nHost: b\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"a",
        )
        .trailers("X: 1"),
    ]
}

fn bad() -> Vec<(u16, &'static str, &'static [u8])> {
    vec![
        (400, "no size", b"\r\nhello\r\n0\r\n\r\n"),
        (400, "a size that is no number", b"x\r\nhello\r\n0\r\n\r\n"),
        (400, "a size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
        (400, "a negative size", b"-5\r\nhello\r\n0\r\n\r\n"),
        (400, "a size with a plus", b"+5\r\nhello\r\n0\r\n\r\n"),
        (400, "a space before the size", b" 5\r\nhello\r\n0\r\n\r\n"),
        (400, "a space behind the size", b"5 \r\nhello\r\n0\r\n\r\n"),
        (400, "a tab behind the size", b"5\t\r\nhello\r\n0\r\n\r\n"),
        (
            400,
            "an underscore in the size",
            b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        ),
        (400, "a letter behind the size", b"5g\r\nhello\r\n0\r\n\r\n"),
        (
            400,
            "a size of 2^63",
            b"8000000000000000\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "a size of 2^64",
            b"10000000000000000\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "a size of 2^64 + 5",
            b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "a size of many zeros",
            b"00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        (400, "NUL in the size", b"5\0\r\nhello\r\n0\r\n\r\n"),
        (400, "LF alone behind the size", b"5\nhello\r\n0\r\n\r\n"),
        (400, "CR alone behind the size", b"5\rhello\r\n0\r\n\r\n"),
        (400, "LF alone behind the chunk", b"5\r\nhello\n0\r\n\r\n"),
        (400, "nothing behind the chunk", b"5\r\nhello0\r\n\r\n"),
        (
            400,
            "a chunk longer than its size",
            b"4\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "a chunk shorter than its size",
            b"6\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "LF alone behind the last size",
            b"5\r\nhello\r\n0\n\r\n",
        ),
        (400, "LF alone at the very end", b"5\r\nhello\r\n0\r\n\n"),
        (
            400,
            "a space between the size and an extension",
            b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "an extension without a name",
            b"5;\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "an extension without its value",
            b"5;a=\r\nhello\r\n0\r\n\r\n",
        ),
        (400, "LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
        (400, "CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        (400, "NUL in an extension", b"5;a=\0\r\nhello\r\n0\r\n\r\n"),
        (
            400,
            "LF in a quoted extension",
            b"5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "an open quote in an extension",
            b"5;a=\"b\r\nhello\r\n0\r\n\r\n",
        ),
        (
            400,
            "an extension without a semicolon",
            b"5 a=b\r\nhello\r\n0\r\n\r\n",
        ),
        (400, "a trailer without a colon", b"0\r\nX\r\n\r\n"),
        (
            400,
            "a space before a trailer's colon",
            b"0\r\nX : 1\r\n\r\n",
        ),
        (400, "a folded trailer", b"0\r\nX: 1\r\n 2\r\n\r\n"),
        (400, "LF alone behind a trailer", b"0\r\nX: 1\n\r\n"),
        (400, "NUL in a trailer", b"0\r\nX: \0\r\n\r\n"),
        (
            400,
            "a request line for a trailer",
            b"0\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
    ]
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
