//! Rate limits through the real binary: exact over workers, by keys and classes, refused, delayed or only counted.

use std::net::{IpAddr, Ipv4Addr};

use testkit::{
    Balancer, EchoServer, Gate, RawClient, Response, Script, ScriptedServer, run, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const REQUESTS: &str = "sluice_rate_limit_requests_total";

/// One route for all, which answers by itself and names `limits`; `tables` has them.
fn file(limits: &str, tables: &str) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
         [[routes]]\nname = \"all\"\nrespond = {{ body = \"here\" }}\nrate-limits = {limits}\n\
         [runtime]\nworkers = 2\n{tables}"
    )
}

fn start(limits: &str, tables: &str) -> Balancer {
    Balancer::start(SLUICE, &file(limits, tables))
}

/// The answer to a request with these fields, from 127.0.0.1.
fn ask(balancer: &Balancer, fields: &str) -> Response {
    balancer.ask(&format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

fn status(balancer: &Balancer, fields: &str) -> u16 {
    ask(balancer, fields).status
}

/// The statuses of so many requests after one another.
fn statuses(balancer: &Balancer, count: usize, fields: &str) -> Vec<u16> {
    (0..count).map(|_| status(balancer, fields)).collect()
}

fn outcomes(balancer: &Balancer, limit: &str, outcome: &str) -> usize {
    let labels = [("limit", limit), ("outcome", outcome)];
    balancer.metrics().count(REQUESTS, &labels)
}

#[test]
fn the_access_log_names_the_limit_that_refused() {
    let log = "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n";
    let limits = "[rate-limits.wide]\nrate = \"9/d\"\n[rate-limits.narrow]\nrate = \"1/d\"\n";
    let balancer = start("[\"wide\", \"narrow\"]", &format!("{limits}{log}"));
    assert_eq!(statuses(&balancer, 2, ""), [200, 429]);
    let passed = balancer.wait_for_stdout("\"status\":200");
    assert!(!passed.contains("\"limit\""), "{passed}");
    let refused = balancer.wait_for_stdout("\"status\":429");
    assert!(
        refused.contains("\"end\":\"rate-limited\",\"limit\":\"narrow\""),
        "{refused}"
    );
}

#[test]
fn eight_clients_at_once_get_what_the_limit_holds_and_no_more() {
    for (algorithm, tables) in [
        ("token-bucket", "rate = \"1/d\"\nburst = 500\n"),
        ("sliding-window", "rate = \"500/d\"\n"),
        ("fixed-window", "rate = \"500/d\"\n"),
    ] {
        let limit = format!("[rate-limits.one]\nalgorithm = \"{algorithm}\"\n{tables}");
        let balancer = start("[\"one\"]", &limit);
        let address = balancer.address("web");
        let served: usize = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(move || {
                        let mut served = 0;
                        // Connections of their own, so that all workers take part.
                        for _ in 0..10 {
                            let mut client = RawClient::connect(address);
                            for _ in 0..20 {
                                client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
                                let status = client.response("GET").status;
                                assert!(status == 200 || status == 429, "{status}");
                                served += usize::from(status == 200);
                            }
                        }
                        served
                    })
                })
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().expect("a client"))
                .sum()
        });
        assert_eq!(served, 500, "{algorithm}");
        assert_eq!(outcomes(&balancer, "one", "allowed"), 500);
        assert_eq!(outcomes(&balancer, "one", "refused"), 8 * 200 - 500);
    }
}

