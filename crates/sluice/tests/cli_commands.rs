//! The command line of the real binary: what is said, where, and with which exit code.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use testkit::{EchoServer, Finished, RawClient, TempDir, free_address, run, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn sluice(arguments: &[&str]) -> Finished {
    run(SLUICE, arguments)
}

/// A file in a folder that ends with the test.
fn file(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("sluice.toml");
    std::fs::write(&path, text).expect("writing");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

/// What was said, with the path that differs from run to run taken out.
fn without(text: &str, path: &str) -> String {
    text.replace(path, "sluice.toml")
}

#[test]
fn help_is_worth_reading() {
    for command in [
        "", "run", "check", "explain", "hash-key", "schema", "drain", "down", "up", "weight",
        "shift", "status", "simulate", "demo",
    ] {
        let arguments: Vec<_> = [command, "--help"]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        let help = sluice(&arguments);
        assert_eq!((help.code(), help.stderr.as_str()), (0, ""));
        let name = if command.is_empty() { "help" } else { command };
        assert_snapshot!(format!("help-{name}"), help.stdout);
    }
}

#[test]
fn the_version_is_told() {
    let version = sluice(&["--version"]);
    assert_eq!(version.code(), 0);
    assert_eq!(
        version.stdout,
        format!("sluice {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_command_lines_end_with_2() {
    let wrong: [&[&str]; 11] = [
        &["serve"],
        &["run", "--config"],
        &["run", "--listen", ":8080"],
        &["run", "--to", "127.0.0.1:1"],
        &[
            "run",
            "-c",
            "a.toml",
            "--listen",
            ":8080",
            "--to",
            "127.0.0.1:1",
        ],
        &["check"],
        &["check", "a.toml", "b.toml"],
        &["explain", "GET"],
        &["explain", "GET", "http://a/", "--client-ip", "nobody"],
        &["schema", "more"],
        &["demo", "--listen"],
    ];
    for arguments in wrong {
        let finished = sluice(arguments);
        assert_eq!(finished.code(), 2, "{arguments:?}: {finished:?}");
        assert!(
            finished.stderr.contains("--help"),
            "{arguments:?}: {finished:?}"
        );
    }
}

#[test]
fn wrong_addresses_on_the_command_line_end_with_2() {
    let cases = [
        ("no-port", "localhost", "127.0.0.1:9001"),
        ("port-too-large", "127.0.0.1:99999", "127.0.0.1:9001"),
        ("name-to-listen", "example.com:80", "127.0.0.1:9001"),
        ("url-as-server", ":8080", "http://127.0.0.1:9001"),
        ("both", "8080", "9001"),
        ("itself", "127.0.0.1:8080", "127.0.0.1:8080"),
    ];
    let mut said = String::new();
    for (name, listen, to) in cases {
        let finished = sluice(&["run", "--listen", listen, "--to", to]);
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (2, ""),
            "{name}: {finished:?}"
        );
        write!(
            said,
            "── --listen {listen} --to {to}\n{}\n",
            finished.stderr
        )
        .expect("a string");
    }
    assert_snapshot!("wrong-addresses", said);
}

#[test]
fn a_good_file_is_good() {
    let (_folder, path) = file(
        "[listeners.web]\naddress = \":8080\"\n[upstreams.app]\nservers = [\"127.0.0.1:9001\"]\n",
    );
    let finished = sluice(&["check", &path]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    assert_eq!(
        without(&finished.stdout, &path),
        "sluice.toml: good (1 listener, 1 route, 1 upstream)\n"
    );
}

#[test]
fn warnings_are_shown_and_the_file_is_good() {
    let (_folder, path) = file(
        "[listeners.web]\naddress = \":8080\"\n[[routes]]\nrespond = { body = \"here\" }\n\
         [upstreams.app]\nservers = [\"127.0.0.1:9001\"]\n",
    );
    let finished = sluice(&["check", &path]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_snapshot!(
        "check-warning",
        without(&format!("{}\n{}", finished.stderr, finished.stdout), &path)
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let (_folder, path) = file(
        "[listeners.web]\nadress = \":8080\"\nidle-timeout = 5\n[[routes]]\nupstream = \"ap\"\n[upstreams.app]\nservers = []\n",
    );
    let finished = sluice(&["check", &path]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""));
    assert_snapshot!("check-wrong", without(&finished.stderr, &path));
    // Running it says the same.
    let run = sluice(&["run", "-c", &path]);
    assert_eq!((run.code(), run.stderr), (1, finished.stderr));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = TempDir::new().expect("a folder");
    let missing = folder.path().join("missing.toml");
    let missing = missing.to_str().expect("UTF-8");
    let no_text = folder.path().join("latin.toml");
    std::fs::write(&no_text, b"# caf\xe9\n").expect("writing");
    let no_text = no_text.to_str().expect("UTF-8");
    let mut said = String::new();
    for arguments in [
        &["check", missing][..],
        &["run", "-c", missing],
        &["explain", "-c", missing, "GET", "http://a/"],
        &["check", no_text],
    ] {
        let finished = sluice(arguments);
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (1, ""),
            "{finished:?}"
        );
        write!(said, "── {}\n{}\n", arguments[0], finished.stderr).expect("a string");
    }
    let folder = folder.path().to_str().expect("UTF-8");
    assert_snapshot!("unreadable", said.replace(&format!("{folder}/"), ""));
}

#[test]
fn without_a_file_sluice_toml_is_meant() {
    let folder = TempDir::new().expect("a folder");
    let output = Command::new(SLUICE)
        .arg("run")
        .current_dir(folder.path())
        .output()
        .expect("running");
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!("no-file", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_options_are_enough_to_run() {
    let servers = [EchoServer::start("one"), EchoServer::start("two")];
    let listen = [free_address(), free_address()];
    let mut arguments = vec!["run".to_owned()];
    for address in listen {
        arguments.extend(["--listen".to_owned(), address.to_string()]);
    }
    for server in &servers {
        arguments.extend(["--to".to_owned(), server.address().to_string()]);
    }
    let mut running = Running::start(&arguments);
    for address in listen {
        wait_until("the listener", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        // Which of equals is asked is drawn.
        wait_until("both servers to have been asked", || {
            let mut client = RawClient::connect(address);
            client.send(GET);
            assert_eq!(client.response("GET").status, 200);
            servers.iter().all(|server| server.requests() > 0)
        });
    }
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn explain_says_what_is_wrong_with_the_question() {
    for (file, url, said) in [
        ("tcp.toml", "udp://:5433", "the file has no udp listener"),
        ("udp.toml", "tcp://:5353", "the file has no tcp listener"),
        ("udp.toml", "udp://:x", "`x` is no port"),
        ("udp.toml", "http://a/", "udp://HOST:PORT"),
        (
            "passthrough.toml",
            "tcp://:8443",
            "listener `tls` goes by server name: ask for `tls://NAME:PORT`",
        ),
    ] {
        let finished = run(SLUICE, &["explain", "-c", &example(file), url]);
        assert_eq!(finished.code(), 2, "{file} {url}: {finished:?}");
        assert!(finished.stderr.contains(said), "{said}: {finished:?}");
    }
    let udp = example("udp.toml");
    let question = ["explain", "-c", &udp, "udp://", "--listener", "web"];
    let finished = run(SLUICE, &question);
    let said = "there is no udp listener `web`";
    assert!(finished.stderr.contains(said), "{finished:?}");
}

#[test]
fn explain_says_which_way_and_why() {
    let layer7 = example("layer7.toml");
    let weights = example("weights-and-backup.toml");
    let proxies = example("proxy-protocol.toml");
    let balancing = example("balancing.toml");
    let passthrough = example("passthrough.toml");
    let tcp = example("tcp.toml");
    let udp = example("udp.toml");
    let questions: [(&str, &str, &[&str]); 20] = [
        (&tcp, "tcp", &["tcp://db.example.com:5433"]),
        (&udp, "udp", &["udp://[::1]:5353"]),
        (&udp, "udp", &["udp://:7777", "--client-ip", "192.0.2.7"]),
        (&udp, "udp", &["udp://", "--listener", "game"]),
        (&passthrough, "passthrough", &["tls://x.B.example.com:8443"]),
        (
            &passthrough,
            "passthrough",
            &[
                "tls://c.example.com",
                "--alpn",
                "h2",
                "--alpn",
                "acme-tls/1",
            ],
        ),
        (&passthrough, "passthrough", &["tls://:8443"]),
        (
            &layer7,
            "layer7",
            &["GET", "http://shop.localhost/old/summer"],
        ),
        (
            &layer7,
            "layer7",
            &[
                "GET",
                "http://shop.localhost:8080/api/x",
                "-H",
                "x-beta: 1",
                "-H",
                "user-agent: curl/8.0",
            ],
        ),
        (
            &layer7,
            "layer7",
            &[
                "GET",
                "http://shop.localhost/api/x",
                "-H",
                "x-beta: 1",
                "-H",
                "User-Agent: Firefox",
            ],
        ),
        (&layer7, "layer7", &["POST", "http://a/api/x?y=1"]),
        (&layer7, "layer7", &["GET", "http://a/x/../healthz"]),
        (&layer7, "layer7", &["GET", "http://a/%zz"]),
        (&weights, "weights-and-backup", &["GET", "http://a/"]),
        (&balancing, "balancing", &["GET", "http://a/"]),
        (&balancing, "balancing", &["GET", "http://a/carts/7"]),
        (
            &balancing,
            "balancing",
            &["GET", "http://a/carts/7", "-H", "x-user-id: ann"],
        ),
        (
            &balancing,
            "balancing",
            &["GET", "http://a/carts/7", "-H", "X-User-Id: cleo"],
        ),
        (
            &proxies,
            "proxy-protocol",
            &["GET", "http://a:8081/", "--client-ip", "10.0.0.1"],
        ),
        (
            &proxies,
            "proxy-protocol",
            &[
                "GET",
                "http://a/",
                "--listener",
                "behind-an-http-proxy",
                "--client-ip",
                "127.0.0.9",
            ],
        ),
    ];
    let mut said = String::new();
    for (file, name, question) in questions {
        let finished = sluice(&[&["explain", "-c", file], question].concat());
        assert_eq!(
            (finished.code(), finished.stderr.as_str()),
            (0, ""),
            "{question:?}"
        );
        write!(
            said,
            "── {name}: {}\n{}\n",
            question.join(" "),
            finished.stdout
        )
        .expect("a string");
    }
    assert_snapshot!("explain", said);
}

#[test]
fn explain_takes_claims_for_right() {
    let folder = TempDir::new().expect("a folder");
    let file = r#"
[listeners.web]
address = ":8080"

[auth.tokens]
jwt = { secret = "0123456789abcdef0123456789abcdef" }

[[routes]]
name = "admin"
match.claims = { role = "admin" }
auth = "tokens"
rewrite.path = "/{claim:sub}"
upstream = "app"

[[routes]]
name = "rest"
auth = "tokens"
rate-limits = ["one", "two"]
upstream = "app"

[rate-limits.one]
rate = "10/s"
key = ["jwt:sub", "auth-name"]
classes = [{ match.claims = { plan = "gold" }, rate = "100/s" }]

[rate-limits.two]
rate = "10/s"
classes = [{ auth-name = "b*", rate = "50/s" }]

[upstreams.app]
servers = ["127.0.0.1:9001"]
"#;
    let path = folder.path().join("sluice.toml");
    std::fs::write(&path, file).expect("writing");
    let path = path.to_str().expect("UTF-8");
    let mut said = String::new();
    for claims in [
        &[][..],
        &[
            "--claim",
            "role=user",
            "--claim",
            "role=admin",
            "--claim",
            "sub=ann",
        ],
        &[
            "--claim",
            "role=user",
            "--claim",
            "sub=ben",
            "--claim",
            "plan=gold",
        ],
        &["--claim", "role"],
    ] {
        let question = ["explain", "-c", path, "GET", "http://a:8080/"];
        let finished = sluice(&[&question, claims].concat());
        write!(
            said,
            "── {}\n{}{}\n",
            claims.join(" "),
            finished.stdout,
            finished.stderr
        )
        .expect("a string");
    }
    assert_snapshot!("explain-claims", said);
}

#[test]
fn keys_become_lines() {
    let script = |text: &str, name: &str| {
        let line = format!("printf '{text}' | \"$0\" hash-key '{name}'");
        run("sh", &["-c", &line, SLUICE])
    };
    let long = script("a key that nobody tries out\\r\\nmore\\n", "shop");
    let line = "shop f452e7fba84e768394386fde91f1937e3d01c8f40b5bd6dd1721bc381b2f578d\n";
    assert_eq!((&*long.stdout, &*long.stderr, long.code()), (line, "", 0));
    let mut said = String::new();
    for (text, name) in [
        ("secret", "shop"),
        ("", "shop"),
        ("\\n", "shop"),
        (" a key that begins with a space", "shop"),
        ("a key\\ta tab", "shop"),
        ("secret", "the shop"),
        ("secret", "shop:1"),
    ] {
        let finished = script(text, name);
        write!(
            said,
            "── {text:?} {name}: {}\n{}{}\n",
            finished.code(),
            finished.stdout,
            finished.stderr
        )
        .expect("a string");
    }
    assert_snapshot!("hash-key", said);
    let made = [(); 2].map(|()| sluice(&["hash-key", "shop", "--generate"]));
    assert_ne!(made[0].stdout, made[1].stdout);
    assert_ne!(made[0].stderr, made[1].stderr);
}

#[test]
fn explain_refuses_what_is_no_request() {
    let layer7 = example("layer7.toml");
    let mut said = String::new();
    for question in [
        &["GET", "shop.localhost/api"][..],
        &["GET", "ftp://shop.localhost/"],
        &["GET", "http://shop.localhost:http/"],
        &["GET", "http://a/", "-H", "no-colon"],
        &["GET", "http://a/", "--listener", "nobody"],
    ] {
        let finished = sluice(&[&["explain", "-c", &layer7], question].concat());
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (2, ""),
            "{question:?}"
        );
        write!(said, "── {}\n{}", question.join(" "), finished.stderr).expect("a string");
    }
    assert_snapshot!("explain-wrong", said);
}

#[test]
fn what_explain_says_is_what_happens() {
    // The one route whose answer tells which it was.
    let finished = sluice(&[
        "explain",
        "-c",
        &example("layer7.toml"),
        "GET",
        "http://a/healthz",
    ]);
    assert!(
        finished
            .stdout
            .ends_with("route     healthz: matches\nanswer    200 by sluice itself\n"),
        "{}",
        finished.stdout
    );
}

#[test]
fn the_schema_is_json_for_editors() {
    let finished = sluice(&["schema"]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert!(
        schema["$schema"]
            .as_str()
            .is_some_and(|version| version.contains("json-schema.org"))
    );
    for table in [
        "listeners",
        "routes",
        "upstreams",
        "runtime",
        "admin",
        "logs",
    ] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

/// A sluice that is killed when dropped.
struct Running(Child);

impl Running {
    fn start(arguments: &[String]) -> Self {
        let mut command = Command::new(SLUICE);
        command.args(arguments).stdin(Stdio::null());
        Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("starting"),
        )
    }

    /// Sends SIGINT and waits for the exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), rustix::process::Signal::INT)
            .expect("a signal");
        testkit::wait_for("the end", || self.0.try_wait().expect("waiting")).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A scenario of a few requests in a folder that ends with the test.
fn scenario(text: &str) -> (TempDir, String) {
    let (folder, path) = file(&format!(
        "requests = 2_000\nseeds = 2\narrivals.utilization = \"70%\"\n\
         servers = [{{ count = 4, service.exponential = \"10ms\" }}]\n{text}"
    ));
    (folder, path)
}

#[test]
fn simulate_compares_policies_and_writes_what_it_found() {
    let (folder, path) = scenario("policies = [\"random\", \"least-connections\"]\n");
    let written = ["csv", "json", "svg"].map(|kind| {
        let path = folder.path().join(kind);
        path.to_str().expect("UTF-8").to_owned()
    });
    let [csv, json, svg] = &written;
    let arguments = [
        "simulate", &path, "--csv", csv, "--json", json, "--svg", svg,
    ];
    let (first, second) = (sluice(&arguments), sluice(&arguments));
    assert_eq!(first.code(), 0, "{}", first.stderr);
    assert_eq!(first.stdout, second.stdout);
    assert!(first.stderr.ends_with("M requests/s\n"), "{}", first.stderr);
    let policies = |text: &str| {
        let names = ["random", "least-connections"];
        names.map(|name| text.lines().filter(|line| line.starts_with(name)).count())
    };
    assert_eq!(policies(&first.stdout), [1, 1], "{}", first.stdout);
    let [csv, json, svg] = written.map(|path| std::fs::read_to_string(path).expect("written"));
    assert_eq!(policies(&csv), [1, 1], "{csv}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let runs = |policy: usize| json["policies"][policy]["runs"].as_array().map(Vec::len);
    assert_eq!((runs(0), runs(1)), (Some(2), Some(2)), "{json}");
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
}

#[test]
fn simulate_does_as_the_command_line_says() {
    let (_folder, path) = scenario("policies = [\"random\"]\n");
    let options = ["--policy", "maglev", "--seeds", "3", "--requests", "100"];
    let shown = sluice(&[&["simulate", &path], &options[..]].concat());
    assert_eq!(shown.code(), 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("3 seeds") && shown.stdout.contains("\nmaglev "));
    assert!(!shown.stdout.contains("\nrandom "), "{}", shown.stdout);
    let wrong = sluice(&["simulate", &path, "--policy", "magleff"]);
    assert_eq!((wrong.code(), wrong.stdout.as_str()), (2, ""));
    assert_snapshot!("simulate-no-policy", wrong.stderr);
}

#[test]
fn simulate_says_what_is_wrong_with_a_file() {
    let (_folder, path) = scenario("policies = [\"random\"]\n\n[balancer]\ncount = 3\n");
    let wrong = sluice(&["simulate", &path]);
    assert_eq!((wrong.code(), wrong.stdout.as_str()), (1, ""));
    assert_snapshot!("simulate-wrong", without(&wrong.stderr, &path));
    let absent = sluice(&["simulate", "/nowhere.toml"]);
    assert_eq!(absent.code(), 1);
    assert!(absent.stderr.contains("/nowhere.toml"), "{}", absent.stderr);
}
