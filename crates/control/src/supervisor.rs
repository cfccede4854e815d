//! The life of the process: it starts, follows its configuration, and stops in order.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sluice_config::{Loaded, Plan, Report};
use sluice_telemetry::logging::Logging;
use sluice_telemetry::metrics::Registry;
use sluice_telemetry::{Readiness, ReadyState};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::descriptors;
use crate::expiry::{self, ExpiryWatch};
use crate::files::WatchedFiles;
use crate::fleet::{ApplyError, Fleet};
use crate::logs::{log_format, log_level};
use crate::memory;
use crate::ports::{self, PortWatch};
use crate::source::{Fingerprint, LoadError, Source};

/// Keeps what runs in step with what is wanted.
#[derive(Debug)]
pub struct Supervisor {
    source: Source,
    seen: Option<Fingerprint>,
    files: WatchedFiles,
    expiry: ExpiryWatch,
    fleet: Fleet,
    plan: watch::Sender<Arc<Plan>>,
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    logging: Option<Logging>,
    ports: PortWatch,
    signals: Signals,
}

/// What the process is told from outside. Listened to from the start: a reload that comes early must not end it.
#[derive(Debug)]
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// Why the process could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The plan cannot be run.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// No threads, or no signals.
    #[error("cannot start: {0}")]
    Kernel(#[from] io::Error),
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request had ended, or was cut at the drain timeout.
    InOrder,
    /// A worker did not end, or broke; or it was told to stop a second time.
    InDisorder,
}

impl Supervisor {
    /// Starts the workers with a loaded plan.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(
        source: Source,
        loaded: Loaded,
        registry: Arc<Registry>,
        readiness: Arc<Readiness>,
        logging: Option<Logging>,
    ) -> Result<Self, StartError> {
        let signals = Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let seen = source.fingerprint();
        let files = WatchedFiles::new(loaded.plan.files());
        let warnings = loaded.warnings.warnings();
        let plan = Arc::new(loaded.plan);
        let mut fleet = Fleet::start(plan.runtime.workers, &registry)?;
        fleet.apply(&plan).await?;
        registry.process().loaded(SystemTime::now(), warnings);
        descriptors::look(&plan);
        let mut expiry = ExpiryWatch::default();
        expiry.look(&plan, fleet.orders(), &registry, SystemTime::now());
        readiness.set(ReadyState::Ready);
        for (listener, address) in fleet.bound() {
            tracing::info!(%listener, %address, "listening");
        }
        Ok(Self {
            source,
            seen,
            files,
            expiry,
            fleet,
            plan: watch::Sender::new(plan),
            registry,
            readiness,
            logging,
            ports: PortWatch::default(),
            signals,
        })
    }

    /// The running plan, and every one after it.
    pub fn plans(&self) -> watch::Receiver<Arc<Plan>> {
        self.plan.subscribe()
    }

    /// The workers.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Runs until SIGTERM or SIGINT, then drains. `show` is given what is wrong with a file that was not taken over.
    pub async fn run(mut self, show: impl Fn(&Report)) -> Stopped {
        let memory = tokio::spawn(memory::look_after(
            self.plan.subscribe(),
            self.fleet.memory().clone(),
            Arc::clone(&self.registry),
        ));
        let issued = self.fleet.orders().changed();
        let mut look_at_file = interval(WATCH_EVERY);
        let mut look_at_ports = interval(ports::EVERY);
        let mut look_at_certificates = interval(expiry::EVERY);
        look_at_file.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look_at_certificates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look_at_ports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = self.signals.hangup.recv() => self.reload(&show).await,
                _ = look_at_file.tick() => {
                    if self.file_has_changed() {
                        self.reload(&show).await;
                    }
                    self.tell_of_lost_files();
                }
                _ = look_at_ports.tick() => {
                    let plan = Arc::clone(&self.plan.borrow());
                    self.ports.look(&plan, self.fleet.endpoints(), &self.registry);
                }
                _ = look_at_certificates.tick() => self.look_at_certificates(),
                () = issued.notified() => self.look_at_certificates(),
                Some(change) = self.fleet.reweighed() => self.fleet.reweigh(change).await,
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
            }
        }
        let limit = longest_drain(&self.plan.borrow());
        tracing::info!(limit = ?limit, "stopping: requests under way may end");
        self.readiness.set(ReadyState::Draining);
        let in_order = tokio::select! {
            in_order = self.fleet.drain(limit) => in_order,
            _ = self.signals.terminate.recv() => false,
            _ = self.signals.interrupt.recv() => false,
        };
        memory.abort();
        tracing::info!("stopped");
        if let Some(logging) = self.logging {
            logging.finish(Duration::from_secs(1));
        }
        if in_order {
            Stopped::InOrder
        } else {
            Stopped::InDisorder
        }
    }

    /// Takes the configuration over as it is now, or says what is wrong with it and leaves everything as it was.
    async fn reload(&mut self, show: &impl Fn(&Report)) {
        self.seen = self.source.fingerprint();
        let files = RefCell::default();
        let loaded = self.source.load_noting(&files);
        // Where the file itself could not be read, what it names is watched as before.
        if !matches!(loaded, Err(LoadError::Unreadable { .. })) {
            self.files = WatchedFiles::new(files.into_inner());
        }
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                self.registry.process().reload_failed();
                tracing::error!(%error, "reload failed: the configuration stays as it was");
                if let LoadError::Wrong(report) = &error {
                    show(report);
                }
                return;
            }
        };
        let warnings = loaded.warnings.warnings();
        if warnings > 0 {
            show(&loaded.warnings);
        }
        let plan = Arc::new(loaded.plan);
        self.warn_of_what_stays(&plan);
        if let Err(error) = self.fleet.apply(&plan).await {
            self.registry.process().reload_failed();
            tracing::error!(%error, "reload failed: the configuration stays as it was");
            return;
        }
        if let Some(logging) = &self.logging {
            logging.change(log_level(&plan.logs), log_format(&plan.logs));
        }
        descriptors::look(&plan);
        self.plan.send_replace(plan);
        self.look_at_certificates();
        self.registry
            .process()
            .reloaded(SystemTime::now(), warnings);
        tracing::info!(warnings, "reloaded");
    }

    fn file_has_changed(&self) -> bool {
        let is_watched = self.plan.borrow().runtime.watch;
        // A file that is just being replaced may be missing for a moment.
        let now = self.source.fingerprint();
        let file_changed = now.is_some() && now != self.seen;
        is_watched && (file_changed || self.files.have_changed())
    }

    /// What was read of them stays in use. But the next load, at a reload or a start, would fail.
    fn tell_of_lost_files(&mut self) {
        if !self.plan.borrow().runtime.watch {
            return;
        }
        for file in self.files.lost() {
            tracing::warn!(
                file = %file.display(),
                "a file that the configuration names cannot be read any more: what was read of it stays in use, but a reload would fail"
            );
        }
    }

    fn look_at_certificates(&mut self) {
        let plan = Arc::clone(&self.plan.borrow());
        self.expiry.look(
            &plan,
            self.fleet.orders(),
            &self.registry,
            SystemTime::now(),
        );
    }

    fn warn_of_what_stays(&self, plan: &Plan) {
        if plan.runtime.workers != self.plan.borrow().runtime.workers {
            tracing::warn!(
                running = self.fleet.workers(),
                "runtime.workers takes effect at the next start"
            );
        }
    }
}

fn longest_drain(plan: &Plan) -> Duration {
    plan.upstreams
        .iter()
        .map(|upstream| upstream.drain_timeout)
        .max()
        .unwrap_or(Duration::from_secs(30))
}

/// How often the file is looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);