#[test]
fn clients_are_told_how_they_stand() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"24/d\"\nburst = 2\nfields = true\n",
    );
    let first = ask(&balancer, "");
    assert_eq!(first.status, 200);
    assert_eq!(
        first.field("ratelimit-policy"),
        Some("\"one\";q=24;w=86400")
    );
    assert_eq!(first.field("ratelimit"), Some("\"one\";r=1;t=3600"));
    assert_eq!(first.field("retry-after"), None);
    ask(&balancer, "");
    let refused = ask(&balancer, "");
    assert_eq!(
        (refused.status, refused.text()),
        (429, "429 Too Many Requests\n")
    );
    assert!(
        refused
            .field("ratelimit")
            .is_some_and(|value| value.starts_with("\"one\";r=0;t="))
    );
    let seconds: u64 = refused
        .field("retry-after")
        .expect("when")
        .parse()
        .expect("seconds");
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    // Whoever is refused may go on with the connection.
    assert_eq!(refused.field("connection"), None);
    let metrics = balancer.metrics_after(3);
    let ends = "sluice_request_ends_total";
    assert_eq!(metrics.count(ends, &[("end", "rate-limited")]), 1);
}

#[test]
fn grpc_is_told_in_its_own_words() {
    let balancer = start("[\"one\"]", "[rate-limits.one]\nrate = \"1/d\"\n");
    assert_eq!(status(&balancer, ""), 200);
    let refused = balancer.ask(
        "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(refused.status, 200);
    assert_eq!(refused.field("grpc-status"), Some("8"));
}

#[test]
fn each_key_has_a_quota_of_its_own() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"2/d\"\nkey = [\"header:x-key\", \"client-ip\"]\n",
    );
    assert_eq!(statuses(&balancer, 3, "X-Key: a\r\n"), [200, 200, 429]);
    assert_eq!(statuses(&balancer, 3, "x-key: b\r\n"), [200, 200, 429]);
    // Those that say nothing are one.
    assert_eq!(statuses(&balancer, 3, ""), [200, 200, 429]);
    let mut other = RawClient::connect_from(
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)),
        balancer.address("web"),
    );
    other.send("GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n");
    assert_eq!(other.response("GET").status, 200);
}

#[test]
fn who_the_client_is_says_the_trusted_proxy() {
    let text = file(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"1/d\"\nallow = [\"10.9.0.0/16\"]\n",
    );
    let listener = "[listeners.web]\ntrusted-proxies = [\"127.0.0.0/8\"]";
    let balancer = Balancer::start(SLUICE, &text.replace("[listeners.web]", listener));
    let of = |client: &str| statuses(&balancer, 2, &format!("X-Forwarded-For: {client}\r\n"));
    assert_eq!(of("192.0.2.1"), [200, 429]);
    assert_eq!(of("192.0.2.2"), [200, 429]);
    assert_eq!(of("2001:db8::1"), [200, 429]);
    assert_eq!(of("2001:db8::2"), [429, 429], "the same network");
    assert_eq!(of("10.9.8.7"), [200, 200], "never limited");
    assert_eq!(outcomes(&balancer, "one", "exempt"), 2);
}

#[test]
fn the_first_class_that_matches_holds() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"1/d\"\nclasses = [\n\
         { match.headers = { x-tier = \"premium\" }, rate = \"3/d\" },\n\
         { match.headers = { x-tier = \"*\" }, rate = \"2/d\" } ]\n",
    );
    let of = |fields: &str| {
        let statuses = statuses(&balancer, 5, fields);
        statuses.iter().filter(|status| **status == 200).count()
    };
    assert_eq!(of("X-Tier: premium\r\n"), 3);
    assert_eq!(of("X-Tier: silver\r\n"), 2);
    assert_eq!(of(""), 1);
}

#[test]
fn what_one_limit_refuses_costs_nothing_of_the_others() {
    let balancer = start(
        "[\"wide\", \"narrow\"]",
        "[rate-limits.wide]\nrate = \"5/d\"\n[rate-limits.narrow]\nrate = \"1/d\"\nkey = \"header:x-key\"\n",
    );
    assert_eq!(statuses(&balancer, 20, "X-Key: a\r\n")[..2], [200, 429]);
    // Of the five, one was used.
    for (key, expected) in ["b", "c", "d", "e", "f"]
        .iter()
        .zip([200, 200, 200, 200, 429])
    {
        assert_eq!(
            status(&balancer, &format!("X-Key: {key}\r\n")),
            expected,
            "{key}"
        );
    }
    assert_eq!(outcomes(&balancer, "wide", "allowed"), 5);
    assert_eq!(outcomes(&balancer, "narrow", "refused"), 19);
}

