//! `Transfer-Encoding` (RFC 9112, 6.1 and 6.3).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"hello",
        ),
        passed(
            "chunked, on GET",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"hi",
        ),
        passed(
            "a name of any case",
            "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING:\tchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"hi",
        ),
        passed(
            "a coding in upper case",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            b"hi",
        ),
        refused(
            501,
            "a coding before chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            501,
            "identity before chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            501,
            "two codings before chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, y;z=1, chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "not chunked at its end",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "identity alone",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "chunked before another",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "chunked twice in a list",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "chunked twice in two fields",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "chunked, and identity in another field",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "identity, and chunked in another field",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "empty",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a comma alone",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a comma before it",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a comma behind it",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a letter before it",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a letter behind it",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "cut short",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunke\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "quoted",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "with a parameter",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "two words",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a vertical tab before it",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a byte above 127 behind it",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "folded",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "a space before its colon",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            400,
            "with HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ]
}
