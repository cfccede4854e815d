//! One timer for the whole life of a connection.
//!
//! Every request moves its deadline several times, nearly always to a later moment. Moving it later only stores the
//! moment; the timer wheel hears of it when the earlier moment has passed. So a request costs the wheel nothing.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Sleep, sleep_until};

/// A deadline that can be moved. Belongs to one task.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    armed: Instant,
    sleep: Pin<Box<Sleep>>,
    watched: bool,
}

impl Deadline {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            at,
            armed: at,
            sleep: Box::pin(sleep_until(at.into())),
            watched: false,
        }
    }

    /// Moves the deadline.
    pub(crate) fn set(&mut self, at: Instant) {
        self.at = at;
        if at < self.armed {
            self.arm(at);
        }
    }

    /// The moment that it was set to last.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Goes over to another task, which is to be woken from now on.
    pub(crate) fn handed_over(&mut self) {
        self.watched = false;
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.watched && !self.sleep.is_elapsed() {
                return Poll::Pending;
            }
            // A task that has used up its turn gets no answer from the timer, and is not noted there: the runtime polls it
            // again by itself, and the timer has to be asked then.
            let is_asked = has_budget_remaining();
            if self.sleep.as_mut().poll(cx).is_pending() {
                self.watched = is_asked;
                return Poll::Pending;
            }
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.arm(self.at);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.watched = false;
        self.sleep.as_mut().reset(at.into());
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("runtime")
            .block_on(test);
    }

    #[test]
    fn moved_later_it_waits_for_the_later_moment() {
        run(async {
            let start = Instant::now();
            let first = start + Duration::from_millis(5);
            let mut deadline = Deadline::new(first);
            let waits = poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await;
            assert!(waits || Instant::now() >= first);
            let later = start + Duration::from_millis(40);
            deadline.set(later);
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(Instant::now() >= later);
        });
    }

    #[test]
    fn moved_earlier_it_fires_at_the_earlier_moment() {
        run(async {
            let start = Instant::now();
            let mut deadline = Deadline::new(start + Duration::from_hours(1));
            assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await);
            deadline.set(start + Duration::from_millis(5));
            poll_fn(|cx| deadline.poll(cx)).await;
        });
    }

    #[test]
    fn a_task_that_used_up_its_turn_still_hears_of_it() {
        run(async {
            let start = Instant::now();
            let mut deadline = Deadline::new(start + Duration::from_millis(5));
            // A deadline is looked at last, after the bytes: a fast transfer has used up the task's turn by then.
            poll_fn(|cx| {
                while tokio::task::coop::poll_proceed(cx)
                    .map(|turn| turn.made_progress())
                    .is_ready()
                {}
                assert!(!has_budget_remaining());
                assert!(deadline.poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
            let guard = tokio::time::sleep(Duration::from_secs(20));
            tokio::select! {
                biased;
                () = poll_fn(|cx| deadline.poll(cx)) => {}
                () = guard => panic!("the deadline passed unheard"),
            }
        });
    }

    #[test]
    fn set_again_and_again_it_fires_once_at_the_last_moment() {
        run(async {
            let start = Instant::now();
            let mut deadline = Deadline::new(start + Duration::from_millis(3));
            for step in 1..=20 {
                deadline.set(start + Duration::from_millis(step));
                assert!(
                    poll_fn(|cx| Poll::Ready(deadline.poll(cx)))
                        .await
                        .is_pending()
                        || Instant::now() >= start + Duration::from_millis(step)
                );
            }
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(Instant::now() >= start + Duration::from_millis(20));
        });
    }
}
