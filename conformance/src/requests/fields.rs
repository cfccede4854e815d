//! Fields (RFC 9112, 5; RFC 9110, 5).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(bad());
    cases
}

fn good() -> Vec<Case> {
    vec![
        passed(
            "empty values",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nX:\nY:",
            b"",
        ),
        passed(
            "colons, tabs and quotes in a value",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a:b\tc \"d\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nX: a:b\tc \"d",
            b"",
        ),
        passed(
            "bytes above 127 in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nX: \u{e9}\u{ff}",
            b"",
        ),
        passed(
            "every byte that a name may have",
            "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~0z: 1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n!#$%&'*+-.^_`|~0z: 1",
            b"",
        ),
        passed(
            "the same name twice, in order",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nx: 3\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nX: 1\nX: 3\nY: 2",
            b"",
        ),
        passed(
            "an underscore makes another name",
            "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nContent_Length: 5\nTransfer_Encoding: chunked",
            b"",
        ),
        passed(
            "cookies and authorization",
            "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=\"d\"\r\nAuthorization: Basic eDp5\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nCookie: a=b; c=\"d\"\nAuthorization: Basic eDp5",
            b"",
        ),
        passed(
            "what others say of the client is not believed",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Port: 1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
    ]
}

fn bad() -> Vec<Case> {
    vec![
        refused(
            400,
            "folded with a space",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        ),
        refused(
            400,
            "folded with a tab",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n",
        ),
        refused(
            400,
            "folded after an empty value",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n 2\r\n\r\n",
        ),
        refused(400, "folded Host", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"),
        refused(
            400,
            "a line of one space",
            "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n",
        ),
        refused(
            400,
            "a space before the first",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        ),
        refused(
            400,
            "a tab before the first",
            "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
        ),
        refused(
            400,
            "a space before the colon",
            "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        ),
        refused(
            400,
            "a tab before the colon",
            "GET / HTTP/1.1\r\nHost: a\r\nX\t: 1\r\n\r\n",
        ),
        refused(
            400,
            "a space in a name",
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n",
        ),
        refused(400, "no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
        refused(
            400,
            "an empty name",
            "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        ),
        refused(
            400,
            "a quoted name",
            "GET / HTTP/1.1\r\nHost: a\r\n\"X\": 1\r\n\r\n",
        ),
        refused(
            400,
            "a bracket in a name",
            "GET / HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n",
        ),
        refused(
            400,
            "a slash in a name",
            "GET / HTTP/1.1\r\nHost: a\r\nX/Y: 1\r\n\r\n",
        ),
        refused(
            400,
            "NUL in a name",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\0: 1\r\n\r\n",
        ),
        refused(
            400,
            "a vertical tab before a name",
            b"GET / HTTP/1.1\r\nHost: a\r\n\x0bX: 1\r\n\r\n",
        ),
        refused(
            400,
            "a byte above 127 in a name",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: 1\r\n\r\n",
        ),
        refused(
            400,
            "NUL in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n",
        ),
        refused(
            400,
            "an escape in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[0m\r\n\r\n",
        ),
        refused(
            400,
            "a form feed in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\x0c2\r\n\r\n",
        ),
        refused(
            400,
            "DEL in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\x7f\r\n\r\n",
        ),
        refused(
            400,
            "a request line for a field",
            "GET / HTTP/1.1\r\nHost: a\r\nGET /b HTTP/1.1\r\n\r\n",
        ),
        refused(
            400,
            "a control byte in a field of a HEAD",
            b"HEAD / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        ),
    ]
}
