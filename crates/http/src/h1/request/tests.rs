//! What of a request's head goes to the server: a table, field rule by field rule.

use sluice_route::FieldNames;
use sluice_wire::h1::{FieldStorage, Limits, parse_request};

use super::*;

const USUAL: Forwarding<'static> = Forwarding {
    believed_of_trusted: None,
    spoken: None,
    client: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)),
    trusted: false,
    scheme: "http",
    request_id: "id-1",
    via: None,
    forwarded: false,
    default_host: "app",
    certificate: Certificate::NotAsked,
    early: false,
    max_forwards: None,
    first: None,
    hides_cookie: None,
    vouched: None,
    edits: None,
    place: None,
};

/// The head composed for `lines` (line ends are added), with the lines that every head gets cut away where they are as
/// usual.
fn composed(lines: &str, forwarding: &Forwarding<'_>) -> String {
    let head = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
    let mut storage = FieldStorage::new();
    let parsed = parse_request(head.as_bytes(), &mut storage, &Limits::default());
    let parsed = parsed.expect("well-formed").expect("whole");
    let mut out = Vec::new();
    compose(&parsed, forwarding, &mut out);
    let text = String::from_utf8(out).expect("text");
    let text = text.strip_suffix("\r\n\r\n").expect("an empty line");
    assert!(!text.contains("\r\n\r\n"), "{text}");
    text.replace("\r\n", "\n")
}

/// What every head gets under [`USUAL`].
const ADDED: &str = "X-Forwarded-For: 192.0.2.7
X-Forwarded-Proto: http
X-Forwarded-Host: a.example
X-Request-ID: id-1";