#[test]
fn a_dry_run_counts_and_refuses_nobody() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"1/d\"\ndry-run = true\nfields = true\n",
    );
    assert_eq!(statuses(&balancer, 3, ""), [200; 3]);
    assert_eq!(ask(&balancer, "").field("ratelimit"), None);
    assert_eq!(outcomes(&balancer, "one", "allowed"), 1);
    assert_eq!(outcomes(&balancer, "one", "would-refuse"), 3);
}

#[test]
fn a_reload_forgets_what_was_used_only_where_the_limit_is_another() {
    let limit = |rate: &str, more: &str| {
        let tables = format!("[rate-limits.one]\nrate = \"{rate}\"\n{more}\n");
        file("[\"one\"]", &tables)
    };
    let mut balancer = Balancer::start(SLUICE, &limit("2/d", ""));
    assert_eq!(statuses(&balancer, 3, ""), [200, 200, 429]);
    balancer.reload(&limit("2/d", "fields = true"));
    let refused = ask(&balancer, "");
    assert_eq!(refused.status, 429);
    assert!(refused.field("ratelimit").is_some());
    balancer.reload(&limit("3/d", ""));
    assert_eq!(statuses(&balancer, 4, ""), [200, 200, 200, 429]);
}

#[test]
fn so_many_are_under_way_and_no_more() {
    let gate = Gate::new();
    let script = Script::new().read_request().wait(&gate);
    let server = ScriptedServer::start([
        script.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    ]);
    let text = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
         [upstreams.app]\nservers = [\"{}\"]\n\
         [[routes]]\nupstream = \"app\"\nrate-limits = [\"one\"]\n\
         [rate-limits.one]\nmax-concurrent = 2\nkey = \"header:x-key\"\n",
        server.address()
    );
    let balancer = Balancer::start(SLUICE, &text);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n";
    let mut waiting = [(); 2].map(|()| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(request);
        client
    });
    wait_until("both to be under way", || server.requests() == 2);
    let refused = balancer.ask(request);
    assert_eq!(refused.status, 429);
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(outcomes(&balancer, "one", "concurrent"), 1);
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.response("GET").status, 200);
    }
    wait_until("their places to be free", || {
        balancer.ask(request).status == 200
    });
}

#[test]
fn those_over_it_wait_for_their_turn() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"1/s\"\nburst = 1\nover = \"delay\"\nmax-delay = \"1m\"\n",
    );
    let address = balancer.address("web");
    let mut clients = [(); 3].map(|()| RawClient::connect(address));
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 200);
    }
    let delayed = outcomes(&balancer, "one", "delayed");
    assert_eq!(outcomes(&balancer, "one", "allowed") + delayed, 3);
    assert!(delayed > 0, "a token comes every second");
    assert_eq!(
        balancer
            .metrics()
            .sum("sluice_rate_limit_waiting", &[])
            .to_string(),
        "0"
    );
}

#[test]
fn who_would_wait_for_too_long_is_refused_and_who_leaves_gives_the_turn_back() {
    let balancer = start(
        "[\"one\"]",
        "[rate-limits.one]\nrate = \"2/m\"\nburst = 1\nover = \"delay\"\nmax-delay = \"1m\"\nmax-waiting = 1\n",
    );
    let address = balancer.address("web");
    assert_eq!(status(&balancer, ""), 200);
    let mut patient = RawClient::connect(address);
    patient.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let waiting = |expected: f64| {
        wait_until("somebody to wait, or nobody", || {
            let now = balancer.metrics().sum("sluice_rate_limit_waiting", &[]);
            (now - expected).abs() < 0.1
        });
    };
    waiting(1.0);
    assert_eq!(status(&balancer, ""), 429, "one may wait");
    drop(patient);
    waiting(0.0);
    let mut next = RawClient::connect(address);
    next.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting(1.0);
    assert_eq!(
        outcomes(&balancer, "one", "delayed"),
        0,
        "it had no turn yet"
    );
    assert_eq!(outcomes(&balancer, "one", "refused"), 1);
}

