//! What of a response's head goes to the client: a table, field rule by field rule.

use std::sync::LazyLock;

use sluice_route::FieldNames;
use sluice_wire::h1::{FieldStorage, Limits, parse_response};

use super::*;

/// To whom a response goes, and how.
#[derive(Clone, Copy)]
struct To {
    client: Version,
    keep_alive: bool,
    head: bool,
    via: Option<&'static str>,
    hsts: Option<&'static str>,
    alt_svc: Option<&'static str>,
    edits: Option<Edits<'static>>,
}

const USUAL: To = To {
    client: Version::Http11,
    keep_alive: true,
    head: false,
    via: None,
    hsts: None,
    alt_svc: None,
    edits: None,
};
const CLOSE: To = To {
    keep_alive: false,
    ..USUAL
};
const OLD: To = To {
    client: Version::Http10,
    ..USUAL
};
const OLD_CLOSE: To = To {
    keep_alive: false,
    ..OLD
};
const HEAD: To = To {
    head: true,
    ..USUAL
};
const VIA: To = To {
    via: Some("edge"),
    ..USUAL
};

fn composed(lines: &str, to: &To) -> String {
    let head = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
    let mut storage = FieldStorage::new();
    let limits = Limits::default();
    let parsed = parse_response(head.as_bytes(), &mut storage, &limits, to.head);
    let parsed = parsed.expect("well-formed").expect("whole");
    let back = Return {
        client: to.client,
        keep_alive: to.keep_alive,
        delivery: Delivery::of(parsed.framing, to.client),
        date: b"NOW",
        via: to.via,
        hsts: to.hsts,
        alt_svc: to.alt_svc,
        for_us: Some("x-load"),
        edits: to.edits,
    };
    let mut out = Vec::new();
    compose(&parsed, &back, &mut out);
    let text = String::from_utf8(out).expect("text");
    let text = text.strip_suffix("\r\n\r\n").expect("an empty line");
    assert!(!text.contains("\r\n\r\n"), "{text}");
    text.replace("\r\n", "\n")
}

const CASES: &[(&str, To, &str, &str)] = &[
    (
        "a plain one",
        USUAL,
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5\nserver: x",
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5\nserver: x",
    ),
    (
        "a date is added",
        USUAL,
        "HTTP/1.1 404 Not Found\nContent-Length: 0",
        "HTTP/1.1 404 Not Found\nContent-Length: 0\nDate: NOW",
    ),
    (
        "a reason that is not there",
        USUAL,
        "HTTP/1.1 299 \nDate: then\nContent-Length: 0",
        "HTTP/1.1 299 \nDate: then\nContent-Length: 0",
    ),
    (
        "hop-by-hop fields go",
        USUAL,
        "HTTP/1.1 200 OK\nDate: then\nConnection: close, x-a\nKeep-Alive: timeout=5\nX-A: 1\nUpgrade: h2\nProxy-Connection: x\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 5",
        "HTTP/1.1 200 OK\nDate: then\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 5",
    ),
    (
        "chunks pass through",
        USUAL,
        "HTTP/1.1 200 OK\nDate: then\ntransfer-encoding: Chunked\nTrailer: A",
        "HTTP/1.1 200 OK\nDate: then\nTrailer: A\nTransfer-Encoding: chunked",
    ),
    (
        "what ends with the connection is put into chunks",
        USUAL,
        "HTTP/1.1 200 OK\nDate: then",
        "HTTP/1.1 200 OK\nDate: then\nTransfer-Encoding: chunked",
    ),
    (
        "a server of HTTP/1.0",
        USUAL,
        "HTTP/1.0 200 OK\nDate: then",
        "HTTP/1.1 200 OK\nDate: then\nTransfer-Encoding: chunked",
    ),
    (
        "the connection is closed",
        CLOSE,
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5",
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5\nConnection: close",
    ),
    (
        "an HTTP/1.0 client that is kept",
        OLD,
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5",
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 5\nConnection: keep-alive",
    ),
    (
        "an HTTP/1.0 client knows no chunks",
        OLD_CLOSE,
        "HTTP/1.1 200 OK\nDate: then\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\nDate: then\nConnection: close",
    ),
    (
        "nor a body without an end",
        OLD_CLOSE,
        "HTTP/1.1 200 OK\nDate: then",
        "HTTP/1.1 200 OK\nDate: then\nConnection: close",
    ),
    (
        "to HEAD a length says what GET would get",
        HEAD,
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 500",
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 500",
    ),
    (
        "to HEAD chunks are not announced",
        HEAD,
        "HTTP/1.1 200 OK\nDate: then\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\nDate: then",
    ),
    (
        "204 has no length",
        USUAL,
        "HTTP/1.1 204 No Content\nDate: then\nContent-Length: 0\nA: b",
        "HTTP/1.1 204 No Content\nDate: then\nA: b",
    ),
    (
        "304 keeps it",
        USUAL,
        "HTTP/1.1 304 Not Modified\nDate: then\nContent-Length: 500\nETag: x",
        "HTTP/1.1 304 Not Modified\nDate: then\nContent-Length: 500\nETag: x",
    ),
    (
        "an interim response gets no date and says nothing of the connection",
        CLOSE,
        "HTTP/1.1 103 Early Hints\nLink: </a>\nContent-Length: 3",
        "HTTP/1.1 103 Early Hints\nLink: </a>",
    ),
    (
        "100",
        USUAL,
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 100 Continue",
    ),
    (
        "101 names the protocol",
        USUAL,
        "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: k",
        "HTTP/1.1 101 Switching Protocols\nSec-WebSocket-Accept: k\nConnection: upgrade\nUpgrade: websocket",
    ),
    (
        "426 asks for one",
        USUAL,
        "HTTP/1.1 426 Upgrade Required\nDate: then\nUpgrade: x/2\nConnection: upgrade\nContent-Length: 0",
        "HTTP/1.1 426 Upgrade Required\nDate: then\nContent-Length: 0\nConnection: upgrade\nUpgrade: x/2",
    ),
    (
        "426 on a connection that closes",
        CLOSE,
        "HTTP/1.1 426 Upgrade Required\nDate: then\nUpgrade: x/2\nConnection: upgrade\nContent-Length: 0",
        "HTTP/1.1 426 Upgrade Required\nDate: then\nContent-Length: 0\nConnection: upgrade, close\nUpgrade: x/2",
    ),
    (
        "Via of those before is passed on",
        USUAL,
        "HTTP/1.1 200 OK\nDate: then\nVia: 1.1 x\nContent-Length: 0",
        "HTTP/1.1 200 OK\nDate: then\nVia: 1.1 x\nContent-Length: 0",
    ),
    (
        "and added to",
        VIA,
        "HTTP/1.0 200 OK\nDate: then\nVia: 1.1 x\nContent-Length: 0\nVia: 1.1 y",
        "HTTP/1.1 200 OK\nDate: then\nContent-Length: 0\nVia: 1.1 x, 1.1 y, 1.0 edge",
    ),
];

