//! Sessions that are remembered, through the real binary: by the application's cookie, a field, or the client's address.

mod example;
#[path = "sticky_kit/mod.rs"]
mod sticky_kit;

use std::net::SocketAddr;
use std::thread;

use example::Example;
use sticky_kit::{SLUICE, application, ask, configuration, served_by, set};
use testkit::{Balancer, EchoServer, RawClient, Response, run};

fn start(servers: &[EchoServer], sticky: &str) -> Balancer {
    Balancer::start(SLUICE, &file(servers, sticky))
}

fn file(servers: &[EchoServer], sticky: &str) -> String {
    configuration(servers.iter().map(EchoServer::address), sticky, "")
}

fn moved(balancer: &Balancer) -> usize {
    let metrics = balancer.metrics();
    metrics.count("sluice_upstream_sticky_moved_total", &[])
}

#[test]
fn a_field_tells_a_session() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let balancer = start(&servers, "header = \"X-Session\"");
    let mut seen = Vec::new();
    for user in 0..6 {
        let fields = format!("x-session: user-{user}\r\n");
        let first = served_by(&balancer, &fields);
        for _ in 0..4 {
            assert_eq!(served_by(&balancer, &fields), first);
        }
        seen.push(first);
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 1, "new sessions are balanced: {seen:?}");
    let mut without: Vec<_> = (0..9).map(|_| served_by(&balancer, "")).collect();
    without.sort();
    without.dedup();
    assert!(without.len() > 1, "who tells none has none");
    let metrics = balancer.metrics_after(39);
    let started = metrics.count("sluice_upstream_sticky_started_total", &[]);
    assert_eq!(started, 6);
}

#[test]
fn explain_says_where_a_remembered_session_belongs() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    for (sticky, by, mine, other) in [
        (
            "header = \"X-Session\"",
            "header x-session",
            ["-H", "x-session: mine"],
            ["-H", "x-session: another"],
        ),
        (
            "app-cookie = \"sid\"",
            "cookie sid",
            ["-H", "cookie: a=1; sid=mine"],
            ["-H", "cookie: sid=another"],
        ),
        (
            "client-ip = true",
            "client-ip",
            ["--client-ip", "192.0.2.7"],
            ["--client-ip", "192.0.2.8"],
        ),
    ] {
        let text = file(&servers, sticky).replace("round-robin", "least-connections");
        let balancer = Balancer::start(SLUICE, &text);
        let fields = match mine {
            ["-H", field] => format!("{field}\r\n"),
            [_, address] => format!("X-Forwarded-For: {address}\r\n"),
        };
        let names = ["a", "b", "c"];
        let home = served_by(&balancer, &fields);
        let home = names.iter().position(|name| *name == home);
        let home = servers[home.expect("one of them")].address();
        let file = balancer.file();
        let file = file.to_str().expect("UTF-8");
        let explain = |more: &[&str]| {
            let question = ["explain", "-c", file, "GET", "http://a/"];
            let finished = run(SLUICE, &[&question, more].concat());
            assert_eq!(finished.stderr, "");
            let mut lines = finished.stdout.lines();
            let line = lines.find_map(|line| line.strip_prefix("session   by "));
            let line = line.expect("a line").to_owned();
            (line, lines.any(|line| line.starts_with("pick ")))
        };
        let live = ["--live"];
        assert_eq!(
            explain(&[&live, &mine[..]].concat()),
            (format!("{by}: remembered, belongs to {home}"), false)
        );
        assert_eq!(
            explain(&[&live, &other[..]].concat()),
            (
                format!("{by}: it is not remembered, so the request is balanced"),
                true
            )
        );
        assert_eq!(
            explain(&mine),
            (
                format!("{by}: only the running sluice knows where it belongs"),
                false
            )
        );
        let text = balancer.admin("/api/upstreams").text().to_owned();
        assert_eq!(
            text.matches("\"sessions\":1").count(),
            1,
            "asking begins none: {text}"
        );
    }
}

#[test]
fn an_address_tells_a_session_behind_trusted_proxies_too() {
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "client-ip = true");
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3"] {
        let fields = format!("X-Forwarded-For: {client}\r\n");
        let first = served_by(&balancer, &fields);
        for _ in 0..4 {
            assert_eq!(served_by(&balancer, &fields), first);
        }
    }
}

#[test]
fn those_that_begin_at_once_agree() {
    let servers = ["a", "b", "c", "d"].map(EchoServer::start);
    let balancer = start(&servers, "header = \"x-session\"");
    for round in 0..20 {
        let fields = format!("x-session: {round}\r\n");
        thread::scope(|scope| {
            let all: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| served_by(&balancer, &fields)))
                .collect();
            for one in all {
                drop(one.join());
            }
        });
        let settled = served_by(&balancer, &fields);
        for _ in 0..3 {
            assert_eq!(served_by(&balancer, &fields), settled);
        }
    }
}

