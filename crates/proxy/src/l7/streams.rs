//! What connections that carry many requests beside each other have in common: a task for each stream, and what the
//! streams leave behind for whoever looks after the connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sluice_http::Scratch;
use sluice_http::exchange::{Progress, RequestBody};

use super::pipeline;
use super::serve::Downstream;
use crate::connections::{Activity, Guard};
use crate::deadline::Deadline;

/// What the streams of a connection leave behind.
pub(super) struct Shared {
    pub(super) guard: Guard,
    /// Those under way.
    streams: Cell<usize>,
    /// When the last of them ended.
    emptied: Cell<Instant>,
    answered: Cell<u64>,
    /// Those that the client reset before they were answered.
    abandoned: Cell<u64>,
    spare: RefCell<Vec<Deadline>>,
}

impl Shared {
    /// Of the connection that `guard` stands for, which is idle.
    pub(super) fn new(guard: Guard) -> Rc<Self> {
        guard.set_activity(Activity::Idle);
        Rc::new(Self {
            guard,
            streams: Cell::new(0),
            emptied: Cell::new(Instant::now()),
            answered: Cell::new(0),
            abandoned: Cell::new(0),
            spare: RefCell::default(),
        })
    }

    /// When the last stream ended; `None` where any is under way.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.streams.get() == 0).then(|| self.emptied.get())
    }

    /// Whether the client makes us work for nothing: it resets what it asks for.
    pub(super) fn is_misused(&self) -> bool {
        let abandoned = self.abandoned.get();
        abandoned > MOST_ABANDONED && abandoned > self.answered.get()
    }

    /// A deadline of a stream that has ended, or a new one: the timer in it is an allocation.
    pub(super) fn deadline(&self) -> Deadline {
        let spare = self.spare.borrow_mut().pop();
        spare.unwrap_or_else(|| Deadline::new(Instant::now() + FRESH))
    }
}

/// A stream's place on its connection; left when dropped.
pub(super) struct Place {
    shared: Rc<Shared>,
    progress: Rc<Cell<Progress>>,
}

impl Place {
    pub(super) fn new(shared: &Rc<Shared>, progress: Rc<Cell<Progress>>) -> Self {
        let before = shared.streams.get();
        shared.streams.set(before + 1);
        if before == 0 {
            shared.guard.set_activity(Activity::Busy);
        }
        Self {
            shared: Rc::clone(shared),
            progress,
        }
    }

    /// How many others are under way on the connection.
    pub(super) fn beside(&self) -> usize {
        self.shared.streams.get().saturating_sub(1)
    }

    fn keep(&self, mut deadline: Deadline) {
        let mut spare = self.shared.spare.borrow_mut();
        if spare.len() < SPARE {
            deadline.handed_over();
            spare.push(deadline);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = &self.shared;
        match self.progress.get() {
            Progress::Answered => shared.answered.set(shared.answered.get() + 1),
            Progress::Abandoned => shared.abandoned.set(shared.abandoned.get() + 1),
            Progress::UnderWay => {}
        }
        let left = shared.streams.get().saturating_sub(1);
        shared.streams.set(left);
        if left == 0 {
            shared.emptied.set(Instant::now());
            shared.guard.set_activity(Activity::Idle);
        }
    }
}

/// Serves one request.
pub(super) async fn serve(mut downstream: Downstream, kind: RequestBody, place: Place) {
    if matches!(kind, RequestBody::AsIs | RequestBody::Chunked) {
        poll_fn(|cx| {
            take_what_is_here(&mut downstream, cx);
            Poll::Ready(())
        })
        .await;
    }
    // Whatever becomes of a connection of HTTP/1.1 after it: here the stream ends with its request.
    let _ = Box::pin(pipeline::run(&mut downstream, 0)).await;
    downstream.deadline.set(Instant::now() + LAST_BYTES);
    poll_fn(|cx| match downstream.stream.poll_shutdown(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => downstream.deadline.poll(cx),
    })
    .await;
    let Downstream {
        stream,
        carry,
        deadline,
        worker,
        ..
    } = downstream;
    drop(stream);
    worker.buffers().give_back(carry);
    place.keep(deadline);
}

/// The beginning of a body has often come with the head: then both go on in one send.
fn take_what_is_here(downstream: &mut Downstream, cx: &mut Context<'_>) {
    let worker = Rc::clone(&downstream.worker);
    let mut scratch = worker.scratch();
    let mut room = Scratch::READ / 4;
    while room > 0 {
        let area = scratch.head_area().get_mut(..room).unwrap_or_default();
        // An error is met again.
        let Poll::Ready(Ok(count @ 1..)) = downstream.stream.poll_read(cx, area) else {
            return;
        };
        let metrics = downstream.guard.metrics();
        metrics.bytes_received.add(count as u64);
        downstream.carry.extend_from_slice(scratch.received(count));
        room -= count;
    }
}

/// Requests that a client may reset before they are answered, until it is looked at how many it did not.
const MOST_ABANDONED: u64 = 100;
/// Timers kept for the streams to come.
const SPARE: usize = 16;
/// Where a new timer stands until it is set.
const FRESH: Duration = Duration::from_secs(20);
/// How long a client may leave the end of an answer lie that fits into our buffers.
const LAST_BYTES: Duration = Duration::from_secs(30);
