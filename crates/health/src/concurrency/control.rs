//! Finds out how many requests an upstream can work on at a time, by how long its answers take.
//!
//! Below its capacity a server answers as fast with more requests as with fewer. Above it, requests wait inside of it, and each
//! takes longer by as much as there are more. So the limit is moved by the ratio of two times: how long an answer takes when
//! nothing waits, and how long it takes now (the gradient, as Netflix's *concurrency-limits* and Envoy have it). By the square root
//! of the limit it is tried for more, so that a capacity that has grown is found. At first, until more has made answers slower for the
//! first time, the limit doubles.
//!
//! ```text
//!   limit ◄─ limit × min(1, tolerance × unloaded / now) + √limit
//! ```
//!
//! The time when nothing waits is known from when fewer than half of the limit are under way. Where that does not happen for
//! long, or the limit has fallen to half since, it is measured: the limit is halved for a moment, and again for as long as that
//! makes answers faster. So an upstream that has always been overloaded is found out too, and one that has just become slower is
//! not throttled for it. Critical requests are spared that, unless they are most of them.

use std::time::Duration;

use sluice_model::Moment;

use super::Limit;

/// The bounds of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcurrencySettings {
    /// Never fewer; at least 1.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// What it begins with.
    pub initial: u32,
    /// How many times as long as an unloaded one an answer may take; more than 1.
    pub tolerance: f32,
}

/// What was seen of an upstream's requests within some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Answers.
    answers: u32,
    /// Until their heads, all together, in nanoseconds.
    latencies: u64,
    /// Requests that were not answered in time, or of which the server said itself that they were too many.
    drops: u32,
    /// The most that were under way.
    most: u32,
}

/// The limit of an upstream, and what it comes of.
#[derive(Clone, Debug, Default)]
pub struct Control {
    limit: f64,
    /// Follows the limit where that falls, by a tenth each time.
    ceiling: f64,
    /// How long an answer takes when nothing waits, in seconds; 0 where that is not known.
    unloaded: f64,
    /// When that was seen last, if ever, and what the limit was then.
    seen: Option<Moment>,
    limit_then: f64,
    /// What was seen since `since`.
    observed: Observed,
    since: Moment,
    /// Whether more has made answers slower by now: until then the limit doubles.
    has_reached: bool,
    probe: Option<Probe>,
    /// How often that was done. The first times show little: what waits then grows still.
    probes: u32,
}

/// The limit is lower for a moment.
#[derive(Clone, Copy, Debug)]
struct Probe {
    limit: f64,
    /// How long answers took before, in seconds.
    before: f64,
    /// Until then answers are still those of the time before.
    settles_until: Moment,
    /// How long they took since, as long as that falls.
    falling: Option<f64>,
    /// Whether critical requests know nothing of it.
    spares_critical: bool,
}

impl Observed {
    /// A server answered so long after it was asked.
    pub fn answered(&mut self, after: Duration) {
        self.answers = self.answers.saturating_add(1);
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.latencies = self.latencies.saturating_add(nanos);
    }

    /// A server did not answer in time, or said that it has too much to do.
    pub fn dropped(&mut self) {
        self.drops = self.drops.saturating_add(1);
    }

    /// So many were under way.
    pub fn under_way(&mut self, count: u32) {
        self.most = self.most.max(count);
    }

    fn add(&mut self, other: &Self) {
        self.answers = self.answers.saturating_add(other.answers);
        self.latencies = self.latencies.saturating_add(other.latencies);
        self.drops = self.drops.saturating_add(other.drops);
        self.most = self.most.max(other.most);
    }

    /// The mean until an answer, in seconds.
    fn latency(&self) -> Option<f64> {
        let nanos = self.latencies.checked_div(u64::from(self.answers))?;
        Some(Duration::from_nanos(nanos).as_secs_f64()).filter(|seconds| *seconds > 0.0)
    }

    /// The share of drops: 0 to 1.
    fn drop_rate(&self) -> f64 {
        let all = f64::from(self.answers) + f64::from(self.drops);
        f64::from(self.drops) / all.max(1.0)
    }
}

impl Control {
    /// The limit by `settings`, which may have changed.
    pub fn limit(&mut self, settings: &ConcurrencySettings) -> Limit {
        if self.limit < 1.0 {
            self.limit = f64::from(settings.initial);
            self.limit_then = self.limit;
        }
        self.limit = bounded(self.limit, settings);
        let (limit, ceiling) = match self.probe {
            Some(probe) if !probe.spares_critical => (probe.limit, probe.limit),
            Some(probe) => (probe.limit, self.ceiling.max(self.limit)),
            None => (self.limit, self.ceiling.max(self.limit)),
        };
        let limit = bounded(limit, settings);
        Limit {
            limit: whole(limit),
            ceiling: whole(bounded(ceiling.max(limit), settings)),
        }
    }

    /// Takes in what a worker has seen since it told the last time; the limit from now on.
    pub fn observe(
        &mut self,
        settings: &ConcurrencySettings,
        now: Moment,
        observed: &Observed,
    ) -> Limit {
        let limit = self.limit(settings);
        self.observed.add(observed);
        let settles = self.probe.is_some_and(|probe| now < probe.settles_until);
        if settles {
            self.begin_anew(now);
            return limit;
        }
        let events = self.observed.answers.saturating_add(self.observed.drops);
        let latency = self.observed.latency();
        let long_enough = latency.map_or(WINDOW, |latency| self.until_felt(latency));
        if events < FEWEST || now.since(self.since) < long_enough {
            return limit;
        }
        self.ceiling = self.limit.max(self.ceiling * 0.9);
        match (self.probe, latency) {
            (Some(probe), Some(latency)) => self.probed(settings, now, probe, latency),
            (Some(_), None) => self.probe = None,
            (None, _) => self.adjust(settings, now, latency),
        }
        self.begin_anew(now);
        self.limit(settings)
    }