#[test]
fn a_session_of_the_application_is_learned() {
    let [one, two] = ["one", "two"].map(application);
    let balancer = Balancer::start(
        SLUICE,
        &configuration(
            [one.address(), two.address()].into_iter(),
            "app-cookie = \"JSESSIONID\"",
            "",
        ),
    );
    let ask_as = |session: &str| {
        let fields = format!("Cookie: a=1; JSESSIONID={session}\r\n");
        ask(&balancer, &fields).text().to_owned()
    };
    let new: Vec<Response> = (0..4).map(|_| ask(&balancer, "")).collect();
    for session in ["one", "two"] {
        assert!(new.iter().any(|answer| answer.text() == session));
        for _ in 0..4 {
            assert_eq!(ask_as(session), session);
        }
    }
    // As servers of Java write it into links, for clients without cookies.
    let by_link = |session: &str| {
        let mut client = RawClient::connect(balancer.address("web"));
        let target = format!("/cart;jsessionid={session}?a=b");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response("GET").text().to_owned()
    };
    for session in ["one", "two", "one", "two"] {
        assert_eq!(by_link(session), session);
    }
    let metrics = balancer.metrics_after(16);
    let started = metrics.count("sluice_upstream_sticky_started_total", &[]);
    assert_eq!(started, 4, "not those that were set again");
    // One that nobody has set here is remembered from now on.
    let known = ask_as("three");
    for _ in 0..4 {
        assert_eq!(ask_as("three"), known);
    }
    let received = one.received_in_all();
    let received = String::from_utf8_lossy(&received);
    assert!(
        received.contains("Cookie: a=1; JSESSIONID=one"),
        "passed on"
    );
}

#[test]
fn sessions_live_on_through_reloads_and_leave_servers_that_are_down() {
    let mut servers = ["a", "b"].map(EchoServer::start);
    let mut balancer = start(&servers, "header = \"x-session\"");
    let users: Vec<_> = (0..10)
        .map(|user| {
            let fields = format!("x-session: user-{user}\r\n");
            let server = served_by(&balancer, &fields);
            (fields, server)
        })
        .collect();
    for sticky in [
        "header = \"x-session\"",
        "header = \"x-session\", max-sessions = 1000",
        "header = \"x-session\", max-sessions = 1000, ttl = \"2h\"",
    ] {
        balancer.reload(&file(&servers, sticky));
        for (fields, server) in &users {
            assert_eq!(&served_by(&balancer, fields), server, "{sticky}");
        }
    }
    assert_eq!(moved(&balancer), 0);

    let address: SocketAddr = servers[0].address();
    set(&balancer, "drain", address);
    for (fields, server) in &users {
        assert_eq!(&served_by(&balancer, fields), server, "drained");
    }
    for user in 20..25 {
        let fields = format!("x-session: user-{user}\r\n");
        assert_eq!(served_by(&balancer, &fields), "b", "a new one");
    }
    set(&balancer, "down", address);
    let on_first = users.iter().filter(|(_, server)| server == "a").count();
    assert!(on_first > 0);
    for (fields, _) in &users {
        assert_eq!(served_by(&balancer, fields), "b");
    }
    assert_eq!(moved(&balancer), on_first);
    // They stay where they are now, until that one dies.
    set(&balancer, "up", address);
    for (fields, _) in &users {
        assert_eq!(served_by(&balancer, fields), "b");
    }
    servers[1].die();
    for (fields, _) in &users {
        assert_eq!(served_by(&balancer, fields), "a");
    }
    assert_eq!(moved(&balancer), on_first + users.len());
}

#[test]
fn a_flood_of_sessions_takes_no_more_room() {
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "header = \"x-session\", max-sessions = 60");
    let mut client = RawClient::connect(balancer.address("web"));
    for flood in 0..400 {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nx-session: {flood}\r\n\r\n"
        ));
        assert_eq!(client.response("GET").status, 200);
    }
    let metrics = balancer.metrics_after(400);
    let pushed_out = metrics.count("sluice_upstream_sticky_pushed_out_total", &[]);
    assert!((320..400).contains(&pushed_out), "{pushed_out}");
}

#[test]
fn the_example_learns_the_sessions_of_an_application() {
    let [one, two] = ["one", "two"].map(application);
    let balancer = Example::read("legacy-app-cookie.toml")
        .listener("127.0.0.1:8080", "web")
        .listener("127.0.0.1:9900", "admin")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .run();
    for _ in 0..4 {
        let session = ask(&balancer, "").text().to_owned();
        let fields = format!("Cookie: JSESSIONID={session}\r\n");
        for _ in 0..3 {
            assert_eq!(ask(&balancer, &fields).text(), session);
        }
    }
}
