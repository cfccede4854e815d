//! The admin listener as its clients see it, over real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sluice_admin::{AdminListener, AdminState, Limits, Token, serve};
use sluice_telemetry::{Readiness, ReadyState, Registry};
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(20);

/// An admin listener on a thread of its own. Ended, and waited for, when dropped.
struct Admin {
    address: SocketAddr,
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    fn start(token: Option<&str>, limits: Limits) -> Self {
        // No port that another test could get once this one is closed.
        let address = testkit::free_address();
        let listener = TcpListener::bind(address).expect("a port");
        Self::start_on(address, token, limits, move || {
            AdminListener::try_from(listener)
        })
    }

    fn start_on(
        address: SocketAddr,
        token: Option<&str>,
        limits: Limits,
        listener: impl FnOnce() -> std::io::Result<AdminListener> + Send + 'static,
    ) -> Self {
        let registry = Arc::new(Registry::new("9.9.9"));
        let readiness = Arc::new(Readiness::default());
        let state = AdminState {
            registry: Arc::clone(&registry),
            readiness: Arc::clone(&readiness),
            shifts: Arc::default(),
            servers: Arc::default(),
            stores: Arc::default(),
            token: token.map(Token::new),
        };
        let (shutdown, told) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = listener().expect("a listener");
                serve(listener, state, limits, async { drop(told.await) }).await;
            });
        });
        Self {
            address,
            registry,
            readiness,
            shutdown: Some(shutdown),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("to connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a request with more fields and gives the whole answer.
    fn ask(&self, line: &str, fields: &str) -> String {
        exchange(self.connect(), line, fields)
    }

    fn end(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the admin thread");
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.end();
    }
}

fn exchange(mut stream: impl Read + Write, line: &str, fields: &str) -> String {
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n{fields}\r\n"
    )
    .expect("to send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn has_field(answer: &str, field: &str) -> bool {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().any(|line| line.eq_ignore_ascii_case(field))
}

#[test]
fn metrics_are_what_the_registry_holds() {
    let admin = Admin::start(None, Limits::default());
    admin
        .registry
        .route(0, "shop")
        .requests
        .increment(200.into());
    let answer = admin.ask("GET /metrics", "");
    assert_eq!(status(&answer), "200");
    assert!(
        has_field(
            &answer,
            "content-type: text/plain; version=0.0.4; charset=utf-8"
        ),
        "{answer}"
    );
    assert!(has_field(&answer, "cache-control: no-store"), "{answer}");
    let lines = body(&answer).lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).expect("the text format");
    let found = |name: &str, label: &str, value: &str| {
        scrape
            .samples
            .iter()
            .any(|sample| sample.metric == name && sample.labels.get(label) == Some(value))
    };
    assert!(found("sluice_requests_total", "route", "shop"));
    assert!(found("sluice_build_info", "version", "9.9.9"));

    let head = admin.ask("HEAD /metrics", "");
    assert_eq!((status(&head), body(&head)), ("200", ""));
}

#[test]
fn readiness_follows_the_process() {
    let admin = Admin::start(None, Limits::default());
    for (state, expected, word) in [
        (None, "503", "starting: "),
        (Some(ReadyState::Ready), "200", "ready\n"),
        (Some(ReadyState::Draining), "503", "draining: "),
    ] {
        if let Some(state) = state {
            admin.readiness.set(state);
        }
        let ready = admin.ask("GET /readyz", "");
        assert_eq!(status(&ready), expected, "{state:?}");
        assert!(body(&ready).starts_with(word), "{ready}");
        assert_eq!(status(&admin.ask("GET /livez", "")), "200");
    }
}

#[test]
fn paths_and_methods() {
    let admin = Admin::start(None, Limits::default());
    let index = admin.ask("GET /", "");
    assert_eq!(status(&index), "200");
    for path in body(&index)
        .lines()
        .filter_map(|line| line.strip_prefix('/'))
    {
        let path = path.split(' ').next().unwrap_or_default();
        assert_ne!(
            status(&admin.ask(&format!("GET /{path}"), "")),
            "404",
            "{path}"
        );
    }
    for path in ["/metricsx", "/metrics/", "/livez/x", "//"] {
        assert_eq!(
            status(&admin.ask(&format!("GET {path}"), "")),
            "404",
            "{path}"
        );
    }
    for path in ["/", "/metrics", "/livez", "/readyz"] {
        let answer = admin.ask(&format!("POST {path}"), "Content-Length: 0\r\n");
        assert_eq!(status(&answer), "405", "{path}");
        assert!(has_field(&answer, "allow: GET,HEAD"), "{answer}");
    }
}

