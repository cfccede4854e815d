//! Weights by hand through the real binary, and how servers are shown then.

use testkit::{
    Balancer, EchoReply, EchoServer, Finished, Gate, RawClient, Script, ScriptedServer,
    refused_address, run, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn configuration(policy: &str, servers: [&EchoServer; 2]) -> String {
    let servers = servers.map(|server| server.address().to_string());
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers:?}\nbalance = \"{policy}\"\n\
         [admin]\naddress = \"127.0.0.1:<port:admin>\"\n[runtime]\nworkers = 2\n"
    )
}

fn sluice(balancer: &Balancer, words: &[&str]) -> Finished {
    let file = balancer.file();
    let mut arguments = words.to_vec();
    arguments.extend(["-c", file.to_str().expect("UTF-8")]);
    run(SLUICE, &arguments)
}

#[track_caller]
fn said(balancer: &Balancer, words: &[&str]) -> String {
    let finished = sluice(balancer, words);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    finished.stdout
}

fn weigh(balancer: &Balancer, server: &EchoServer, weight: &str) {
    let server = format!("app/{}", server.address());
    said(balancer, &["weight", &server, weight]);
}

/// How many of as many requests each connection brings to the server named `a`. A connection is one worker's.
fn taken_by_a(balancer: &Balancer, requests: usize) -> [usize; 4] {
    [(); 4].map(|()| {
        let mut client = RawClient::connect(balancer.address("web"));
        let mut ask = || {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            EchoReply::from_response(&client.response("GET")).server
        };
        (0..requests).filter(|_| ask() == "a").count()
    })
}

#[test]
fn a_weight_holds_at_once_and_over_reloads() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let text = configuration("round-robin", [&a, &b]);
    let mut balancer = Balancer::start(SLUICE, &text);
    assert_eq!(taken_by_a(&balancer, 12), [6; 4]);
    weigh(&balancer, &a, "3");
    assert_eq!(taken_by_a(&balancer, 12), [9; 4]);
    balancer.reload(&text.replace("[admin]", "connect-timeout = \"1s\"\n[admin]"));
    assert_eq!(taken_by_a(&balancer, 12), [9; 4]);
    weigh(&balancer, &b, "3");
    assert_eq!(taken_by_a(&balancer, 12), [6; 4]);
    weigh(&balancer, &b, "file");
    assert_eq!(taken_by_a(&balancer, 12), [9; 4]);
    weigh(&balancer, &a, "file");
    assert_eq!(taken_by_a(&balancer, 12), [6; 4]);
    balancer.wait_for_stderr(&format!("server={} weight=3 by_hand=true", a.address()));
}

#[test]
fn every_kind_of_policy_goes_by_it() {
    for policy in [
        "\"random\"",
        "\"least-connections\"",
        "{ policy = \"maglev\", key = \"header:x\" }",
        "{ policy = \"consistent-hash\", key = \"header:x\" }",
    ] {
        let [a, b] = ["a", "b"].map(EchoServer::start);
        let text = configuration("NAME", [&a, &b]);
        let balancer = Balancer::start(SLUICE, &text.replace("\"NAME\"", policy));
        weigh(&balancer, &a, "60000");
        let taken: usize = taken_by_a(&balancer, 10).iter().sum();
        assert!(taken >= 38, "{policy}: {taken} of 40");
    }
}

#[test]
fn servers_are_shown_as_they_are_now() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &configuration("round-robin", [&a, &b]));
    weigh(&balancer, &a, "3");
    let status = said(&balancer, &["status"]);
    let lines: Vec<Vec<&str>> = status
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [first, second] = [&a, &b].map(|server| server.address().to_string());
    assert_eq!(
        lines[1],
        ["app", &first, "up", "requests", "3", "by", "hand", "0"]
    );
    assert_eq!(lines[2], ["app", &second, "up", "requests", "1", "0"]);
    let json = said(&balancer, &["status", "--json"]);
    let upstreams = balancer.admin("/api/upstreams");
    let upstreams = upstreams.text().strip_prefix('{').expect("an object");
    assert_eq!(
        json,
        format!("{{\"key-sets\":[],\"shifts\":[],\"stores\":[],{upstreams}")
    );

    let url = "http://a/";
    let by_file = said(&balancer, &["explain", "GET", url]);
    assert!(by_file.contains("1 of 2 requests, in turn)"), "{by_file}");
    let explained = || said(&balancer, &["explain", "--live", "GET", url]);
    for part in [
        format!("{first} (3 of 4 requests, in turn; up, 0 in flight, weight set by hand)"),
        format!("{second} (1 of 4 requests, in turn; up, 0 in flight)"),
    ] {
        assert!(explained().contains(&part), "{}", explained());
    }
    said(&balancer, &["drain", &format!("app/{first}")]);
    for part in [
        format!("{first} (gets none; drain, 0 in flight, weight set by hand)"),
        format!("{second} (the only one; up, 0 in flight)"),
    ] {
        assert!(explained().contains(&part), "{}", explained());
    }
    said(&balancer, &["down", &format!("app/{second}")]);
    let all_down = "all down  refused";
    assert!(explained().contains(all_down), "{}", explained());
}

