//! A server's health, live: what was set by hand, what checks say, and its circuit breaker. Shared by all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use sluice_health::{
    Breaker, BreakerSettings, BreakerState, ByHand, Cause, Change, Outcome, Pass, Signs, Verdict,
};
use sluice_model::Moment;

use crate::standing::Standing;

/// A server's health. Whatever changes of it is told to the upstream's [`Standing`].
#[derive(Debug)]
pub(crate) struct Health {
    breaker: Breaker,
    by_hand: AtomicU8,
    verdict: AtomicU8,
    standing: Arc<Standing>,
}

impl Health {
    pub(crate) fn new(standing: Arc<Standing>, verdict: Verdict) -> Self {
        let health = Self {
            breaker: Breaker::default(),
            by_hand: AtomicU8::new(of_by_hand(ByHand::Up)),
            verdict: AtomicU8::new(of_verdict(Verdict::Healthy)),
            standing,
        };
        health.set_verdict(verdict);
        health
    }

    pub(crate) fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }

    pub(crate) fn by_hand(&self) -> ByHand {
        to_by_hand(self.by_hand.load(Ordering::Relaxed))
    }

    /// What was set before.
    pub(crate) fn set_by_hand(&self, state: ByHand) -> ByHand {
        let before = to_by_hand(self.by_hand.swap(of_by_hand(state), Ordering::Relaxed));
        if before != state {
            self.standing
                .changed(before == ByHand::Up, state == ByHand::Up);
        }
        before
    }

    pub(crate) fn verdict(&self) -> Verdict {
        to_verdict(self.verdict.load(Ordering::Relaxed))
    }

    /// What was said before.
    pub(crate) fn set_verdict(&self, verdict: Verdict) -> Verdict {
        let before = to_verdict(self.verdict.swap(of_verdict(verdict), Ordering::Relaxed));
        if before != verdict {
            self.standing
                .changed(before == Verdict::Healthy, verdict == Verdict::Healthy);
        }
        before
    }

    /// All of it; the breaker is closed where there are no settings of one.
    pub(crate) fn signs(&self, now: Moment, breaker: Option<&BreakerSettings>) -> Signs {
        Signs {
            by_hand: self.by_hand(),
            verdict: self.verdict(),
            breaker: breaker.map_or(BreakerState::Closed, |settings| {
                self.breaker.state(now, settings)
            }),
        }
    }

    /// Leave of the breaker for a request.
    pub(crate) fn try_enter(&self, now: Moment, settings: &BreakerSettings) -> Option<Pass> {
        self.breaker.try_enter(now, settings)
    }

    /// What became of a request that had leave; the change that it makes.
    pub(crate) fn record(
        &self,
        now: Moment,
        pass: Pass,
        outcome: Outcome,
        settings: &BreakerSettings,
    ) -> Option<Change> {
        let change = self.breaker.record(now, pass, outcome, settings)?;
        match change {
            Change::Opened {
                cause: Cause::FailedTrial | Cause::SlowTrials,
                ..
            } => self.standing.changed(false, false),
            Change::Opened { .. } => self.standing.changed(true, false),
            Change::Closed => self.standing.changed(false, true),
        }
        Some(change)
    }

    /// The upstream has no breakers any more: what was learned is forgotten.
    pub(crate) fn close_breaker(&self) {
        if self.breaker.reset() {
            self.standing.changed(false, true);
        }
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.set_by_hand(ByHand::Up);
        self.set_verdict(Verdict::Healthy);
        self.close_breaker();
    }
}

fn of_by_hand(state: ByHand) -> u8 {
    match state {
        ByHand::Up => 0,
        ByHand::Drain => 1,
        ByHand::Down => 2,
    }
}

fn to_by_hand(number: u8) -> ByHand {
    match number {
        0 => ByHand::Up,
        1 => ByHand::Drain,
        _ => ByHand::Down,
    }
}

fn of_verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Healthy => 0,
        Verdict::Unknown => 1,
        Verdict::Unhealthy => 2,
    }
}

fn to_verdict(number: u8) -> Verdict {
    match number {
        0 => Verdict::Healthy,
        1 => Verdict::Unknown,
        _ => Verdict::Unhealthy,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn settings() -> BreakerSettings {
        BreakerSettings {
            consecutive_failures: Some(1),
            failure_rate: None,
            slow_calls: None,
            window: Duration::from_secs(10),
            min_requests: 1,
            open_for: Duration::from_secs(1),
            max_open_for: Duration::from_secs(1),
            half_open_requests: 1,
        }
    }

    #[test]
    fn each_way_of_being_unwell_counts_and_is_made_good() {
        let standing = Arc::new(Standing::new(Instant::now()));
        let health = Health::new(Arc::clone(&standing), Verdict::Healthy);
        assert_eq!(standing.amiss(), None);
        for state in [ByHand::Drain, ByHand::Down, ByHand::Up] {
            health.set_by_hand(state);
            assert_eq!(health.by_hand(), state);
            assert_eq!(standing.amiss().is_none(), state == ByHand::Up);
        }
        for verdict in [Verdict::Unknown, Verdict::Unhealthy, Verdict::Healthy] {
            health.set_verdict(verdict);
            assert_eq!(health.verdict(), verdict);
            assert_eq!(standing.amiss().is_none(), verdict == Verdict::Healthy);
        }
        health.set_by_hand(ByHand::Down);
        health.set_verdict(Verdict::Unhealthy);
        health.set_by_hand(ByHand::Up);
        assert!(standing.amiss().is_some(), "still unhealthy");
        health.set_verdict(Verdict::Healthy);
        assert_eq!(standing.amiss(), None);
    }

    #[test]
    fn a_breaker_counts_from_its_opening_until_it_closes() {
        let standing = Arc::new(Standing::new(Instant::now()));
        let health = Health::new(Arc::clone(&standing), Verdict::Healthy);
        let settings = settings();
        let at = |seconds| Moment::default() + Duration::from_secs(seconds);
        let request = |now, outcome| {
            let pass = health.try_enter(now, &settings).expect("leave");
            health.record(now, pass, outcome, &settings)
        };
        let fine = Outcome::Succeeded {
            after: Duration::ZERO,
        };
        assert_eq!(request(at(1), fine), None);
        assert!(request(at(2), Outcome::Failed).is_some());
        assert!(standing.amiss().is_some());
        assert!(request(at(4), Outcome::Failed).is_some(), "a trial");
        assert!(standing.amiss().is_some());
        assert_eq!(request(at(6), fine), Some(Change::Closed));
        assert_eq!(standing.amiss(), None);
    }

    #[test]
    fn what_goes_away_is_not_amiss() {
        let standing = Arc::new(Standing::new(Instant::now()));
        let health = Health::new(Arc::clone(&standing), Verdict::Unknown);
        assert!(standing.amiss().is_some());
        health.set_by_hand(ByHand::Drain);
        let settings = settings();
        let pass = health.try_enter(Moment::default(), &settings);
        let pass = pass.expect("leave");
        health.record(Moment::default(), pass, Outcome::Failed, &settings);
        drop(health);
        assert_eq!(standing.amiss(), None);
    }
}
