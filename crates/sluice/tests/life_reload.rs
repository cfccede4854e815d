//! Reloading the real binary: what changed takes effect, what did not is not touched, and a wrong file changes nothing.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::{
    Balancer, EchoReply, EchoServer, Gate, Metrics, RawClient, ReadError, Script, ScriptedServer,
    Signal, TcpEchoServer, free_port, in_private_network, wait_for, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// One http listener before one upstream.
fn web(server: SocketAddr, rest: &str) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{server}\"]\n{rest}\n[runtime]\nworkers = 1\n"
    )
}

/// A listener that answers by itself.
fn answering(body: &str, rest: &str) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[[routes]]\nrespond = {{ body = \"{body}\" }}\n{rest}\n"
    )
}

fn ask(client: &mut RawClient) -> String {
    client.send(GET);
    client.response("GET").text().to_owned()
}

fn served_by(client: &mut RawClient) -> String {
    client.send(GET);
    EchoReply::from_response(&client.response("GET")).server
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn routes_upstreams_and_listeners_take_effect() {
    let (one, two) = (EchoServer::start("one"), EchoServer::start("two"));
    let mut balancer = Balancer::start(SLUICE, &web(one.address(), ""));
    let mut client = RawClient::connect(balancer.address("web"));
    assert_eq!(served_by(&mut client), "one");
    let new = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
[listeners.more]
address = "127.0.0.1:<port:more>"
[[routes]]
match.path = "/fixed"
respond = {{ body = "new" }}
[[routes]]
upstream = "other"
[upstreams.other]
servers = ["{}"]
"#,
        two.address()
    );
    balancer.reload(&new);
    // Also on a connection that was there before.
    assert_eq!(served_by(&mut client), "two");
    client.send("GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").text(), "new");
    assert_eq!(
        served_by(&mut RawClient::connect(balancer.address("more"))),
        "two"
    );
    let metrics = balancer.metrics();
    assert_eq!(
        metrics.value("sluice_last_reload_successful", &[]),
        Some(1.0)
    );
    let gone = [("upstream", "app")];
    assert_eq!(
        metrics.value("sluice_upstream_no_server_total", &gone),
        None,
        "series of what left the file end"
    );
}

#[test]
fn a_changed_file_is_noticed() {
    let watched = |body: &str| answering(body, "[runtime]\nwatch = true");
    let mut balancer = Balancer::start(SLUICE, &watched("old"));
    let address = balancer.address("web");
    let mut client = RawClient::connect(address);
    assert_eq!(ask(&mut client), "old");
    balancer.write_configuration(&watched("new"));
    wait_until("the new answer", || ask(&mut client) == "new");
    // A wrong one is reported once, however long it lies there.
    balancer.write_configuration(&watched("{nonsense}"));
    balancer.wait_for_stderr("nonsense");
    balancer.write_configuration(&watched("newest"));
    wait_until("the newest answer", || ask(&mut client) == "newest");
    // What is new is taken over before that is counted.
    balancer.wait_for_metrics("two reloads and a failure", |metrics| {
        let reloads = |result| metrics.sum("sluice_reloads_total", &[("result", result)]);
        (reloads("success"), reloads("failure")) == (2.0, 1.0)
    });
}

#[test]
fn a_file_that_is_not_watched_waits_for_the_signal() {
    let mut balancer = Balancer::start(SLUICE, &answering("old", ""));
    let mut client = RawClient::connect(balancer.address("web"));
    balancer.write_configuration(&answering("unseen", ""));
    // Whoever looks at the file does so at least once a second; the second reload ends the wait.
    balancer.reload(&answering("asked for", ""));
    assert_eq!(ask(&mut client), "asked for");
    let metrics = balancer.metrics();
    assert_eq!(metrics.sum("sluice_reloads_total", &[]), 1.0);
}

