//! A worker: one thread, one reactor, and everything its connections share.
//!
//! What is here is reached through `Rc` and plain cells; nothing of it leaves the thread. Commands come from the control
//! plane over a channel.

mod listening;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sluice_config::Plan;
use sluice_health::Strain;
use sluice_http::{Buffers, Scratch};
use sluice_net::listen::ListenSocket;
use sluice_net::splice::Pipes;
use sluice_quic::Seat;
use sluice_store::Stores;
use sluice_telemetry::access::AccessLogWriter;
use sluice_telemetry::metrics::{Registry, WorkerMetrics};
use sluice_tls::{ClientConfig, Proofs, ServerConfig, Workspace};
use sluice_upstream::{Endpoints, Weights};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::{Interval, interval, sleep, sleep_until};

use crate::aside::Aside;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::crowd::Crowds;
use crate::key_set::KeySets;
use crate::limits::Limits;
use crate::live::Live;
use crate::memory::Memory;
use crate::quic::QuicPort;
use crate::split_weights::Splits;
use listening::Listening;

/// A worker's thread, as the control plane holds it.
#[derive(Debug)]
pub struct WorkerThread {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
}

/// What a worker is told.
#[derive(Debug)]
pub enum Command {
    /// Run from this from now on.
    Apply(Box<Generation>),
    /// Balance by other weights.
    Reweigh(Reweighing),
    /// Accept no more, let requests end, and stop: at the latest after this long.
    Drain(Duration),
}

/// A plan with what a worker needs to run it.
#[derive(Debug)]
pub struct Generation {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The live endpoints of its servers.
    pub endpoints: Arc<Endpoints>,
    /// Who is connected to its listeners.
    pub crowds: Crowds,
    /// Who says how short memory is.
    pub memory: Memory,
    /// What was used of its rate limits.
    pub limits: Limits,
    /// The keys of issuers of tokens that are fetched.
    pub key_sets: KeySets,
    /// What is known of its stores.
    pub stores: Stores,
    /// The weights that sides of splits have now.
    pub splits: Splits,
    /// How many workers there are, who share what is limited for all of them.
    pub workers: usize,
    /// This worker's sockets of the listeners that were bound for this plan. The other listeners go on as they are.
    pub sockets: Vec<NewSocket>,
    /// The same for the UDP side of listeners that speak HTTP/3.
    pub quic: Vec<NewQuic>,
    /// What is ciphered, and how.
    pub ciphers: Ciphers,
    /// Where this worker's access-log lines go.
    pub access_log: Option<AccessLogWriter>,
    /// Told when the worker runs from it.
    pub applied: oneshot::Sender<()>,
}

/// Weights of servers of the plan that the worker runs from.
#[derive(Debug)]
pub struct Reweighing {
    /// The weights.
    pub weights: Arc<Weights>,
    /// Told when the worker balances by them.
    pub applied: oneshot::Sender<()>,
}

/// What TLS is spoken by, for all workers.
#[derive(Clone, Debug, Default)]
pub struct Ciphers {
    /// For each of the plan's listeners what it offers.
    pub listeners: Vec<Option<Arc<ServerConfig>>>,
    /// For each of the plan's upstreams what is asked of its servers.
    pub upstreams: Vec<Option<Arc<ClientConfig>>>,
    /// What authorities are shown that certify our names.
    pub proofs: Arc<Proofs>,
}

/// A listener's socket for one worker.
#[derive(Debug)]
pub struct NewSocket {
    /// The listener's position in the plan.
    pub listener: usize,
    /// The socket.
    pub socket: ListenSocket,
}

/// A listener's UDP socket for one worker.
#[derive(Debug)]
pub struct NewQuic {
    /// The listener's position in the plan.
    pub listener: usize,
    /// The socket.
    pub socket: ListenSocket,
    /// The worker's place among those of the listener.
    pub seat: Seat,
}

impl WorkerThread {
    /// Starts worker `index`, counted from 0. It does nothing until it is given a plan.
    ///
    /// # Errors
    /// The kernel's, where no thread or reactor can be had.
    pub fn start(index: usize, registry: Arc<Registry>) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let built = Builder::new_current_thread()
                    .enable_all()
                    .event_interval(EVENT_INTERVAL)
                    .build_local(LocalOptions::default());
                match built {
                    Ok(runtime) => runtime.block_on(run(index, registry, inbox)),
                    Err(error) => {
                        tracing::error!(%error, worker = index, "no reactor for a worker");
                    }
                }
            })?;
        Ok(Self { commands, thread })
    }

    /// Sends a command; lost where the worker has ended.
    pub async fn send(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// Whether the worker has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the worker has ended; `false` where it ended by a panic.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

/// What the connections of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    index: usize,
    registry: Arc<Registry>,
    metrics: Arc<WorkerMetrics>,
    scratch: RefCell<Scratch>,
    tls_workspace: Rc<Workspace>,
    head: RefCell<Vec<u8>>,
    buffers: RefCell<Buffers>,
    pipes: RefCell<Pipes>,
    random: RefCell<fastrand::Rng>,
    clock: Clock,
    connections: Rc<Connections>,
    access_log: RefCell<Option<AccessLogWriter>>,
    live: RefCell<Option<Rc<Live>>>,
    listeners: RefCell<HashMap<Arc<str>, Listening>>,
    quic_ports: RefCell<HashMap<Arc<str>, QuicPort>>,
    exhausted_at: Cell<Option<Instant>>,
    workers: Cell<usize>,
    aside: Aside,
}

