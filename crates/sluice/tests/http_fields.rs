//! What becomes of the request line and the fields, on the way to the server and back.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, RawClient, Script, ScriptedServer};

/// What a server is told of a request with these fields beside `Host: a`.
#[track_caller]
fn told(balancer: &Balancer, fields: &str) -> EchoReply {
    sent(
        balancer,
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
    )
}

#[track_caller]
fn sent(balancer: &Balancer, request: &str) -> EchoReply {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(request);
    EchoReply::from_response(&client.response("GET"))
}

#[test]
fn fields_of_one_connection_are_not_passed_on() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let reply = told(
        &balancer,
        "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nX-Kept: a  b\r\nx-kept: c\r\nConnection: x-other\r\nX-OTHER: 2\r\n",
    );
    for gone in [
        "connection",
        "x-mine",
        "keep-alive",
        "proxy-connection",
        "te",
        "x-other",
        "transfer-encoding",
    ] {
        assert_eq!(reply.fields(gone), [""; 0], "{gone}");
    }
    assert_eq!(reply.fields("x-kept"), ["a  b", "c"]);
    let names: Vec<_> = reply.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        names.contains(&"X-Kept") && names.contains(&"x-kept"),
        "{names:?}"
    );
}

#[test]
fn fields_of_the_servers_connection_are_not_passed_on() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 Fine\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Kept: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
    )]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    for gone in [
        "connection",
        "x-mine",
        "keep-alive",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(response.fields(gone), [""; 0], "{gone}");
    }
    assert_eq!(response.fields("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.field("x-kept"), Some("2"));
    assert!(response.head.raw.starts_with(b"HTTP/1.1 200 Fine\r\n"));
}

#[test]
fn a_client_that_takes_trailers_may_say_so() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let reply = told(&balancer, "Connection: TE\r\nTE: gzip, trailers\r\n");
    assert_eq!(reply.field("te"), Some("trailers"));
    assert_eq!(reply.field("connection"), Some("te"));
}

#[test]
fn a_date_is_added_where_there_is_none() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .read_request()
        .write(format!(
            "HTTP/1.1 200 OK\r\ndate: {date}\r\nContent-Length: 0\r\n\r\n"
        ))
        .stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    let added = response.field("date").expect("a date");
    assert!(
        added.len() == date.len() && added.ends_with(" GMT"),
        "{added}"
    );
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").field("date"), Some(date));
}

#[test]
fn an_absolute_target_names_the_host() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let reply = sent(
        &balancer,
        "GET http://real.example:81/x?y=1 HTTP/1.1\r\nHost: other\r\n\r\n",
    );
    assert_eq!(
        (reply.target.as_str(), reply.field("host")),
        ("/x?y=1", Some("real.example:81"))
    );
    assert_eq!(reply.field("x-forwarded-host"), Some("real.example:81"));
    let reply = sent(
        &balancer,
        "GET http://real.example HTTP/1.1\r\nHost: other\r\n\r\n",
    );
    assert_eq!(
        (reply.target.as_str(), reply.field("host")),
        ("/", Some("real.example"))
    );
}

#[test]
fn the_target_goes_on_as_it_came() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    for target in ["/", "/%41/../b//c;d?x=%zz&y=a+b", "/?", "/a%2Fb"] {
        let reply = sent(
            &balancer,
            &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!(reply.target, target);
    }
}

#[test]
fn options_may_ask_about_the_server_as_a_whole() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let reply = sent(&balancer, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (reply.method.as_str(), reply.target.as_str()),
        ("OPTIONS", "*")
    );
    // RFC 9112, 3.2.4: an absolute target without a path means the same.
    let reply = sent(&balancer, "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (reply.target.as_str(), reply.field("host")),
        ("*", Some("b"))
    );
}