/// Lines that come in, lines that go out before [`ADDED`], and lines after it.
const PLAIN: &[(&str, &str, &str, &str)] = &[
    (
        "a plain one",
        "GET /a?b HTTP/1.1\nHost: a.example\nAccept: */*",
        "GET /a?b HTTP/1.1\nHost: a.example\nAccept: */*",
        "",
    ),
    (
        "names, values and order stay as they are",
        "GET / HTTP/1.1\nzz: 1\nHOST:  a.example \nAA:2\nzz: 3",
        "GET / HTTP/1.1\nzz: 1\nHOST:  a.example \nAA:2\nzz: 3",
        "",
    ),
    (
        "hop-by-hop fields go",
        "GET / HTTP/1.1\nHost: a.example\nConnection: close\nKeep-Alive: timeout=5\nProxy-Connection: x\nTE: gzip\nUpgrade: h2c\nA: b",
        "GET / HTTP/1.1\nHost: a.example\nA: b",
        "",
    ),
    (
        "what Connection names goes, in any case",
        "GET / HTTP/1.1\nHost: a.example\nx-ONE: 1\nX-Two: 2\nConnection: X-One, keep-alive\nX-Three: 3\nConnection: x-three",
        "GET / HTTP/1.1\nHost: a.example\nX-Two: 2",
        "",
    ),
    (
        "Connection cannot take away what a server relies on",
        "POST / HTTP/1.1\nHost: a.example\nContent-Length: 0\nAuthorization: x\nConnection: host, content-length, authorization, x-forwarded-for",
        "POST / HTTP/1.1\nHost: a.example\nContent-Length: 0\nAuthorization: x",
        "",
    ),
    (
        "a length is passed on",
        "POST / HTTP/1.1\nHost: a.example\nContent-Length: 5",
        "POST / HTTP/1.1\nHost: a.example\nContent-Length: 5",
        "",
    ),
    (
        "chunks are announced anew",
        "POST / HTTP/1.1\ntransfer-encoding: Chunked\nHost: a.example\nTrailer: A",
        "POST / HTTP/1.1\nHost: a.example\nTrailer: A",
        "Transfer-Encoding: chunked",
    ),
    (
        "whoever takes trailers still does",
        "GET / HTTP/1.1\nHost: a.example\nConnection: TE\nTE: gzip;q=0.5 , Trailers",
        "GET / HTTP/1.1\nHost: a.example",
        "Connection: te\nTE: trailers",
    ),
    (
        "an upgrade is asked for",
        "GET / HTTP/1.1\nHost: a.example\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: k",
        "GET / HTTP/1.1\nHost: a.example\nSec-WebSocket-Key: k",
        "Connection: upgrade\nUpgrade: websocket",
    ),
    (
        "an upgrade and trailers",
        "GET / HTTP/1.1\nHost: a.example\nConnection: upgrade, te\nUpgrade: foo/2\nTE: trailers",
        "GET / HTTP/1.1\nHost: a.example",
        "Connection: upgrade, te\nUpgrade: foo/2\nTE: trailers",
    ),
    (
        "an absolute target becomes an origin one, and its host the host",
        "GET http://a.example/x?y HTTP/1.1\nHost: b.example",
        "GET /x?y HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "an absolute target without a path",
        "GET http://a.example HTTP/1.1\nHost: a.example",
        "GET / HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "an absolute target with a query only",
        "GET http://a.example?q HTTP/1.1\nHost: a.example",
        "GET /?q HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "an absolute target for the server as a whole",
        "OPTIONS http://a.example HTTP/1.1\nHost: a.example",
        "OPTIONS * HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "the server as a whole",
        "OPTIONS * HTTP/1.1\nHost: a.example",
        "OPTIONS * HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "100-continue is passed on",
        "PUT / HTTP/1.1\nHost: a.example\nExpect: 100-Continue\nContent-Length: 1",
        "PUT / HTTP/1.1\nHost: a.example\nExpect: 100-Continue\nContent-Length: 1",
        "",
    ),
    (
        "but HTTP/1.0 cannot wait for it",
        "PUT / HTTP/1.0\nHost: a.example\nExpect: 100-continue\nContent-Length: 1",
        "PUT / HTTP/1.1\nHost: a.example\nContent-Length: 1",
        "",
    ),
    (
        "nor upgrade",
        "GET / HTTP/1.0\nHost: a.example\nConnection: upgrade, keep-alive\nUpgrade: x",
        "GET / HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "what a stranger says of the client is not believed",
        "GET / HTTP/1.1\nHost: a.example\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 1\nX-Real-IP: 1.1.1.1\nForwarded: for=1.1.1.1\nA: b",
        "GET / HTTP/1.1\nHost: a.example\nA: b",
        "",
    ),
    (
        "Via of those before is passed on, where we add none",
        "GET / HTTP/1.1\nHost: a.example\nVia: 1.0 x",
        "GET / HTTP/1.1\nHost: a.example\nVia: 1.0 x",
        "",
    ),
    (
        "an id is replaced by the one decided upon",
        "GET / HTTP/1.1\nHost: a.example\nX-Request-Id: theirs\nx-request-id: two",
        "GET / HTTP/1.1\nHost: a.example",
        "",
    ),
    (
        "Max-Forwards is passed on where it does not count",
        "GET / HTTP/1.1\nHost: a.example\nMax-Forwards: 3",
        "GET / HTTP/1.1\nHost: a.example\nMax-Forwards: 3",
        "",
    ),
    (
        "a method of their own",
        "PURGE /x HTTP/1.1\nHost: a.example",
        "PURGE /x HTTP/1.1\nHost: a.example",
        "",
    ),
];

#[test]
fn fields_of_the_message() {
    for (name, lines, before, after) in PLAIN {
        let mut wanted = format!("{before}\n{ADDED}");
        if !after.is_empty() {
            wanted = format!("{wanted}\n{after}");
        }
        assert_eq!(composed(lines, &USUAL), wanted, "{name}");
    }
}

