//! What is known of a server from the traffic that goes to it: requests in flight, latency, failures, bytes, and what it
//! says of itself. One for each server, shared by all workers; on the hot path nothing but atomics.

use std::time::Duration;

use sluice_model::Moment;

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::decaying::{Decay, Decaying, EXPLORED};
use crate::latency_by_load::LatencyByLoad;
use crate::probe::Probe;

/// A server's load, as far as it is known here. On cache lines of its own, as every worker writes to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Load {
    in_flight: AtomicU32,
    latency: Decaying,
    latencies: LatencyByLoad,
    peak: Decaying,
    failures: Decaying,
    bandwidth: Decaying,
    reported_utilization: Decaying,
    reported_in_flight: Decaying,
    /// Since when it is warming up, in nanoseconds; 0 where it always was here.
    warming_since: AtomicU64,
}

/// What a server says of its own load with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// The share of its capacity that is used: 1.0 is all of it.
    pub utilization: Option<f32>,
    /// Requests it works on, from everybody.
    pub in_flight: Option<f32>,
}

impl Load {
    /// Requests (or connections) that the server works on now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes one of `limit` places. Under contention the limit holds exactly: the place is taken first and given back
    /// where it was one too many.
    pub fn try_enter(&self, limit: Option<u32>) -> bool {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let fits = limit.is_none_or(|limit| before < limit);
        if !fits {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        fits
    }

    /// Gives back a place that [`Load::try_enter`] gave.
    pub fn leave(&self) {
        // In one order with whatever the caller looks at next: whether somebody waits for the place.
        let before = self.in_flight.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "more left than entered");
    }

    /// The server answered `latency` after it was asked. Only policies that look at latency need to be told.
    pub fn answered(&self, now: Moment, latency: Duration, decay: Duration) {
        let (sample, decay) = (latency.as_secs_f32(), Decay::over(decay));
        self.latency.average(now, decay, sample);
        self.latencies
            .add(now, decay, self.known_in_flight(now), sample);
        let peak = self.peak.faded(now, decay);
        // Up at once, down slowly: a peak is believed until it has been quiet for a while. But not one of a cold server,
        // whose caches and connections are not warm.
        let value = if peak.mass < EXPLORED {
            sample
        } else {
            sample.max(peak.value + sample * (1.0 - peak.kept(decay)))
        };
        self.peak.set(now, value, peak.mass + 1.0);
    }

    /// The server had not answered after `waited`, and was not waited for any longer: its latency is more than that, and it
    /// counts as that where less is known of it.
    pub fn gave_way(&self, now: Moment, waited: Duration, decay: Duration) {
        if waited.as_secs_f32() > self.latency.at(now).value {
            self.answered(now, waited, decay);
        }
    }

    /// Whether the server did what was asked of it: no connection, no answer in time or an answer of 5xx are failures.
    pub fn ended(&self, now: Moment, failed: bool) {
        let known = self.failures.faded(now, FAILURES_DECAY);
        if !failed && known.value < FORGIVEN {
            return;
        }
        let sample = f32::from(u8::from(failed));
        self.failures.set(
            now,
            known.value + (sample - known.value) * FAILURES_STEP,
            1.0,
        );
    }

    /// Bytes went to or came from the server.
    pub fn moved(&self, now: Moment, bytes: u64, decay: Duration) {
        let known = self.bandwidth.faded(now, Decay::over(decay));
        #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
        let added = bytes as f32 / decay.as_secs_f32();
        self.bandwidth.set(now, known.value + added, 1.0);
    }

    /// The server said how loaded it is.
    pub fn reported(&self, now: Moment, report: Report) {
        if let Some(utilization) = report.utilization.filter(|value| value.is_finite()) {
            self.reported_utilization.set(now, utilization, 1.0);
        }
        if let Some(in_flight) = report.in_flight.filter(|value| value.is_finite()) {
            self.reported_in_flight.set(now, in_flight, 1.0);
        }
    }

    /// The server is new or has recovered: it warms up from now on.
    pub fn warm_up(&self, now: Moment) {
        self.warming_since
            .store(now.as_nanos().max(1), Ordering::Relaxed);
    }

    /// What it says of itself, as long as that is fresh.
    pub fn report(&self, now: Moment) -> Report {
        Report {
            utilization: fresh(&self.reported_utilization, now),
            in_flight: self.reported_in_flight(now),
        }
    }

