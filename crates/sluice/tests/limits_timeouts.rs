//! What stands still is given up, whatever version of HTTP is spoken on either side of us; and deadlines of gRPC as servers are
//! told of them.

#[expect(dead_code, reason = "no client of openssl here")]
mod tls_kit;
mod two_hops;

use testkit::{Balancer, Gate, RawClient, Script, ScriptedServer, wait_until};
use tls_kit::Authority;
use two_hops::{Hop, Hops, VERSIONS};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Every version on either side, one after the other: `case` drives it until the hop that is looked at gives up, with this `end`.
fn each(server: impl Fn() -> ScriptedServer, end: &str, case: impl Fn(&mut RawClient)) {
    for version in VERSIONS {
        for impatient in Hop::BOTH {
            let server = server();
            let keys = ["body-timeout = \"1s\"", "body-timeout = \"1h\""];
            let hops = Hops::start(&server, version, impatient, keys);
            let mut client = hops.client();
            case(&mut client);
            wait_until(&format!("{impatient:?} to give up on {version}"), || {
                hops.ended(impatient, end) == 1
            });
        }
    }
}

#[test]
fn a_server_that_stops_inside_its_answer() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let script = || ScriptedServer::start([Script::new().read_request().write(half).stay_open()]);
    each(script, "upstream-timeout", |client| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.head().expect("a head");
        // It ends, before it is whole.
        let rest = client.read_to_end().unwrap_or_default();
        assert!(rest.len() < 10, "{rest:?}");
    });
}

#[test]
fn a_client_that_stops_inside_its_body() {
    let script = || ScriptedServer::start([Script::new().read_head().stay_open()]);
    each(script, "client-timeout", |client| {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        assert_eq!(client.response("POST").status, 408);
    });
}

#[test]
fn a_server_that_takes_no_body() {
    let gate = Gate::new();
    let script = || ScriptedServer::start([Script::new().read_head().wait(&gate)]);
    each(script, "upstream-timeout", |client| {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
        let part = vec![b'x'; 1 << 20];
        let parts = (0..900).take_while(|_| client.try_send(&part).is_ok());
        assert!(parts.count() < 100);
        assert_eq!(client.response("POST").status, 504);
    });
    gate.open();
}

#[test]
fn a_client_that_takes_no_answer() {
    let length = 64 << 20;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + length, b'x');
    let script = || ScriptedServer::start([Script::new().read_request().write(&answer)]);
    each(script, "client-timeout", |client| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    });
}

#[test]
fn a_server_that_is_silent_in_its_handshake() {
    let authority = Authority::new("a");
    for version in ["h1", "h2", "auto"] {
        let server = ScriptedServer::start([Script::silent()]);
        let configuration = format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nprotocol = \"{version}\"\nservers = [\"{}\"]\n\
             connect-timeout = \"300ms\"\ntls = {{ ca = \"{}\" }}\n",
            server.address(),
            authority.ca().display()
        );
        let balancer = Balancer::start(SLUICE, &configuration);
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response("GET").status, 504, "{version}");
    }
}

/// What is left of the time, as the server number `number` was told.
fn told(server: &ScriptedServer, number: usize) -> u64 {
    let received = String::from_utf8_lossy(&server.received(number)).into_owned();
    let mut lines = received
        .lines()
        .filter_map(|line| line.strip_prefix("grpc-timeout: "));
    let value = lines.next().expect("a deadline");
    assert_eq!(lines.next(), None);
    let micros = value.strip_suffix('u').expect("microseconds");
    assert_eq!(micros.len(), 8);
    micros.parse().expect("a number")
}

#[test]
fn each_try_of_a_call_is_told_what_is_left_of_its_time() {
    let script = Script::new().read_request().reset();
    let server = ScriptedServer::start([script.clone(), script.clone(), script]);
    let configuration = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
[[routes]]
upstream = "app"
retry = {{ attempts = 3, on = ["reset"], backoff = "5ms", retry-unsafe = true }}
[upstreams.app]
servers = ["{}"]
"#,
        server.address()
    );
    let balancer = Balancer::start(SLUICE, &configuration);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(
        "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nGrpc-Timeout: 60S\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
    );
    assert_eq!(client.response("POST").field("grpc-status"), Some("14"));
    let told: Vec<_> = (0..3).map(|number| told(&server, number)).collect();
    assert!(told.windows(2).all(|two| two[0] > two[1]), "{told:?}");
    assert!(told[0] <= 60_000_000, "{told:?}");
}

#[test]
fn a_timeout_that_is_none_or_of_no_call_is_passed_on_as_it_is() {
    let server = ScriptedServer::start([Script::ok("")]);
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{}\"]\n",
        server.address()
    );
    let balancer = Balancer::start(SLUICE, &configuration);
    let mut client = RawClient::connect(balancer.address("web"));
    for (kind, value) in [("application/grpc", "soon"), ("text/plain", "60S")] {
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nGrpc-Timeout: {value}\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(client.response("POST").status, 200);
        server.wait_for_received(0, format!("\r\nGrpc-Timeout: {value}\r\n"));
    }
}
