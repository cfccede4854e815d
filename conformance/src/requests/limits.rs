//! Limits, each met and each exceeded.

use crate::case::{Case, passed, refused, refused_body};
use crate::conditions::{MAX_BODY, MAX_FIELDS, MAX_HEAD, MAX_TARGET};

pub(super) fn cases() -> Vec<Case> {
    let longest = format!("/{}", "t".repeat(MAX_TARGET - 1));
    let value = "v".repeat(MAX_HEAD - "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len());
    let more = "v".repeat(100);
    let fields = |count: usize| "X: 1\r\n".repeat(count);
    let body = "b".repeat(MAX_BODY);
    vec![
        passed(
            "the longest target",
            format!("GET {longest} HTTP/1.1\r\nHost: a\r\n\r\n"),
            &format!("GET {longest} HTTP/1.1\nHost: a"),
            b"",
        ),
        refused(
            414,
            "a target longer by one",
            format!("GET {longest}t HTTP/1.1\r\nHost: a\r\n\r\n"),
        ),
        refused(
            414,
            "a target longer by much",
            format!("GET {longest}{longest}{longest} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ),
        refused(
            414,
            "a long target that never ends",
            format!("GET {longest}{longest}"),
        ),
        passed(
            "the longest head",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n"),
            &format!("GET / HTTP/1.1\nHost: a\nX: {value}"),
            b"",
        ),
        refused(
            431,
            "a head longer by one",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}v\r\n\r\n"),
        ),
        refused(
            431,
            "a head longer by much",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}{more}\r\n\r\n"),
        ),
        refused(
            431,
            "a long field that never ends",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}{more}"),
        ),
        refused(
            431,
            "a long name",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{value}{more}: 1\r\n\r\n"),
        ),
        passed(
            "the most fields",
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                fields(MAX_FIELDS - 1)
            ),
            &format!("GET / HTTP/1.1\nHost: a{}", "\nX: 1".repeat(MAX_FIELDS - 1)),
            b"",
        ),
        refused(
            431,
            "one field more",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(MAX_FIELDS)),
        ),
        passed(
            "the longest body",
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY}\r\n\r\n{body}"),
            &format!("POST / HTTP/1.1\nHost: a\nContent-Length: {MAX_BODY}"),
            body.as_bytes(),
        ),
        refused(
            413,
            "a body longer by one",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}b",
                MAX_BODY + 1
            ),
        ),
        refused(
            413,
            "a huge body announced",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
        ),
        refused(
            413,
            "a huge body announced for HEAD",
            "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
        ),
        passed(
            "the longest chunked body",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{MAX_BODY:x}\r\n{body}\r\n0\r\n\r\n"
            ),
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
            body.as_bytes(),
        ),
        refused_body(
            413,
            "a chunked body longer by one",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{MAX_BODY:x}\r\n{body}\r\n1\r\nb\r\n0\r\n\r\n"
            ),
        ),
        refused_body(
            400,
            "an extension that is too long",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;{}\r\nb\r\n0\r\n\r\n",
                "e".repeat(600)
            ),
        ),
    ]
}
