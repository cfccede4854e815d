//! Which of an upstream's servers a worker may send requests to, while not all of them are well.
//!
//! As long as all are, [`Gate::is_open`] is one look at an atomic, and nothing else here is asked. Otherwise a census of the
//! servers says what each takes. It is taken again with each change, and after a few milliseconds, as breakers change by
//! time too.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_balance::{Load, Servers};
use sluice_config::plan::Upstream;
use sluice_health::{Admission, Bounds, BreakerState, Census, LastResort, Signs};
use sluice_model::{Moment, Share};

use crate::fate::{Breaking, Leave};
use crate::lane::Lane;
use crate::standing::Standing;

/// What a worker knows of who may take a request.
#[derive(Debug)]
pub(crate) struct Gate {
    /// `None` where there are no servers.
    standing: Option<Arc<Standing>>,
    breaking: Option<Rc<Breaking>>,
    bounds: Bounds,
    seen: RefCell<Seen>,
}

/// What was seen of the servers when they were last looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    /// As [`Standing::amiss`] said.
    change: u64,
    until: Moment,
    signs: Vec<Signs>,
    admissions: Vec<Admission>,
    is_all_down: bool,
    fails_open: bool,
}

/// Which servers are looked at for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Those that may take it.
    Regular,
    /// All is down: those that are tried all the same, of this kind.
    LastResort(LastResort),
}

impl Gate {
    pub(crate) fn new(settings: &Upstream, lanes: &[Rc<Lane>]) -> Self {
        let breaker = settings.circuit_breaker.as_ref();
        if breaker.is_none() {
            for lane in lanes {
                lane.endpoint().health().close_breaker();
            }
        }
        Self {
            standing: lanes
                .first()
                .map(|lane| Arc::clone(lane.endpoint().health().standing())),
            breaking: breaker.map(|breaker| Rc::new(Breaking::new(&settings.name, breaker))),
            bounds: bounds(settings),
            seen: RefCell::new(Seen::nothing()),
        }
    }

    /// Whether all servers are well.
    pub(crate) fn is_open(&self) -> bool {
        self.amiss().is_none()
    }

    /// Leave of the server's breaker, where there is one and it gives it.
    pub(crate) fn leave(&self, lane: &Lane, now: Moment) -> Option<Leave> {
        let breaking = self.breaking.as_ref()?;
        Leave::of(breaking, lane, now)
    }

    /// What there is to be seen of the servers now.
    pub(crate) fn look(&self, lanes: &[Rc<Lane>], now: Moment) -> Ref<'_, Seen> {
        let change = self.amiss().unwrap_or_default();
        let is_new = {
            let seen = self.seen.borrow();
            seen.change == change && now < seen.until
        };
        if !is_new {
            let mut seen = self.seen.borrow_mut();
            seen.look_again(lanes, now, self);
            seen.change = change;
        }
        self.seen.borrow()
    }

    /// Whether the server may take a request, or is tried all the same.
    pub(crate) fn admits(&self, lanes: &[Rc<Lane>], position: usize, now: Moment) -> bool {
        if self.is_open() {
            return true;
        }
        match self.look(lanes, now).admission(position) {
            Admission::All | Admission::Trials | Admission::LastResort(_) => true,
            Admission::Sessions | Admission::Nothing => false,
        }
    }

    /// Whether a request that was given a place at the server may go there; with leave of its breaker, where that gives it.
    #[expect(
        clippy::option_option,
        reason = "the outer says whether, the inner by what leave"
    )]
    pub(crate) fn enter(
        &self,
        lanes: &[Rc<Lane>],
        position: usize,
        now: Moment,
    ) -> Option<Option<Leave>> {
        if !self.admits(lanes, position, now) {
            return None;
        }
        let leave = self.leave(lanes.get(position)?, now);
        let needs_leave =
            !self.is_open() && self.look(lanes, now).admission(position) == Admission::Trials;
        (leave.is_some() || !needs_leave).then_some(leave)
    }

    /// Where requests are refused because no server is well: how long until the first breaker lets trials in, zero where no
    /// breaker is the reason.
    pub(crate) fn refuses_for(&self, lanes: &[Rc<Lane>], now: Moment) -> Option<Duration> {
        if self.is_open() {
            return None;
        }
        let seen = self.look(lanes, now);
        if !seen.is_all_down || seen.fails_open {
            return None;
        }
        let waits = seen.signs.iter().filter_map(|signs| match signs.breaker {
            BreakerState::Open { until } => Some(until.since(now)),
            BreakerState::HalfOpen { .. } | BreakerState::Closed => None,
        });
        Some(waits.min().unwrap_or_default())
    }

    fn amiss(&self) -> Option<u64> {
        self.standing.as_ref()?.amiss()
    }
}

