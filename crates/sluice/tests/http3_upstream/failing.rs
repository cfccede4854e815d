//! Servers that fail, leave, refuse, or cannot be trusted.

use testkit::{Balancer, EchoServer, refused_address};

use super::http3_kit::Server;
use super::{Room, ask, client, failures, get, opened};

/// One of two servers is asked and comes to grief before it answers; then the other one answers. All there is goes on.
fn another_answers(comes_to_grief: impl FnOnce(&mut Server)) -> (Room, [Server; 2], Balancer) {
    let room = Room::new();
    let mut servers = [room.server(&[]), room.server(&[])];
    let addresses = [servers[0].address(), servers[1].address()];
    let front = room.balancer(&addresses, "");
    let mut client = client(&front);
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    servers[0].wait_for("asked /held");
    comes_to_grief(&mut servers[0]);
    servers[1].wait_for("asked /held");
    servers[1].tell("go");
    assert_eq!(client.response("GET").text(), "released");
    (room, servers, front)
}

#[test]
fn a_server_that_is_killed_is_noticed_and_another_answers() {
    // It has no time to say anything; the kernel says that nobody listens there.
    let (_room, _servers, front) = another_answers(Server::kill);
    for _ in 0..4 {
        assert_eq!(get(&front, "/").status, 200);
    }
    assert!(failures(&front, "refused") >= 1);
}

/// It takes some twenty seconds: no sooner is a silent server given up.
#[test]
fn a_server_that_hangs_is_given_up_and_another_answers() {
    another_answers(Server::stop);
}

#[test]
fn where_nobody_listens_it_is_known_at_once() {
    let room = Room::new();
    let server = room.server(&[]);
    // Longer than any test waits.
    let upstream = "connect-timeout = \"10m\"";
    let front = room.balancer(&[refused_address(), server.address()], upstream);
    for _ in 0..4 {
        assert_eq!(get(&front, "/").status, 200);
    }
    assert!(failures(&front, "refused") >= 1);
    let alone = room.balancer(&[refused_address()], upstream);
    assert_eq!(get(&alone, "/").status, 502);
    alone.wait_for_stdout("\"end\":\"connect-failed\"");
}

#[test]
fn a_server_that_starts_again_is_found_again() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let port = server.address().port();
    let front = room.balancer(&[server.address()], "");
    assert_eq!(get(&front, "/").status, 200);
    server.kill();
    let mut again = Server::start_at(port, &room.files, &[]);
    assert_eq!(get(&front, "/").status, 200);
    again.wait_for("asked /");
}

#[test]
fn after_a_farewell_requests_go_on_a_new_connection() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    assert_eq!(ask(&mut client, "GET", "/leave").text(), "the last");
    assert_eq!(ask(&mut client, "GET", "/").status, 200);
    assert_eq!(opened(&front), 2);
    // What the farewell leaves out was not touched: it is asked again, whatever its method.
    client.send("POST /left-out HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.response("POST").text(), "served");
    assert_eq!(opened(&front), 3);
    // One that is under way is finished.
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for("asked /held");
    server.tell("goaway");
    server.tell("go");
    assert_eq!(client.response("GET").text(), "released");
}

#[test]
fn a_request_that_was_not_touched_is_sent_again() {
    let room = Room::new();
    let server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("POST /rejected-once HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    let answer = client.response("POST");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().contains(r#""body_length": 3"#), "{answer:?}");
    client.send("POST /rejected HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert!(client.response("POST").status >= 502);
    let metrics = front.metrics();
    let name = "sluice_server_response_failures_total";
    assert!(
        metrics.count(name, &[("reason", "refused")]) >= 3,
        "{metrics:?}"
    );
    assert_eq!(opened(&front), 1);
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_passed_over() {
    let (room, stranger) = (Room::new(), Room::new());
    let server = stranger.server(&[]);
    let front = room.balancer(&[server.address()], "");
    assert_eq!(get(&front, "/").status, 502);
    assert_eq!(failures(&front, "certificate"), 1);
    let good = room.server(&[]);
    let both = room.balancer(&[server.address(), good.address()], "");
    for _ in 0..4 {
        assert_eq!(get(&both, "/").status, 200);
    }
    // Another name than that of the certificate.
    let tls = format!(
        "tls = {{ ca = \"{}\", server-name = \"other.example.com\" }}",
        room.authority.ca().display()
    );
    let named = room.balancer(&[good.address()], &tls);
    assert_eq!(get(&named, "/").status, 502);
    assert_eq!(failures(&named, "certificate"), 1);
}

#[test]
fn a_certificate_is_shown_where_the_server_asks_for_one() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let ca = room.authority.ca();
    let back = room.back(
        echo.address(),
        &format!(
            "tls.client-auth = {{ ca = \"{}\", mode = \"require\" }}",
            ca.display()
        ),
    );
    let without = room.balancer(&[back.address("back")], "");
    assert_eq!(get(&without, "/").status, 502);
    assert_eq!(failures(&without, "tls"), 1);
    let tls = format!(
        "tls = {{ ca = \"{}\", cert = \"{}\", key = \"{}\" }}",
        ca.display(),
        room.files.cert.display(),
        room.files.key.display()
    );
    let with = room.balancer(&[back.address("back")], &tls);
    assert_eq!(get(&with, "/").status, 200);
}

#[test]
fn who_does_not_speak_http3_is_told_apart() {
    let room = Room::new();
    // Only the last one is a matter of time.
    for (word, reason, within) in [
        ("other-protocol", "protocol", "10m"),
        ("garbage", "protocol", "10m"),
        ("no-settings", "timeout", "500ms"),
    ] {
        let server = room.server(&[word]);
        let timeout = format!("connect-timeout = \"{within}\"");
        let front = room.balancer(&[server.address()], &timeout);
        let status = get(&front, "/").status;
        assert!(matches!(status, 502 | 504), "{word}: {status}");
        assert_eq!(failures(&front, reason), 1, "{word}: {}", front.stdout());
    }
}
