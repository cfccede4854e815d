//! Pebble, an authority for tests, and the names that it looks up.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use testkit::{free_port, wait_until};

use crate::tls_kit::Authority;

/// Where an authority looks for proofs, and where it is itself. Nothing runs yet.
pub(crate) struct Ports {
    /// Of the balancer, in place of 80.
    pub(crate) http: SocketAddr,
    /// Of the balancer, in place of 443.
    pub(crate) https: SocketAddr,
    directory: u16,
    management: u16,
}

impl Ports {
    pub(crate) fn new() -> Self {
        Self {
            http: ([127, 0, 0, 1], free_port()).into(),
            https: ([127, 0, 0, 1], free_port()).into(),
            directory: free_port(),
            management: free_port(),
        }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.directory)
    }
}

/// A running authority, which knows no account yet. It is killed when dropped.
pub(crate) struct Pebble {
    child: Child,
    root: PathBuf,
    _names: Names,
}

impl Pebble {
    /// Its own HTTPS is certified by `authority`; what it issues is valid for so many seconds.
    pub(crate) fn start(authority: &Authority, ports: &Ports, validity: u64, names: Names) -> Self {
        let own = authority.issue("pebble", &["127.0.0.1"]);
        let settings = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", ports.directory),
            "managementListenAddress": format!("127.0.0.1:{}", ports.management),
            "certificate": own.cert,
            "privateKey": own.key,
            "httpPort": ports.http.port(),
            "tlsPort": ports.https.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": validity,
        }});
        let file = authority.path("pebble.json");
        std::fs::write(&file, settings.to_string()).expect("to write");
        let child = Command::new("pebble")
            .arg("-config")
            .arg(&file)
            .args(["-strict", "-dnsserver", &names.address.to_string()])
            // It looks at once, and refuses no nonce at random.
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble");
        let pebble = Self {
            child,
            root: authority.path(&format!("root-{}.pem", ports.management)),
            _names: names,
        };
        wait_until("pebble to listen", || {
            [ports.directory, ports.management]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        let url = format!("https://127.0.0.1:{}/roots/0", ports.management);
        let ca = authority.ca();
        let fetched = testkit::curl(&["--cacert", ca.to_str().expect("UTF-8"), &url]);
        assert_eq!(fetched.code(), 0, "{}", fetched.stderr);
        std::fs::write(&pebble.root, fetched.stdout).expect("to write");
        pebble
    }

    /// What its certificates lead to.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A DNS server: every name leads to 127.0.0.1, or there is none at all.
pub(crate) struct Names {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Names {
    pub(crate) fn start(are_known: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");
        let tick = Some(Duration::from_millis(100));
        socket.set_read_timeout(tick).expect("a timeout");
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while !end.load(Relaxed) {
                if let Ok((length, client)) = socket.recv_from(&mut query) {
                    let answer = answer(&query[..length], are_known);
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { address, ended }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}

/// To a query with one question (RFC 1035, 4.1).
fn answer(query: &[u8], is_known: bool) -> Vec<u8> {
    let name = query[12..]
        .iter()
        .position(|byte| *byte == 0)
        .expect("a name");
    let question = &query[12..12 + name + 5];
    let asks_for_v4 = question[name + 1..name + 3] == [0, 1];
    let answers = is_known && asks_for_v4;
    let code = if is_known { 0 } else { 3 };
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::from(answers), 0, 0, 0, 0]);
    out.extend_from_slice(question);
    if answers {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    out
}
