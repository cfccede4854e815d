//! Interim responses and switching protocols (RFC 9110, 15.2).

use super::{Asked, Case, Then, invalid, whole};

pub(super) fn cases() -> Vec<Case> {
    const SWITCH: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n";
    let flood = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n".repeat(300);
    vec![
        invalid("101 that was not asked for", SWITCH),
        invalid("101 that was not asked for, behind 100", format!("HTTP/1.1 100 Continue\r\n\r\n{SWITCH}")),
        invalid("101 for HTTP/1.0", SWITCH).asked(Asked::Get10),
        invalid("101 that does not say to what", "HTTP/1.1 101 Switching Protocols\r\n\r\n").asked(Asked::Upgrade),
        invalid("101 whose Connection does not name it", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: b\r\n\r\n")
            .asked(Asked::Upgrade),
        invalid("101 with HTTP/1.0 in the status line", SWITCH.replace("HTTP/1.1", "HTTP/1.0")).asked(Asked::Upgrade),
        invalid("an interim response and then the end", "HTTP/1.1 103 Early Hints\r\n\r\n").then(Then::Close),
        invalid("an interim response and then garbage", "HTTP/1.1 103 Early Hints\r\n\r\ngarbage\r\n\r\n"),
        invalid("a malformed interim response", "HTTP/1.1 103 Early Hints\r\nX : 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        whole("100 and 103 are passed on", 200, b"hi", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .interim(2),
        whole("interim responses are not for HTTP/1.0", 200, b"hi", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .asked(Asked::Get10),
        whole("interim responses to HEAD", 200, b"", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            .asked(Asked::Head)
            .interim(1),
        whole("a flood of interim responses", 200, b"hi", format!("{flood}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")).interim(300),
    ]
}