/// The lines of the composed head that tell of the client and the way.
fn told(lines: &str, forwarding: &Forwarding<'_>) -> Vec<String> {
    const TELLING: [&str; 9] = [
        "x-forwarded-for:",
        "x-forwarded-proto:",
        "x-forwarded-host:",
        "x-forwarded-port:",
        "x-real-ip:",
        "forwarded:",
        "via:",
        "max-forwards:",
        "host:",
    ];
    composed(lines, forwarding)
        .lines()
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            TELLING.iter().any(|name| line.starts_with(name))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_trusted_proxys_word_is_passed_on_and_added_to() {
    let trusted = Forwarding {
        trusted: true,
        ..USUAL
    };
    assert_eq!(
        told(
            "GET / HTTP/1.1\nHost: a.example\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\nX-Forwarded-Proto: https\nX-Forwarded-Host: b.example\nX-Forwarded-Port: 443\nX-Real-IP: 1.1.1.1\nForwarded: for=1.1.1.1\nX-Forwarded-For:\nX-Forwarded-For: 3.3.3.3",
            &trusted
        ),
        [
            "Host: a.example",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: b.example",
            "X-Forwarded-Port: 443",
            "X-Real-IP: 1.1.1.1",
            "Forwarded: for=1.1.1.1",
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7",
        ]
    );
    assert_eq!(
        told("GET / HTTP/1.1\nHost: a.example", &trusted),
        [
            "Host: a.example",
            "X-Forwarded-For: 192.0.2.7",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: a.example",
        ],
        "what it does not say is said by us"
    );
}

#[test]
fn names_that_servers_take_for_those_are_removed_whoever_sends_them() {
    for trusted in [false, true] {
        let forwarding = Forwarding { trusted, ..USUAL };
        let head = composed(
            "GET / HTTP/1.1\nHost: a.example\nX_Forwarded_For: 6.6.6.6\nX-forwarded_proto: https\nX_REAL_IP: 6.6.6.6\nX_Request-ID: a\nX_Forwarded_By: b",
            &forwarding,
        );
        assert!(
            !head.contains("6.6.6.6") && !head.contains("https"),
            "{head}"
        );
        assert!(!head.to_ascii_lowercase().contains("x_request"), "{head}");
        assert!(head.contains("X_Forwarded_By: b"), "{head}");
    }
}

#[test]
fn forwarded_names_this_hop_after_those_before() {
    let with = |trusted, client: &str| Forwarding {
        trusted,
        client: client.parse().expect("address"),
        scheme: "https",
        forwarded: true,
        ..USUAL
    };
    let last = |lines: &str, forwarding: &Forwarding<'_>| {
        let mut told = told(lines, forwarding);
        told.retain(|line| line.to_ascii_lowercase().starts_with("forwarded"));
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let lines =
        "GET / HTTP/1.1\nHost: a.example:81\nforwarded: for=1.1.1.1\nForwarded: for=_x;by=y";
    assert_eq!(
        last(lines, &with(true, "192.0.2.7")),
        "Forwarded: for=1.1.1.1, for=_x;by=y, for=192.0.2.7;proto=https;host=\"a.example:81\""
    );
    assert_eq!(
        last(lines, &with(false, "2001:db8::7")),
        "Forwarded: for=\"[2001:db8::7]\";proto=https;host=\"a.example:81\""
    );
    assert_eq!(
        last("GET / HTTP/1.0", &with(false, "192.0.2.7")),
        "Forwarded: for=192.0.2.7;proto=https"
    );
}

#[test]
fn an_ipv6_client_is_written_in_full() {
    let longest = "2001:db8:1111:2222:3333:4444:5555:6666";
    let forwarding = Forwarding {
        client: longest.parse().expect("address"),
        ..USUAL
    };
    let told = told("GET / HTTP/1.1\nHost: a", &forwarding);
    assert!(
        told.contains(&format!("X-Forwarded-For: {longest}")),
        "{told:?}"
    );
    let mapped: IpAddr = "::ffff:255.255.255.255".parse().expect("address");
    let mut text = AddressText { bytes: [0; 48] };
    assert_eq!(text.write(mapped), mapped.to_string().as_bytes());
}

#[test]
fn via_lists_every_hop_once_more() {
    let forwarding = Forwarding {
        via: Some("edge"),
        ..USUAL
    };
    let via = |lines: &str| {
        let mut told = told(lines, &forwarding);
        told.retain(|line| line.starts_with("Via") || line.starts_with("via"));
        told
    };
    assert_eq!(via("GET / HTTP/1.1\nHost: a"), ["Via: 1.1 edge"]);
    assert_eq!(via("GET / HTTP/1.0\nHost: a"), ["Via: 1.0 edge"]);
    let translated = Forwarding {
        spoken: Some("2.0"),
        ..forwarding
    };
    let told = composed("GET / HTTP/1.1\nHost: a", &translated);
    assert!(told.contains("\nVia: 2.0 edge"), "{told}");
    assert_eq!(
        via("GET / HTTP/1.1\nvia: 1.0 x (y)\nHost: a\nVia:\nVia: 1.1 z"),
        ["Via: 1.0 x (y), 1.1 z, 1.1 edge"]
    );
}

#[test]
fn max_forwards_is_counted_down() {
    let forwarding = Forwarding {
        max_forwards: Some(2),
        ..USUAL
    };
    let told = told("TRACE / HTTP/1.1\nHost: a\nMax-Forwards: 3", &forwarding);
    assert_eq!(told.last().map(String::as_str), Some("Max-Forwards: 2"));
    assert_eq!(
        told.iter().filter(|line| line.starts_with("Max")).count(),
        1
    );
}

#[test]
fn a_field_of_ours_comes_first_in_the_place_of_the_clients() {
    let forwarding = Forwarding {
        first: Some(("x-left", b"7")),
        ..USUAL
    };
    let lines = "GET /a HTTP/1.1\nHost: a\nX-LEFT: 8\nX-Lef: 9\nx-left: 10";
    let told = composed(lines, &forwarding);
    assert!(told.starts_with("GET /a HTTP/1.1\nx-left: 7\n"), "{told}");
    assert!(told.contains("X-Lef: 9"), "{told}");
    assert_eq!(told.to_lowercase().matches("x-left").count(), 1, "{told}");
}

#[test]
fn a_host_is_always_sent() {
    let told = told("GET / HTTP/1.0", &USUAL);
    assert_eq!(told[0], "Host: app");
    assert!(!told.iter().any(|line| line.starts_with("X-Forwarded-Host")));
    let hosts = told.iter().filter(|line| line.starts_with("Host"));
    assert_eq!(hosts.count(), 1);
}

#[test]
fn ids_that_can_be_passed_on_are_kept() {
    let kept = |value: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {value}\r\n\r\n");
        let mut storage = FieldStorage::new();
        let parsed = parse_request(head.as_bytes(), &mut storage, &Limits::default());
        let parsed = parsed.expect("well-formed").expect("whole");
        kept_request_id(&parsed.fields).map(str::to_owned)
    };
    let longest = "x".repeat(128);
    for value in ["a", "A-1_b.c:d+e/f=g@h", &longest] {
        assert_eq!(kept(value).as_deref(), Some(value));
    }
    for value in [
        "",
        "a b",
        "a\"b",
        "a,b",
        "a%b",
        "{a}",
        "a\\b",
        &"x".repeat(129),
    ] {
        assert_eq!(kept(value), None, "{value}");
    }
}

