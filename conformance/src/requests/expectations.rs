//! `Expect` (RFC 9110, 10.1.1).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "100-continue, and the body all the same",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi",
            "PUT / HTTP/1.1\nHost: a\nContent-Length: 2\nExpect: 100-continue",
            b"hi",
        ),
        passed(
            "100-continue in other case",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\nhi",
            "PUT / HTTP/1.1\nHost: a\nContent-Length: 2\nExpect: 100-Continue",
            b"hi",
        ),
        passed(
            "100-continue with chunks",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "PUT / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nExpect: 100-continue",
            b"hi",
        ),
        passed(
            "100-continue without a body",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nExpect: 100-continue",
            b"",
        ),
        passed(
            "HTTP/1.0 has no expectations",
            "PUT / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi",
            "PUT / HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        )
        .closed(),
        refused(
            417,
            "another expectation",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
        ),
        refused(
            417,
            "another expectation and a body",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 101-continue\r\n\r\nhi",
        ),
        refused(
            417,
            "another expectation of HEAD",
            "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
        ),
        refused(
            417,
            "two expectations",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, tea\r\n\r\n",
        ),
    ]
}
