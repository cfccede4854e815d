//! Hedged requests: while the first server keeps the answer to itself, the same request goes to another one. Whose head comes
//! first serves the client; the others are cancelled.
//!
//! ```text
//!   exchange ── sent, no byte of an answer, time is up ──► Hedge::take_due, find_place
//!      ▲                                                          │ Slow: set aside
//!      │ the winner, with the head that came                      ▼
//!      └───────────────────────── race ◄── contenders: the first server, and those asked since
//! ```
//!
//! Nothing of this is in the future of a request that is not hedged but a pointer.

mod contender;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sluice_config::plan::{Hedge as Settings, HedgeAfter};
use sluice_telemetry::End;
use sluice_upstream::{Asked, Cluster, Connection, Fate, Hedging, InFlight};

use self::contender::{Contender, Request, Winner};
use super::exchange::{Answered, Ended, Exchange};
use super::failure::Failure;
use super::forward::{self, Outcome};
use super::outgoing::Outgoing;
use super::serve::Downstream;
use crate::trip::Trip;

/// What is known of a request that may be hedged.
pub(super) struct Hedge {
    settings: Settings,
    /// Since when the answer is awaited.
    since: Option<Instant>,
    /// Until when the server that was asked first is waited for.
    patience: Instant,
    /// After what time another one is asked; `None` where that is not known.
    after: Option<Duration>,
    /// When the next one is asked.
    due: Option<Instant>,
    /// How many more may be.
    left: u8,
    /// Where the next one is.
    next: Option<Place>,
}

/// A place for a hedge.
struct Place {
    place: InFlight,
    hedging: Hedging,
}

/// A server that has got the request and has not said anything.
pub(super) struct Slow {
    pub(super) server: Box<Connection>,
    /// Whether the connection had served others before.
    pub(super) is_kept: bool,
    /// When the request was sent on it.
    pub(super) started: Instant,
}

/// What came of a hedged request, at the server that decided about it.
pub(super) struct Finished {
    pub(super) place: InFlight,
    /// When that was asked.
    pub(super) started: Instant,
    pub(super) outcome: Outcome,
}

impl Hedge {
    pub(super) fn new(settings: Settings, now: Instant) -> Box<Self> {
        Box::new(Self {
            settings,
            since: None,
            patience: now,
            after: None,
            due: None,
            left: 0,
            next: None,
        })
    }

    /// The answer is awaited from now on, until `patience` at most. Returns when there is something to be done about it.
    pub(super) fn begin(&mut self, now: Instant, patience: Instant, cluster: &Cluster) -> Instant {
        self.since = Some(now);
        self.patience = patience;
        self.left = self.settings.max;
        self.after = match self.settings.after {
            HedgeAfter::Fixed(after) => Some(after),
            HedgeAfter::Percentile(percentile) => cluster
                .response_time(percentile)
                .map(|time| time.max(SOONEST)),
        };
        self.due = self
            .after
            .map(|after| now + after)
            .filter(|due| *due < patience);
        self.due.unwrap_or(patience)
    }

    /// The request was answered, and not by an error.
    pub(super) fn answered(&self, now: Instant, cluster: &Cluster) {
        if let Some(since) = self.since {
            cluster.took(now.saturating_duration_since(since));
        }
    }

    /// Whether another server was asked as well.
    pub(super) fn is_hedged(&self) -> bool {
        self.since.is_some() && self.left < self.settings.max
    }

    /// The time has come to ask another server: says until when the first is waited for. `None` where it was another time that
    /// has come.
    pub(super) fn take_due(&mut self) -> Option<Instant> {
        self.due.take().map(|_| self.patience)
    }
}

/// Whether there is a place at another server for the request now, and the upstream bears it.
pub(super) fn find_place(request: &mut Outgoing, now: Instant) -> bool {
    let cluster = &request.cluster;
    let Some(hedge) = &mut request.hedge else {
        return false;
    };
    hedge.left = hedge.left.saturating_sub(1);
    let settings = hedge.settings;
    let Some(hedging) = cluster.begin_hedge(settings.budget, settings.budget_floor) else {
        cluster.metrics().hedges_denied.increment();
        return false;
    };
    let asked = Asked {
        now,
        key: request.key,
        priority: request.priority,
        is_request: true,
        home: None,
    };
    let place = cluster.pick(&mut request.tries.tried, asked);
    request.tries.servers_were_picked(cluster);
    hedge.next = place.map(|place| Place { place, hedging });
    hedge.next.is_some()
}

