//! `sluice demo` as its guide describes it, on ports of the test's.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use testkit::{DEADLINE, Metrics, RawClient, Response, free_address, run, wait_for, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A running demo; killed when dropped.
struct Demo {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Demo {
    fn start() -> Self {
        let (mut command, listen, admin) = Self::command();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting the demo");
        let said = collect(child.stdout.take().expect("a pipe"));
        let demo = Self {
            child,
            listen,
            admin,
            said,
        };
        demo.wait_for("Ctrl-C ends all of it.");
        demo
    }

    /// With a terminal as its standard output.
    fn start_on_a_terminal() -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("grantpt");
        unlockpt(&terminal).expect("unlockpt");
        let name = ptsname(&terminal, Vec::new()).expect("its name");
        let other_end = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().expect("UTF-8"))
            .expect("its other end");
        let (mut command, listen, admin) = Self::command();
        let child = command
            .stdout(other_end)
            .stderr(Stdio::null())
            .spawn()
            .expect("starting the demo");
        // The command still holds the other end, which would keep the terminal from ending.
        drop(command);
        let said = collect(File::from(terminal));
        let demo = Self {
            child,
            listen,
            admin,
            said,
        };
        demo.wait_for("Ctrl-C ends all of it.");
        demo
    }

    fn command() -> (Command, SocketAddr, SocketAddr) {
        let (listen, admin) = (free_address(), free_address());
        let mut command = Command::new(SLUICE);
        command.args([
            "demo",
            "--listen",
            &listen.to_string(),
            "--admin",
            &admin.to_string(),
        ]);
        command.stdin(Stdio::null());
        (command, listen, admin)
    }

    fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    fn wait_for(&self, part: &str) {
        wait_until(&format!("{part:?} on standard output"), || {
            self.said().contains(part)
        });
    }

    /// The address that the guide names for one of its servers.
    fn server(&self, name: &str) -> SocketAddr {
        let said = self.said();
        let line = said
            .lines()
            .find(|line| line.trim().starts_with(name))
            .expect("a line of the guide");
        let (_, address) = line.split_once("http://").expect("a URL");
        address.trim().parse().expect("an address")
    }

    fn metrics(&self) -> Metrics {
        Metrics::parse(ask(self.admin, "GET", "/metrics").text())
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, Signal::INT).expect("a signal");
        wait_for("the demo to end", || {
            self.child.try_wait().expect("waiting")
        })
        .code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_guide_is_true() {
    let mut demo = Demo::start();
    let guide = demo.said();
    for part in [
        format!("balancer   http://{}", demo.listen),
        format!("admin      http://{}/metrics", demo.admin),
        format!("curl http://{}/ ", demo.listen),
    ] {
        assert!(guide.contains(&part), "{part:?} in:\n{guide}");
    }
    let mut client = RawClient::connect(demo.listen);
    let mut answer = || {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response("GET")
    };
    for _ in 0..3 {
        let name = name_of(&answer());
        assert!(NAMES.contains(&name.as_str()), "{name}");
    }
    let moved = ask(demo.listen, "GET", "/old/page");
    assert_eq!(
        (moved.status, moved.field("location")),
        (308, Some("/page"))
    );
    assert_eq!(
        ask(demo.listen, "GET", "/hello/you").text(),
        "hello you, you are 127.0.0.1\n"
    );
    let echo = ask(demo.listen, "POST", "/echo");
    assert!(
        echo.text().contains("x-forwarded-for: 127.0.0.1"),
        "{}",
        echo.text()
    );
    wait_until("six requests to be counted", || {
        demo.metrics().sum("sluice_requests_total", &[]) == 6.0
    });

    // Servers that are told to fail do, until they are told to be well. All of them: a single one would be avoided.
    let servers = NAMES.map(|name| demo.server(name));
    let tell = |what: &str| {
        for server in servers {
            assert_eq!(ask(server, "POST", what).status, 200);
        }
    };
    let mut statuses = || -> Vec<u16> { (0..6).map(|_| answer().status).collect() };
    tell("/demo/fail?percent=100");
    assert_eq!(statuses(), [500; 6]);
    tell("/demo/well");
    assert_eq!(statuses(), [200; 6]);

    // Those that are told to be slow take their time, which the balancer measures.
    tell("/demo/slow?ms=150");
    assert_eq!(statuses(), [200; 6]);
    wait_until(
        "an answer that took longer than 100 ms to be counted",
        || {
            let metrics = demo.metrics();
            let within = |bound| {
                metrics.sum(
                    "sluice_upstream_response_seconds_bucket",
                    &[("upstream", "app"), ("le", bound)],
                )
            };
            within("+Inf") > within("0.1")
        },
    );

    assert_eq!(demo.interrupt(), Some(0));
    demo.wait_for("The demo has ended.");
    for address in servers.into_iter().chain([demo.listen, demo.admin]) {
        assert!(
            TcpStream::connect(address).is_err(),
            "{address} still listens"
        );
    }
}

