//! Bodies that do not come to their end, and bytes behind the end (RFC 9112, 8).

use super::{Asked, Case, Then, cut, invalid, whole};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = cut_off();
    cases.extend(CHUNKS.iter().map(|(what, body)| {
        let send = [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            *body,
        ]
        .concat();
        cut(what, Then::Serve, send)
    }));
    cases.extend(surplus());
    cases
}

fn cut_off() -> Vec<Case> {
    const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    vec![
        cut("half a body, then closed", Then::Close, HALF),
        cut("half a body, then reset", Then::Reset, HALF),
        cut("half a body for HTTP/1.0, then closed", Then::Close, HALF).asked(Asked::Get10),
        cut(
            "no body at all, then closed",
            Then::Close,
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        ),
        cut(
            "half a chunk, then closed",
            Then::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
        ),
        cut(
            "no last chunk, then closed",
            Then::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        cut(
            "no last chunk, then reset",
            Then::Reset,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        cut(
            "no end of the trailers, then closed",
            Then::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ),
        cut(
            "no last chunk for HTTP/1.0, which cannot see it by itself",
            Then::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        )
        .asked(Asked::Get10),
        cut(
            "a bad chunk for HTTP/1.0, which cannot see it by itself",
            Then::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
        )
        .asked(Asked::Get10),
        cut(
            "a body until close that is reset",
            Then::Reset,
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ),
    ]
}

const CHUNKS: &[(&str, &[u8])] = &[
    ("a first size that is no number", b"hello\r\n0\r\n\r\n"),
    ("no first size", b"\r\nhello\r\n0\r\n\r\n"),
    (
        "a later size that is no number",
        b"5\r\nhello\r\nx\r\nhello\r\n0\r\n\r\n",
    ),
    ("a size with 0x", b"5\r\nhello\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    ("a space behind a size", b"5 \r\nhello\r\n0\r\n\r\n"),
    (
        "a size out of range",
        b"5\r\nhello\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ),
    ("a chunk longer than its size", b"4\r\nhello\r\n0\r\n\r\n"),
    ("LF alone behind a size", b"5\nhello\r\n0\r\n\r\n"),
    ("LF alone behind a chunk", b"5\r\nhello\n0\r\n\r\n"),
    ("LF alone at the end", b"5\r\nhello\r\n0\r\n\n"),
    ("an extension with LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("a trailer without a colon", b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
    (
        "a trailer with a control byte",
        b"5\r\nhello\r\n0\r\nX: \x01\r\n\r\n",
    ),
];

/// The answer is good; what comes behind it is not the answer to anything.
fn surplus() -> Vec<Case> {
    const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let surplus = |what, status, body, head: &str| {
        whole(what, status, body, format!("{head}{POISON}")).alone()
    };
    vec![
        surplus(
            "a response behind a body",
            200,
            b"hello",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        surplus(
            "a response behind an empty body",
            200,
            b"",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        surplus(
            "a response behind the last chunk",
            200,
            b"hello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        surplus(
            "a response behind 204",
            204,
            b"",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        surplus(
            "a response behind 304",
            304,
            b"",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        surplus(
            "a response behind the answer to HEAD",
            200,
            b"",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        )
        .asked(Asked::Head),
        whole(
            "a body that 204 cannot have",
            204,
            b"",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        )
        .alone(),
        whole(
            "a body that 304 cannot have",
            304,
            b"",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
        )
        .alone(),
        whole(
            "a body in the answer to HEAD",
            200,
            b"",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        )
        .asked(Asked::Head)
        .alone(),
        whole(
            "a length that 204 cannot have, without the body",
            204,
            b"",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        )
        .alone(),
        whole(
            "garbage behind a body",
            200,
            b"hello",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n",
        )
        .alone(),
        invalid(
            "a body that 100 cannot have",
            "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
        ),
    ]
}