#[test]
fn a_wrong_file_is_reported_and_changes_nothing() {
    let mut balancer = Balancer::start(SLUICE, &answering("old", ""));
    let mut client = RawClient::connect(balancer.address("web"));
    balancer.reload_refused(
        "[listeners.web]\nadress = \":1\"\n[[routes]]\nrespond = { body = \"new\" }\n",
    );
    balancer.wait_for_stderr("adress");
    balancer.wait_for_stderr("did you mean `address`");
    assert_eq!(ask(&mut client), "old");
    let failed =
        |metrics: &Metrics| metrics.value("sluice_last_reload_successful", &[]) == Some(0.0);
    assert!(failed(&balancer.metrics()));
    assert_eq!(balancer.admin("/readyz").status, 200, "it still serves");
    // A file that went away is a wrong file, too.
    std::fs::remove_file(balancer.file()).expect("removing the file");
    balancer.signal(Signal::HUP);
    balancer.wait_for_stderr("cannot read");
    assert_eq!(ask(&mut client), "old");
    balancer.reload(&answering("right again", ""));
    assert_eq!(ask(&mut client), "right again");
    assert!(!failed(&balancer.metrics()));
}

#[test]
fn a_busy_port_leaves_all_as_it_was() {
    let mut balancer = Balancer::start(SLUICE, &answering("old", ""));
    let busy = TcpListener::bind(("127.0.0.1", free_port())).expect("a busy port");
    let free = free_port();
    let new = format!(
        "[listeners.first]\naddress = \"127.0.0.1:{free}\"\n[listeners.second]\naddress = \"{}\"\n",
        busy.local_addr().expect("its address")
    );
    balancer.reload_refused(&answering("new", &new));
    balancer.wait_for_stderr("`second` cannot be bound");
    assert_eq!(ask(&mut RawClient::connect(balancer.address("web"))), "old");
    assert!(
        is_refused(([127, 0, 0, 1], free).into()),
        "a listener of a refused file"
    );
    drop(busy);
    balancer.reload(&answering("new", &new));
    assert_eq!(
        ask(&mut RawClient::connect(([127, 0, 0, 1], free).into())),
        "new"
    );
}

#[test]
fn an_upstream_that_did_not_change_keeps_its_connections_and_its_turn() {
    let servers: Vec<_> = ["a", "b", "c"].into_iter().map(EchoServer::start).collect();
    let list: Vec<_> = servers
        .iter()
        .map(|server| format!("\"{}\"", server.address()))
        .collect();
    let text = |rest: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[[routes]]\nmatch.path = \"/x\"\nrespond = {{ body = \"{rest}\" }}\n\
             [[routes]]\nupstream = \"app\"\n[upstreams.app]\nbalance = \"round-robin\"\nidle-timeout = \"1h\"\nservers = [{}]\n[runtime]\nworkers = 1\n",
            list.join(", ")
        )
    };
    let mut balancer = Balancer::start(SLUICE, &text("1"));
    let mut client = RawClient::connect(balancer.address("web"));
    let mut turns = String::new();
    for step in 0..12 {
        turns.push_str(&served_by(&mut client));
        if step % 2 == 1 {
            balancer.reload(&text(&format!("{step}")));
        }
    }
    assert_eq!(
        turns,
        turns[..3].repeat(4),
        "reloads do not begin the round anew"
    );
    for server in &servers {
        assert_eq!(
            server.connections().accepted(),
            1,
            "its connection was kept"
        );
    }
}