#[test]
fn explain_names_the_server_that_is_chosen_now_and_why() {
    let gates = [Gate::default(), Gate::default()];
    let servers = gates.each_ref().map(|gate| {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let script = Script::new().read_request().wait(gate).write(answer);
        ScriptedServer::start([script])
    });
    let addresses = servers.each_ref().map(|one| one.address().to_string());
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
             [upstreams.app]\nbalance = \"least-connections\"\nservers = [\"{}\", \"{}\"]\n\
             [admin]\naddress = \"127.0.0.1:<port:admin>\"\n",
            addresses[0], addresses[1]
        ),
    );
    let explained = || said(&balancer, &["explain", "--live", "GET", "http://a/"]);
    let has = |text: &str, server: usize, count: usize| {
        let address = &addresses[server];
        text.contains(&format!("{address} (weight 1 of 2; up, {count} in flight)"))
    };
    let until = |loads: [usize; 2]| {
        wait_until("the servers to be so loaded", || {
            let text = explained();
            has(&text, 0, loads[0]) && has(&text, 1, loads[1])
        });
        explained()
    };
    let pick = |server: usize| {
        let address = &addresses[server];
        format!("pick      {address} now: no other has fewer in flight for its weight\n")
    };
    let ask = || {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    let mut first = ask();
    wait_until("a request to be under way", || {
        explained().contains("1 in flight")
    });
    let busy = usize::from(has(&explained(), 1, 1));
    let text = explained();
    assert!(text.contains(&pick(1 - busy)), "{text}");

    let mut second = ask();
    until([1, 1]);
    gates[busy].open();
    assert_eq!(first.response("GET").status, 200);
    let text = until(if busy == 0 { [0, 1] } else { [1, 0] });
    assert!(
        text.contains(&pick(busy)),
        "now it is the other one: {text}"
    );
    gates[1 - busy].open();
    assert_eq!(second.response("GET").status, 200);
}

#[test]
fn a_key_leads_to_a_server_that_takes_requests_now() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = Balancer::start(
        SLUICE,
        &configuration("random", [&a, &b])
            .replace("\"random\"", "{ policy = \"maglev\", key = \"client-ip\" }"),
    );
    let explained = || said(&balancer, &["explain", "--live", "GET", "http://a/"]);
    for (down, up) in [(&a, &b), (&b, &a)] {
        let [down, up] = [down, up].map(|server| server.address().to_string());
        said(&balancer, &["down", &format!("app/{down}")]);
        said(&balancer, &["up", &format!("app/{up}")]);
        let part = format!("goes to {up},");
        assert!(explained().contains(&part), "{}", explained());
    }
}

#[test]
fn mistakes_are_told() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &configuration("round-robin", [&a, &b]));
    let server = format!("app/{}", a.address());
    for (weight, code, part) in [
        (
            "0",
            1,
            "a weight is a whole number from 1 to 65535, not 0; a server that is to get nothing is set to drain or down",
        ),
        ("70000", 1, "not 70000"),
        ("half", 2, "`half` is no weight"),
    ] {
        let finished = sluice(&balancer, &["weight", &server, weight]);
        assert_eq!((finished.code(), finished.stdout.as_str()), (code, ""));
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    assert_eq!(taken_by_a(&balancer, 12), [6; 4]);
    let nobody = refused_address().to_string();
    let finished = run(SLUICE, &["status", "--admin", &nobody]);
    assert_eq!(finished.code(), 1);
    assert!(
        finished
            .stderr
            .contains("nobody answers at the admin address")
    );
}

#[test]
fn a_server_that_is_spared_takes_requests_though_its_breaker_is_open() {
    let [a, b] = [(); 2].map(|()| refused_address().to_string());
    let text = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{a}\", \"{b}\"]\nbalance = \"round-robin\"\n\
         [upstreams.app.circuit-breaker]\nconsecutive-failures = 1\n[admin]\naddress = \"127.0.0.1:<port:admin>\"\n"
    );
    let balancer = Balancer::start(SLUICE, &text);
    assert_eq!(
        balancer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status,
        502
    );
    let status = said(&balancer, &["status"]);
    assert_eq!(status.matches(" open   ").count(), 2, "{status}");
    assert_eq!(status.matches("nothing").count(), 1, "{status}");
    assert_eq!(status.matches("requests").count(), 1, "{status}");
    let explained = said(&balancer, &["explain", "--live", "GET", "http://a/"]);
    assert!(
        explained.contains("(the only one; open, 0 in flight)"),
        "{explained}"
    );
    assert!(
        explained.contains("(gets none; open, 0 in flight)"),
        "{explained}"
    );
}
