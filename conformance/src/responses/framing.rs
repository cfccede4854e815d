//! Heads that do not say, or say twice, where the body ends (RFC 9112, 6.3).

use super::{Asked, Case, invalid};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = FRAMINGS
        .iter()
        .map(|(what, send)| invalid(what, send))
        .collect();
    cases.push(
        invalid(
            "both length and chunks in an answer to HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .asked(Asked::Head),
    );
    cases
}

const FRAMINGS: &[(&str, &[u8])] = &[
    ("both length and chunks", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("both chunks and length", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("a length twice", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("a list of lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"),
    ("a length with a plus", b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
    ("a negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"),
    ("a hexadecimal length", b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"),
    ("an empty length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello"),
    ("a length out of range", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
    ("an unknown coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("a coding that is not chunked at its end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("chunked twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked in two fields", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("an empty coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nhello"),
    ("chunks with HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
];
