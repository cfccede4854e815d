//! Clients that are too slow: in sending a body (`min-body-rate`) or in taking an answer (`min-read-rate`).
//!
//! It is looked at only where the exchange waits for its client anyway, and costs no timer: the exchange's one deadline stands at
//! the earlier of two moments, and who finds it passed asks which of them it was.

use std::num::NonZeroU32;
use std::task::{Context, Poll};
use std::time::Instant;

use sluice_health::Pace;
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;

use super::{Answering, Exchange, Fault, Sending};

/// How a client keeps up, once it was waited for.
pub(super) struct Paces {
    body: Option<Pace>,
    read: Option<Pace>,
    /// When what stands still is given up, however fast it was before.
    still: Instant,
    /// Where the deadline was set for the client's pace.
    set: Instant,
}

impl Exchange<'_> {
    /// Ready when nothing has happened for too long, and with a fault where it is the client that is too slow.
    pub(super) fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let rates = self.request.min_rates;
        if rates.body.is_none() && rates.read.is_none() {
            return self.downstream.deadline.poll(cx).map(Ok);
        }
        self.keep_pace(false);
        while self.downstream.deadline.poll(cx).is_ready() {
            self.keep_pace(true);
            if let Some(word) = self.too_slow() {
                return Poll::Ready(Err(self.given_up(word)));
            }
            let is_still = self
                .paces
                .as_ref()
                .is_none_or(|paces| Instant::now() >= paces.still);
            if is_still {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Notes what was moved and who is waited for, where that has changed or the deadline `is_due`, and sets the deadline by it.
    fn keep_pace(&mut self, is_due: bool) {
        let rates = self.request.min_rates;
        let body_waits = rates.body.is_some() && self.waits_for_body();
        let read_waits = rates.read.is_some() && self.waits_for_reader();
        if self.paces.is_none() && !body_waits && !read_waits {
            return;
        }
        let now = Instant::now();
        let at = self.downstream.deadline.at();
        let mut paces = self.paces.take().unwrap_or_else(|| {
            Box::new(Paces {
                body: None,
                read: None,
                still: at,
                set: at,
            })
        });
        // Somebody else has set it.
        if at != paces.set {
            paces.still = at;
        }
        if let Some(rate) = rates.body {
            let moved = self.request.body.streamed();
            if is_due && self.downstream.stream.is_held_back() {
                // It may have been for long.
                paces.body = None;
            }
            look(&mut paces.body, rate, now, moved, body_waits);
        }
        if let Some(rate) = rates.read {
            let sent = match &self.answer {
                Answering::Body(relay) => relay.sent(),
                Answering::Head { .. } => 0,
            };
            let was_waited_for = paces.read.as_ref().is_some_and(Pace::is_waited_for);
            if was_waited_for || read_waits {
                let held = self.downstream.stream.unacknowledged() as u64;
                let taken = sent.saturating_sub(held);
                look(&mut paces.read, rate, now, taken, read_waits);
            }
        }
        paces.set = [&paces.body, &paces.read]
            .into_iter()
            .filter_map(|pace| pace.as_ref()?.too_slow_at())
            .fold(paces.still, Instant::min);
        self.downstream.deadline.set(paces.set);
        self.paces = Some(paces);
    }

    /// Whether it is the client that the request's body waits for. Once the answer has begun, both sides go on as they please.
    fn waits_for_body(&self) -> bool {
        let body = &self.request.body;
        matches!(&self.answer, Answering::Head { .. })
            && self.sending == Sending::Body
            && !body.is_received()
            && !body.waits_for_target()
            && !self.is_held_up()
            && !self.downstream.stream.is_held_back()
    }

    /// Whether there is a part of the answer that the client does not take.
    fn waits_for_reader(&self) -> bool {
        matches!(&self.answer, Answering::Body(relay) if relay.waits_for_target())
    }

    fn too_slow(&self) -> Option<BadRequest> {
        let paces = self.paces.as_ref()?;
        let is_slow = |pace: &Option<Pace>| pace.as_ref().is_some_and(Pace::is_too_slow);
        if is_slow(&paces.body) {
            Some(BadRequest::BodyRate)
        } else {
            is_slow(&paces.read).then_some(BadRequest::ReadRate)
        }
    }

    fn given_up(&mut self, word: BadRequest) -> Fault {
        self.trip.tick();
        let mut fault = self.fault(End::ClientTimeout);
        fault.refused = Some((408, word));
        // Nobody can be told once the answer has begun. It is counted all the same.
        self.trip.refused = Some(word);
        // What the kernel holds for somebody who does not take it is let go too.
        fault.truncation_hidden = true;
        fault
    }
}

/// Looks at a pace, which begins when somebody is waited for.
fn look(pace: &mut Option<Pace>, rate: NonZeroU32, now: Instant, moved: u64, waits: bool) {
    if let Some(pace) = pace {
        if pace.is_waited_for() || waits {
            pace.look(now, moved, waits);
        }
    } else if waits {
        let mut new = Pace::new(rate, moved);
        new.look(now, moved, true);
        *pace = Some(new);
    }
}