    /// Requests that it says it works on, as long as that is fresh.
    pub(crate) fn reported_in_flight(&self, now: Moment) -> Option<f32> {
        fresh(&self.reported_in_flight, now)
    }

    /// What the server would say of itself, as far as it is known here. A server that asks its own load so can answer
    /// the probes of others.
    pub fn probe(&self, now: Moment, decay: Duration) -> Probe {
        let in_flight = self.known_in_flight(now);
        Probe {
            in_flight,
            latency: self
                .latency_of_one_more(now, Decay::over(decay))
                .map(|seconds| Duration::try_from_secs_f32(seconds).unwrap_or(Duration::MAX)),
        }
    }

    /// The share of late requests that failed: 0 to 1.
    pub fn failing(&self, now: Moment) -> f32 {
        self.failures.faded(now, FAILURES_DECAY).value
    }

    /// What a server is worth beside one of which no request fails. Those that fail at once make it look fast and idle by
    /// their share; squared, it gets less instead of as much as the others.
    pub(crate) fn soundness(&self, now: Moment) -> f32 {
        if self.failures.is_below(FORGIVEN) {
            return 1.0;
        }
        (1.0 - self.failing(now)).powi(2).max(SOUNDNESS_MIN)
    }

    /// Whether that share is surely below `limit`, at a glance.
    pub(crate) fn is_sound(&self, limit: f32) -> bool {
        self.failures.is_below(limit)
    }

    /// Whether the share of late requests that failed is `limit` at least.
    pub(crate) fn is_failing(&self, now: Moment, limit: f32) -> bool {
        !self.failures.is_below(limit) && self.failing(now) >= limit
    }

    /// Average latency in seconds and how many samples of the last `decay` it rests on.
    pub(crate) fn latency(&self, now: Moment, decay: Decay) -> (f32, f32) {
        let known = self.latency.at(now);
        (known.value, known.mass * known.kept(decay))
    }

    /// Seconds that one more request would take beside those in flight, where enough is known.
    pub(crate) fn latency_of_one_more(&self, now: Moment, decay: Decay) -> Option<f32> {
        self.latencies
            .at(now, decay, self.known_in_flight(now) + 1.0)
    }

    /// Average latency in seconds while no other request was in flight, where enough is known.
    pub(crate) fn latency_alone(&self, now: Moment, decay: Decay) -> Option<f32> {
        self.latencies.alone(now, decay)
    }

    /// Peak latency in seconds, falling by itself, and how many samples of the last `decay` it rests on.
    pub(crate) fn peak(&self, now: Moment, decay: Decay) -> (f32, f32) {
        let faded = self.peak.faded(now, decay);
        (faded.value, faded.mass)
    }

    /// Bytes a second, both ways.
    pub(crate) fn bandwidth(&self, now: Moment, decay: Decay) -> f32 {
        self.bandwidth.faded(now, decay).value
    }

    /// Requests in flight, or what the server says of them where that is more: others may use it too.
    pub(crate) fn known_in_flight(&self, now: Moment) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2²⁴")]
        let own = self.in_flight() as f32;
        self.reported_in_flight(now)
            .map_or(own, |reported| own.max(reported))
    }

    /// How far it has warmed up: from [`COLDEST`] to 1.
    pub(crate) fn warmth(&self, now: Moment, slow_start: Duration) -> f32 {
        if slow_start.is_zero() {
            return 1.0;
        }
        let since = self.warming_since.load(Ordering::Relaxed);
        if since == 0 {
            return 1.0;
        }
        let warming = now.since(Moment::from_nanos(since)).as_secs_f32();
        (warming / slow_start.as_secs_f32()).clamp(COLDEST, 1.0)
    }
}

/// What a server said of itself, as long as that is to be believed.
fn fresh(said: &Decaying, now: Moment) -> Option<f32> {
    // Most servers never say anything.
    if said.is_unknown() {
        return None;
    }
    let known = said.at(now);
    (known.mass > 0.0 && known.age < REPORT_AGE).then_some(known.value)
}

/// The share of its weight that a server gets at the beginning of its slow start.
pub const COLDEST: f32 = 0.05;