#[test]
fn a_request_within_the_handshake_says_so_once() {
    let early = Forwarding {
        early: true,
        ..USUAL
    };
    let said = |forwarding, more: &str| {
        let head = composed(
            &format!("GET / HTTP/1.1\nHost: a.example{more}"),
            forwarding,
        );
        let fields = head
            .lines()
            .filter(|line| line.to_ascii_lowercase().starts_with("early-data"));
        fields.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said(&early, ""), ["Early-Data: 1"]);
    assert_eq!(said(&early, "\nearly-data: 1"), ["early-data: 1"]);
    assert_eq!(
        said(&USUAL, "\nearly-data: 1"),
        ["early-data: 1"],
        "RFC 8470, 5.1"
    );
    assert!(said(&USUAL, "").is_empty());
}

#[test]
fn composing_what_was_composed_changes_nothing_more() {
    // As the next proxy of the same kind would, which trusts us.
    for (name, lines, ..) in PLAIN {
        let once = composed(lines, &USUAL);
        let trusting = Forwarding {
            trusted: true,
            client: [192, 0, 2, 8].into(),
            ..USUAL
        };
        let twice = composed(&once, &trusting);
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let wanted = once.replace(
            "X-Forwarded-For: 192.0.2.7",
            "X-Forwarded-For: 192.0.2.7, 192.0.2.8",
        );
        assert_eq!(sorted(&twice), sorted(&wanted), "{name}");
    }
}

