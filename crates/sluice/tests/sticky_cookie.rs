//! Sessions that a cookie of ours keeps on their servers, through the real binary.

mod example;
#[path = "sticky_kit/mod.rs"]
mod sticky_kit;

use example::Example;
use sticky_kit::{SLUICE, ask, configuration, served_by, set};
use testkit::{
    Balancer, EchoReply, EchoServer, Gate, RawClient, Response, Script, ScriptedServer, run,
};

const KEY: &str = "[runtime]\nsecret-key = \"the same on every balancer\"\n";

fn start(servers: &[EchoServer], sticky: &str, more: &str) -> Balancer {
    Balancer::start(SLUICE, &file(servers, sticky, more))
}

fn file(servers: &[EchoServer], sticky: &str, more: &str) -> String {
    configuration(servers.iter().map(EchoServer::address), sticky, more)
}

/// The cookie that an answer sets, with its attributes.
fn cookie(response: &Response) -> Option<String> {
    let fields = response.fields("set-cookie");
    assert!(fields.len() <= 1, "{fields:?}");
    fields.first().map(|cookie| (*cookie).to_owned())
}

/// `Cookie` with the cookie that an answer sets.
fn brought_back(response: &Response) -> String {
    let cookie = cookie(response).expect("a cookie");
    let pair = cookie.split(';').next().expect("a pair");
    format!("Cookie: a=1; {pair}; b=2\r\n")
}

fn server_of(response: &Response) -> String {
    EchoReply::from_response(response).server
}

#[test]
fn a_client_stays_on_its_server() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let balancer = start(&servers, "cookie = \"lb\"", "");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let first = ask(&balancer, "");
        let text = cookie(&first).expect("a cookie");
        let (pair, attributes) = text.split_once("; ").expect("attributes");
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
        let value = pair.strip_prefix("lb=").expect("its name");
        assert_eq!(value.len(), 40, "{value}");
        let mine = brought_back(&first);
        for _ in 0..5 {
            let next = ask(&balancer, &mine);
            assert_eq!(server_of(&next), server_of(&first));
            assert_eq!(cookie(&next), None, "it has one already");
        }
        seen.push(server_of(&first));
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 1, "new clients are balanced: {seen:?}");
    let metrics = balancer.metrics_after(36);
    let app = [("upstream", "app")];
    assert_eq!(
        metrics.count("sluice_upstream_sticky_started_total", &app),
        6
    );
    assert_eq!(metrics.count("sluice_upstream_sticky_moved_total", &app), 0);
}

#[test]
fn sessions_begin_on_all_servers_though_one_answers_soonest() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let text = file(&servers, "cookie = \"lb\"", "").replace("balance = \"round-robin\"\n", "");
    let balancer = Balancer::start(SLUICE, &text);
    // One after the other, so that only who was the fastest would tell servers apart. By lot, one of them gets none of so many once in
    // 10 to the 11th runs.
    let mut seen: Vec<_> = (0..60).map(|_| served_by(&balancer, "")).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn servers_do_not_see_it() {
    let servers = [EchoServer::start("a")];
    let balancer = start(&servers, "cookie = \"lb\"", "");
    let mine = brought_back(&ask(&balancer, ""));
    for (sent, expected) in [
        (mine.as_str(), Some("a=1; b=2")),
        ("Cookie: lb=other\r\n", None),
        ("Cookie: a=1\r\nCookie: lb=x;b=2\r\n", Some("a=1; b=2")),
        ("Cookie: xlb=1;  lbx=2\r\n", Some("xlb=1;  lbx=2")),
    ] {
        let echo = EchoReply::from_response(&ask(&balancer, sent));
        assert_eq!(echo.field("cookie"), expected, "{sent}");
    }
}

#[test]
fn every_part_of_it_can_be_said() {
    let servers = [EchoServer::start("a")];
    let sticky = "cookie = { ttl = \"2h\", domain = \".example.com\", path = \"/shop\", same-site = \"none\" }";
    let balancer = start(&servers, sticky, "");
    let text = cookie(&ask(&balancer, "")).expect("a cookie");
    let (pair, attributes) = text.split_once("; ").expect("attributes");
    assert!(pair.starts_with("sluice-app="), "{pair}");
    let expected = "Path=/shop; Domain=.example.com; Max-Age=7200; Secure; HttpOnly; SameSite=None";
    assert_eq!(attributes, expected);
}

