//! Good responses, which must pass unharmed.

use super::{Asked, Case, Then, whole};

pub(super) fn cases() -> Vec<Case> {
    let long = "x".repeat(30_000);
    vec![
        whole("a body of a length", 200, b"hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        whole("an empty body", 200, b"", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        whole("chunks", 200, b"hello!", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n"),
        whole("chunks for HTTP/1.0", 200, b"hello!", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
            .asked(Asked::Get10),
        whole("chunks and trailers", 200, b"hi", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"),
        whole("a body until close", 200, b"hello", "HTTP/1.1 200 OK\r\n\r\nhello").then(Then::Close).alone(),
        whole("a body until close for HTTP/1.0", 200, b"hello", "HTTP/1.1 200 OK\r\n\r\nhello")
            .then(Then::Close)
            .asked(Asked::Get10)
            .alone(),
        whole("HTTP/1.0", 200, b"hello", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello").then(Then::Close).alone(),
        whole("HTTP/1.2", 200, b"hello", "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        whole("HTTP/1.0 that is kept", 200, b"hello", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"),
        whole("a server that says close", 200, b"hello", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello").alone(),
        whole("204", 204, b"", "HTTP/1.1 204 No Content\r\n\r\n"),
        whole("304 with a length", 304, b"", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n"),
        whole("HEAD with a length", 200, b"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").asked(Asked::Head),
        whole("HEAD with chunks", 200, b"", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").asked(Asked::Head),
        whole("HEAD without a length", 200, b"", "HTTP/1.1 200 OK\r\n\r\n").asked(Asked::Head),
        whole("an empty reason", 200, b"", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
        whole("a reason with bytes above 127", 200, b"", b"HTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 0\r\n\r\n"),
        whole("an unknown status", 299, b"", "HTTP/1.1 299 Something\r\nContent-Length: 0\r\n\r\n"),
        whole("an error of the server's own", 500, b"no", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"),
        whole("the server's own 502", 502, b"no", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno"),
        whole("a long head", 200, b"hi", format!("HTTP/1.1 200 OK\r\nX: {long}\r\nContent-Length: 2\r\n\r\nhi")),
        whole("bytes above 127 in a value", 200, b"hi", b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nhi"),
        whole("an answer to POST", 201, b"hi", "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi").asked(Asked::Post),
        whole("an upgrade that is declined", 200, b"hi", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").asked(Asked::Upgrade),
        whole("a body that looks like a response", 200, b"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    ]
}
