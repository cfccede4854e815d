//! The real binary, running on a configuration of the test's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::RawClient;
use crate::command::wait_exit;
use crate::memory::resident_kib;
use crate::message::{ReadError, Response};
use crate::metrics::Metrics;
use crate::ports::free_port;
use crate::wait::{DEADLINE, poll, wait_for, wait_until};

/// A running balancer. It is killed when dropped.
///
/// `<port:NAME>` in the configuration becomes a free port, the same wherever the name stands, also after a reload; NAME is
/// what [`Self::address`] takes. Where the text has no `[admin]` table one is added, with a port named `admin`. Where it does not speak
/// of `watch`, watching the file is switched off, so that a reload happens when the test asks for it and once.
///
/// ```no_run
/// use testkit::{Balancer, EchoServer, RawClient};
/// let server = EchoServer::start("a");
/// let balancer = Balancer::start(testkit::binary("sluice"), &format!(r#"
///     [listeners.web]
///     address = "127.0.0.1:<port:web>"
///     [upstreams.app]
///     servers = ["{}"]
/// "#, server.address()));
/// let mut client = RawClient::connect(balancer.address("web"));
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert_eq!(client.response("GET").status, 200);
/// assert_eq!(balancer.metrics().sum("sluice_requests_total", &[]), 1.0);
/// ```
#[derive(Debug)]
pub struct Balancer {
    child: Child,
    exited: Option<ExitStatus>,
    folder: TempDir,
    ports: BTreeMap<String, u16>,
    stdout: Lines,
    stderr: Lines,
}

/// The name of a count, some of its labels, and what it is to be. Samples with the same labels are added up.
pub type Count<'a> = (&'a str, &'a [(&'a str, &'a str)], usize);

/// How a balancer is started beside its configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Environment variables added to the test's own.
    pub environment: Vec<(String, String)>,
    /// Arguments after `run -c FILE`.
    pub arguments: Vec<String>,
    /// The most descriptors that it may open; the test's own limit where absent.
    pub open_files: Option<u64>,
}

impl Balancer {
    /// Starts `sluice run -c FILE` and waits until it is ready.
    ///
    /// Tests of the binary's own package pass `env!("CARGO_BIN_EXE_sluice")`, others [`crate::binary`].
    #[track_caller]
    pub fn start(sluice: impl AsRef<Path>, configuration: &str) -> Self {
        Self::start_with(sluice, configuration, &Options::default())
    }

    /// [`Self::start`] with options.
    #[track_caller]
    pub fn start_with(sluice: impl AsRef<Path>, configuration: &str, options: &Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut ports = BTreeMap::new();
        let file = folder.path().join(FILE);
        std::fs::write(&file, resolve(configuration, &mut ports))
            .expect("writing the configuration");
        let mut command = match options.open_files {
            None => Command::new(sluice.as_ref()),
            Some(limit) => limited(sluice.as_ref(), limit),
        };
        command
            .arg("run")
            .arg("-c")
            .arg(&file)
            .args(&options.arguments);
        command.envs(
            options
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", sluice.as_ref().display()));
        let stdout = Lines::collect(child.stdout.take().expect("a pipe"));
        let stderr = Lines::collect(child.stderr.take().expect("a pipe"));
        let mut balancer = Self {
            child,
            exited: None,
            folder,
            ports,
            stdout,
            stderr,
        };
        balancer.wait_ready();
        balancer
    }

    /// The address behind `<port:NAME>`, on 127.0.0.1.
    #[track_caller]
    pub fn address(&self, name: &str) -> SocketAddr {
        match self.ports.get(name) {
            Some(port) => (Ipv4Addr::LOCALHOST, *port).into(),
            None => panic!("no `<port:{name}>` in the configuration"),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file it was started with.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// The folder of the file, for whatever else a test puts beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a new configuration in one step, and tells nobody.
    pub fn write_configuration(&mut self, configuration: &str) {
        let text = resolve(configuration, &mut self.ports);
        let new = self.folder.path().join("new.toml");
        std::fs::write(&new, text).expect("writing the configuration");
        std::fs::rename(new, self.file()).expect("putting the configuration in place");
    }

    /// Writes a new configuration, sends SIGHUP and waits until it was taken.
    #[track_caller]
    pub fn reload(&mut self, configuration: &str) {
        self.reload_expecting(configuration, "success");
    }

    /// Writes a wrong configuration, sends SIGHUP and waits until it was refused.
    #[track_caller]
    pub fn reload_refused(&mut self, configuration: &str) {
        self.reload_expecting(configuration, "failure");
    }

    #[track_caller]
    fn reload_expecting(&mut self, configuration: &str, result: &str) {
        let count = |metrics: &Metrics| metrics.sum(RELOADS, &[("result", result)]);
        let before = count(&self.metrics());
        self.write_configuration(configuration);
        self.signal(Signal::HUP);
        wait_until(&format!("a reload with {result}"), || {
            count(&self.metrics()) > before
        });
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        assert!(self.exited.is_none(), "it has already ended");
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("sending a signal");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        if let Some(status) = self.exited {
            return status;
        }
        let status = wait_exit(&mut self.child);
        let status = status
            .unwrap_or_else(|| panic!("it did not end within {DEADLINE:?}:\n{}", self.stderr()));
        self.exited = Some(status);
        status
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.exited.is_none()
            && self
                .child
                .try_wait()
                .expect("waiting for a child")
                .is_none()
    }

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for a line of standard output that holds `part`.
    #[track_caller]
    pub fn wait_for_stdout(&self, part: &str) -> String {
        self.stdout.wait_for(part)
    }

    /// Waits for a line of standard error that holds `part`.
    #[track_caller]
    pub fn wait_for_stderr(&self, part: &str) -> String {
        self.stderr.wait_for(part)
    }

    /// How much memory it has now, in KiB.
    #[track_caller]
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.pid())
    }

    /// What the listener `web` answers to a request as it stands, on a connection of its own.
    #[track_caller]
    pub fn ask(&self, request: &str) -> Response {
        let mut client = RawClient::connect(self.address("web"));
        client.send(request);
        client.response("GET")
    }

    /// Asks the admin address; the connection is used once.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Response {
        match get(self.address(ADMIN), path) {
            Ok(response) => response,
            Err(error) => panic!("asking for {path}: {error}\n{}", self.stderr()),
        }
    }