#[test]
fn a_terminal_shows_a_live_line() {
    let mut demo = Demo::start_on_a_terminal();
    demo.wait_for("requests/s  0 in all");
    for _ in 0..3 {
        assert_eq!(ask(demo.listen, "GET", "/").status, 200);
    }
    demo.wait_for("3 in all  0 failed");
    // Written over itself, not below itself.
    assert!(demo.said().contains("\r\x1b[2K"));
    assert_eq!(demo.interrupt(), Some(0));
    demo.wait_for("The demo has ended.");
}

#[test]
fn without_a_terminal_there_is_none() {
    let mut demo = Demo::start();
    assert_eq!(ask(demo.listen, "GET", "/").status, 200);
    assert_eq!(demo.interrupt(), Some(0));
    demo.wait_for("The demo has ended.");
    assert!(
        !demo.said().contains("requests/s") && !demo.said().contains('\x1b'),
        "{}",
        demo.said()
    );
}

#[test]
fn ports_in_use_are_named() {
    let taken = TcpListener::bind(("127.0.0.1", testkit::free_port())).expect("a listener");
    let taken = taken.local_addr().expect("its address").to_string();
    let free = free_address().to_string();
    for (listen, admin) in [(&taken, &free), (&free, &taken)] {
        let finished = run(SLUICE, &["demo", "--listen", listen, "--admin", admin]);
        assert_eq!(finished.code(), 1, "{finished:?}");
        assert!(
            finished
                .stderr
                .contains(&format!("cannot be bound to {taken}")),
            "{}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains("sluice demo --help"),
            "{}",
            finished.stderr
        );
        assert!(
            !finished.stdout.contains("Try, in another terminal"),
            "a guide to what does not run"
        );
    }
}

#[test]
fn two_demos_run_beside_each_other() {
    let (mut first, mut second) = (Demo::start(), Demo::start());
    for demo in [&first, &second] {
        assert!(name_of(&ask(demo.listen, "GET", "/")).starts_with("server-"));
    }
    for name in ["server-1", "server-2", "server-3"] {
        assert_ne!(first.server(name), second.server(name));
    }
    assert_eq!((first.interrupt(), second.interrupt()), (Some(0), Some(0)));
}

#[test]
fn wrong_addresses_end_with_2() {
    let finished = run(SLUICE, &["demo", "--listen", "nowhere"]);
    assert_eq!(finished.code(), 2, "{finished:?}");
    assert!(finished.stderr.contains("nowhere"), "{}", finished.stderr);
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Response {
    let mut client = RawClient::connect(address);
    client
        .socket()
        .set_read_timeout(Some(DEADLINE))
        .expect("a deadline");
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    client.response(method)
}

/// `server-1` of `server-1: GET /, request 3 here`.
fn name_of(response: &Response) -> String {
    response
        .text()
        .split(':')
        .next()
        .unwrap_or_default()
        .to_owned()
}

const NAMES: [&str; 3] = ["server-1", "server-2", "server-3"];

fn collect(mut output: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let said = Arc::new(Mutex::new(String::new()));
    std::thread::spawn({
        let said = said.clone();
        move || {
            let mut buffer = [0; 4096];
            // A terminal ends with an error when its other end is gone.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                said.lock()
                    .expect("no panic")
                    .push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        }
    });
    said
}
