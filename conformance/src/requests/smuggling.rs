//! Combinations that have made two readers disagree about where a request ends (RFC 9112, 11.2). The request hidden inside
//! must never be seen by a server, and never be answered.

use crate::case::{Case, passed, refused, refused_body};

pub(super) fn cases() -> Vec<Case> {
    vec![
        refused(
            400,
            "length before chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n",
        ),
        refused(
            400,
            "chunks before length",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1c\r\nGET /smuggled HTTP/1.1\r\nX: \r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length of zero beside chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a length that Connection names, beside chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "chunks that Connection names, beside a length",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length and an unknown coding",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello",
        ),
        refused(
            400,
            "length and an empty coding",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding:\r\n\r\nhello",
        ),
        refused(
            400,
            "length, and chunks behind LF alone",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: 1\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length, and chunks behind CR alone",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: 1\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length, and chunks in a folded line",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length, and chunks with a space before the colon",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length, and chunks behind a NUL",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "length and chunks with HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "two lengths around a hidden request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "a length with a list around a hidden request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "a request hidden in the request line",
            "GET / HTTP/1.1\r\n\r\nHost: a\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused(
            400,
            "a Host hidden in a folded line",
            "GET / HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n",
        ),
        refused(
            400,
            "a Host hidden before the first field",
            "GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "two targets",
            "GET / HTTP/1.1\rGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused_body(
            400,
            "a request hidden in an extension",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n4c\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused_body(
            400,
            "a request hidden behind a size cut at 32 bits",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffff00000000f\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused_body(
            400,
            "a chunk whose end is any two bytes",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        refused_body(
            400,
            "LF alone ends the trailers",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\n\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a body of a GET is not the next request",
            "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET /1 HTTP/1.1\nHost: a\nContent-Length: 35",
            b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a body of a HEAD is not the next request",
            "HEAD /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
            "HEAD /1 HTTP/1.1\nHost: a\nContent-Length: 35",
            b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a chunk that looks like the end and a request",
            "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n\r\n0\r\n\r\n",
            "POST /1 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a trailer that would change the framing",
            "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 99\r\n\r\n",
            "POST /1 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"x",
        ),
    ]
}
