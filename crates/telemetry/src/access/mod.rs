//! The access log: a line for every request and session.
//!
//! A worker formats lines into a buffer of its own ([`AccessLogWriter`]) and hands it over to a writing thread when it
//! is full or the worker's tick says so. Nothing here waits: if the thread does not keep up, whole batches are dropped
//! and their lines are counted.

mod combined;
pub mod fields;
mod json;
mod lines;
mod record;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use lines::Format;
pub use record::{AccessRecord, HttpVersion, RequestLine, TcpRecord, TlsRecord};

use crate::metrics::SharedCounter;
use crate::sink::{Batch, Feed, Sink, Target};

/// The access log's owner. Dropped without [`AccessLog::finish`], the thread ends when the last writer is gone.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    sink: Sink,
}

impl AccessLog {
    /// Opens the target and starts the writing thread. `dropped` counts lines that were not written.
    ///
    /// # Errors
    ///
    /// When the target cannot be opened or the thread not be started.
    pub fn start(format: Format, target: Target, dropped: Arc<SharedCounter>) -> io::Result<Self> {
        let sink = Sink::start("access-log", target, dropped)?;
        Ok(Self { format, sink })
    }

    /// A writer for one worker.
    pub fn writer(&self) -> AccessLogWriter {
        AccessLogWriter {
            format: self.format,
            feed: self.sink.feed(),
            batch: RefCell::default(),
        }
    }

    /// Opens the file again, after it was moved away. If that fails the old one stays and an error is logged.
    pub fn reopen(&self) {
        self.sink.reopen();
    }

    /// Writes what was handed over so far and ends the writing thread: let writers flush or be dropped before.
    /// `false` if it took longer than `within`. Lines logged afterwards are counted as dropped.
    pub fn finish(&self, within: Duration) -> bool {
        self.sink.finish(within)
    }
}

/// One worker's end of the access log. Flushes when it is dropped.
#[derive(Debug)]
pub struct AccessLogWriter {
    format: Format,
    feed: Feed,
    batch: RefCell<Batch>,
}

impl AccessLogWriter {
    /// Adds the line of a request.
    pub fn http(&self, record: &AccessRecord<'_>) {
        self.add(|format, out| format.http(out, record));
    }

    /// Adds the line of a TCP session.
    pub fn tcp(&self, record: &TcpRecord<'_>) {
        self.add(|format, out| format.tcp(out, record));
    }

    /// Hands over what is there. To be called every so often, so that lines do not wait for others to come.
    pub fn flush(&self) {
        let mut batch = self.batch.borrow_mut();
        if batch.lines > 0
            && let Some(empty) = self.feed.offer(std::mem::take(&mut *batch))
        {
            batch.bytes = empty;
        }
    }

    fn add(&self, line: impl FnOnce(Format, &mut Vec<u8>)) {
        let mut batch = self.batch.borrow_mut();
        if batch.bytes.capacity() == 0 {
            batch.bytes.reserve_exact(BATCH_BYTES + BATCH_BYTES / 8);
        }
        line(self.format, &mut batch.bytes);
        batch.lines += 1;
        let full = batch.bytes.len() >= BATCH_BYTES;
        drop(batch);
        if full {
            self.flush();
        }
    }
}

impl Drop for AccessLogWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

/// How much a worker gathers before it hands over.
const BATCH_BYTES: usize = 16 * 1024;