#[test]
fn tcp_sessions_and_tunnels_live_through_reloads() {
    let echo = TcpEchoServer::start("");
    let upgrade =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let script = (0..3).fold(Script::new().read_head().write(upgrade), |script, _| {
        script.read_exactly(4).write("pong")
    });
    let socket = ScriptedServer::start([script.stay_open()]);
    let text = |body: &str| {
        format!(
            r#"
[listeners.tcp]
address = "127.0.0.1:<port:tcp>"
protocol = "tcp"
upstream = "echo"
[listeners.web]
address = "127.0.0.1:<port:web>"
[[routes]]
match.path = "/fixed"
respond = {{ body = "{body}" }}
[[routes]]
upstream = "socket"
[upstreams.echo]
servers = ["{}"]
[upstreams.socket]
servers = ["{}"]
drain-timeout = "1s"
"#,
            echo.address(),
            socket.address()
        )
    };
    let mut balancer = Balancer::start(SLUICE, &text("0"));
    let mut session = RawClient::connect(balancer.address("tcp"));
    let mut tunnel = RawClient::connect(balancer.address("web"));
    tunnel.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(
        tunnel
            .head()
            .expect("a head")
            .raw
            .starts_with(b"HTTP/1.1 101")
    );
    for round in 0..3 {
        session.send("ping");
        assert_eq!(session.read_exactly(4), b"ping");
        tunnel.send("ping");
        assert_eq!(tunnel.read_exactly(4), b"pong");
        balancer.reload(&text(&format!("{}", round + 1)));
    }
    session.send("last");
    assert_eq!(session.read_exactly(4), b"last");
    assert_eq!(echo.connections().accepted(), 1);
    assert_eq!(socket.connections().open(), 1);
}

#[test]
fn what_runs_on_a_removed_server_may_finish() {
    let gate = Gate::new();
    let old = ScriptedServer::start([Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbeg")
        .wait(&gate)
        .write("end")
        .stay_open()]);
    let new = EchoServer::start("new");
    let mut balancer = Balancer::start(SLUICE, &web(old.address(), ""));
    let mut waiting = RawClient::connect(balancer.address("web"));
    waiting.send(GET);
    waiting.read_until("beg");
    balancer.reload(&web(new.address(), ""));
    assert_eq!(
        served_by(&mut RawClient::connect(balancer.address("web"))),
        "new"
    );
    gate.open();
    assert_eq!(waiting.read_exactly(3), b"end");
    // Its client goes on with the new server, and the connection to the old one is not kept.
    assert_eq!(served_by(&mut waiting), "new");
    old.connections().wait_for_none_open();
}

#[test]
fn what_runs_on_a_removed_server_is_cut_at_the_drain_timeout() {
    let old = ScriptedServer::start([Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbeg")
        .stay_open()]);
    let new = EchoServer::start("new");
    let mut balancer = Balancer::start(SLUICE, &web(old.address(), "drain-timeout = \"1s\""));
    let mut waiting = RawClient::connect(balancer.address("web"));
    waiting.send(GET);
    waiting.read_until("beg");
    // This one has had its answer: nothing of it is left at the old server.
    balancer.reload(&web(new.address(), "drain-timeout = \"1s\""));
    let rest = waiting.read_to_end().unwrap_or_default();
    assert!(!rest.ends_with(b"end"));
    old.connections().wait_for_none_open();
    balancer.wait_for_metrics("the cut request to be counted", |metrics| {
        metrics.sum("sluice_request_ends_total", &[("end", "drained")]) == 1.0
    });
}

#[test]
fn only_what_still_runs_on_a_removed_server_is_cut() {
    let (old, new) = (EchoServer::start("old"), EchoServer::start("new"));
    let stuck = ScriptedServer::start([Script::silent()]);
    let text = |server: SocketAddr, stuck: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[[routes]]\nmatch.path = \"/stuck\"\nupstream = \"stuck\"\n\
             [[routes]]\nupstream = \"app\"\n[upstreams.app]\nservers = [\"{server}\"]\ndrain-timeout = \"1s\"\n\
             [upstreams.stuck]\nservers = [\"{stuck}\"]\ndrain-timeout = \"1s\"\n[runtime]\nworkers = 1\n"
        )
    };
    let mut balancer = Balancer::start(SLUICE, &text(old.address(), &stuck.address().to_string()));
    let mut idle = RawClient::connect(balancer.address("web"));
    assert_eq!(served_by(&mut idle), "old");
    let mut cut = RawClient::connect(balancer.address("web"));
    cut.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n");
    stuck.connections().wait_for_accepted(1);
    // Both servers leave at once, so when one client is cut the time of the other has come, too.
    balancer.reload(&text(new.address(), "127.0.0.1:1"));
    old.connections().wait_for_none_open();
    let _ = cut.read_to_end();
    assert_eq!(
        served_by(&mut idle),
        "new",
        "an idle client was cut with the server it once used"
    );
}