    /// A scrape of `/metrics`.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let response = self.admin("/metrics");
        assert_eq!(response.status, 200, "{}", response.text());
        Metrics::parse(response.text())
    }

    /// A scrape begun once this many requests have ended: a client may read the last byte of its answer before the request is
    /// counted. Requests without a route do not take part. Whatever is counted of a request is counted by then; what it
    /// held may be given back later, so of gauges see [`Self::wait_for_counts`].
    #[track_caller]
    pub fn metrics_after(&self, requests: usize) -> Metrics {
        self.wait_for_metrics(&format!("{requests} requests to end"), |metrics| {
            metrics.count(REQUEST_ENDS, &[]) >= requests
        });
        // The end of a request is counted last, but the scrape that shows it may have read other counters before.
        self.metrics()
    }

    /// Waits until the metrics fulfil a condition.
    #[track_caller]
    pub fn wait_for_metrics(
        &self,
        what: &str,
        mut condition: impl FnMut(&Metrics) -> bool,
    ) -> Metrics {
        wait_for(what, || Some(self.metrics()).filter(&mut condition))
    }

    /// Waits until each of these is as it is said here, all in one scrape: counts change one after the other, and a scrape may
    /// come in between. Panics with those that do not become so.
    #[track_caller]
    pub fn wait_for_counts(&self, wanted: &[Count<'_>]) -> Metrics {
        let mut others = Vec::new();
        let attempt = || {
            let metrics = self.metrics();
            let found = |(name, labels, wanted): &Count<'_>| {
                let found = metrics.count(name, labels);
                (found != *wanted).then(|| format!("{name}{labels:?} is {found}, not {wanted}"))
            };
            others = wanted.iter().filter_map(found).collect();
            others.is_empty().then_some(metrics)
        };
        match poll(DEADLINE, attempt) {
            Some(metrics) => metrics,
            None => panic!("waited {DEADLINE:?} in vain:\n{}", others.join("\n")),
        }
    }

    fn wait_ready(&mut self) {
        let admin = self.address(ADMIN);
        wait_until("the balancer to be ready", || {
            if let Some(status) = self.child.try_wait().expect("waiting for a child") {
                self.stderr.wait_for_end();
                panic!(
                    "the balancer ended with {status}:\n{}{}",
                    self.stdout(),
                    self.stderr()
                );
            }
            is_ready(admin)
        });
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            #[expect(
                clippy::print_stderr,
                reason = "a failed test shows what the balancer said"
            )]
            {
                eprintln!("the balancer's standard error:\n{}", self.stderr());
            }
        }
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    get(admin, "/readyz").is_ok_and(|response| response.status == 200)
}

