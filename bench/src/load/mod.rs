//! The load: clients and servers on threads of their own, driven from the
//! harness by shared counters.

pub(crate) mod answer;
pub(crate) mod bulk;
pub(crate) mod ciphered;
pub(crate) mod cluster;
pub(crate) mod connects;
pub(crate) mod crowd;
pub(crate) mod datagrams;
pub(crate) mod exchange;
pub(crate) mod field;
pub(crate) mod flow;
pub(crate) mod h2;
pub(crate) mod h3;
pub(crate) mod handshakes;
pub(crate) mod idle;
pub(crate) mod origin;
pub(crate) mod poll;
pub(crate) mod requests;
pub(crate) mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use crate::cores;
use origin::{Origin, Service};
use poll::{Event, EventFlags, Poll};

/// What the clients of one load thread do.
pub(crate) trait Clients: Send + 'static {
    /// Called once before the proxy is there: for clients that bring servers of their own.
    fn prepare(&mut self, _: &Poll) -> io::Result<()> {
        Ok(())
    }
    /// Opens what is to be open from the start; called once, when the proxy is there.
    fn start(&mut self, poll: &Poll) -> io::Result<()>;
    /// Acts on the readiness of the socket registered under `token`.
    fn ready(&mut self, token: u64, flags: EventFlags, poll: &Poll, tally: &Tally);
    /// Called once between two batches of events.
    fn turn(&mut self, poll: &Poll, tally: &Tally);
    /// When `turn` has something to do though nothing has happened.
    fn next(&self) -> Option<Instant> {
        None
    }
}

/// What the load threads and the harness tell each other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests or connections finished well.
    pub(crate) completed: AtomicU64,
    /// Bytes of bodies or streams received.
    pub(crate) bytes: AtomicU64,
    /// Requests or connections that failed, or answers that were wrong.
    pub(crate) errors: AtomicU64,
    /// Whether latencies are kept now.
    pub(crate) measuring: AtomicBool,
    /// How many connections the idle clients shall hold.
    pub(crate) goal: AtomicU64,
    open: AtomicBool,
    stop: AtomicBool,
    first_error: Mutex<Option<String>>,
}

impl Tally {
    /// Counts a failure and keeps the first one's words.
    pub(crate) fn fail(&self, what: &str) {
        if self.errors.fetch_add(1, Relaxed) == 0 {
            *self
                .first_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(what.to_owned());
        }
    }

    /// The first failure's words.
    pub(crate) fn first_error(&self) -> Option<String> {
        self.first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How the load threads run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    /// The core the threads stay on; none leaves them to the kernel.
    pub(crate) core: Option<usize>,
    /// Ask again at once instead of sleeping, so that the proxy never pays for
    /// waking a sleeping core: the clients of a real one are on other machines.
    pub(crate) spin: bool,
}

/// Load under way; dropping it ends it.
pub(crate) struct Load<C> {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<Result<C>>>,
}

impl<C: Clients> Load<C> {
    /// Starts one thread for each of `clients`, each with servers on all of `servers`. The clients rest until [`Load::open`].
    pub(crate) fn start(
        clients: Vec<C>,
        service: Service,
        servers: &[SocketAddr],
        placement: Placement,
    ) -> Result<Self> {
        let tally = Arc::new(Tally::default());
        let mut load = Self {
            tally,
            threads: Vec::new(),
        };
        for mut clients in clients {
            let poll = Poll::new()?;
            clients.prepare(&poll).context("starting the servers")?;
            let origin = Origin::new(service, servers, &poll).context("starting the servers")?;
            let tally = Arc::clone(&load.tally);
            load.threads.push(std::thread::spawn(move || {
                if let Some(core) = placement.core {
                    cores::stay_on(core)?;
                }
                run(clients, origin, &poll, &tally, placement.spin)
            }));
        }
        Ok(load)
    }

    /// Lets the clients begin.
    pub(crate) fn open(&self) {
        self.tally.open.store(true, Relaxed);
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends the load and hands back the clients with what they kept.
    pub(crate) fn stop(mut self) -> Result<Vec<C>> {
        self.tally.stop.store(true, Relaxed);
        let threads = std::mem::take(&mut self.threads);
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow!("a load thread panicked"))?
            })
            .collect()
    }

    /// Whether a thread has ended by itself, which only a failure makes it do.
    pub(crate) fn ended(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

impl<C> Drop for Load<C> {
    fn drop(&mut self) {
        self.tally.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // Its failure, if any, has no one left to hear it.
            let _ = thread.join();
        }
    }
}

fn run<C: Clients>(
    mut clients: C,
    mut origin: Origin,
    poll: &Poll,
    tally: &Tally,
    spin: bool,
) -> Result<C> {
    let mut opened = false;
    let mut events: Vec<Event> = Vec::with_capacity(BATCH);
    while !tally.stop.load(Relaxed) {
        if !opened && tally.open.load(Relaxed) {
            clients
                .start(poll)
                .context("opening the clients' connections")?;
            opened = true;
        }
        let patience = match clients.next() {
            _ if !opened => BATCH_PATIENCE,
            _ if spin => Duration::ZERO,
            None => BATCH_PATIENCE,
            Some(next) => BATCH_PATIENCE.min(next.saturating_duration_since(Instant::now())),
        };
        poll.wait(&mut events, patience)?;
        for event in &events {
            let (token, flags) = (event.data.u64(), event.flags);
            if token & (origin::LISTENER | origin::CONNECTION) == 0 {
                clients.ready(token, flags, poll, tally);
            } else {
                origin.ready(token, flags, poll);
            }
        }
        if opened {
            clients.turn(poll, tally);
        }
    }
    Ok(clients)
}

const BATCH: usize = 512;
/// Also how long a change of the tally may go unseen.
const BATCH_PATIENCE: Duration = Duration::from_millis(20);