#[test]
fn heads_for_the_client() {
    for (name, to, lines, wanted) in CASES {
        assert_eq!(composed(lines, to), *wanted, "{name}");
    }
}

#[test]
fn what_goes_out_parses_to_the_same_end_of_the_body() {
    for (name, to, lines, _) in CASES {
        if to.client == Version::Http10 {
            continue;
        }
        let framing = |text: &str| {
            let head = format!("{}\r\n\r\n", text.replace('\n', "\r\n"));
            let mut storage = FieldStorage::new();
            let parsed = parse_response(head.as_bytes(), &mut storage, &Limits::default(), to.head);
            parsed.expect("well-formed").expect("whole").framing
        };
        let wanted = match framing(lines) {
            Framing::UntilClose => Framing::Chunked,
            other => other,
        };
        assert_eq!(framing(&composed(lines, to)), wanted, "{name}");
    }
}

#[test]
fn status_lines() {
    for (status, reason, line) in [
        (200, "OK", "HTTP/1.1 200 OK\r\n"),
        (599, "", "HTTP/1.1 599 \r\n"),
        (100, "Continue", "HTTP/1.1 100 Continue\r\n"),
    ] {
        let mut out = Vec::new();
        write_status_line(status, reason.as_bytes(), &mut out);
        assert_eq!(out, line.as_bytes());
    }
}

#[test]
fn strict_transport_security_is_ours_where_we_have_one() {
    let to = To {
        hsts: Some("max-age=60"),
        ..USUAL
    };
    let lines = "HTTP/1.1 204 No Content\nstrict-transport-security: max-age=1\nX-LOAD: 1\nDate: d";
    let head = composed(lines, &to);
    assert_eq!(
        head,
        "HTTP/1.1 204 No Content\nDate: d\nStrict-Transport-Security: max-age=60"
    );
    assert!(composed(lines, &USUAL).contains("max-age=1"));
}

#[test]
fn alternative_services_are_ours_where_we_have_one() {
    let to = To {
        alt_svc: Some("h3=\":443\""),
        ..USUAL
    };
    let lines = "HTTP/1.1 204 No Content\nalt-svc: clear\nX-LOAD: 1\nDate: d";
    let head = composed(lines, &to);
    assert_eq!(
        head,
        "HTTP/1.1 204 No Content\nDate: d\nAlt-Svc: h3=\":443\""
    );
    assert!(composed(lines, &USUAL).contains("alt-svc: clear"));
}

#[test]
fn what_is_said_to_us_alone_is_not_passed_on() {
    let head = composed(
        "HTTP/1.1 204 No Content\nX-Loads: 1\nX-LOAD: 0.5\nDate: d\nx-load: 0.6",
        &USUAL,
    );
    assert!(
        head.contains("X-Loads: 1") && !head.contains("0.5") && !head.contains("0.6"),
        "{head}"
    );
}

#[test]
fn edits_are_of_what_came_and_of_what_is_added() {
    static REMOVES: LazyLock<FieldNames> =
        LazyLock::new(|| FieldNames::new(["server", "x-in-*", "date", "x-to", "*length"]));
    static COPIES: LazyLock<[(Box<str>, Box<str>); 2]> = LazyLock::new(|| {
        [
            ("x-in-a".into(), "x-to".into()),
            ("x-hop".into(), "x-not".into()),
        ]
    });
    let to = To {
        hsts: Some("max-age=1"),
        edits: Some(Edits {
            removes: Some(&REMOVES),
            copies: &*COPIES,
            lines: b"x-new: 1\r\n",
        }),
        ..CLOSE
    };
    let head = "Server: s\nX-In-A: 1\nX-To: old\nX-IN-B: 2\nA: b\nX-In-A: 3\nX-Hop: h\nConnection: x-hop\nContent-Length: 0";
    assert_eq!(
        composed(&format!("HTTP/1.1 200 OK\n{head}"), &to),
        "HTTP/1.1 200 OK\nA: b\nContent-Length: 0\nStrict-Transport-Security: max-age=1\nx-to: 1\nx-to: 3\nx-new: 1\nConnection: close"
    );
    assert_eq!(
        composed(
            "HTTP/1.1 103 Early Hints\nServer: s",
            &To {
                edits: to.edits,
                ..USUAL
            }
        ),
        "HTTP/1.1 103 Early Hints\nServer: s",
        "it is not the answer"
    );
}
