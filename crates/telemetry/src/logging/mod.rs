//! The process's own log: what an operator has to know, and nothing when all is well.
//!
//! Events come from anywhere by `tracing`'s macros, become a line at once and go to standard error by a thread of their
//! own, so that a terminal or pipe that does not read holds no worker up. Level and form can be changed while running.

mod line;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};

use crate::metrics::SharedCounter;
use crate::sink::{Batch, Feed, Sink, Target};

/// How a line of the process's log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, message and `name=value`.
    Text,
    /// A JSON object.
    Json,
}

/// The log's owner.
#[derive(Debug)]
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    json: Arc<AtomicBool>,
    sink: Sink,
}

/// Why logging could not begin.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// Standard error cannot be written to or the writing thread not be started.
    #[error("cannot start the log: {0}")]
    Start(#[from] io::Error),
    /// Something else took the log of this process over before.
    #[error("logging was begun twice: {0}")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Sends everything of `level` and graver that the process logs to standard error. `dropped` counts lines that were
/// not written. To be called once, early.
pub fn init(
    level: Level,
    format: LogFormat,
    dropped: Arc<SharedCounter>,
) -> Result<Logging, LoggingError> {
    let (logging, subscriber) = Logging::start(level, format, Target::Stderr, dropped)?;
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(logging)
}

impl Logging {
    fn start(
        level: Level,
        format: LogFormat,
        target: Target,
        dropped: Arc<SharedCounter>,
    ) -> io::Result<(Self, impl Subscriber + Send + Sync)> {
        let sink = Sink::start("process-log", target, dropped)?;
        let json = Arc::new(AtomicBool::new(format == LogFormat::Json));
        let lines = Lines {
            feed: sink.feed(),
            json: Arc::clone(&json),
        };
        let (filter, level) = reload::Layer::new(LevelFilter::from_level(level));
        let subscriber = tracing_subscriber::registry().with(filter).with(lines);
        Ok((Self { level, json, sink }, subscriber))
    }

    /// Changes what is logged and how, from the next event on.
    pub fn change(&self, level: Level, format: LogFormat) {
        self.json.store(format == LogFormat::Json, Relaxed);
        // Fails only when the subscriber is gone, and then there is nothing to change.
        let _ = self.level.reload(LevelFilter::from_level(level));
    }

    /// Writes what was logged so far and ends the writing thread. `false` if it took longer than `within`. Lines
    /// logged afterwards are counted as dropped.
    pub fn finish(&self, within: Duration) -> bool {
        self.sink.finish(within)
    }
}

/// Makes a line of each event.
struct Lines {
    feed: Feed,
    json: Arc<AtomicBool>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut bytes = Vec::with_capacity(256);
        let now = SystemTime::now();
        if self.json.load(Relaxed) {
            line::json(&mut bytes, event, now.into());
        } else {
            line::text(&mut bytes, event, now.into());
        }
        self.feed.offer(Batch { bytes, lines: 1 });
    }
}
