//! WebSocket over TLS, with Python's `websockets` on both ends: what it sends arrives whole, and how it ends too.

#[expect(dead_code, reason = "where Python is, and no more")]
mod aioquic;
#[expect(dead_code, reason = "a program of Python speaks TLS here")]
mod tls_kit;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use aioquic::{python_path, script};
use testkit::{Balancer, free_address};
use tls_kit::{Authority, certificates};

const SCRIPT: &str = "websocket_wss.py";

struct Site {
    authority: Authority,
    balancer: Balancer,
    server: Running,
    address: SocketAddr,
}

impl Site {
    fn start(more: &str) -> Self {
        let address = free_address();
        let server = Running::start(&["serve", &address.port().to_string()]);
        testkit::wait_until("the server listens", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        let authority = Authority::new("a");
        authority.issue("web", &["www.example.com"]);
        let configuration = configuration(&authority, address, more);
        let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
        Self {
            authority,
            balancer,
            server,
            address,
        }
    }

    fn begin(&self, part: &str) -> Running {
        let port = self.balancer.address("web").port().to_string();
        let ca = self.authority.ca();
        Running::start(&[part, &port, ca.to_str().expect("UTF-8")])
    }

    #[track_caller]
    fn passes(&mut self, part: &str) {
        self.begin(part).ends_well();
        assert!(self.server.is_running());
    }
}

fn configuration(authority: &Authority, server: SocketAddr, more: &str) -> String {
    let files = tls_kit::Files {
        cert: authority.path("web.pem"),
        key: authority.path("web.key"),
    };
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{}{more}\n[upstreams.app]\nservers = [\"{server}\"]\n\
         [runtime]\nworkers = 1\n[logs]\naccess = {{ format = \"json\", to = \"stdout\" }}\n",
        certificates(&[&files])
    )
}

/// A part of the script. It is killed when dropped.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new("env")
            .args([&python_path(), "python3", &script(SCRIPT)])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    #[track_caller]
    fn wait_for(&mut self, wanted: &str) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        assert_eq!(line.trim(), wanted);
    }

    #[track_caller]
    fn ends_well(&mut self) {
        self.wait_for("ok");
        assert!(self.child.wait().expect("to end").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn messages_of_any_size_arrive_whole() {
    Site::start("").passes("messages");
}

#[test]
fn pings_of_both_sides_are_answered_by_the_other() {
    Site::start("").passes("pings");
}

#[test]
fn both_sides_learn_the_code_that_the_other_closes_with() {
    Site::start("").passes("codes");
}

#[test]
fn a_silent_one_ends_with_its_timeout() {
    let mut site = Site::start("tunnel-timeout = \"3s\"");
    site.passes("silence");
    let line = site.balancer.wait_for_stdout("\"idle-timeout\"");
    assert!(line.contains("\"status\":101"), "{line}");
}

#[test]
fn a_reload_of_something_else_does_not_touch_it() {
    let mut site = Site::start("");
    let mut client = site.begin("outliving");
    client.wait_for("connected");
    let more = "max-fields = 50\n[listeners.other]\naddress = \"127.0.0.1:<port:other>\"";
    let configuration = configuration(&site.authority, site.address, more);
    site.balancer.reload(&configuration);
    let stdin = client.child.stdin.as_mut().expect("piped");
    stdin.write_all(b"go\n").expect("to write");
    client.ends_well();
}
