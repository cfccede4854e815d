//! The thread that does the checks.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use sluice_config::Plan;
use sluice_telemetry::metrics::Registry;
use sluice_tls::ClientConfig;
use sluice_upstream::Endpoints;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use crate::rounds::Rounds;

/// Checks servers until it is dropped.
#[derive(Debug)]
pub struct Prober {
    /// `None` once it is to end.
    wanted: Option<watch::Sender<Wanted>>,
    thread: Option<JoinHandle<()>>,
    registry: Arc<Registry>,
}

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By its upstreams.
    pub plan: Arc<Plan>,
    /// The servers.
    pub endpoints: Arc<Endpoints>,
    /// For each upstream of the plan, what its connections are ciphered by.
    pub ciphers: Vec<Option<Arc<ClientConfig>>>,
}

impl Prober {
    /// Checks nothing yet; `registry` is told of checks.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self {
            wanted: None,
            thread: None,
            registry: Arc::clone(registry),
        }
    }

    /// Checks what is wanted from now on, and nothing else. Where a server is checked as before, its checks go on as if
    /// nothing had happened.
    ///
    /// # Errors
    /// The kernel's, where no thread can be had.
    pub fn follow(&mut self, wanted: Wanted) -> io::Result<()> {
        let has_checks = || {
            let mut upstreams = wanted.plan.upstreams.iter();
            upstreams.any(|upstream| upstream.health.is_some())
        };
        match &self.wanted {
            Some(sender) => {
                sender.send_replace(wanted);
            }
            // Many configurations have none: no thread then.
            None if has_checks() => {
                let (sender, receiver) = watch::channel(wanted);
                let registry = Arc::clone(&self.registry);
                let thread = std::thread::Builder::new()
                    .name("probe".to_owned())
                    .spawn(move || run(receiver, registry))?;
                self.thread = Some(thread);
                self.wanted = Some(sender);
            }
            None => {}
        }
        Ok(())
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.wanted = None;
        if let Some(thread) = self.thread.take() {
            // It never waits for a server when it is told to end. A panic there was reported already.
            let _ = thread.join();
        }
    }
}

fn run(mut wanted: watch::Receiver<Wanted>, registry: Arc<Registry>) {
    let built = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no reactor for health checks: there are none");
            return;
        }
    };
    runtime.block_on(async move {
        let mut rounds = Rounds::new(registry);
        wanted.mark_changed();
        while wanted.changed().await.is_ok() {
            let latest = wanted.borrow_and_update().clone();
            rounds.follow(&latest);
        }
    });
}