#[test]
fn a_token_guards_everything_but_the_probes() {
    let admin = Admin::start(Some("s3cret"), Limits::default());
    for path in ["/", "/metrics", "/unknown"] {
        let line = format!("GET {path}");
        let without = admin.ask(&line, "");
        assert_eq!(status(&without), "401", "{path}");
        assert!(
            has_field(&without, "www-authenticate: Bearer realm=\"sluice\""),
            "{without}"
        );
        assert!(
            !without.contains("s3cret") && !without.contains("sluice_"),
            "{without}"
        );
        let wrong = admin.ask(&line, "Authorization: Bearer s3creT\r\n");
        assert_eq!(status(&wrong), "401", "{path}");
        assert!(wrong.contains("invalid_token"), "{wrong}");
        let right = admin.ask(&line, "Authorization: Bearer s3cret\r\n");
        assert_eq!(
            status(&right),
            if path == "/unknown" { "404" } else { "200" },
            "{path}"
        );
    }
    assert_eq!(
        status(&admin.ask("POST /metrics", "Content-Length: 0\r\n")),
        "401"
    );
    assert_eq!(status(&admin.ask("GET /livez", "")), "200");
    assert_eq!(status(&admin.ask("GET /readyz", "")), "503");
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let admin = Admin::start(None, Limits::default());
    let mut stream = admin.connect();
    for _ in 0..3 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n")
            .expect("to send");
        let mut answer = Vec::new();
        while !answer.ends_with(b"alive\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the answer");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
}

#[test]
fn silent_and_slow_clients_are_cut_off() {
    let limits = Limits {
        // Enough for the one who says all that is needed.
        head_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let admin = Admin::start(None, limits);
    for sent in [
        "",
        "GET /livez HT",
        "GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n",
    ] {
        let mut stream = admin.connect();
        stream.write_all(sent.as_bytes()).expect("to send");
        // Ends with the connection: the third client is answered, then says nothing more.
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .unwrap_or_else(|error| panic!("{sent:?}: {error}"));
        assert_eq!(
            answer.ends_with(b"alive\n"),
            sent.ends_with("\r\n\r\n"),
            "{sent:?}"
        );
    }
}

#[test]
fn a_connection_ends_with_its_lifetime() {
    let limits = Limits {
        lifetime: Duration::from_secs(1),
        grace: Duration::from_millis(50),
        ..Limits::default()
    };
    let admin = Admin::start(None, limits);
    let mut stream = admin.connect();
    stream.write_all(b"GET /livez HT").expect("to send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the end");
    assert_eq!(answer, b"");
}

#[test]
fn connections_above_the_limit_wait_for_their_turn() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let admin = Admin::start(None, limits);
    // Each has been answered, so each has its slot.
    let mut held: Vec<_> = (0..2).map(|_| admin.connect()).collect();
    for stream in &mut held {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n")
            .expect("to send");
        stream.read_exact(&mut [0; 12]).expect("an answer");
    }
    let mut waiting = admin.connect();
    waiting
        .write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
        .expect("to send");
    waiting
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let error = waiting.read(&mut [0; 1]).expect_err("no slot, no answer");
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        "{error}"
    );

    drop(held);
    waiting.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert_eq!(status(&answer), "200");
}

#[test]
fn too_large_a_head_is_refused() {
    let admin = Admin::start(None, Limits::default());
    let mut stream = admin.connect();
    let head = format!(
        "GET /livez HTTP/1.1\r\nHost: admin\r\nX: {}\r\n\r\n",
        "a".repeat(64 * 1024)
    );
    // The listener may close before all of it is sent.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(status(&admin.ask("GET /livez", "")), "200");
}

#[test]
fn ends_when_told_though_a_client_is_still_there() {
    let mut admin = Admin::start(None, Limits::default());
    let mut idle = admin.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n")
        .expect("to send");
    idle.read_exact(&mut [0; 12]).expect("an answer");
    admin.end();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest)
        .expect("the end of the connection");
    assert!(TcpStream::connect(admin.address).is_err());
}

#[test]
fn speaks_over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("sluice-admin-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a socket");
    let unused = SocketAddr::from(([127, 0, 0, 1], 0));
    let admin = Admin::start_on(unused, None, Limits::default(), move || {
        AdminListener::try_from(listener)
    });
    let stream = UnixStream::connect(&path).expect("to connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let answer = exchange(stream, "GET /livez", "");
    drop(admin);
    std::fs::remove_file(&path).expect("to clean up");
    assert_eq!((status(&answer), body(&answer)), ("200", "alive\n"));
}
