//! A thread beside each worker, for what takes so long that nobody else may wait for it: to check a password takes tens of
//! milliseconds, and is meant to.

use std::cell::OnceCell;
use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::oneshot;

/// The thread, once it is needed. It ends with the worker.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    queue: OnceCell<SyncSender<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Aside {
    /// Has `work` done, after what was asked for before; `None` where that is too much already. What nobody waits for any more is
    /// left out.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        if self.queue.get().is_none() {
            let _ = self.queue.set(start()?);
        }
        let (done, outcome) = oneshot::channel();
        let job = Box::new(move || {
            if !done.is_closed() {
                // Whoever waited may have gone meanwhile.
                let _ = done.send(work());
            }
        });
        self.queue.get()?.try_send(job).ok()?;
        Some(outcome)
    }
}

fn start() -> Option<SyncSender<Job>> {
    let (queue, jobs) = sync_channel::<Job>(MOST_WAITING);
    std::thread::Builder::new()
        .name("passwords".to_owned())
        .spawn(move || jobs.into_iter().for_each(|job| job()))
        .inspect_err(|error| tracing::error!(%error, "no thread to check passwords"))
        .ok()?;
    Some(queue)
}

/// With a bcrypt cost of 10, the last of them waits for some seconds.
const MOST_WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_and_what_nobody_waits_for_left_out() {
        let aside = Aside::default();
        let (open, gate) = sync_channel::<()>(1);
        let (begun, has_begun) = sync_channel(1);
        let first = aside.run(move || {
            begun.send(()).expect("begun");
            gate.recv().expect("opened");
            1
        });
        has_begun.recv().expect("begun");
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|number| aside.run(move || number))
            .collect();
        assert!(waiting.iter().all(Option::is_some));
        assert!(aside.run(|| 0).is_none());
        let mut waiting = waiting.into_iter().flatten();
        drop(waiting.next());
        open.send(()).expect("open");
        assert_eq!(first.expect("a place").blocking_recv(), Ok(1));
        let numbers: Vec<_> = waiting
            .map(|one| one.blocking_recv().expect("done"))
            .collect();
        assert_eq!(numbers, (1..MOST_WAITING).collect::<Vec<_>>());
    }
}
