//! The PROXY protocol through the real binary: read from clients, sent to servers.
//!
//! What was read shows in what is sent: the listener takes a header in, the upstream passes the client on in version 1,
//! which is text.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::{IpAddr, Ipv4Addr};

use testkit::{Balancer, EchoReply, EchoServer, RawClient, Script, ScriptedServer, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Reads one line and the payload of four bytes after it, and says that it was all.
fn header_reader() -> ScriptedServer {
    ScriptedServer::start([Script::new().read_until("data").write("seen")])
}

fn tcp(server: &ScriptedServer, accept: &str, send: &str) -> Balancer {
    Balancer::start(
        SLUICE,
        &format!(
            r#"
[listeners.tcp]
address = "127.0.0.1:<port:tcp>"
protocol = "tcp"
proxy-protocol = "{accept}"
[upstreams.app]
servers = ["{}"]
send-proxy-protocol = "{send}"
"#,
            server.address()
        ),
    )
}

/// A version 2 header.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
    bytes.extend(rest);
    bytes
}

const V4_ADDRESSES: [u8; 12] = [203, 0, 113, 7, 198, 51, 100, 1, 0x11, 0x5c, 0, 80];

#[test]
fn headers_of_both_versions_name_the_client() {
    let with_extension = [&V4_ADDRESSES[..], &[0x04, 0, 3, b'a', b'b', b'c']].concat();
    let cases: [(&str, Vec<u8>); 4] = [
        (
            "version 1",
            b"PROXY TCP4 203.0.113.7 198.51.100.1 4444 80\r\n".to_vec(),
        ),
        ("version 2", v2(1, 0x11, &V4_ADDRESSES)),
        ("version 2 with an extension", v2(1, 0x11, &with_extension)),
        (
            "version 1 with the longest ports",
            b"PROXY TCP4 203.0.113.7 255.255.255.255 4444 65535\r\n".to_vec(),
        ),
    ];
    for mode in ["accept", "require"] {
        let server = header_reader();
        let balancer = tcp(&server, mode, "v1");
        let expected = format!(
            "PROXY TCP4 203.0.113.7 127.0.0.1 4444 {}\r\ndata",
            balancer.address("tcp").port()
        );
        for (number, (what, header)) in cases.iter().enumerate() {
            let mut client = RawClient::connect(balancer.address("tcp"));
            // The first bytes of the session may come with the header.
            client.send([header.as_slice(), b"data"].concat());
            assert_eq!(client.read_exactly(4), b"seen", "{what}");
            let received = server.received(number);
            assert_eq!(
                String::from_utf8_lossy(&received),
                expected,
                "{mode}: {what}"
            );
        }
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    for header in [
        b"PROXY TCP4 203.0.113.7 198.51.100.1 4444 80\r\n".to_vec(),
        v2(1, 0x11, &V4_ADDRESSES),
    ] {
        let server = header_reader();
        let balancer = tcp(&server, "require", "v1");
        let mut client = RawClient::connect(balancer.address("tcp"));
        client.send_byte_by_byte([header.as_slice(), b"data"].concat());
        assert_eq!(client.read_exactly(4), b"seen");
        assert!(server.received(0).starts_with(b"PROXY TCP4 203.0.113.7 "));
    }
}

#[test]
fn clients_of_ipv6_are_named_too() {
    let server = header_reader();
    let balancer = tcp(&server, "require", "v2");
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("PROXY TCP6 2001:db8::7 2001:db8::1 4444 80\r\ndata");
    assert_eq!(client.read_exactly(4), b"seen");
    let received = server.received(0);
    // Version 2, command PROXY, TCP over IPv6, 36 bytes; then the client's address.
    assert_eq!(received[12..16], [0x21, 0x21, 0, 36]);
    assert_eq!(
        received[16..32],
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
    );
    assert_eq!(received[48..50], 4444_u16.to_be_bytes());
    assert!(received.ends_with(b"data"));
}

#[test]
fn where_the_header_names_nobody_the_connection_does() {
    let cases = [
        ("no header", Vec::new()),
        ("version 1, unknown", b"PROXY UNKNOWN\r\n".to_vec()),
        (
            "version 1, unknown with words",
            b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
        ),
        ("version 2, a check of the proxy's own", v2(0, 0, &[])),
        (
            "version 2, its own with addresses",
            v2(0, 0x11, &V4_ADDRESSES),
        ),
        ("version 2, unspecified", v2(1, 0, &[1, 2, 3])),
    ];
    let server = header_reader();
    let balancer = tcp(&server, "accept", "v1");
    for (number, (what, header)) in cases.iter().enumerate() {
        let mut client =
            RawClient::connect_from(Ipv4Addr::new(127, 0, 0, 9).into(), balancer.address("tcp"));
        client.send([header.as_slice(), b"data"].concat());
        assert_eq!(client.read_exactly(4), b"seen", "{what}");
        let expected = format!(
            "PROXY TCP4 127.0.0.9 127.0.0.1 {} {}\r\ndata",
            client.local_address().port(),
            balancer.address("tcp").port()
        );
        assert_eq!(
            String::from_utf8_lossy(&server.received(number)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn bytes_that_only_begin_like_a_header_are_passed_on() {
    for early in ["PRO", "\r\n\r\n\0\r\nQU", "PROXIMITY\r\n", "p", "PROXYdata"] {
        let server = header_reader();
        let balancer = tcp(&server, "accept", "off");
        let mut client = RawClient::connect(balancer.address("tcp"));
        client.send(format!("{early}!data"));
        assert_eq!(client.read_exactly(4), b"seen", "{early:?}");
        assert_eq!(server.received(0), format!("{early}!data").into_bytes());
    }
}

#[test]
fn a_listener_that_takes_no_header_passes_it_on() {
    let server = header_reader();
    let balancer = tcp(&server, "off", "off");
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("PROXY TCP4 203.0.113.7 198.51.100.1 4444 80\r\ndata");
    assert_eq!(client.read_exactly(4), b"seen");
    assert!(
        server
            .received(0)
            .starts_with(b"PROXY TCP4 203.0.113.7 198.51.100.1 4444 80\r\n")
    );
}

#[test]
fn malformed_headers_close_and_reach_no_server() {
    let malformed = [
        b"PROXY TCP4 203.0.113.7 198.51.100.1 4444 99999\r\ndata".to_vec(),
        b"PROXY TCP4 203.0.113 198.51.100.1 4444 80\r\ndata".to_vec(),
        b"PROXY TCP5 203.0.113.7 198.51.100.1 4444 80\r\ndata".to_vec(),
        b"PROXY TCP4 2001:db8::7 198.51.100.1 4444 80\r\ndata".to_vec(),
        b"PROXY TCP4 203.0.113.7 198.51.100.1 4444\r\ndata".to_vec(),
        [b"PROXY TCP4 ".to_vec(), vec![b'1'; 120], b"data".to_vec()].concat(),
        v2(2, 0x11, &V4_ADDRESSES),
        v2(1, 0x11, &V4_ADDRESSES[..8]),
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c".to_vec(),
    ];
    for mode in ["accept", "require"] {
        let server = header_reader();
        let balancer = tcp(&server, mode, "off");
        for bytes in &malformed {
            let mut client = RawClient::connect(balancer.address("tcp"));
            client.send(bytes);
            let shown = String::from_utf8_lossy(bytes);
            assert!(client.is_closed_without_a_byte(), "{mode}: {shown}");
        }
        assert_eq!(server.connections().accepted(), 0, "{mode}");
        let ends = balancer.wait_for_metrics("every end counted", |metrics| {
            metrics.sum("sluice_tcp_sessions_total", &[]) == malformed.len() as f64
        });
        assert_eq!(
            ends.sum("sluice_tcp_sessions_total", &[("end", "bad-request")]),
            malformed.len() as f64
        );
    }
}

#[test]
fn a_required_header_that_is_missing_closes() {
    let server = header_reader();
    let balancer = tcp(&server, "require", "off");
    for bytes in ["data", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\n"] {
        let mut client = RawClient::connect(balancer.address("tcp"));
        client.send(bytes);
        assert!(client.is_closed_without_a_byte(), "{bytes:?}");
    }
    assert_eq!(server.connections().accepted(), 0);
}

#[test]
fn version_2_is_sent_in_binary() {
    let server = header_reader();
    let balancer = tcp(&server, "off", "v2");
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("data");
    assert_eq!(client.read_exactly(4), b"seen");
    let ports = [
        client.local_address().port(),
        balancer.address("tcp").port(),
    ];
    let addresses = [
        &[127, 0, 0, 1, 127, 0, 0, 1][..],
        &ports[0].to_be_bytes(),
        &ports[1].to_be_bytes(),
    ]
    .concat();
    assert_eq!(
        server.received(0),
        [v2(1, 0x11, &addresses), b"data".to_vec()].concat()
    );
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn http_connections_to_servers_belong_to_one_client() {
    for version in ["v1", "v2"] {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let first_line = if version == "v1" { "\r\n" } else { "QUIT\n" };
        let script = Script::new().read_until(first_line);
        // The header of version 2 has 16 + 12 bytes, of which the first 12 were read.
        let script = if version == "v2" {
            script.read_exactly(16)
        } else {
            script
        };
        let script = script
            .read_request()
            .write(answer)
            .read_request()
            .write(answer)
            .stay_open();
        let server = ScriptedServer::start([script]);
        let balancer = Balancer::start(
            SLUICE,
            &format!(
                "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{}\"]\n\
                 send-proxy-protocol = \"{version}\"\n[runtime]\nworkers = 1\n",
                server.address()
            ),
        );
        let mut clients: Vec<_> = [7, 8]
            .into_iter()
            .map(|last| {
                RawClient::connect_from(IpAddr::from([127, 0, 0, last]), balancer.address("web"))
            })
            .collect();
        for _ in 0..2 {
            for client in &mut clients {
                client.send(GET);
                assert_eq!(client.response("GET").status, 200);
            }
        }
        assert_eq!(
            server.connections().accepted(),
            2,
            "{version}: one connection for each client"
        );
        for (number, client) in clients.iter().enumerate() {
            let received = server.received(number);
            let address = client.local_address();
            let port = address.port();
            if version == "v1" {
                let header = format!("PROXY TCP4 {} 127.0.0.1 {port} ", address.ip());
                assert!(received.starts_with(header.as_bytes()));
            } else {
                let IpAddr::V4(ip) = address.ip() else {
                    unreachable!("IPv4 loopback")
                };
                assert_eq!(received[16..20], ip.octets());
                assert_eq!(received[24..26], port.to_be_bytes());
            }
        }
        // What was one client's is not given to the next, and is not kept for nobody either.
        drop(clients);
        let mut next = RawClient::connect(balancer.address("web"));
        next.send(GET);
        assert_eq!(next.response("GET").status, 200);
        assert_eq!(server.connections().accepted(), 3, "{version}");
    }
}

#[test]
fn http_listeners_take_the_client_from_the_header() {
    let server = EchoServer::start("a");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nproxy-protocol = \"require\"\n[upstreams.app]\nservers = [\"{}\"]\n",
            server.address()
        ),
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send([v2(1, 0x11, &V4_ADDRESSES), GET.as_bytes().to_vec()].concat());
    for _ in 0..2 {
        let reply = EchoReply::from_response(&client.response("GET"));
        assert_eq!(reply.field("x-forwarded-for"), Some("203.0.113.7"));
        client.send(GET);
    }
    let mut without = RawClient::connect(balancer.address("web"));
    without.send(GET);
    wait_until("the connection without a header to be counted", || {
        balancer
            .metrics()
            .sum("sluice_bad_requests_total", &[("reason", "proxy-protocol")])
            == 1.0
    });
    let answer = without.read_to_end().unwrap_or_default();
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "served without its header"
    );
}