    /// How long it takes until a change of the limit is felt: as long as an answer takes. But servers that have just stood still are
    /// not believed to stay so slow.
    fn until_felt(&self, latency: f64) -> Duration {
        let most = if self.unloaded > 0.0 {
            self.unloaded * SLOWEST
        } else {
            latency
        };
        let felt = Duration::try_from_secs_f64(latency.min(most));
        felt.unwrap_or(LONGEST_WINDOW).clamp(WINDOW, LONGEST_WINDOW)
    }

    fn begin_anew(&mut self, now: Moment) {
        self.observed = Observed::default();
        self.since = now;
    }

    fn adjust(&mut self, settings: &ConcurrencySettings, now: Moment, latency: Option<f64>) {
        // Half of what could be: of a limit of 2.9 most requests get a single place.
        let is_loaded = f64::from(self.observed.most) * 2.0 >= self.limit.floor();
        if let Some(latency) = latency {
            if self.unloaded == 0.0 {
                self.unloaded = latency;
            } else if !is_loaded || latency < self.unloaded {
                self.unloaded += (latency - self.unloaded) * STEP;
            }
            if !is_loaded {
                self.has_seen(now);
            }
        }
        let gradient = latency.map_or(1.0, |latency| {
            f64::from(settings.tolerance) * self.unloaded / latency
        });
        let drop_rate = self.observed.drop_rate();
        let kept = gradient.clamp(0.5, 1.0) * (1.0 - drop_rate / 2.0);
        self.has_reached |= kept < 1.0;
        let headroom = match (is_loaded, self.has_reached) {
            (false, _) => 0.0,
            (true, false) => self.limit,
            (true, true) => self.limit.sqrt(),
        };
        self.limit = bounded(self.limit * kept + headroom * (1.0 - drop_rate), settings);
        if let Some(latency) = latency.filter(|_| is_loaded && self.is_to_be_probed(now)) {
            self.probes = self.probes.saturating_add(1);
            self.begin_probe(settings, now, self.limit, latency, true);
        }
    }

    /// Whether it is not known well enough any more how long an answer takes when nothing waits.
    fn is_to_be_probed(&self, now: Moment) -> bool {
        let Some(seen) = self.seen else {
            return self.has_reached;
        };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.probes));
        now.since(seen) >= pause.min(PROBED_EVERY) || self.limit < self.limit_then / 2.0
    }

    /// Halves the limit, and looks whether answers get faster.
    fn begin_probe(
        &mut self,
        settings: &ConcurrencySettings,
        now: Moment,
        from: f64,
        before: f64,
        spares_critical: bool,
    ) {
        let limit = bounded(from / 2.0, settings);
        if limit >= from {
            self.unloaded = before;
            self.has_seen(now);
            self.probe = None;
            return;
        }
        let settles = self.until_felt(before);
        self.probe = Some(Probe {
            limit,
            before,
            settles_until: now + settles,
            falling: None,
            spares_critical,
        });
    }

    fn probed(&mut self, settings: &ConcurrencySettings, now: Moment, probe: Probe, latency: f64) {
        // What waited inside of the servers was more than answers had shown by then.
        let is_exceeded = f64::from(self.observed.most) > probe.limit * EXCEEDED;
        if probe.spares_critical && is_exceeded {
            // Critical ones are most of them: without them it shows nothing.
            self.begin_probe(settings, now, self.limit, probe.before, false);
        } else if probe.falling.is_none_or(|last| latency < last * FASTER) {
            self.probe = Some(Probe {
                falling: Some(latency),
                ..probe
            });
        } else if latency < probe.before * FASTER {
            // Requests waited inside of the servers: it was too much, and may still be.
            self.limit = probe.limit;
            self.begin_probe(settings, now, probe.limit, latency, probe.spares_critical);
        } else {
            self.unloaded = latency.min(probe.before);
            self.has_seen(now);
            self.probe = None;
        }
    }

    fn has_seen(&mut self, now: Moment) {
        self.seen = Some(now);
        self.limit_then = self.limit;
    }
}

fn bounded(limit: f64, settings: &ConcurrencySettings) -> f64 {
    let min = f64::from(settings.min.max(1));
    limit.clamp(min, f64::from(settings.max).max(min))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between two numbers of 32 bits"
)]
fn whole(limit: f64) -> u32 {
    limit as u32
}

/// What is seen in less time says little.
const WINDOW: Duration = Duration::from_millis(100);
/// What takes longer is not waited for, and neither is what takes so many times as long as from an idle server.
const LONGEST_WINDOW: Duration = Duration::from_secs(10);
const SLOWEST: f64 = 4.0;
/// So do fewer answers.
const FEWEST: u32 = 16;
/// How much of what is new is believed of the time when nothing waits.
const STEP: f64 = 0.125;
/// How long the time when nothing waits is believed in where it is not seen: twice as long after each look, from the first to
/// the other.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PROBED_EVERY: Duration = Duration::from_secs(30);
/// How many times as many may be under way as a probe allows, and it still shows something.
const EXCEEDED: f64 = 1.5;
/// Answers that take this share of the time are faster, by more than chance.
const FASTER: f64 = 0.8;
