//! Messages that stop short. For a subject that waits one second for a head, for a body to go on, and between requests.

use crate::case::{Case, dropped, refused};

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![
        refused(408, "a method and no more", "GET").silent(),
        refused(408, "a request line and no more", "GET / HTTP/1.1\r\n").silent(),
        refused(
            408,
            "a head without its empty line",
            "GET / HTTP/1.1\r\nHost: a\r\n",
        )
        .silent(),
        refused(
            408,
            "a head without its last byte",
            "GET / HTTP/1.1\r\nHost: a\r\n\r",
        )
        .silent(),
        refused(
            408,
            "half a body",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        )
        .unfinished()
        .silent(),
        refused(
            408,
            "half a chunk",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        )
        .unfinished()
        .silent(),
        refused(
            408,
            "chunks without a last one",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
        )
        .unfinished()
        .silent(),
        refused(
            400,
            "a client that closes its side in a head",
            "GET / HTTP/1.1\r\nHost: a\r\n",
        )
        .half_closed(),
        dropped(
            "a client that closes its side in a body",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        )
        .half_closed(),
        dropped(
            "a client that closes its side in a chunk",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        )
        .half_closed(),
        dropped(
            "a client that closes its side before the last chunk",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
        )
        .half_closed(),
        dropped("a client that says nothing", "").silent(),
    ]
}
