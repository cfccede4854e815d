//! `Connection`, what it names, and upgrades (RFC 9110, 7.6.1 and 7.8; RFC 9112, 9.3).

use crate::case::{Case, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    vec![
        passed(
            "close",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        )
        .closed(),
        passed(
            "close in upper case, in a list",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        )
        .closed(),
        passed(
            "close wins over keep-alive",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        )
        .closed(),
        passed(
            "close with a body",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        )
        .closed(),
        passed(
            "a name that begins like close",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "empty, and empty elements",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\nConnection: , ,\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "fields of one hop are removed",
            "GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: b\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "fields that are named are removed",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nConnection: x, Y\r\ny: 2\r\nZ: 3\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nZ: 3",
            b"",
        ),
        passed(
            "a client cannot take away what the server relies on",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length, cookie\r\nContent-Length: 1\r\nCookie: c\r\n\r\nx",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 1\nCookie: c",
            b"x",
        ),
        passed(
            "trailers are asked for on this hop too",
            "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nTE: trailers\nConnection: te",
            b"",
        ),
        passed(
            "an upgrade that the server declines",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: websocket",
            b"",
        ),
        passed(
            "an upgrade that Connection does not name",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an upgrade to HTTP/2 is not for this hop's settings",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        ),
        passed(
            "an upgrade with HTTP/1.0",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n",
            "GET / HTTP/1.1\nHost: a",
            b"",
        )
        .closed(),
        refused(
            400,
            "no token in it",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: \"close\"\r\n\r\n",
        ),
        refused(
            400,
            "two words without a comma",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close keep-alive\r\n\r\n",
        ),
        refused(
            400,
            "a flood of names",
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: {}z\r\n\r\n",
                "x,".repeat(60)
            ),
        ),
    ]
}