/// Asks others for what a server is slow to answer, and passes on what comes first.
pub(super) async fn run(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &mut Outgoing,
    place: InFlight,
    slow: Slow,
) -> Finished {
    let patience = request.hedge.as_ref().map_or(trip.now, |one| one.patience);
    let mut race = Race {
        cluster: Rc::clone(&request.cluster),
        contenders: vec![Contender::of_slow(place, slow, patience)],
        downstream,
        trip,
        request,
    };
    race.enter_next();
    let end = poll_fn(|cx| race.poll(cx)).await;
    let won = match end {
        RaceEnd::Won(won) => won,
        RaceEnd::Lost(last, failure) => {
            trip.lane = Some(Rc::clone(last.place.lane()));
            return Finished {
                started: last.started,
                place: last.place,
                outcome: Outcome::Failed(failure),
            };
        }
    };
    race.call_off();
    pass_on(downstream, trip, request, won).await
}

/// Passes on the answer of the server whose head was the first.
async fn pass_on(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &mut Outgoing,
    won: Winner,
) -> Finished {
    let Winner {
        place,
        // The upstream bears it until the end.
        hedging,
        started,
        until,
        mut server,
        is_sent,
        answer,
    } = won;
    let cluster = Rc::clone(&request.cluster);
    if hedging.is_some() {
        cluster.metrics().hedges_won.increment();
    }
    trip.lane = Some(Rc::clone(place.lane()));
    downstream.guard.uses(Some(place.lane()));
    downstream.deadline.set(until);
    let answered = Answered {
        started,
        is_sent,
        bytes: answer,
    };
    let exchange = Exchange::resume(downstream, &mut server.stream, request, trip, answered);
    let outcome = match exchange.finish().await {
        Ok(Ended::Complete {
            reusable,
            keep_alive,
        }) => {
            if reusable {
                cluster.keep(place.lane(), server, trip.now);
            }
            Outcome::Done(forward::after_answer(keep_alive, request))
        }
        Ok(Ended::Switched(for_client)) => Outcome::Switched(server, for_client),
        // Never: it has answered.
        Ok(Ended::Slow) => Outcome::Failed(Failure::for_good(End::Internal)),
        Err(fault) => {
            if let Some(word) = fault.server {
                place.lane().metrics().response_failures.increment(word);
            }
            Outcome::Failed(fault.into())
        }
    };
    Finished {
        place,
        started,
        outcome,
    }
}

/// Servers that work on the same request.
struct Race<'a> {
    cluster: Rc<Cluster>,
    /// In the order in which they were asked. There is one at least.
    contenders: Vec<Contender>,
    downstream: &'a mut Downstream,
    trip: &'a mut Trip,
    request: &'a mut Outgoing,
}