#[test]
fn max_forwards_is_counted_down_to_the_last_hop() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    for method in ["OPTIONS", "TRACE"] {
        let reply = sent(
            &balancer,
            &format!("{method} /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n"),
        );
        assert_eq!(
            (reply.method.as_str(), reply.field("max-forwards")),
            (method, Some("4"))
        );
    }
    // Of other methods it means nothing to us.
    assert_eq!(
        told(&balancer, "Max-Forwards: 0\r\n").field("max-forwards"),
        Some("0")
    );
    let served = server.requests();
    for method in ["OPTIONS", "TRACE"] {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(
            format!("{method} * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
                .replace("TRACE *", "TRACE /"),
        );
        let response = client.response(method);
        assert_eq!(response.status, 200);
        assert!(
            response
                .field("allow")
                .is_some_and(|allow| allow.contains("GET"))
        );
    }
    assert_eq!(server.requests(), served);
}

#[test]
fn what_untrusted_clients_say_of_clients_is_replaced() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let reply = told(
        &balancer,
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\n",
    );
    assert_eq!(reply.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(reply.field("x-forwarded-proto"), Some("http"));
    assert_eq!(reply.field("x-forwarded-host"), Some("a"));
    for gone in ["x-forwarded-port", "x-real-ip", "forwarded", "via"] {
        assert_eq!(reply.field(gone), None, "{gone}");
    }
}

#[test]
fn what_trusted_proxies_say_of_clients_is_added_to() {
    let server = EchoServer::start("a");
    let listener = "trusted-proxies = [\"127.0.0.9/32\"]\nforwarded = true";
    let balancer = start(
        &[server.address()],
        Setup {
            listener,
            ..Setup::default()
        },
    );
    let fields = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\nX-Forwarded-Port: 443\r\nForwarded: for=1.2.3.4\r\n";
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let source = "127.0.0.9".parse().expect("an address");
    let mut client = RawClient::connect_from(source, balancer.address("web"));
    client.send(&request);
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        reply.field("x-forwarded-for"),
        Some("1.2.3.4, 5.6.7.8, 127.0.0.9")
    );
    assert_eq!(reply.field("x-forwarded-proto"), Some("https"));
    assert_eq!(reply.field("x-forwarded-host"), Some("outer"));
    assert_eq!(reply.field("x-forwarded-port"), Some("443"));
    assert_eq!(
        reply.field("forwarded"),
        Some("for=1.2.3.4, for=127.0.0.9;proto=http;host=\"a\"")
    );
    // The same from elsewhere is not believed.
    let reply = sent(&balancer, &request);
    assert_eq!(reply.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(
        reply.field("forwarded"),
        Some("for=127.0.0.1;proto=http;host=\"a\"")
    );
}

#[test]
fn via_is_added_both_ways_where_it_is_asked_for() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n",
    )]);
    let setup = Setup {
        listener: "via = \"edge-1\"",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.0\r\nVia: 1.0 outer\r\nVia: 1.1 outer2\r\n\r\n");
    assert_eq!(
        client.response("GET").field("via"),
        Some("1.1 inner, 1.1 edge-1")
    );
    let received = String::from_utf8(server.received(0)).expect("text");
    assert!(
        received.contains("\r\nVia: 1.0 outer, 1.1 outer2, 1.0 edge-1\r\n"),
        "{received}"
    );
    assert_eq!(received.matches("Via:").count(), 1);
}

#[test]
fn a_request_id_is_kept_or_made() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let id = |fields: &str| {
        told(&balancer, fields)
            .field("x-request-id")
            .expect("an id")
            .to_owned()
    };
    assert_eq!(id("X-Request-ID: abc-1_2.3:4+/=@Z\r\n"), "abc-1_2.3:4+/=@Z");
    let longest = "i".repeat(128);
    assert_eq!(id(&format!("X-Request-ID: {longest}\r\n")), longest);
    let is_made = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut made = Vec::new();
    for fields in [
        "",
        "X-Request-ID: \r\n",
        "X-Request-ID: a b\r\n",
        "X-Request-ID: a\"b\r\n",
        &format!("X-Request-ID: {longest}i\r\n"),
    ] {
        let id = id(fields);
        assert!(is_made(&id), "{fields:?}: {id}");
        made.push(id);
    }
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), 5, "every request has its own");
}

#[test]
fn curl_is_served() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let url = format!("http://{}/x", balancer.address("web"));
    let finished = testkit::curl(&[&url, &url, "--fail", "--write-out", " %{num_connects}\n"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    let connects: Vec<_> = finished
        .stdout
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(connects, ["1", "0"], "{}", finished.stdout);
}
