//! Requests within the handshake (0-RTT): taken where they are harmless, told to the server, and never taken twice.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod aioquic;
mod http_proxy;
#[expect(dead_code, reason = "curl sends nothing early")]
mod tls_kit;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aioquic::aioquic;
use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer, Gate, RawClient, Script, ScriptedServer};
use tls_kit::{Authority, SClient, certificates};

struct Site {
    authority: Authority,
    balancer: Balancer,
}

impl Site {
    fn start(server: SocketAddr, more: &str) -> Self {
        let authority = Authority::new("a");
        let files = authority.issue("web", &["www.example.com"]);
        // Handshakes wait here for what others do.
        let listener = format!(
            "{}tls.early-data = true\ntls.handshake-timeout = \"1h\"\n{more}",
            certificates(&[&files])
        );
        let tables = "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n";
        let balancer = start(
            &[server],
            Setup {
                listener: &listener,
                upstream: "",
                tables,
            },
        );
        Self {
            authority,
            balancer,
        }
    }

    fn address(&self) -> SocketAddr {
        self.balancer.address("web")
    }

    /// A session to come again with, and the bytes that shall come with it at once.
    fn prepare(&self, name: &str, alpn: &[&str], early: &[u8]) -> Prepared {
        let session = self.authority.path(name);
        let data = self.authority.path(&format!("{name}-data"));
        std::fs::write(&data, early).expect("to write");
        let arguments = [&["-sess_out", text(&session)], alpn].concat();
        let mut first = SClient::connect(self.address(), &arguments);
        // The session comes before the answer, which is 400, or settings with bytes that are no text.
        let (said, answer) = if alpn.is_empty() {
            (&b"x\r\n\r\n"[..], "400 Bad Request")
        } else {
            (PREFACE, "\u{fffd}")
        };
        first.send(said);
        first.wait_for(answer);
        first.end_input();
        let told = first.wait_end();
        assert!(told.contains("Max Early Data: 16384"), "{told}");
        Prepared {
            session,
            data,
            alpn: alpn.iter().map(ToString::to_string).collect(),
        }
    }

    fn outcomes(&self, outcome: &str) -> f64 {
        let labels = [("listener", "web"), ("outcome", outcome)];
        self.balancer
            .metrics()
            .sum("sluice_tls_early_data_total", &labels)
    }
}

struct Prepared {
    session: PathBuf,
    data: PathBuf,
    alpn: Vec<String>,
}

impl Prepared {
    fn come_again(&self, address: SocketAddr) -> SClient {
        let mut arguments = vec![
            "-sess_in",
            text(&self.session),
            "-early_data",
            text(&self.data),
        ];
        arguments.extend(self.alpn.iter().map(String::as_str));
        SClient::connect(address, &arguments)
    }
}

/// Passes on what a client says, and what it hears only once the gate is open. Until then its handshake cannot be done.
struct Deaf {
    address: SocketAddr,
    gate: Gate,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Deaf {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("an address");
        let (gate, said) = (Gate::new(), Arc::default());
        let (opened, noted) = (gate.clone(), Arc::clone(&said));
        std::thread::spawn(move || relay(&listener, to, &opened, &noted));
        Self {
            address,
            gate,
            said,
        }
    }

    fn said(&self) -> Vec<u8> {
        self.said.lock().expect("no panic").clone()
    }
}

fn relay(listener: &TcpListener, to: SocketAddr, gate: &Gate, said: &Mutex<Vec<u8>>) {
    let (mut client, _) = listener.accept().expect("a client");
    let mut server = TcpStream::connect(to).expect("a server");
    let mut back = (
        server.try_clone().expect("clone"),
        client.try_clone().expect("clone"),
    );
    let gate = gate.clone();
    let back = std::thread::spawn(move || {
        if gate.wait() {
            let _ = std::io::copy(&mut back.0, &mut back.1);
        }
    });
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        said.lock()
            .expect("no panic")
            .extend_from_slice(&buffer[..count]);
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
    let _ = back.join();
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Of HTTP/2, with settings that say nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const GET: &[u8] = b"GET /early HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
const EARLY: &str = "[\"Early-Data\",\"1\"]";

#[test]
fn a_harmless_request_goes_on_before_the_handshake_is_done() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "");
    let deaf = Deaf::start(site.address());
    let mut client = site.prepare("session", &[], GET).come_again(deaf.address);
    testkit::wait_until("the request is at the server", || server.requests() == 1);
    deaf.gate.open();
    client.wait_for("Early data was accepted");
    client.wait_for(EARLY);
    client.wait_for("\"trailers\"");
    // What comes later on the connection is as any other request.
    client.send("GET /later HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
    let answer = client.wait_for("\"trailers\"");
    assert!(
        answer.contains("/later") && !answer.contains("Early-Data"),
        "{answer}"
    );
    let line = site.balancer.wait_for_stdout("\"/early\"");
    assert!(line.contains("\"early_data\":true"), "{line}");
    let line = site.balancer.wait_for_stdout("\"/later\"");
    assert!(!line.contains("early_data"), "{line}");
    assert_eq!(
        (site.outcomes("accepted"), site.outcomes("rejected")),
        (1.0, 0.0)
    );
}