enum RaceEnd {
    Won(Winner),
    /// All have failed: the last of them, which nobody was told of yet.
    Lost(Contender, Failure),
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RaceEnd> {
        loop {
            if let Some(end) = self.poll_contenders(cx) {
                return Poll::Ready(end);
            }
            if self.downstream.is_gone(cx) {
                let gone = Failure::for_good(End::ClientClosed);
                return Poll::Ready(RaceEnd::Lost(self.contenders.swap_remove(0), gone));
            }
            self.downstream.deadline.set(self.next_moment());
            if self.downstream.deadline.poll(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(end) = self.time_is_up() {
                return Poll::Ready(end);
            }
        }
    }

    /// Has each do what it can; says how the race has ended, if it has.
    fn poll_contenders(&mut self, cx: &mut Context<'_>) -> Option<RaceEnd> {
        let mut position = 0;
        while let Some(contender) = self.contenders.get_mut(position) {
            let request = Request {
                outgoing: self.request,
                worker: &self.downstream.worker,
                cluster: &self.cluster,
                now: self.trip.now,
            };
            match contender.poll(cx, &request) {
                Poll::Pending => position += 1,
                Poll::Ready(Ok(status)) => {
                    // Another may do better than with what would be tried again.
                    let is_wanted = !self.request.tries.retry.statuses.contains(status);
                    if is_wanted {
                        return self.wins(position);
                    }
                    position += 1;
                }
                Poll::Ready(Err(failure)) => {
                    if let Some(end) = self.drop_out(position, failure) {
                        return Some(end);
                    }
                }
            }
        }
        self.is_decided()
    }

    /// All that are left have answered, by what is not wanted of any: then the first counts.
    fn is_decided(&mut self) -> Option<RaceEnd> {
        let is_over = self.contenders.iter().all(Contender::has_answered);
        if is_over { self.wins(0) } else { None }
    }

    fn wins(&mut self, position: usize) -> Option<RaceEnd> {
        let winner = self.contenders.remove(position).into_winner();
        winner.map(RaceEnd::Won)
    }

    /// One has failed. The race goes on while there are others.
    fn drop_out(&mut self, position: usize, failure: Failure) -> Option<RaceEnd> {
        let now = self.trip.tick();
        let failed = self.contenders.remove(position);
        if self.contenders.is_empty() {
            return Some(RaceEnd::Lost(failed, failure));
        }
        forward::settle(&self.cluster, &failed.place, now, failed.started, &failure);
        None
    }

    /// When somebody's time is up, or another server is to be asked.
    fn next_moment(&self) -> Instant {
        let waited_for = self.contenders.iter().filter(|one| !one.has_answered());
        let ends = waited_for.map(|one| one.until);
        let due = self.request.hedge.as_ref().and_then(|hedge| hedge.due);
        ends.chain(due).min().unwrap_or(self.trip.now)
    }

    fn time_is_up(&mut self) -> Option<RaceEnd> {
        let now = self.trip.tick();
        let mut position = 0;
        while let Some(contender) = self.contenders.get(position) {
            if contender.has_answered() || contender.until > now {
                position += 1;
                continue;
            }
            let failure = contender.timed_out(self.request.tries.has_time(now));
            if let Some(end) = self.drop_out(position, failure) {
                return Some(end);
            }
        }
        let hedge = self.request.hedge.as_mut();
        let is_due = hedge.is_some_and(|hedge| hedge.due.take_if(|due| *due <= now).is_some());
        if is_due && find_place(self.request, now) {
            self.enter_next();
        }
        None
    }

    /// Another server joins, where a place was found for it; and the next one has its time.
    fn enter_next(&mut self) {
        let now = self.trip.now;
        let Some(hedge) = &mut self.request.hedge else {
            return;
        };
        hedge.due = match hedge.after {
            Some(after) if hedge.left > 0 => Some(now + after),
            _ => None,
        };
        let Some(next) = hedge.next.take() else {
            return;
        };
        // Who gets it only now has less time; but a head that is half sent is not changed.
        if let Some(call) = self.request.call
            && self.contenders.iter().all(Contender::is_sent)
        {
            call.tell(now, &mut self.request.bytes);
        }
        self.trip.attempts += 1;
        self.cluster.metrics().hedges.increment();
        let until = self.request.tries.answer_deadline(now);
        let contender = Contender::enter(
            next,
            &self.cluster,
            self.downstream,
            self.request.need,
            now,
            until,
        );
        self.contenders.push(contender);
    }

    /// One has won: those that are still at it are cancelled.
    fn call_off(&mut self) {
        let now = self.trip.tick();
        let after = self.request.hedge.as_ref().and_then(|hedge| hedge.after);
        for lost in self.contenders.drain(..) {
            let waited = now.saturating_duration_since(lost.started);
            if let Some(status) = lost.status() {
                let after = waited;
                lost.place.ended(now, Fate::Answered { status, after });
                self.cluster.ended(lost.place.lane(), now, status >= 500);
                continue;
            }
            lost.place.ended(now, Fate::Cancelled { after: waited });
            // Who had no time to answer looks no slower for it.
            if after.is_some_and(|after| waited >= after) && lost.is_sent() {
                self.cluster.gave_way(lost.place.lane(), now, waited);
            }
        }
    }
}

/// However fast a server is: below this the timer would decide.
const SOONEST: Duration = Duration::from_millis(1);
