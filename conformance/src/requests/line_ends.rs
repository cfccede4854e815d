//! Line ends (RFC 9112, 2.2): CRLF and nothing else.

use crate::case::{Case, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        refused(400, "LF alone everywhere", "GET / HTTP/1.1\nHost: a\n\n"),
        refused(
            400,
            "LF alone after the request line",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "LF alone after the first field",
            "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        ),
        refused(
            400,
            "LF alone after the last field",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n",
        ),
        refused(
            400,
            "LF alone for the empty line",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
        ),
        refused(
            400,
            "LF alone for both of the last",
            "GET / HTTP/1.1\r\nHost: a\n\n",
        ),
        refused(
            400,
            "LF alone before the request",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "LF alone after an empty line",
            "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "LF alone after an empty value",
            "GET / HTTP/1.1\r\nHost: a\r\nX:\n\r\n",
        ),
        refused(
            400,
            "CR alone before the request",
            "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "CR alone after the request line",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
        ),
        refused(
            400,
            "CR alone between fields",
            "GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n",
        ),
        refused(
            400,
            "CR twice at a field's end",
            "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        ),
        refused(
            400,
            "CR twice at the request line's end",
            "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "CR twice in the empty line",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
        ),
        refused(
            400,
            "CR in a value",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n",
        ),
        refused(
            400,
            "CR in a name",
            "GET / HTTP/1.1\r\nHost: a\r\nX\rY: 1\r\n\r\n",
        ),
        refused(
            400,
            "CR in the target",
            "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        refused(
            400,
            "CR before a colon",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r: 1\r\n\r\n",
        ),
        refused(400, "LF CR for CRLF", "GET / HTTP/1.1\n\rHost: a\n\r\n\r"),
        refused(
            400,
            "LF alone hides a second request",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
    ]
}
