//! A bounded queue of lines to a thread that writes them, so that nobody else waits for a disk, a pipe or a terminal.
//!
//! Lines flow in as batches by [`Feed::offer`], which never waits: when the queue is full the batch is dropped and its
//! lines are counted. What cannot be written is counted too.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::metrics::SharedCounter;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file: appended to, made with mode 0640 if it is not there.
    File(PathBuf),
}

impl Target {
    fn open(&self) -> io::Result<Output> {
        // Descriptors of our own: the standard library's handles have a lock and a buffer that we do not want to share.
        let file = match self {
            Self::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            Self::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            Self::File(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(FILE_MODE)
                .open(path)?,
        };
        Ok(Box::new(file))
    }
}

/// What a target opens as.
pub(crate) type Output = Box<dyn Write + Send>;

/// The queue's and the thread's owner.
#[derive(Debug)]
pub(crate) struct Sink {
    feed: Feed,
    orders: Arc<Orders>,
    ended: Mutex<Receiver<()>>,
}

impl Sink {
    /// Opens the target and starts the thread that writes to it.
    pub(crate) fn start(
        name: &'static str,
        target: Target,
        dropped: Arc<SharedCounter>,
    ) -> io::Result<Self> {
        Self::start_with(name, move || target.open(), dropped)
    }

    pub(crate) fn start_with(
        name: &'static str,
        mut open: impl FnMut() -> io::Result<Output> + Send + 'static,
        dropped: Arc<SharedCounter>,
    ) -> io::Result<Self> {
        let output = open()?;
        let (batches, queue) = sync_channel(QUEUE_BATCHES);
        let (alive, ended) = sync_channel(0);
        let orders = Arc::new(Orders::default());
        let writer = SinkThread {
            name,
            output,
            failing: false,
            orders: Arc::clone(&orders),
            dropped: Arc::clone(&dropped),
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                writer.run(&queue, open);
                drop(alive);
            })?;
        Ok(Self {
            feed: Feed { batches, dropped },
            orders,
            ended: Mutex::new(ended),
        })
    }

    pub(crate) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Opens the target again before the next batch, so that a file that was moved away is let go of.
    pub(crate) fn reopen(&self) {
        self.orders.reopen.store(true, Ordering::Release);
        self.feed.wake();
    }

    /// Writes what is queued and ends the thread. `false` if that took longer than `within`; it goes on trying alone.
    pub(crate) fn finish(&self, within: Duration) -> bool {
        self.orders.finish.store(true, Ordering::Release);
        self.feed.wake();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(within) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Whoever has lines holds one of these.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    batches: SyncSender<Batch>,
    dropped: Arc<SharedCounter>,
}

impl Feed {
    /// Hands a batch over without waiting. Gives an empty buffer back if the batch was dropped, to be used again.
    pub(crate) fn offer(&self, batch: Batch) -> Option<Vec<u8>> {
        match self.batches.try_send(batch) {
            Ok(()) => None,
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                self.dropped.add(batch.lines);
                let mut bytes = batch.bytes;
                bytes.clear();
                Some(bytes)
            }
        }
    }

    /// Makes the thread look at its orders. When the queue is full it is awake and will look after its next batch.
    fn wake(&self) {
        let _ = self.batches.try_send(Batch::default());
    }
}

/// Whole lines, each with its line feed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: u64,
}

#[derive(Debug, Default)]
struct Orders {
    reopen: AtomicBool,
    finish: AtomicBool,
}

struct SinkThread {
    name: &'static str,
    output: Output,
    failing: bool,
    orders: Arc<Orders>,
    dropped: Arc<SharedCounter>,
}

impl SinkThread {
    fn run(mut self, queue: &Receiver<Batch>, mut open: impl FnMut() -> io::Result<Output>) {
        while let Ok(batch) = queue.recv() {
            if self.orders.reopen.swap(false, Ordering::AcqRel) {
                match open() {
                    Ok(output) => self.output = output,
                    Err(error) => tracing::error!(
                        log = self.name,
                        %error,
                        "cannot open the log again; going on with the old one"
                    ),
                }
            }
            self.write(&batch);
            if self.orders.finish.load(Ordering::Acquire) {
                // Bounded, since whoever still logs could keep it from ever being empty.
                for batch in queue.try_iter().take(QUEUE_BATCHES) {
                    self.write(&batch);
                }
                return;
            }
        }
    }

    fn write(&mut self, batch: &Batch) {
        match self.output.write_all(&batch.bytes) {
            Ok(()) if batch.lines > 0 => self.failing = false,
            Ok(()) => {}
            Err(error) => {
                self.dropped.add(batch.lines);
                // Said once, not for every batch of a full disk.
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(log = self.name, %error, "cannot write the log; its lines are dropped");
                }
            }
        }
    }
}

/// How many batches may wait. With full batches of 16 KiB that is 4 MiB.
pub(crate) const QUEUE_BATCHES: usize = 256;

/// A log of clients' addresses is not for everybody to read.
const FILE_MODE: u32 = 0o640;