#[test]
fn edits_are_of_what_came_and_of_what_is_added() {
    let removes = FieldNames::new(["x-debug", "x-real-ip", "x-request-id", "h*"]);
    let copies = [("x-debug".into(), "x-kept".into())];
    let edited = Forwarding {
        trusted: true,
        edits: Some(Edits {
            removes: Some(&removes),
            copies: &copies,
            lines: b"x-env: prod\r\nx-env: eu\r\n",
        }),
        ..USUAL
    };
    let head = "GET / HTTP/1.1\nX-Debug: 1\nX_Debug: 2\nHost: a.example\nX-Real-IP: 1.1.1.1\nX-Env: theirs\nTE: trailers";
    assert_eq!(
        composed(head, &edited),
        "GET / HTTP/1.1\nHost: a.example\nX-Env: theirs\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\nx-kept: 1\nx-env: prod\nx-env: eu\nConnection: te\nTE: trailers"
    );
}

#[test]
fn another_place_is_asked_for() {
    for (target, host, expected) in [
        (
            Some("/v2/a?b"),
            None,
            "GET /v2/a?b HTTP/1.1\nHost: a.example",
        ),
        (
            None,
            Some("in.example"),
            "GET /a?b HTTP/1.1\nHost: in.example",
        ),
        (
            Some("/"),
            Some("in.example"),
            "GET / HTTP/1.1\nHost: in.example",
        ),
    ] {
        let elsewhere = Forwarding {
            place: Some(Place { target, host }),
            ..USUAL
        };
        for head in [
            "GET /a?b HTTP/1.1\nHost: a.example",
            "GET http://a.example/a?b HTTP/1.1\nHost: a.example",
        ] {
            let whole = format!("{expected}\n{ADDED}");
            assert_eq!(
                composed(head, &elsewhere),
                whole,
                "the client's host is told beside it"
            );
        }
    }
}

#[test]
fn a_cookie_of_ours_is_not_passed_on() {
    let hidden = Forwarding {
        hides_cookie: Some("lb"),
        ..USUAL
    };
    for (sent, expected) in [
        ("Cookie: lb=1", ""),
        ("Cookie: lb=1; lb=2;", ""),
        ("Cookie: a=1;lb=2;  b=3", "\nCookie: a=1; b=3"),
        (
            "COOKIE: a=1\nCookie: lb=2\ncookie: b=3",
            "\nCookie: a=1; b=3",
        ),
        (
            "Cookie: xlb=1; lbx=2; LB=3; lb",
            "\nCookie: xlb=1; lbx=2; LB=3; lb",
        ),
        ("Cookie: a=\"lb=1\"", "\nCookie: a=\"lb=1\""),
        ("A: lb=1", "\nA: lb=1"),
    ] {
        let head = format!("GET / HTTP/1.1\nHost: a.example\n{sent}");
        assert_eq!(
            composed(&head, &hidden),
            format!("GET / HTTP/1.1\nHost: a.example{expected}\n{ADDED}"),
            "{sent}"
        );
    }
}

#[test]
fn what_is_vouched_for_cannot_be_forged() {
    let names = ["x-user".into()];
    let copies = [("x-user".into(), "x-who".into())];
    let vouched = Forwarding {
        vouched: Some(Vouched {
            names: &names,
            lines: b"x-user: alice\r\n",
        }),
        edits: Some(Edits {
            removes: None,
            copies: &copies,
            lines: b"",
        }),
        ..USUAL
    };
    let head = "GET / HTTP/1.1\nHost: a.example\nX-User: root\nx_user: root\nX-Users: 1";
    assert_eq!(
        composed(head, &vouched),
        format!("GET / HTTP/1.1\nHost: a.example\nX-Users: 1\n{ADDED}\nx-user: alice")
    );
}
