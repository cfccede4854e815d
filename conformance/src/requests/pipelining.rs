//! Several requests in a row (RFC 9112, 9.3.2): answered in order, and nothing behind a malformed one.

use crate::case::{Answer, Case, Then, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        passed(
            "two",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET /1 HTTP/1.1\nHost: a",
            b"",
        )
        .and_served("GET /2 HTTP/1.1\nHost: b", b""),
        passed(
            "bodies of every kind",
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\
             POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n\
             HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n\
             GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        )
        .and_served("POST /2 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked", b"ho")
        .and_served("HEAD /3 HTTP/1.1\nHost: a", b"")
        .and_served("GET /4 HTTP/1.1\nHost: a", b""),
        passed(
            "an empty line between two",
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 HTTP/1.1\nHost: a\nContent-Length: 2",
            b"hi",
        )
        .and_served("GET /2 HTTP/1.1\nHost: a", b""),
        passed(
            "nothing behind close",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /1 HTTP/1.1\nHost: a",
            b"",
        )
        .and_served("GET /2 HTTP/1.1\nHost: a", b"")
        .closed(),
    ];
    cases.extend([
        then(
            "a served one, then one without a route",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /-no HTTP/1.1\r\nHost: a\r\n\r\n",
            404,
            Then::Kept,
        ),
        then(
            "a served one, then a malformed one",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost : a\r\n\r\n",
            400,
            Then::Closed,
        ),
        then(
            "nothing behind a malformed one is answered",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            Then::Closed,
        ),
        refused(
            400,
            "nothing behind the first, malformed one is answered",
            "GET /1 HTTP/1.1\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        then(
            "a body that is longer than it says makes a malformed request",
            "POST /1 HTTP/1.1\r\nHost: a\r\n\r\n{\"a\":1}\r\n\r\n",
            400,
            Then::Closed,
        ),
    ]);
    cases
}

/// A served request for `/1`, then an answer of the subject's own.
fn then(what: &'static str, send: &str, status: u16, then: Then) -> Case {
    let method = send.split(' ').next().unwrap_or_default();
    let mut case = passed(what, send, &format!("{method} /1 HTTP/1.1\nHost: a"), b"");
    case.answers.push(Answer::Own(status));
    case.then = then;
    case
}
