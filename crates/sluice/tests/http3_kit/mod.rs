//! Servers of HTTP/3: `http3_server.py` by aioquic, spoken to by its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use testkit::DEADLINE;

use super::aioquic::{python_path, script};
use super::tls_kit::Files;

/// A server. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Server {
    /// With this certificate, on a free port; `words` change what it does.
    pub(crate) fn start(files: &Files, words: &[&str]) -> Self {
        Self::start_at(0, files, words)
    }

    pub(crate) fn start_at(port: u16, files: &Files, words: &[&str]) -> Self {
        let mut child = Command::new("env")
            .args([
                &python_path(),
                "python3",
                &script("http3_server.py"),
                &port.to_string(),
            ])
            .args([&files.cert, &files.key])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = sync_channel(LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            lines,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        let port = server.next().parse().expect("a port");
        server.address.set_port(port);
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a command.
    pub(crate) fn tell(&mut self, command: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{command}").expect("to write");
    }

    /// What it says next.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing"),
            Err(RecvTimeoutError::Disconnected) => panic!("it has ended"),
        }
    }

    /// Reads on until it says this; what it said before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, wanted: &str) -> Vec<String> {
        let last = Instant::now() + DEADLINE;
        let mut before = Vec::new();
        loop {
            assert!(Instant::now() < last, "no `{wanted}` in {before:?}");
            let line = self.next();
            if line == wanted {
                return before;
            }
            before.push(line);
        }
    }

    /// It does nothing more, and is still there.
    pub(crate) fn stop(&mut self) {
        let finished = testkit::run("kill", &["-STOP", &self.child.id().to_string()]);
        assert_eq!(finished.code(), 0, "{finished:?}");
    }

    /// Ends it without a word to anybody.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lines that wait to be looked at.
const LINES: usize = 4096;
