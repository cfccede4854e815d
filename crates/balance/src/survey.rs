//! What is usual among the servers of a tier, looked at now and then: the measure for what is unusual of one.

use std::time::Duration;

use sluice_model::Moment;

use crate::decaying::{Decay, EXPLORED};
use crate::servers::Servers;
use crate::view::Member;

/// Averages over a tier.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    due: Moment,
    /// Where the next look begins, among tiers larger than [`SURVEYED_MAX`].
    start: usize,
    /// The mean of the latencies that are known, in seconds; 0 where none is.
    pub(crate) mean_latency: f32,
    /// The mean of what servers say of their use, where any does.
    pub(crate) mean_utilization: Option<f32>,
    /// Requests in flight for each unit of weight.
    pub(crate) mean_in_flight: f32,
    /// The weights' mean.
    pub(crate) mean_weight: f32,
    /// The share of failures from which on a server is avoided: half, or twice what is usual. A request that fails
    /// everywhere is no server's fault.
    pub(crate) failing_limit: f32,
    /// The share of servers that are avoided.
    pub(crate) failing_share: f32,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            due: Moment::default(),
            start: 0,
            mean_latency: 0.0,
            mean_utilization: None,
            mean_in_flight: 0.0,
            mean_weight: 1.0,
            failing_limit: FAILING,
            failing_share: 0.0,
        }
    }
}

impl Survey {
    /// Whether it is time to look again.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        now >= self.due
    }

    /// Looks again.
    pub(crate) fn refresh<S: Servers>(
        &mut self,
        servers: &S,
        members: &[Member],
        now: Moment,
        decay: Decay,
    ) {
        self.due = now + EVERY;
        let looked_at = members.len().min(SURVEYED_MAX);
        let loads = || {
            members
                .iter()
                .cycle()
                .skip(self.start)
                .take(looked_at)
                .filter_map(|member| Some((member, servers.load(member.server)?)))
        };
        let known = |(latency, mass): (f32, f32)| (mass >= EXPLORED).then_some(latency);
        self.mean_latency =
            mean(loads().filter_map(|(_, load)| known(load.latency(now, decay)))).unwrap_or(0.0);
        self.mean_utilization = mean(loads().filter_map(|(_, load)| load.report(now).utilization));
        self.mean_in_flight =
            mean(loads().map(|(member, load)| load.known_in_flight(now) / member.weight))
                .unwrap_or(0.0);
        self.mean_weight = mean(loads().map(|(member, _)| member.weight)).unwrap_or(1.0);
        let usual = mean(loads().map(|(_, load)| load.failing(now))).unwrap_or(0.0);
        self.failing_limit = (2.0 * usual).max(FAILING);
        let is_failing = |load: f32| f32::from(u8::from(load >= self.failing_limit));
        self.failing_share =
            mean(loads().map(|(_, load)| is_failing(load.failing(now)))).unwrap_or(0.0);
        self.start = (self.start + looked_at)
            .checked_rem(members.len())
            .unwrap_or(0);
    }

    /// A latency that rests on enough samples, if it does.
    pub(crate) fn explored(known: (f32, f32)) -> Option<f32> {
        let (latency, mass) = known;
        (mass >= EXPLORED).then_some(latency)
    }
}

/// How often to look.
const EVERY: Duration = Duration::from_millis(50);
/// Servers that are looked at in one go at most; the others in the next ones.
const SURVEYED_MAX: usize = 256;
/// A server fails if half of its late requests did.
const FAILING: f32 = 0.5;

fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (count, sum) = values.fold((0.0_f32, 0.0_f32), |(count, sum), value| {
        (count + 1.0, sum + value)
    });
    (count > 0.0).then(|| sum / count)
}
