//! A worker with one listener, run by a test in the place of the control plane.

use std::fmt::Display;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sluice_config::{Source, Surroundings, load};
use sluice_net::listen::{Bound, BoundAddress, ListenOptions};
use sluice_proxy::{
    Ciphers, Command, Crowds, Generation, KeySets, Limits, Memory, NewSocket, Splits, WorkerThread,
};
use sluice_store::Stores;
use sluice_telemetry::metrics::Registry;
use sluice_upstream::Endpoints;
use tokio::sync::oneshot;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

struct Nothing;

impl Surroundings for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret(&self, _path: &Path) -> Result<String, String> {
        Err("there are no files".to_owned())
    }
}

/// A worker with one listener, `web`.
pub(crate) struct House {
    pub(crate) worker: WorkerThread,
    pub(crate) registry: Arc<Registry>,
    endpoints: Endpoints,
    /// Says how short memory is.
    pub(crate) memory: Memory,
    pub(crate) address: SocketAddr,
}

impl House {
    /// Starts a worker with an upstream `app` of these servers; `more` are keys of the file, the upstream's last.
    pub(crate) fn new(servers: &[impl Display], more: &str) -> Self {
        let registry = Arc::new(Registry::new("test"));
        let mut house = Self {
            worker: WorkerThread::start(0, Arc::clone(&registry)).expect("thread"),
            registry,
            endpoints: Endpoints::default(),
            memory: Memory::default(),
            address: ([127, 0, 0, 1], 0).into(),
        };
        house.apply(servers, more, true);
        house
    }

    pub(crate) fn apply(&mut self, servers: &[impl Display], more: &str, binds: bool) {
        let servers: Vec<_> = servers.iter().map(|one| format!("'{one}'")).collect();
        let text = format!(
            "[listeners.web]\naddress = '127.0.0.1:0'\nmax-head = '1MiB'\n{more}\nservers = [{}]\n",
            servers.join(", ")
        );
        let name = "test".to_owned();
        let loaded = load(&Source { name, text }, &Nothing);
        let plan = Arc::new(loaded.unwrap_or_else(|report| panic!("{report:?}")).plan);
        self.endpoints = self.endpoints.updated(&plan.upstreams).expect("addresses");
        let mut sockets = Vec::new();
        if binds {
            let bound = Bound::new(&plan.listeners[0].address, &OPTIONS, 1, false).expect("bind");
            if let BoundAddress::Ip(address) = bound.address() {
                self.address = *address;
            }
            for socket in bound.into_sockets() {
                sockets.push(NewSocket {
                    listener: 0,
                    socket,
                });
            }
        }
        let (applied, wait) = oneshot::channel();
        let generation = Generation {
            crowds: Crowds::default(),
            memory: self.memory.clone(),
            limits: Limits::default(),
            key_sets: KeySets::default(),
            stores: Stores::default(),
            splits: Splits::default(),
            workers: 1,
            plan,
            endpoints: Arc::new(self.endpoints.clone()),
            sockets,
            quic: Vec::new(),
            ciphers: Ciphers::default(),
            access_log: None,
            applied,
        };
        block_on(async {
            self.worker.send(Command::Apply(Box::new(generation))).await;
            wait.await.expect("applied");
        });
    }

    pub(crate) fn client(&self) -> TcpStream {
        patient(TcpStream::connect(self.address).expect("connect"))
    }

    pub(crate) fn end(self) {
        block_on(self.worker.send(Command::Drain(Duration::ZERO)));
        assert!(self.worker.join(), "the worker ended without a panic");
    }
}

const OPTIONS: ListenOptions = ListenOptions {
    backlog: 16,
    keep_alive: None,
    receive_buffer: None,
    send_buffer: None,
    fast_open: None,
    defer_accept: None,
};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("patience");
    stream
}