impl Worker {
    pub(crate) fn new(index: usize, registry: Arc<Registry>) -> Self {
        Self {
            index,
            metrics: registry.worker(index),
            registry,
            scratch: RefCell::default(),
            tls_workspace: Rc::default(),
            head: RefCell::default(),
            buffers: RefCell::default(),
            pipes: RefCell::default(),
            random: RefCell::new(fastrand::Rng::new()),
            clock: Clock::new(),
            connections: Rc::default(),
            access_log: RefCell::default(),
            live: RefCell::default(),
            listeners: RefCell::default(),
            quic_ports: RefCell::default(),
            exhausted_at: Cell::new(None),
            workers: Cell::new(1),
            aside: Aside::default(),
        }
    }

    /// How many workers there are; at least 1.
    pub(crate) fn workers(&self) -> usize {
        self.workers.get().max(1)
    }

    /// Who does what takes long.
    pub(crate) fn aside(&self) -> &Aside {
        &self.aside
    }

    pub(crate) fn metrics(&self) -> &WorkerMetrics {
        &self.metrics
    }

    /// Where everything is received. Borrowed for one poll at a time, never across an await.
    pub(crate) fn scratch(&self) -> RefMut<'_, Scratch> {
        self.scratch.borrow_mut()
    }

    /// Where TLS sessions receive and cipher.
    pub(crate) fn tls_workspace(&self) -> &Rc<Workspace> {
        &self.tls_workspace
    }

    /// An empty vector for a head that is composed and sent within one poll.
    pub(crate) fn head(&self) -> RefMut<'_, Vec<u8>> {
        let mut head = self.head.borrow_mut();
        head.clear();
        head
    }

    pub(crate) fn buffers(&self) -> RefMut<'_, Buffers> {
        self.buffers.borrow_mut()
    }

    pub(crate) fn pipes(&self) -> RefMut<'_, Pipes> {
        self.pipes.borrow_mut()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn connections(&self) -> &Rc<Connections> {
        &self.connections
    }

    pub(crate) fn access_log(&self) -> Ref<'_, Option<AccessLogWriter>> {
        self.access_log.borrow()
    }

    /// 128 random bits: an identifier, not a secret.
    pub(crate) fn random_id(&self) -> u128 {
        self.random.borrow_mut().u128(..)
    }

    /// Descriptors ran out: counted each time, said at most once a minute.
    pub(crate) fn note_exhausted(&self, error: &io::Error) {
        self.registry.process().accept_pauses.increment();
        let now = Instant::now();
        let said = self.exhausted_at.get();
        if said.is_none_or(|at| now - at >= Duration::from_mins(1)) {
            self.exhausted_at.set(Some(now));
            tracing::warn!(
                %error,
                open_connections = self.connections.count(),
                "out of file descriptors: accepting slows down until some are free"
            );
        }
    }

    fn live(&self) -> Ref<'_, Option<Rc<Live>>> {
        self.live.borrow()
    }

    fn apply(self: &Rc<Self>, generation: Generation) {
        self.workers.set(generation.workers);
        let previous = self.live.borrow_mut().take();
        let live = Live::new(
            generation.plan,
            &generation.endpoints,
            previous.as_deref(),
            &self.registry,
            self.index,
        );
        let live = live.with_tls(generation.ciphers, &self.tls_workspace);
        let live = live.with_memory(generation.memory);
        let live = live.with_limits(&generation.limits, &self.registry, self.index);
        let key_sets = &generation.key_sets;
        let live = live.with_auths(key_sets, previous.as_deref(), &self.registry, self.index);
        let stores = &generation.stores;
        let live = live.with_stores(stores, previous.as_deref(), &self.registry, self.index);
        let live = live.with_splits(&generation.splits);
        let live = live.with_mirrors(previous.as_deref(), &self.registry, self.index);
        let live = Rc::new(live.with_crowds(generation.crowds));
        *self.live.borrow_mut() = Some(Rc::clone(&live));
        self.flush_access_log();
        *self.access_log.borrow_mut() = generation.access_log;
        self.update_listeners(&live, generation.sockets);
        self.update_quic_ports(&live, generation.quic);
        self.connections.count_clients();
        if let Some(previous) = previous {
            self.retire_lanes(&previous, &live);
        }
        // Nobody waits any more where the control plane has given up.
        let _ = generation.applied.send(());
    }

    fn reweigh(&self, reweighing: Reweighing) {
        if let Some(cluster) = self
            .live()
            .as_ref()
            .and_then(|live| live.cluster_named(reweighing.weights.upstream()))
        {
            cluster.reweigh(&reweighing.weights);
        }
        let _ = reweighing.applied.send(());
    }

    /// Servers that left the file get nothing new; what runs on them may go on for their drain-timeout.
    fn retire_lanes(self: &Rc<Self>, previous: &Live, live: &Live) {
        for (lane, cluster) in previous.lanes_missing_in(live) {
            lane.retire();
            let connections = Rc::clone(&self.connections);
            let limit = cluster.settings().drain_timeout;
            spawn_local(async move {
                sleep(limit).await;
                connections.cut_lane(&lane);
            });
        }
    }

    /// Accepts no more and waits until every connection has ended, at the latest until `limit` has passed.
    async fn drain(self: &Rc<Self>, limit: Duration, ticks: &mut Interval) {
        let deadline = tokio::time::Instant::now() + limit;
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        for listening in listeners.into_values() {
            listening.close(self);
        }
        for port in std::mem::take(&mut *self.quic_ports.borrow_mut()).into_values() {
            port.close();
        }
        self.connections.end_idle_of_closed_listeners();
        let mut look = interval(Duration::from_millis(20));
        let mut timer = std::pin::pin!(sleep_until(deadline));
        while !self.connections.is_empty() {
            tokio::select! {
                _ = look.tick() => self.connections.end_idle_of_closed_listeners(),
                _ = ticks.tick() => self.tick(),
                () = &mut timer => break,
            }
        }
        let left = self.connections.count();
        if left > 0 {
            tracing::warn!(
                connections = left,
                "the drain timeout passed: cutting what is left"
            );
            self.connections.cut_all();
            // Each says in the log what it was cut in.
            for _ in 0..left {
                if self.connections.is_empty() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        self.leave_servers().await;
        self.flush_access_log();
    }

    /// Has servers told that connections end: one of QUIC would not notice for long.
    async fn leave_servers(&self) {
        if let Some(live) = &*self.live() {
            for cluster in live.clusters() {
                cluster.lanes().iter().for_each(|lane| lane.retire());
            }
        }
        for _ in 0..FAREWELL_TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// Now and then: old idle connections are closed, log lines handed over, the thread's CPU time noted.
    fn tick(&self) {
        if let Some(live) = &*self.live() {
            if live.memory.strain() > Strain::Calm {
                self.let_go();
            }
            let now = Instant::now();
            for cluster in live.clusters() {
                cluster.close_idle(now);
            }
        }
        self.flush_access_log();
        if let Some(time) = thread_cpu_time() {
            self.metrics.busy_nanos.set(time);
        }
    }

    /// Lets go of what can be done without, as memory is short.
    fn let_go(&self) {
        self.connections.end_idle();
        *self.buffers.borrow_mut() = Buffers::default();
    }

    fn flush_access_log(&self) {
        if let Some(log) = &*self.access_log.borrow() {
            log.flush();
        }
    }
}

async fn run(index: usize, registry: Arc<Registry>, mut inbox: mpsc::Receiver<Command>) {
    let worker = Rc::new(Worker::new(index, registry));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Apply(generation)) => worker.apply(*generation),
                Some(Command::Reweigh(reweighing)) => worker.reweigh(reweighing),
                Some(Command::Drain(limit)) => return worker.drain(limit, &mut ticks).await,
                None => return,
            },
            _ = ticks.tick() => worker.tick(),
        }
    }
}

fn thread_cpu_time() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u64::try_from(time.tv_nsec).ok()?;
    Some(seconds * 1_000_000_000 + nanos)
}

/// Commands under way to a worker at a time: the control plane sends the next when one was carried out.
const COMMANDS: usize = 4;
const TICK: Duration = Duration::from_millis(500);
/// How often the tasks of connections to servers may run before a worker ends, some 60 of them each time.
const FAREWELL_TURNS: usize = 64;
/// Polls between two looks at the reactor while there is other work: tokio's own choice, named so that it can be tuned.
const EVENT_INTERVAL: u32 = 61;

#[cfg(test)]
mod tests;
