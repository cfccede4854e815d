//! What is seen of HTTP traffic from outside: access log and metrics.

mod http_proxy;

use std::path::Path;

use http_proxy::{Setup, start};
use serde_json::Value;
use testkit::{
    EchoServer, RawClient, Script, ScriptedServer, Signal, TempDir, refused_address, wait_for,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until a log has this many lines.
#[track_caller]
fn lines(path: &Path, count: usize) -> Vec<String> {
    wait_for(&format!("{count} lines in {}", path.display()), || {
        let text = std::fs::read_to_string(path).ok()?;
        let lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
        let whole = lines.last().is_some_and(|line| line.ends_with('\n'));
        (whole && lines.len() >= count).then_some(lines)
    })
}

fn logs(format: &str, path: &Path) -> String {
    format!(
        "[logs]\naccess = {{ format = \"{format}\", to = \"file:{}\" }}\n",
        path.display()
    )
}

#[test]
fn a_log_with_a_relative_path_lies_beside_the_configuration_file() {
    let server = EchoServer::start("a");
    let path = format!("{}-access.log", std::process::id());
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &logs("json", Path::new(&path)),
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 200);
    assert_eq!(lines(&balancer.folder().join(path), 1).len(), 1);
}

#[test]
fn a_served_request_is_logged_with_everything_known_of_it() {
    let server = EchoServer::start("a");
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("access.log");
    let tables = format!(
        "[[routes]]\nname = \"all\"\nupstream = \"app\"\n{}",
        logs("json", &path)
    );
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST /bytes/1000?q=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: tester/1 \"x\"\r\nReferer: http://r/\r\nX-Request-ID: id-7\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.response("POST").body.len(), 1000);
    let line: Value = serde_json::from_str(&lines(&path, 1)[0]).expect("a JSON object");
    let port = client.local_address().port();
    let expected = [
        ("kind", "http".into()),
        ("listener", "web".into()),
        ("client_ip", "127.0.0.1".into()),
        ("client_port", port.into()),
        ("method", "POST".into()),
        ("host", "example.com".into()),
        ("target", "/bytes/1000?q=1".into()),
        ("version", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("request_bytes", 3.into()),
        ("response_bytes", 1000.into()),
        ("route", "all".into()),
        ("upstream", "app".into()),
        ("server", server.address().to_string().into()),
        ("attempts", 1.into()),
        ("request_id", "id-7".into()),
        ("end", "ok".into()),
        ("user_agent", "tester/1 \"x\"".into()),
        ("referer", "http://r/".into()),
    ];
    for (name, value) in expected {
        let value: Value = value;
        assert_eq!(line[name], value, "{name} in {line}");
    }
    let number = |name: &str| {
        line[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {line}"))
    };
    assert!(
        number("duration_ms") >= number("upstream_ms") && number("upstream_ms") > 0.0,
        "{line}"
    );
}

#[test]
fn requests_that_went_wrong_are_logged_with_why() {
    let server =
        ScriptedServer::start([Script::new().read_request().stay_open(), Script::ok("ok")]);
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("access.log");
    let routes = "[[routes]]\nmatch.path = \"/fixed\"\nrespond = { body = \"hi\" }\n[[routes]]\nmatch.host = \"a\"\nupstream = \"app\"\n";
    let tables = format!("{routes}{}", logs("json", &path));
    let balancer = start(
        &[server.address(), refused_address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let mut seen = 0;
    let mut next = || {
        seen += 1;
        let line = lines(&path, seen).swap_remove(seen - 1);
        serde_json::from_str::<Value>(&line).expect("a JSON object")
    };
    let send = |request: &str| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(request);
        client
    };

    // The client goes away before the answer.
    let client = send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for_received(0, "\r\n\r\n");
    drop(client);
    let line = next();
    assert_eq!(
        (&line["end"], &line["target"], line.get("status")),
        (&"client-closed".into(), &"/gone".into(), None),
        "{line}"
    );

    // The second server refuses: it is the first's turn then.
    assert_eq!(send(GET).response("GET").status, 200);
    let line = next();
    assert_eq!(
        (&line["end"], &line["attempts"]),
        (&"ok".into(), &2.into()),
        "{line}"
    );
    assert_eq!(line["server"], server.address().to_string());
    assert_eq!(
        line["request_id"].as_str().map(str::len),
        Some(32),
        "{line}"
    );

    assert_eq!(
        send("GET /fixed HTTP/1.0\r\n\r\n").response("GET").text(),
        "hi"
    );
    let line = next();
    assert_eq!(
        (&line["attempts"], &line["version"]),
        (&0.into(), &"HTTP/1.0".into()),
        "{line}"
    );
    assert_eq!(
        (
            line.get("server"),
            line.get("upstream_ms"),
            line.get("host")
        ),
        (None, None, None),
        "{line}"
    );

    assert_eq!(
        send("GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            .response("GET")
            .status,
        404
    );
    let line = next();
    assert_eq!(
        (&line["end"], line.get("route")),
        (&"no-route".into(), None),
        "{line}"
    );

    assert_eq!(send("GET / HTTP/1.1\r\n\r\n").response("GET").status, 400);
    let line = next();
    assert_eq!(
        (&line["end"], &line["status"], line.get("method")),
        (&"bad-request".into(), &400.into(), None),
        "{line}"
    );
}

#[test]
fn the_combined_format_is_that_of_httpd() {
    let server = EchoServer::start("a");
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("access.log");
    let tables = logs("combined", &path);
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(
        "GET /bytes/42 HTTP/1.1\r\nHost: a\r\nUser-Agent: a\\b\"c\r\nReferer: http://r/\r\n\r\n",
    );
    assert_eq!(client.response("GET").status, 200);
    client.send("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 400);
    let lines = lines(&path, 2);
    let (before, after) = lines[0].split_once('[').expect("a time");
    assert_eq!(before, "127.0.0.1 - - ");
    let (time, after) = after.split_once(']').expect("a time");
    assert!(time.len() == 26 && time.ends_with(" +0000"), "{time}");
    assert_eq!(
        after,
        " \"GET /bytes/42 HTTP/1.1\" 200 42 \"http://r/\" \"a\\\\b\\\"c\"\n"
    );
    assert!(
        lines[1].ends_with("] \"-\" 400 - \"-\" \"-\"\n"),
        "{}",
        lines[1]
    );
}

#[test]
fn a_log_that_was_moved_away_is_opened_again() {
    let server = EchoServer::start("a");
    let folder = TempDir::new().expect("a temporary folder");
    let (path, moved) = (
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    let tables = logs("json", &path);
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /before HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response("GET");
    lines(&path, 1);
    std::fs::rename(&path, &moved).expect("moving the log");
    balancer.signal(Signal::HUP);
    testkit::wait_until("a new log", || path.exists());
    balancer.wait_for_metrics("the reload", |metrics| {
        metrics.count("sluice_reloads_total", &[("result", "success")]) >= 1
    });
    client.send("GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response("GET");
    let line = lines(&path, 1).swap_remove(0);
    assert!(line.contains("\"/after\""), "{line}");
    assert_eq!(lines(&moved, 1).len(), 1);
}

#[test]
fn every_byte_is_counted_once() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n{}",
        "x".repeat(3_000_000)
    );
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write(answer)
        .read_request()
        .write(hints)
        .write(chunked)
        .read_request()
        .write(&large)
        .read_request()
        .write(answer)
        .read_request()
        .write(answer)
        .stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    let (mut sent, mut received) = (0, 0);
    let upload = format!(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n{}",
        "y".repeat(2_000_000)
    );
    let requests = [
        GET.to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .to_owned(),
        GET.to_owned(),
        upload,
    ];
    for request in &requests {
        client.send(request);
        let response = client.response("GET");
        sent += request.len();
        received += response
            .interim
            .iter()
            .map(|head| head.raw.len())
            .sum::<usize>();
        received += response.head.raw.len() + response.body.len();
        if response.field("transfer-encoding").is_some() {
            received += "5\r\n\r\n0\r\n\r\n".len();
        }
    }
    // A request that comes while another is served is counted too, and once.
    client.send(format!("{GET}GET /half HT"));
    received += client.response("GET").head.raw.len() + 5;
    sent += GET.len() + "GET /half HT".len();
    let answered = 3 * answer.len() + hints.len() + chunked.len() + large.len();
    balancer.metrics_after(5);
    // What is half a request may be received later.
    let web = [("listener", "web")];
    let metrics = balancer.wait_for_metrics("all to be received", |metrics| {
        metrics.count("sluice_downstream_received_bytes_total", &web) >= sent
    });
    let app = [("upstream", "app")];
    assert_eq!(
        metrics.count("sluice_downstream_received_bytes_total", &web),
        sent
    );
    assert_eq!(
        metrics.count("sluice_downstream_sent_bytes_total", &web),
        received
    );
    assert_eq!(
        metrics.count("sluice_server_sent_bytes_total", &app),
        server.received(0).len()
    );
    assert_eq!(
        metrics.count("sluice_server_received_bytes_total", &app),
        answered
    );
}

#[test]
fn bytes_are_counted_while_they_flow() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write(head)
        .write(vec![b'x'; 2_000_000])
        .stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    client.head().expect("a head");
    client.read_exactly(2_000_000);
    balancer.wait_for_metrics("the bytes so far", |metrics| {
        metrics.count("sluice_downstream_sent_bytes_total", &[("listener", "web")]) >= 2_000_000
            && metrics.count("sluice_server_received_bytes_total", &[]) >= 2_000_000
    });
}

#[test]
fn counters_tell_routes_servers_and_classes_apart() {
    let server = EchoServer::start("a");
    let tables = "[[routes]]\nname = \"fixed\"\nmatch.path = \"/fixed\"\nrespond = { status = 302, body = \"\" }\n[[routes]]\nname = \"rest\"\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    for path in [
        "/fixed",
        "/status/201",
        "/status/404",
        "/status/404",
        "/status/503",
        "/",
    ] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response("GET");
    }
    let metrics = balancer.metrics_after(6);
    let address = server.address().to_string();
    for (code, fixed, rest) in [("2xx", 0, 2), ("3xx", 1, 0), ("4xx", 0, 2), ("5xx", 0, 1)] {
        let count =
            |route| metrics.count("sluice_requests_total", &[("route", route), ("code", code)]);
        assert_eq!((count("fixed"), count("rest")), (fixed, rest), "{code}");
        let labels = [
            ("upstream", "app"),
            ("server", address.as_str()),
            ("code", code),
        ];
        assert_eq!(
            metrics.count("sluice_server_requests_total", &labels),
            rest,
            "{code}"
        );
    }
    assert_eq!(
        metrics.count(
            "sluice_request_duration_seconds_count",
            &[("route", "rest")]
        ),
        5
    );
    assert_eq!(
        metrics.count(
            "sluice_upstream_response_seconds_count",
            &[("upstream", "app")]
        ),
        5
    );
    assert_eq!(
        metrics.count(
            "sluice_upstream_connect_seconds_count",
            &[("upstream", "app")]
        ),
        1
    );
    assert_eq!(
        metrics.count("sluice_connections_active", &[("listener", "web")]),
        1
    );
    drop(client);
    balancer.wait_for_metrics("the connection to be gone", |metrics| {
        metrics.count("sluice_connections_active", &[("listener", "web")]) == 0
            && metrics.count("sluice_connections_idle", &[("listener", "web")]) == 0
    });
}