/// Failures are forgotten with this time constant.
const FAILURES_DECAY: Decay = Decay::over(Duration::from_secs(7));
/// How much each outcome counts in the share of failures: seven failures in a row make half.
const FAILURES_STEP: f32 = 0.1;
/// A share of failures so small that a success need not be written down.
const FORGIVEN: f32 = 0.01;
/// However many fail, a server counts for this share of its weight.
const SOUNDNESS_MIN: f32 = 0.01;
/// What a server said of itself is not believed for longer, in seconds.
const REPORT_AGE: f32 = 5.0;

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values that are set, not computed")]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn at(seconds: f64) -> Moment {
        Moment::default() + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_limit_holds_exactly_from_many_threads() {
        let load = Load::default();
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        if load.try_enter(Some(3)) {
                            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                            assert!(now <= 3, "{now} inside");
                            inside.fetch_sub(1, Ordering::SeqCst);
                            load.leave();
                        }
                    }
                });
            }
        });
        assert_eq!(load.in_flight(), 0);
    }

    #[test]
    fn a_peak_rises_at_once_and_falls_slowly() {
        let load = Load::default();
        for _ in 0..4 {
            load.answered(at(1.0), Duration::from_millis(10), DECAY);
        }
        load.answered(at(1.1), Duration::from_millis(500), DECAY);
        let (peak, _) = load.peak(at(1.1), Decay::over(DECAY));
        assert!((peak - 0.5).abs() < 0.01, "{peak}");
        load.answered(at(2.1), Duration::from_millis(10), DECAY);
        let (peak, _) = load.peak(at(2.1), Decay::over(DECAY));
        assert!((0.4..0.5).contains(&peak), "{peak}");
        let (peak, _) = load.peak(at(60.0), Decay::over(DECAY));
        assert!(peak < 0.01, "{peak}");
    }

    #[test]
    fn who_gave_way_looks_slower_and_never_faster() {
        let load = Load::default();
        let decay = Decay::over(DECAY);
        let millis = Duration::from_millis;
        for step in 0..10 {
            load.answered(at(f64::from(step)), millis(100), DECAY);
        }
        let before = load.latency(at(10.0), decay);
        load.gave_way(at(10.0), millis(20), DECAY);
        assert_eq!(load.latency(at(10.0), decay), before);
        load.gave_way(at(10.0), millis(900), DECAY);
        assert!(load.latency(at(10.0), decay).0 > before.0);
        assert!(load.peak(at(10.0), decay).0 > 0.89);
    }

    #[test]
    fn failures_are_noticed_soon_and_forgotten_in_time() {
        let load = Load::default();
        for request in 0..7 {
            load.ended(at(f64::from(request) * 0.001), true);
        }
        assert!(load.failing(at(0.01)) > 0.5);
        for request in 0..50 {
            load.ended(at(0.01 + f64::from(request) * 0.001), false);
        }
        assert!(load.failing(at(0.1)) < 0.02);
        load.ended(at(1.0), true);
        assert!(load.failing(at(30.0)) < 0.01);
    }

    #[test]
    fn bandwidth_settles_at_the_rate() {
        let load = Load::default();
        for step in 0..6_000 {
            load.moved(at(f64::from(step) * 0.01), 1_000, DECAY);
        }
        let rate = load.bandwidth(at(60.0), Decay::over(DECAY));
        assert!((95_000.0..105_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn reports_go_stale() {
        let load = Load::default();
        assert_eq!(load.report(at(1.0)), Report::default());
        load.reported(
            at(1.0),
            Report {
                utilization: Some(0.5),
                in_flight: None,
            },
        );
        assert_eq!(load.report(at(2.0)).utilization, Some(0.5));
        assert_eq!(load.report(at(7.0)).utilization, None);
        load.reported(
            at(8.0),
            Report {
                utilization: Some(f32::NAN),
                in_flight: None,
            },
        );
        assert_eq!(load.report(at(8.0)).utilization, None);
    }

    #[test]
    fn warming_up() {
        let load = Load::default();
        assert_eq!(load.warmth(at(1.0), DECAY), 1.0);
        load.warm_up(at(1.0));
        assert_eq!(load.warmth(at(1.0), DECAY), COLDEST);
        assert!((load.warmth(at(6.0), DECAY) - 0.5).abs() < 0.01);
        assert_eq!(load.warmth(at(20.0), DECAY), 1.0);
        assert_eq!(load.warmth(at(1.0), Duration::ZERO), 1.0);
    }
}