#[test]
fn a_removed_listener_ends_with_its_requests() {
    let gate = Gate::new();
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .stay_open()]);
    let more = "[listeners.more]\naddress = \"127.0.0.1:<port:more>\"\n";
    let mut balancer = Balancer::start(SLUICE, &format!("{more}{}", web(server.address(), "")));
    let removed = balancer.address("more");
    let mut busy = RawClient::connect(removed);
    busy.send(GET);
    server.connections().wait_for_accepted(1);
    let mut idle = RawClient::connect(removed);
    idle.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(
        idle.response("GET").status,
        400,
        "a connection that was served"
    );
    let mut idle = RawClient::connect(removed);
    balancer.wait_for_metrics("the idle connection", |metrics| {
        metrics.sum("sluice_connections_active", &[("listener", "more")]) >= 2.0
    });
    balancer.reload(&web(server.address(), ""));
    wait_until("the removed listener to close", || is_refused(removed));
    assert!(idle.is_closed_without_a_byte());
    gate.open();
    let response = busy.response("GET");
    assert_eq!(response.text(), "done");
    assert_eq!(response.field("connection"), Some("close"));
    assert!(busy.is_closed_without_a_byte());
}

#[test]
fn a_listener_may_move_and_be_renamed() {
    let mut balancer = Balancer::start(SLUICE, &answering("here", ""));
    let before = balancer.address("web");
    balancer.reload(&answering("there", "").replace("<port:web>", "<port:moved>"));
    wait_until("the old address to close", || is_refused(before));
    assert_eq!(
        ask(&mut RawClient::connect(balancer.address("moved"))),
        "there"
    );
    let renamed = answering("renamed", "").replace("<port:web>", "<port:moved>");
    balancer.reload(&renamed.replace("[listeners.web]", "[listeners.other]"));
    assert_eq!(
        ask(&mut RawClient::connect(balancer.address("moved"))),
        "renamed"
    );
    // Two listeners may change places.
    let two = |first: &str, second: &str| {
        format!(
            "[listeners.a]\naddress = \"127.0.0.1:<port:{first}>\"\n[listeners.b]\naddress = \"127.0.0.1:<port:{second}>\"\n\
             [[routes]]\nlisteners = [\"a\"]\nrespond = {{ body = \"a\" }}\n[[routes]]\nrespond = {{ body = \"b\" }}\n"
        )
    };
    balancer.reload(&two("moved", "second"));
    assert_eq!(
        ask(&mut RawClient::connect(balancer.address("second"))),
        "b"
    );
    balancer.reload(&two("second", "moved"));
    assert_eq!(
        ask(&mut RawClient::connect(balancer.address("second"))),
        "a"
    );
    assert_eq!(ask(&mut RawClient::connect(balancer.address("moved"))), "b");
}

/// The setting moves handshakes that are under way to the new socket. What is left is a connection that is established at the
/// very moment in which its listening socket closes: seen once in some 2,500 changes of the socket on a busy machine.
#[test]
fn a_listener_bound_anew_refuses_nobody() {
    in_private_network(
        "a_listener_bound_anew_refuses_nobody",
        &[("net/ipv4/tcp_migrate_req", "1")],
        bind_anew_under_traffic,
    );
}

