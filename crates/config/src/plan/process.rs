//! What concerns the process as a whole: its workers, its admin listener, its logs.

use std::path::PathBuf;
use std::sync::Arc;

use sluice_model::BindAddress;

/// `[runtime]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// `workers`; `None` is `"auto"`, one per core.
    pub workers: Option<usize>,
    /// `max-connections`: of clients, over all listeners and workers.
    pub max_connections: Option<u32>,
    /// `max-memory`
    pub max_memory: Option<MaxMemory>,
    /// `secret-key`
    pub secret_key: Option<Secret>,
    /// `watch`: reload when the file changes; `true` by default.
    pub watch: bool,
}

/// `max-memory`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxMemory {
    /// So many bytes.
    Bytes(u64),
    /// In percent of what there is.
    Share(u8),
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `address`
    pub address: BindAddress,
    /// `token`: required unless the address is loopback.
    pub token: Option<Secret>,
}

/// `[logs]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// `level`
    pub level: LogLevel,
    /// `format` of the process's own log: text or json.
    pub format: LogFormat,
    /// `access`; `None` is off, which is the default.
    pub access: Option<AccessLog>,
}

/// How much the process says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How the process's own log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// `logs.access`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// `format`
    pub format: AccessFormat,
    /// `to`
    pub to: LogTarget,
}

/// The form of an access-log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// A JSON object.
    Json,
    /// The combined format of Apache httpd and nginx.
    Combined,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to; opened again on reload, so that it can be rotated.
    File(PathBuf),
}

/// A text that is never shown, not even in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