impl Seen {
    fn nothing() -> Self {
        Self {
            change: 0,
            until: Moment::default(),
            signs: Vec::new(),
            admissions: Vec::new(),
            is_all_down: false,
            fails_open: false,
        }
    }

    #[cold]
    fn look_again(&mut self, lanes: &[Rc<Lane>], now: Moment, gate: &Gate) {
        let breaking = gate.breaking.as_deref();
        let settings = breaking.map(Breaking::settings);
        self.signs.clear();
        self.signs.extend(
            lanes
                .iter()
                .map(|lane| lane.endpoint().health().signs(now, settings)),
        );
        let census = Census::of(&self.signs, gate.bounds);
        self.is_all_down = census.is_all_down();
        self.admissions.clear();
        self.admissions.extend(
            self.signs
                .iter()
                .enumerate()
                .map(|(index, signs)| census.admission(index, signs)),
        );
        self.fails_open = self
            .admissions
            .iter()
            .any(|admission| matches!(admission, Admission::LastResort(_)));
        self.until = now + LOOKED_AT_EVERY;
    }

    pub(crate) fn admission(&self, position: usize) -> Admission {
        let known = self.admissions.get(position).copied();
        known.unwrap_or(Admission::Nothing)
    }

    /// The ranks in which servers are looked at, one after the other.
    pub(crate) fn ranks(&self) -> &'static [Rank] {
        if self.fails_open {
            &RANKS
        } else {
            RANKS.get(..1).unwrap_or_default()
        }
    }
}

/// The servers of `servers` that a request of this rank may go to.
pub(crate) struct Admitted<'a, S> {
    pub(crate) servers: S,
    pub(crate) lanes: &'a [Rc<Lane>],
    pub(crate) gate: &'a Gate,
    pub(crate) seen: &'a Seen,
    pub(crate) rank: Rank,
    pub(crate) now: Moment,
}

impl<S: Servers> Servers for Admitted<'_, S> {
    fn is_eligible(&self, server: usize) -> bool {
        let is_admitted = match (self.seen.admission(server), self.rank) {
            (Admission::All, Rank::Regular) => true,
            (Admission::Trials, Rank::Regular) => self.has_trial(server),
            (Admission::LastResort(reason), Rank::LastResort(rank)) => reason == rank,
            _ => false,
        };
        is_admitted && self.servers.is_eligible(server)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.servers.load(server)
    }
}

impl<S> Admitted<'_, S> {
    /// Trials are taken faster than servers are looked at.
    fn has_trial(&self, server: usize) -> bool {
        let (Some(lane), Some(breaking)) = (self.lanes.get(server), &self.gate.breaking) else {
            return false;
        };
        let signs = lane
            .endpoint()
            .health()
            .signs(self.now, Some(breaking.settings()));
        match signs.breaker {
            BreakerState::Closed => true,
            BreakerState::HalfOpen { free } => free > 0,
            BreakerState::Open { .. } => false,
        }
    }
}

/// What holds for an upstream as a whole.
pub fn bounds(settings: &Upstream) -> Bounds {
    let breaker = settings.circuit_breaker.as_ref();
    Bounds {
        max_ejected: breaker.map_or(Share::ALL, |breaker| breaker.max_ejected),
        when_all_down: settings.when_all_down,
    }
}

/// How long what was seen is good for: breakers change by time.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(5);
static RANKS: [Rank; 5] = [
    Rank::Regular,
    Rank::LastResort(LastResort::HalfOpen),
    Rank::LastResort(LastResort::Unknown),
    Rank::LastResort(LastResort::Ejected),
    Rank::LastResort(LastResort::Unhealthy),
];
