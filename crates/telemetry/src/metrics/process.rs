//! What the process as a whole counts: written by the control plane, by any of its threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::cell::SharedCounter;
use super::server_state::{ServerState, ServerStates, StateOf};

/// The metrics of the process. Any thread may write them; no request does.
#[derive(Debug)]
pub struct ProcessMetrics {
    /// Reloads that took a new configuration over.
    pub reloads_succeeded: SharedCounter,
    /// Reloads that found the file wrong and kept the old configuration.
    pub reloads_failed: SharedCounter,
    /// Access log lines that were dropped or could not be written.
    pub access_log_dropped: Arc<SharedCounter>,
    /// Lines of the process's own log that were dropped or could not be written.
    pub process_log_dropped: Arc<SharedCounter>,
    /// Times accepting was slowed down because descriptors ran out.
    pub accept_pauses: SharedCounter,
    /// 0 where there is none.
    memory_limit: AtomicU64,
    memory_strain: AtomicU8,
    version: String,
    last_reload_successful: AtomicBool,
    last_reload_millis: AtomicU64,
    config_warnings: AtomicU64,
    ports_used: Mutex<BTreeMap<[String; 2], f64>>,
    certificates: Mutex<BTreeMap<[String; 2], u64>>,
    orders: Mutex<BTreeMap<String, Orders>>,
    server_states: ServerStates,
}

/// What came of the orders of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// A certificate.
    pub(crate) obtained: u64,
    /// None.
    pub(crate) failed: u64,
}

impl ProcessMetrics {
    pub(crate) fn new(version: &str) -> Self {
        Self {
            reloads_succeeded: SharedCounter::default(),
            reloads_failed: SharedCounter::default(),
            access_log_dropped: Arc::default(),
            process_log_dropped: Arc::default(),
            accept_pauses: SharedCounter::default(),
            memory_limit: AtomicU64::new(0),
            memory_strain: AtomicU8::new(0),
            version: version.to_owned(),
            last_reload_successful: AtomicBool::new(true),
            last_reload_millis: AtomicU64::new(0),
            config_warnings: AtomicU64::new(0),
            ports_used: Mutex::default(),
            certificates: Mutex::default(),
            orders: Mutex::default(),
            server_states: ServerStates::default(),
        }
    }

    /// The configuration read at the start was taken over, with so many warnings.
    pub fn loaded(&self, at: SystemTime, warnings: usize) {
        let millis = at.duration_since(UNIX_EPOCH).map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
        self.last_reload_millis.store(millis, Relaxed);
        self.last_reload_successful.store(true, Relaxed);
        self.config_warnings.store(warnings as u64, Relaxed);
    }

    /// A reload took a new configuration over, with so many warnings.
    pub fn reloaded(&self, at: SystemTime, warnings: usize) {
        self.loaded(at, warnings);
        self.reloads_succeeded.increment();
    }

    /// A reload found the file wrong; the old configuration stays.
    pub fn reload_failed(&self) {
        self.last_reload_successful.store(false, Relaxed);
        self.reloads_failed.increment();
    }

    /// What share (0 to 1) of the ephemeral ports towards a server is in use.
    pub fn set_ports_used(&self, upstream: &str, server: &str, share: f64) {
        self.ports()
            .insert([upstream.to_owned(), server.to_owned()], share);
    }

    /// The servers of the running configuration, by upstream and server, each with what tells its state.
    pub fn set_server_states(&self, all: BTreeMap<[String; 2], StateOf>) {
        self.server_states.set(all);
    }

    pub(crate) fn server_states(&self, told: impl FnMut(&[String; 2], ServerState)) {
        self.server_states.each(told);
    }

    /// When the certificates of the running configuration expire, in seconds of Unix time, by listener and name.
    pub fn set_certificates(&self, expiries: BTreeMap<[String; 2], u64>) {
        *self
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = expiries;
    }

    pub(crate) fn certificates(&self) -> BTreeMap<[String; 2], u64> {
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A certificate was ordered, and came or did not; named by its first domain.
    pub fn ordered(&self, certificate: &str, obtained: bool) {
        let mut all = self.lock_orders();
        let orders = all.entry(certificate.to_owned()).or_default();
        if obtained {
            orders.obtained += 1;
        } else {
            orders.failed += 1;
        }
    }

    /// The certificates that are ordered from now on: the others are forgotten, and each of these is counted from nothing.
    pub fn orders_of<'n>(&self, certificates: impl Iterator<Item = &'n str>) {
        let mut all = self.lock_orders();
        let mut before = std::mem::take(&mut *all);
        for name in certificates {
            let known = || before.remove(name).unwrap_or_default();
            all.entry(name.to_owned()).or_insert_with(known);
        }
    }

    pub(crate) fn orders(&self) -> BTreeMap<String, Orders> {
        self.lock_orders().clone()
    }

    fn lock_orders(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Orders>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn retain_servers(&self, keep: impl Fn(&[String; 2]) -> bool) {
        self.ports().retain(|names, _| keep(names));
        self.server_states.retain(keep);
    }

    /// The most memory that the process is to take, in bytes; `None` is no limit.
    pub fn set_memory_limit(&self, bytes: Option<u64>) {
        self.memory_limit.store(bytes.unwrap_or_default(), Relaxed);
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        Some(self.memory_limit.load(Relaxed)).filter(|bytes| *bytes > 0)
    }

    /// How short memory is: 0 not, 1 nearly, 2 there is none.
    pub fn set_memory_strain(&self, strain: u8) {
        self.memory_strain.store(strain, Relaxed);
    }

    pub(crate) fn memory_strain(&self) -> u8 {
        self.memory_strain.load(Relaxed)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn last_reload_successful(&self) -> bool {
        self.last_reload_successful.load(Relaxed)
    }

    pub(crate) fn last_reload_seconds(&self) -> f64 {
        self.last_reload_millis.load(Relaxed) as f64 / 1e3
    }

    pub(crate) fn config_warnings(&self) -> u64 {
        self.config_warnings.load(Relaxed)
    }

    pub(crate) fn ports_used(&self) -> BTreeMap<[String; 2], f64> {
        self.ports().clone()
    }

    fn ports(&self) -> std::sync::MutexGuard<'_, BTreeMap<[String; 2], f64>> {
        self.ports_used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