fn get(address: SocketAddr, path: &str) -> Result<Response, ReadError> {
    let mut client = RawClient::try_connect(address).map_err(ReadError::Io)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    client.try_send(request).map_err(ReadError::Io)?;
    let response = client.try_response("GET")?;
    // The balancer closes first, so that no port stays behind with us: there may be few.
    let _ = client.read_to_end();
    Ok(response)
}

/// The program under a lower limit of open files, by way of a shell that it replaces.
fn limited(program: &Path, open_files: u64) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {open_files}; exec \"$0\" \"$@\""))
        .arg(program);
    command
}

/// Puts ports in for their names and adds what every test needs and this one does not speak of.
fn resolve(configuration: &str, ports: &mut BTreeMap<String, u16>) -> String {
    let mut text = configuration.to_owned();
    let has_table = |text: &str, table: &str| text.lines().any(|line| line.trim() == table);
    if !text.contains("watch") {
        if has_table(&text, "[runtime]") {
            text = text.replacen("[runtime]", "[runtime]\nwatch = false", 1);
        } else {
            text.push_str("\n[runtime]\nwatch = false\n");
        }
    }
    if !has_table(&text, "[admin]") {
        text.push_str("\n[admin]\naddress = \"127.0.0.1:<port:admin>\"\n");
    }
    let mut resolved = String::with_capacity(text.len());
    let mut pieces = text.split("<port:");
    resolved.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once('>').expect("`<port:` with a closing `>`");
        let port = ports.entry(name.to_owned()).or_insert_with(free_port);
        resolved.push_str(&port.to_string());
        resolved.push_str(rest);
    }
    resolved
}

/// What a program writes, collected while it runs.
#[derive(Debug)]
struct Lines {
    text: Arc<Mutex<String>>,
    reading: std::thread::JoinHandle<()>,
}

impl Lines {
    fn collect(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let reading = std::thread::spawn({
            let text = text.clone();
            move || {
                let mut reader = BufReader::new(pipe);
                let mut line = Vec::new();
                while reader
                    .read_until(b'\n', &mut line)
                    .is_ok_and(|count| count > 0)
                {
                    let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                    text.push_str(&String::from_utf8_lossy(&line));
                    line.clear();
                }
            }
        });
        Self { text, reading }
    }

    fn text(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    #[track_caller]
    fn wait_for(&self, part: &str) -> String {
        wait_for(
            &format!("a line that holds {part:?} in:\n{}", self.text()),
            || {
                self.text()
                    .lines()
                    .find(|line| line.contains(part))
                    .map(str::to_owned)
            },
        )
    }

    fn wait_for_end(&self) {
        wait_until("the output to end", || self.reading.is_finished());
    }
}

const FILE: &str = "sluice.toml";
const ADMIN: &str = "admin";
const REQUEST_ENDS: &str = "sluice_request_ends_total";
const RELOADS: &str = "sluice_reloads_total";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_keep_their_names() {
        let mut ports = BTreeMap::new();
        let text = "watch = true\n[admin]\na = \":<port:web>\"\nb = \":<port:web>\"\n";
        let first = resolve(text, &mut ports);
        let web = ports["web"];
        assert_eq!(
            first,
            format!("watch = true\n[admin]\na = \":{web}\"\nb = \":{web}\"\n")
        );
        assert_eq!(resolve(text, &mut ports), first);
    }

    #[test]
    fn what_every_test_needs_is_added() {
        let mut ports = BTreeMap::new();
        let added = resolve("a = 1\n", &mut ports);
        let admin = ports["admin"];
        let tables =
            format!("[runtime]\nwatch = false\n\n[admin]\naddress = \"127.0.0.1:{admin}\"\n");
        assert_eq!(added, format!("a = 1\n\n{tables}"));
        let extended = resolve("[admin]\n[runtime]\nworkers = 1\n", &mut ports);
        assert_eq!(extended, "[admin]\n[runtime]\nwatch = false\nworkers = 1\n");
    }

    #[test]
    #[should_panic(expected = "the balancer ended with exit status: 3:\nout\nwrong")]
    fn a_balancer_that_ends_at_once_fails_the_test() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = script(&folder, "echo out; echo wrong >&2; exit 3");
        Balancer::start(program, "");
    }

    fn script(folder: &TempDir, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its permissions");
        path
    }
}