#[test]
fn what_is_not_ours_is_nothing() {
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "cookie = \"lb\"", KEY);
    let elsewhere = start(&servers, "cookie = \"lb\"", "");
    let mine = brought_back(&ask(&balancer, ""));
    let others = brought_back(&ask(&elsewhere, ""));
    let changed = mine.replacen("lb=A", "lb=B", 1);
    let changed = if changed == mine {
        let (name, value) = mine.split_at(mine.find("lb=").expect("it") + 3);
        let first = if value.starts_with('x') { "y" } else { "x" };
        format!("{name}{first}{}", &value[1..])
    } else {
        changed
    };
    let long = format!("Cookie: lb={}\r\n", "A".repeat(4_000));
    for sent in [
        changed.as_str(),
        others.as_str(),
        "Cookie: lb=\r\n",
        "Cookie: lb\r\n",
        "Cookie: lb=\"é\"\r\n",
        "Cookie: ;;lb==;\r\n",
        long.as_str(),
    ] {
        let mut answers: Vec<_> = (0..4)
            .map(|_| {
                let answer = ask(&balancer, sent);
                assert_eq!(answer.status, 200, "{sent}");
                assert!(cookie(&answer).is_some(), "{sent}");
                server_of(&answer)
            })
            .collect();
        answers.sort();
        answers.dedup();
        assert_eq!(answers, ["a", "b"], "it is balanced: {sent}");
    }
    // Behind a forged one the good one counts.
    let both = mine.replacen("Cookie: a=1", "Cookie: lb=forged", 1);
    let answer = ask(&balancer, &both);
    assert_eq!(cookie(&answer), None);
}

#[test]
fn every_balancer_with_the_key_takes_it_and_a_restart_too() {
    let servers = ["a", "b", "c", "d"].map(EchoServer::start);
    let one = start(&servers, "cookie = \"lb\"", KEY);
    let two = start(&servers, "cookie = \"lb\"", KEY);
    let users: Vec<_> = (0..8)
        .map(|_| {
            let first = ask(&one, "");
            (brought_back(&first), server_of(&first))
        })
        .collect();
    drop(one);
    // The same servers in another order.
    let turned = configuration(
        servers.iter().rev().map(EchoServer::address),
        "cookie = \"lb\"",
        KEY,
    );
    let again = Balancer::start(SLUICE, &turned);
    for balancer in [&two, &again] {
        for (mine, server) in &users {
            let answer = ask(balancer, mine);
            assert_eq!((cookie(&answer), &server_of(&answer)), (None, server));
        }
    }
}

#[test]
fn explain_says_where_a_session_belongs() {
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "cookie = \"lb\"", KEY);
    let first = ask(&balancer, "");
    let mine = brought_back(&first);
    let file = balancer.file();
    let file = file.to_str().expect("UTF-8");
    let home = servers[usize::from(server_of(&first) == "b")].address();
    for (fields, expected) in [
        (mine.trim_end(), format!("belongs to {home}")),
        (
            "Cookie: lb=x",
            "it is none of ours, or was changed: the request is balanced".to_owned(),
        ),
        (
            "Cookie: a=1",
            "the request has none, so it is balanced".to_owned(),
        ),
    ] {
        let arguments = ["explain", "-c", file, "GET", "http://a/", "-H", fields];
        let finished = run(SLUICE, &arguments);
        assert_eq!(finished.stderr, "");
        let line = format!("\nsession   by cookie lb: {expected}\n");
        assert!(finished.stdout.contains(&line), "{}", finished.stdout);
    }
}

#[test]
fn a_reload_keeps_sessions_and_a_server_that_left_loses_them() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let mut balancer = start(&servers, "cookie = \"lb\"", "");
    let first = ask(&balancer, "");
    let mine = brought_back(&first);
    balancer.reload(&file(
        &servers,
        "cookie = { name = \"lb\", ttl = \"1h\" }",
        "",
    ));
    assert_eq!(served_by(&balancer, &mine), server_of(&first));
    let left = servers
        .iter()
        .zip(["a", "b", "c"])
        .filter(|(_, name)| *name != server_of(&first));
    let left = left.map(|(server, _)| server.address());
    balancer.reload(&configuration(left, "cookie = \"lb\"", ""));
    let moved = ask(&balancer, &mine);
    assert_ne!(server_of(&moved), server_of(&first));
    let mine = brought_back(&moved);
    for _ in 0..4 {
        assert_eq!(served_by(&balancer, &mine), server_of(&moved));
    }
    let metrics = balancer.metrics_after(7);
    assert_eq!(metrics.count("sluice_upstream_sticky_moved_total", &[]), 1);
}

