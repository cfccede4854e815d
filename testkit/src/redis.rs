//! A real Redis of a test's own.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::wait::wait_until;

/// `redis-server` on a free port of 127.0.0.1, which keeps nothing.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    password: Option<String>,
    folder: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one and waits until it takes connections.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// The same, with a password.
    #[track_caller]
    pub fn start_with(password: Option<&str>) -> Self {
        let mut server = Self {
            port: free_port(),
            password: password.map(str::to_owned),
            folder: tempfile::tempdir().expect("a temporary folder"),
            child: None,
        };
        server.restart();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://…`
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Ends it at once, as a machine that is switched off.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on its port, with nothing in it.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(self.folder.path());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("starting redis-server: {error}"));
        self.child = Some(child);
        wait_until("redis-server to listen", || {
            TcpStream::connect_timeout(&self.address(), Duration::from_secs(1)).is_ok()
        });
    }

    /// Stops it where it is: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = Pid::from_child(child);
        kill_process(pid, signal).expect("to send a signal");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
