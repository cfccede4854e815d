//! The five servers of a round, and what happens to them.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::subjects::CHECK_PORT;
use crate::window;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Event {
    /// Nothing, to compare with.
    Calm,
    /// The process of one is killed, and started again later.
    Kill,
    /// The process of one stands still: it takes connections, as its kernel does that, and never answers.
    Hang,
    /// Nothing reaches one, nothing comes from it.
    Partition,
    /// Each in turn ends as it should, and comes back.
    Restart,
}

impl Event {
    pub(super) const ALL: [Self; 5] = [
        Self::Calm,
        Self::Kill,
        Self::Hang,
        Self::Partition,
        Self::Restart,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Partition => "partition",
            Self::Restart => "restart of all",
        }
    }

    /// The one that is sick, and in turn another one each time.
    pub(super) fn sick(self) -> Option<usize> {
        match self {
            Self::Calm | Self::Restart => None,
            Self::Kill => Some(1),
            Self::Hang => Some(2),
            Self::Partition => Some(3),
        }
    }
}

/// Processes, each at a loopback address of its own. They end with this.
pub(super) struct Servers(Vec<Server>);

struct Server {
    address: SocketAddr,
    process: Option<Child>,
}

impl Servers {
    /// All of them, running.
    pub(super) fn start() -> Result<Self> {
        let mut servers = Self(Vec::new());
        for address in addresses() {
            let mut server = Server {
                address,
                process: None,
            };
            server.start()?;
            servers.0.push(server);
        }
        Ok(servers)
    }

    /// Makes `event` happen, for `hold`, and undoes it. Told is when it began and when it was undone.
    pub(super) fn undergo(&mut self, event: Event, hold: Duration) -> Result<(Instant, Instant)> {
        let began = Instant::now();
        let sick = event.sick().map(|index| &mut self.0[index]);
        match (event, sick) {
            (Event::Restart, _) => {
                for server in &mut self.0 {
                    server.end()?;
                    window::pause(hold / 8);
                    server.start()?;
                    window::pause(hold / 4);
                }
                return Ok((began, Instant::now()));
            }
            (Event::Kill, Some(server)) => {
                server.signal(Signal::KILL)?;
                server.process.take().context("it ran")?.wait()?;
            }
            (Event::Hang, Some(server)) => server.signal(Signal::STOP)?,
            (Event::Partition, Some(server)) => cut_off(server.address)?,
            (_, _) => {}
        }
        window::pause(hold);
        let undone = Instant::now();
        let sick = event.sick().map(|index| &mut self.0[index]);
        match (event, sick) {
            (Event::Kill, Some(server)) => server.start()?,
            (Event::Hang, Some(server)) => server.signal(Signal::CONT)?,
            (Event::Partition, Some(_)) => nft("delete table ip partition")?,
            (_, _) => {}
        }
        Ok((began, undone))
    }
}

impl Server {
    fn start(&mut self) -> Result<()> {
        let process = Command::new(std::env::current_exe()?)
            .arg("events-origin")
            .arg(self.address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("starting a server")?;
        self.process = Some(process);
        let check = SocketAddr::new(self.address.ip(), CHECK_PORT);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if TcpStream::connect_timeout(&check, PATIENCE).is_ok() {
                return Ok(());
            }
            window::pause(Duration::from_millis(1));
        }
        bail!("a server does not start")
    }

    /// Ends it as it should end.
    fn end(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it ran")?;
        drop(process.stdin.take());
        process.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref().context("it runs")?;
        let id = i32::try_from(process.id())?;
        kill_process(Pid::from_raw(id).context("a process")?, signal)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Where the servers are: in the network of a round all ports are free.
pub(super) fn addresses() -> [SocketAddr; 5] {
    [0, 1, 2, 3, 4].map(|index| SocketAddr::from((Ipv4Addr::new(127, 0, 0, FIRST + index), PORT)))
}

/// From now on the kernel drops all that comes to `server`, and all that comes from there.
fn cut_off(server: SocketAddr) -> Result<()> {
    let ip = server.ip();
    nft(&format!(
        "add table ip partition\n\
         add chain ip partition arriving {{ type filter hook input priority 0; }}\n\
         add rule ip partition arriving ip daddr {ip} drop\n\
         add rule ip partition arriving ip saddr {ip} drop\n"
    ))
}

fn nft(commands: &str) -> Result<()> {
    let output = Command::new("/usr/sbin/nft").arg(commands).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nft {commands}: {said}");
    Ok(())
}

/// The last number of the first server's address, 127.0.0.x.
pub(super) const FIRST: u8 = 11;
pub(super) const PORT: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(5);