#[test]
fn an_answer_comes_whole_although_the_connection_closes_behind_it() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "");
    let closing =
        b"GET /bytes/100000 HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n";
    for turn in 0..5 {
        let prepared = site.prepare(&format!("session{turn}"), &[], closing);
        let mut client = prepared.come_again(site.address());
        client.wait_for("Early data was accepted");
        let answer = client.wait_end();
        assert!(
            answer.contains("ontent-") && answer.len() > 100_000,
            "{}",
            answer.len()
        );
    }
}

#[test]
fn any_other_request_waits_for_the_handshake() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "");
    let post = b"POST /unsafe HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello";
    let upgrade = b"GET /tunnel HTTP/1.1\r\nHost: www.example.com\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let waiting = [&post[..], upgrade].map(|bytes| {
        let deaf = Deaf::start(site.address());
        let prepared = site.prepare("unsafe", &[], bytes);
        let client = prepared.come_again(deaf.address);
        testkit::wait_until("the client has spoken", || !deaf.said().is_empty());
        (deaf, client)
    });
    // Another one comes after them, and is served before.
    let deaf = Deaf::start(site.address());
    let _client = site.prepare("safe", &[], GET).come_again(deaf.address);
    testkit::wait_until("the request is at the server", || server.requests() > 0);
    assert_eq!(server.requests(), 1, "the harmless one alone");
    for (deaf, mut client) in waiting {
        deaf.gate.open();
        client.wait_for("Early data was accepted");
        let answer = client.wait_for("\"trailers\"");
        assert!(!answer.contains("Early-Data"), "{answer}");
    }
    assert_eq!(server.requests(), 3);
}

#[test]
fn what_was_sent_once_is_not_taken_again() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "");
    let deaf = Deaf::start(site.address());
    let prepared = site.prepare("session", &[], GET);
    let mut client = prepared.come_again(deaf.address);
    testkit::wait_until("the request is at the server", || server.requests() == 1);
    let flight = deaf.said();
    deaf.gate.open();
    client.wait_for(EARLY);
    // Somebody on the way sends the same bytes again.
    let mut replay = RawClient::connect(site.address());
    replay.send(&flight);
    replay.half_close();
    let _ = replay.read_to_end();
    assert_eq!(server.requests(), 1);
    // The client itself comes a second time with the same session: it may, but not early.
    let mut again = prepared.come_again(site.address());
    again.wait_for("Early data was rejected");
    again.send("GET /again HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
    again.wait_for("/again");
    assert_eq!(server.requests(), 2);
    assert_eq!(
        (site.outcomes("accepted"), site.outcomes("rejected")),
        (1.0, 1.0)
    );
}

#[test]
fn a_server_may_say_that_it_is_too_early() {
    let answer = "HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n";
    let server = ScriptedServer::start([Script::new().read_request().write(answer).stay_open()]);
    let site = Site::start(server.address(), "");
    let mut client = site.prepare("session", &[], GET).come_again(site.address());
    client.wait_for("HTTP/1.1 425 Too Early");
    let head = String::from_utf8_lossy(&server.received(0)).into_owned();
    assert!(head.contains("Early-Data: 1\r\n"), "{head}");
}

#[test]
fn streams_of_http2_may_come_early() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "");
    let host = b"www.example.com";
    // GET https / of this host, and POST of the same, both without a body: RFC 7541, appendix A.
    let head = |method: u8| [&[method, 0x87, 0x84, 0x41, 15], &host[..]].concat();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("short");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let early = [
        PREFACE.to_vec(),
        frame(1, 5, 1, &head(0x83)),
        frame(1, 5, 3, &head(0x82)),
    ]
    .concat();
    let deaf = Deaf::start(site.address());
    let prepared = site.prepare("session", &["-alpn", "h2"], &early);
    let mut client = prepared.come_again(deaf.address);
    testkit::wait_until("a request is at the server", || server.requests() > 0);
    let line = site.balancer.wait_for_stdout("HTTP/2.0");
    assert!(
        line.contains("\"GET\"") && line.contains("\"early_data\":true"),
        "{line}"
    );
    assert_eq!(server.requests(), 1, "the harmless one alone");
    deaf.gate.open();
    client.wait_for("Early data was accepted");
    let line = site.balancer.wait_for_stdout("\"POST\"");
    assert!(!line.contains("early_data"), "{line}");
}

#[test]
fn streams_of_http3_may_come_early() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), "protocols = [\"h1\", \"h2\", \"h3\"]\n");
    assert_eq!(
        aioquic(site.address(), &site.authority.ca(), "early"),
        "ok\n"
    );
    let line = site.balancer.wait_for_stdout("\"/early\"");
    assert!(line.contains("\"early_data\":true"), "{line}");
    let line = site.balancer.wait_for_stdout("\"/unsafe\"");
    assert!(!line.contains("early_data"), "{line}");
    assert_eq!(site.outcomes("accepted"), 1.0);
}

#[test]
fn nothing_is_taken_early_unless_the_file_says_so() {
    let server = EchoServer::start("one");
    let authority = Authority::new("a");
    let files = authority.issue("web", &["www.example.com"]);
    let listener = format!(
        "{}protocols = [\"h1\", \"h2\", \"h3\"]\n",
        certificates(&[&files])
    );
    let setup = Setup {
        listener: &listener,
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut client = SClient::connect(balancer.address("web"), &[]);
    client.send("x\r\n\r\n");
    client.wait_for("Max Early Data: 0");
    let finished = aioquic(balancer.address("web"), &authority.ca(), "not_early");
    assert_eq!(finished, "ok\n");
}