#[test]
fn a_session_moves_when_its_server_dies() {
    let mut servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "cookie = \"lb\"", "");
    let first = ask(&balancer, "");
    let mine = brought_back(&first);
    let dying = usize::from(server_of(&first) == "b");
    servers[dying].die();
    let moved = ask(&balancer, &mine);
    assert_eq!(moved.status, 200);
    assert_ne!(server_of(&moved), server_of(&first));
    let mine = brought_back(&moved);
    assert_eq!(served_by(&balancer, &mine), server_of(&moved));
    let metrics = balancer.metrics_after(3);
    assert_eq!(metrics.count("sluice_upstream_sticky_moved_total", &[]), 1);
}

#[test]
fn a_drained_server_keeps_its_sessions_and_one_that_is_down_does_not() {
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = start(&servers, "cookie = \"lb\"", "");
    let first = ask(&balancer, "");
    let mine = brought_back(&first);
    let at = usize::from(server_of(&first) == "b");
    let address = servers[at].address();
    set(&balancer, "drain", address);
    for _ in 0..6 {
        assert_eq!(served_by(&balancer, &mine), server_of(&first));
        assert_ne!(served_by(&balancer, ""), server_of(&first), "a new one");
    }
    set(&balancer, "down", address);
    let moved = ask(&balancer, &mine);
    assert_ne!(server_of(&moved), server_of(&first));
    assert!(cookie(&moved).is_some());
    // Whoever kept the old cookie comes back.
    set(&balancer, "up", address);
    assert_eq!(served_by(&balancer, &mine), server_of(&first));
}

#[test]
fn a_full_server_keeps_its_sessions() {
    let gate = Gate::new();
    let held = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let ok = Script::answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhome");
    let full = ScriptedServer::start([ok.clone(), held, ok]);
    let other = EchoServer::start("other");
    let servers = [
        format!(
            "{{ address = \"{}\", max-connections = 1 }}",
            full.address()
        ),
        format!("\"{}\"", other.address()),
    ]
    .join(", ");
    let text = |more| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[runtime]\nworkers = 1\n[upstreams.app]\nservers = [{servers}]\n\
             balance = \"round-robin\"\nidle-connections = 0\nsticky.cookie = \"lb\"\n{more}"
        )
    };
    let mut balancer = Balancer::start(SLUICE, &text(""));
    let first = ask(&balancer, "");
    assert_eq!(first.text(), "home");
    let mine = brought_back(&first);
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{mine}\r\n");
    // Its place is free a moment after its answer.
    balancer.metrics_after(1);
    let mut slow = RawClient::connect(balancer.address("web"));
    slow.send(&request);
    full.wait_for_received(1, "\r\n\r\n");
    let away = ask(&balancer, &mine);
    assert_eq!(server_of(&away), "other");
    assert_eq!(cookie(&away), None, "just this once");
    // With a queue it waits for its server, though the other one is free.
    balancer.reload(&text("queue = { length = 10, timeout = \"30s\" }"));
    let mut waiting = RawClient::connect(balancer.address("web"));
    waiting.send(&request);
    balancer.wait_for_metrics("a request to wait", |metrics| {
        metrics.count("sluice_upstream_queue_waiting", &[]) == 1
    });
    gate.open();
    assert_eq!(slow.response("GET").status, 200);
    assert_eq!(waiting.response("GET").text(), "home");
    let metrics = balancer.metrics_after(4);
    assert_eq!(metrics.count("sluice_upstream_sticky_moved_total", &[]), 0);
}

#[test]
fn the_example_keeps_clients() {
    let servers = ["1", "2", "3"].map(EchoServer::start);
    let example = || {
        Example::read("sticky-cookie.toml")
            .listener("127.0.0.1:8080", "web")
            .server("127.0.0.1:9001", servers[0].address())
            .server("127.0.0.1:9002", servers[1].address())
            .server("127.0.0.1:9003", servers[2].address())
    };
    let [one, two] = [example().run(), example().run()];
    let first = ask(&one, "");
    let mine = brought_back(&first);
    for balancer in [&one, &two] {
        for _ in 0..4 {
            assert_eq!(served_by(balancer, &mine), server_of(&first));
        }
    }
}
