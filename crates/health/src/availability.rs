//! Whether a server may take a request now: what was set by hand, what checks say and how its breaker stands, beside what
//! all of this is for the other servers of the upstream.
//!
//! | by hand | checks | breaker | the server takes |
//! |---|---|---|---|
//! | `down` | | | nothing |
//! | any | unhealthy | | nothing |
//! | any | unknown, and not of all | | nothing |
//! | any | | open | nothing |
//! | `up` | | half-open | trials |
//! | `up` | | closed | everything |
//! | `drain` | | closed or half-open | its own sessions only |
//!
//! Two bounds keep this from doing harm. No more than a share of the servers is ejected: those whose breakers would eject
//! more take everything. And where no server is left, those that are `up` are tried all the same, where that is chosen.

use sluice_model::{Moment, Share};

use crate::breaker::BreakerState;
use crate::check::Verdict;

/// What was set for a server by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ByHand {
    /// It takes what it can.
    #[default]
    Up,
    /// It takes no new sessions; those it has are finished.
    Drain,
    /// It takes nothing.
    Down,
}

impl ByHand {
    /// The word for it, for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Down => "down",
        }
    }
}

/// All that is known of a server's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// What was set by hand.
    pub by_hand: ByHand,
    /// What checks say; [`Verdict::Healthy`] where there are none.
    pub verdict: Verdict,
    /// How its breaker stands; [`BreakerState::Closed`] where there is none.
    pub breaker: BreakerState,
}

/// What holds for an upstream as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `max-ejected`: the share of the servers that are `up`, rounded down, that breakers may eject. Servers that their
    /// checks call unhealthy use it up first: what counts is who is left.
    pub max_ejected: Share,
    /// `when-all-down`
    pub when_all_down: WhenAllDown,
}

/// What becomes of requests when no server can take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenAllDown {
    /// `fail-open`: servers are tried all the same, the healthiest first.
    FailOpen,
    /// `fail-closed`: they are refused.
    FailClosed,
}

/// What a server takes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everything. Where its breaker gives no leave ([`crate::Breaker::try_enter`]), a request goes without.
    All,
    /// Requests that its breaker gives leave to, and no others.
    Trials,
    /// What belongs to sessions that it has.
    Sessions,
    /// All is down: everything, where no server that comes before it ([`Ord`]) is left to try.
    LastResort(LastResort),
    /// Nothing.
    Nothing,
}

impl Admission {
    /// The word for it, for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "requests",
            Self::Trials => "trials",
            Self::Sessions => "sessions",
            Self::LastResort(_) => "last-resort",
            Self::Nothing => "nothing",
        }
    }
}

/// Why a server is no better than a last resort, the healthiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LastResort {
    /// Its breaker is half-open and all trials are under way.
    HalfOpen,
    /// It was not checked yet.
    Unknown,
    /// Its breaker is open.
    Ejected,
    /// Checks say so.
    Unhealthy,
}

/// What decides for all servers of an upstream, by the signs of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Whether those that are up are all unknown: then that is no reason to leave them out.
    all_unknown: bool,
    /// Of those that breakers eject, the last that may take everything.
    last_spared: Option<Ejection>,
    /// Whether last resorts are tried.
    fails_open: bool,
    is_all_down: bool,
}

impl Census {
    /// Counts all servers of an upstream, backups too. Their order is what [`Self::admission`] is asked by.
    pub fn of(servers: &[Signs], bounds: Bounds) -> Self {
        let up = || {
            let all = servers.iter().enumerate();
            all.filter(|(_, signs)| signs.by_hand == ByHand::Up)
        };
        let mut census = Self {
            all_unknown: up().all(|(_, signs)| signs.verdict == Verdict::Unknown),
            last_spared: None,
            fails_open: false,
            is_all_down: false,
        };
        let mut ejections: Vec<_> = up()
            .filter(|(_, signs)| !census.is_sick(signs))
            .filter_map(|(index, signs)| Ejection::of(index, signs))
            .collect();
        let is_unhealthy = |(_, signs): &(usize, &Signs)| signs.verdict == Verdict::Unhealthy;
        let unhealthy = up().filter(is_unhealthy).count();
        let allowed = bounds.max_ejected.of(up().count());
        let allowed = allowed.saturating_sub(unhealthy);
        // Those that stay open for the longest have failed most often: the others are spared.
        ejections.sort_unstable();
        let spared = ejections.len().saturating_sub(allowed);
        let last = spared.checked_sub(1);
        census.last_spared = last.and_then(|last| ejections.get(last).copied());

        census.is_all_down = !up().any(|(index, signs)| {
            let admission = census.admission(index, signs);
            matches!(admission, Admission::All | Admission::Trials)
        });
        census.fails_open = census.is_all_down && bounds.when_all_down == WhenAllDown::FailOpen;
        census
    }

    /// Whether no server can take a new request as it should be.
    pub fn is_all_down(&self) -> bool {
        self.is_all_down
    }

    /// What the server of that index takes, its signs being `signs`: those that it was counted with, or newer ones.
    pub fn admission(&self, index: usize, signs: &Signs) -> Admission {
        let regular = match self.last_resort(index, signs) {
            None if matches!(signs.breaker, BreakerState::HalfOpen { .. })
                && !self.is_spared(index, signs) =>
            {
                Admission::Trials
            }
            None => Admission::All,
            Some(reason) if self.fails_open => Admission::LastResort(reason),
            Some(_) => Admission::Nothing,
        };
        match (signs.by_hand, regular) {
            (ByHand::Up, regular) => regular,
            (ByHand::Drain, Admission::All | Admission::Trials) => Admission::Sessions,
            (ByHand::Drain | ByHand::Down, _) => Admission::Nothing,
        }
    }

    /// Why it should not take a request, whatever was set by hand.
    fn last_resort(&self, index: usize, signs: &Signs) -> Option<LastResort> {
        if self.is_sick(signs) {
            return Some(match signs.verdict {
                Verdict::Unhealthy => LastResort::Unhealthy,
                Verdict::Unknown | Verdict::Healthy => LastResort::Unknown,
            });
        }
        if self.is_spared(index, signs) {
            return None;
        }
        match signs.breaker {
            BreakerState::Open { .. } => Some(LastResort::Ejected),
            BreakerState::HalfOpen { free: 0 } => Some(LastResort::HalfOpen),
            BreakerState::HalfOpen { .. } | BreakerState::Closed => None,
        }
    }

    /// Whether checks keep it out.
    fn is_sick(&self, signs: &Signs) -> bool {
        match signs.verdict {
            Verdict::Healthy => false,
            Verdict::Unknown => !self.all_unknown,
            Verdict::Unhealthy => true,
        }
    }

    /// Whether too many are ejected for this one to be.
    fn is_spared(&self, index: usize, signs: &Signs) -> bool {
        signs.by_hand == ByHand::Up
            && Ejection::of(index, signs)
                .zip(self.last_spared)
                .is_some_and(|(this, last)| this <= last)
    }
}

/// That a breaker keeps requests from a server: until when, zero where trials have begun; and which server it is, so that no
/// two are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ejection {
    until: Moment,
    index: usize,
}

impl Ejection {
    fn of(index: usize, signs: &Signs) -> Option<Self> {
        let until = match signs.breaker {
            BreakerState::Closed => return None,
            BreakerState::Open { until } => until,
            BreakerState::HalfOpen { .. } => Moment::default(),
        };
        Some(Self { until, index })
    }
}

#[cfg(test)]
mod tests;