#[test]
fn who_leaves_before_its_turn_gives_back_what_the_other_limits_gave() {
    for limits in ["[\"slow\", \"wide\"]", "[\"wide\", \"slow\"]"] {
        let balancer = start(
            limits,
            "[rate-limits.slow]\nrate = \"1/m\"\nkey = \"header:x-key\"\nover = \"delay\"\nmax-delay = \"1m\"\n\
             [rate-limits.wide]\nrate = \"3/d\"\nfields = true\n",
        );
        assert_eq!(status(&balancer, "X-Key: a\r\n"), 200);
        let mut impatient = RawClient::connect(balancer.address("web"));
        impatient.send("GET /a HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n");
        let waiting = |expected: f64| {
            wait_until("somebody to wait, or nobody", || {
                let now = balancer.metrics().sum("sluice_rate_limit_waiting", &[]);
                (now - expected).abs() < 0.1
            });
        };
        waiting(1.0);
        drop(impatient);
        waiting(0.0);
        let next = ask(&balancer, "X-Key: b\r\n");
        let left = next.field("ratelimit").expect("how it stands");
        assert!(left.starts_with("\"wide\";r=1;"), "{limits}: {left}");
        assert_eq!(outcomes(&balancer, "wide", "allowed"), 2);
        assert_eq!(outcomes(&balancer, "slow", "allowed"), 2);
    }
}

#[test]
fn forwarded_answers_have_the_fields_too() {
    let server = EchoServer::start("one");
    let text = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
         [upstreams.app]\nservers = [\"{}\"]\n\
         [[routes]]\nupstream = \"app\"\nrate-limits = [\"one\", \"two\"]\n\
         [rate-limits.one]\nrate = \"5/d\"\nfields = true\n\
         [rate-limits.two]\nrate = \"7/d\"\nkey = \"global\"\nfields = true\n",
        server.address()
    );
    let balancer = Balancer::start(SLUICE, &text);
    let answer = ask(&balancer, "");
    let mut policies = answer.fields("ratelimit-policy");
    policies.sort_unstable();
    assert_eq!(policies, ["\"one\";q=5;w=86400", "\"two\";q=7;w=86400"]);
}

#[test]
fn explain_says_which_limits_hold() {
    let text = file(
        "[\"one\", \"two\"]",
        "[rate-limits.one]\nrate = \"100/m\"\nburst = 20\n\
         classes = [{ match.headers = { x-tier = \"premium\" }, rate = \"1000/m\" }]\n\
         [rate-limits.two]\nalgorithm = \"fixed-window\"\nrate = \"5/s\"\nkey = [\"header:x-key\", \"path\"]\nmax-concurrent = 3\ndry-run = true\n",
    );
    let balancer = Balancer::start(SLUICE, &text);
    let file = balancer.file();
    let file = file.to_str().expect("a path");
    let explain = |more: &[&str]| {
        let arguments = [&["explain", "-c", file, "GET", "http://a/x"], more].concat();
        run(SLUICE, &arguments).stdout
    };
    let plain = explain(&["--client-ip", "2001:db8::7"]);
    assert!(
        plain.contains("limit     one: 100/m, 20 at once, by client-ip (2001:db8::)\n"),
        "{plain}"
    );
    assert!(
        plain.contains("limit     two: 5/s, by header:x-key (nothing) and path (/x); 3 at a time; only counted (dry-run)\n"),
        "{plain}"
    );
    let premium = explain(&["-H", "x-tier: premium", "-H", "x-key: k"]);
    assert!(
        premium.contains("limit     one: class 1: 1000/m, 1000 at once, by client-ip"),
        "{premium}"
    );
    assert!(
        premium.contains("by header:x-key (k) and path"),
        "{premium}"
    );
}