fn bind_anew_under_traffic() {
    let with = |backlog: usize| {
        answering("here", "").replace("[[routes]]", &format!("backlog = {backlog}\n[[routes]]"))
    };
    let mut balancer = Balancer::start(SLUICE, &with(1000));
    let address = balancer.address("web");
    let (stop, served, lost) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let mut kept = RawClient::connect(address);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let mut client = RawClient::connect(address);
                    let count = if is_reset(&mut client) {
                        &lost
                    } else {
                        &served
                    };
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 1..=10 {
            let before = served.load(Ordering::SeqCst);
            balancer.reload(&with(1000 + round));
            wait_until("clients to be served", || {
                served.load(Ordering::SeqCst) >= before + 5
            });
        }
        stop.store(true, Ordering::SeqCst);
    });
    let lost = lost.into_inner();
    assert!(lost < 4, "{lost} were reset");
    assert_eq!(
        ask(&mut kept),
        "here",
        "its connections are the listener's, not the socket's"
    );
}

/// Whether a client that asks is reset; otherwise it is answered.
fn is_reset(client: &mut RawClient) -> bool {
    let _ = client.try_send(GET);
    match client.try_response("GET") {
        Ok(response) => assert_eq!(response.text(), "here"),
        Err(ReadError::Reset) => return true,
        Err(error) => panic!("{error}"),
    }
    false
}

#[test]
fn connections_that_wait_in_the_queue_of_a_socket_that_goes_are_served() {
    let with = |backlog: usize| {
        answering("here", "[runtime]\nworkers = 2")
            .replace("[[routes]]", &format!("backlog = {backlog}\n[[routes]]"))
    };
    let mut balancer = Balancer::start(SLUICE, &with(1000));
    // While the process stands still the kernel goes on taking connections for it.
    balancer.signal(Signal::STOP);
    let mut clients: Vec<_> = (0..64)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    balancer.write_configuration(&with(1001));
    balancer.signal(Signal::HUP);
    balancer.signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(ask(client), "here");
    }
    balancer.wait_for_metrics("the reload", |metrics| {
        metrics.sum("sluice_reloads_total", &[("result", "success")]) == 1.0
    });
}

#[test]
fn the_admin_listener_moves_and_changes_its_token() {
    let admin = |name: &str, token: &str| {
        answering(
            "",
            &format!("[admin]\naddress = \"127.0.0.1:<port:{name}>\"\n{token}"),
        )
    };
    let mut balancer = Balancer::start(SLUICE, &admin("admin", ""));
    let before = balancer.address("admin");
    balancer.write_configuration(&admin("moved", ""));
    balancer.signal(Signal::HUP);
    wait_until("the old admin address to close", || is_refused(before));
    // While the listener changes hands a connection may be reset.
    let try_get = |path: &str, fields: &str| {
        let mut client = RawClient::try_connect(balancer.address("moved")).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        client.try_send(request).ok()?;
        client
            .try_response("GET")
            .ok()
            .map(|response| response.status)
    };
    let get = |path: &str, fields: &str| wait_for("an answer", || try_get(path, fields));
    assert_eq!((get("/metrics", ""), get("/readyz", "")), (200, 200));
    let with_token = admin("moved", "token = \"not-to-be-guessed\"");
    let mut resolved = with_token.clone();
    for name in ["web", "moved"] {
        resolved = resolved.replace(
            &format!("<port:{name}>"),
            &balancer.address(name).port().to_string(),
        );
    }
    std::fs::write(balancer.file(), resolved).expect("writing the configuration");
    balancer.signal(Signal::HUP);
    wait_until("the token to be asked for", || {
        try_get("/metrics", "") == Some(401)
    });
    assert_eq!(
        get("/metrics", "Authorization: Bearer not-to-be-guessed\r\n"),
        200
    );
    assert_eq!(get("/readyz", ""), 200, "no secret");
}

#[test]
fn the_number_of_workers_waits_for_the_next_start() {
    let workers = |count: usize| answering("", &format!("[runtime]\nworkers = {count}"));
    let mut balancer = Balancer::start(SLUICE, &workers(1));
    balancer.reload(&workers(2));
    balancer.wait_for_stderr("runtime.workers takes effect at the next start");
}
