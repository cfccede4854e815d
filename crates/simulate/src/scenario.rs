//! What is simulated: arrivals, servers, balancers, and the policies to compare. What a [`Scenario`] holds is valid.

mod check;
mod file;
mod mistake;
mod policies;
mod recorded;
mod service;
mod units;

use std::path::Path;
use std::sync::Arc;

use sluice_model::Weight;

pub use mistake::{Mistake, ScenarioError};
pub use policies::{NamedPolicy, policy_names};

pub(crate) use recorded::Recorded;
pub(crate) use service::{Service, exponential};
pub(crate) use units::{Nanos, nanos_of, seconds};

/// A cluster, its load, and the policies to compare on it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) policies: Vec<NamedPolicy>,
    pub(crate) seed: u64,
    pub(crate) seeds: u32,
    /// What arrives before is not measured.
    pub(crate) warm_up: Nanos,
    pub(crate) extent: Extent,
    pub(crate) arrivals: Arrivals,
    pub(crate) keys: Keys,
    pub(crate) groups: Vec<Group>,
    pub(crate) balancers: Balancers,
}

/// How much is measured after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Time(Nanos),
    Requests(u64),
    /// What was recorded.
    All,
}

/// When requests come.
#[derive(Clone, Debug)]
pub(crate) enum Arrivals {
    /// Independently of each other, this many nanoseconds apart in the mean.
    Poisson { gap: f64 },
    /// Likewise, but by turns at two rates, each for times without memory (a Markov-modulated Poisson process): the means
    /// of gaps and of times, in nanoseconds. A gap may be endless.
    Bursty { gaps: [f64; 2], times: [f64; 2] },
    /// As they came once.
    Recorded(Arc<[Recorded]>),
}

/// What requests ask for.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// Each something else.
    Distinct,
    /// One of as many keys as there are shares; each entry holds the share of all requests up to it.
    Popular(Arc<[f64]>),
}

/// Servers of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) count: u32,
    /// Requests served at the same time.
    pub(crate) capacity: u32,
    pub(crate) service: Service,
    /// How many times as long as `service` says everything takes.
    pub(crate) slow_factor: f64,
    pub(crate) weight: Weight,
    pub(crate) zone: Option<String>,
    pub(crate) backup: bool,
    /// Requests that may wait; more are refused.
    pub(crate) queue_limit: u32,
    pub(crate) fail_fast: Option<FailFast>,
    pub(crate) antagonist: Option<Antagonist>,
    pub(crate) restarts: Vec<Restart>,
    /// Whether its answers say how loaded it is.
    pub(crate) reports_load: bool,
}

/// Answers that are errors and need no work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailFast {
    pub(crate) share: f64,
    pub(crate) after: Nanos,
}

/// A neighbour that takes the machine away from time to time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Antagonist {
    pub(crate) period: Nanos,
    /// Of each period, from a phase that each server draws.
    pub(crate) share: f64,
    /// How many times as long everything takes then.
    pub(crate) slowdown: f64,
}

/// A server that goes away and comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart {
    pub(crate) at: Nanos,
    pub(crate) down: Nanos,
    /// For how long it is slow afterwards, and how many times as long everything takes then.
    pub(crate) cold: Nanos,
    pub(crate) cold_factor: f64,
}

/// The balancers, which do not see each other.
#[derive(Clone, Debug)]
pub(crate) struct Balancers {
    pub(crate) count: u32,
    /// Given out in turn; none: no balancer has a zone.
    pub(crate) zones: Vec<String>,
    /// From balancer to server; the same back.
    pub(crate) one_way: Nanos,
    /// After which a request is given up.
    pub(crate) timeout: Option<Nanos>,
    /// Servers that are tried for a request that is refused.
    pub(crate) attempts: u8,
    /// Of each balancer to each server.
    pub(crate) max_connections: Option<u32>,
    /// After which balancers know that a server went away or came back; `None`: they are never told.
    pub(crate) health_delay: Option<Nanos>,
}

impl Scenario {
    /// Reads and checks a scenario's file. Files that it names are looked for beside it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|error| ScenarioError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&path.display().to_string(), &text, folder)
    }

    /// Checks the text of a scenario that is called `name` in messages. Files that it names are looked for in `folder`.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, ScenarioError> {
        check::parse(name, text, folder)
    }

    /// Compares only these policies: of the file, as the results call them, or others by their names. On failure: the
    /// name that is none, and what was probably meant.
    pub fn set_policies(&mut self, names: &[String]) -> Result<(), String> {
        let policy = |name: &String| {
            let listed = self.policies.iter().find(|policy| policy.name == *name);
            listed.map_or_else(
                || check::policy_by_name(name, self.balancers.count),
                |policy| Ok(policy.clone()),
            )
        };
        self.policies = names.iter().map(policy).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Runs `seeds` times, at least once, the first time with `seed`.
    pub fn set_seeds(&mut self, seed: Option<u64>, seeds: Option<u32>) {
        self.seed = seed.unwrap_or(self.seed);
        self.seeds = seeds.unwrap_or(self.seeds).max(1);
    }

    /// Measures at most that many requests of each run.
    pub fn shorten(&mut self, requests: u64) {
        let requests = requests.max(1);
        if self.warm_up > 0 {
            let expected = requests_in(self.warm_up, &self.arrivals);
            // The warm-up shrinks along, as far as that many requests would have had one.
            if expected > requests {
                self.warm_up = (u128::from(self.warm_up) * u128::from(requests)
                    / u128::from(expected))
                .try_into()
                .unwrap_or(self.warm_up);
            }
        }
        self.extent = match self.extent {
            Extent::Requests(all) => Extent::Requests(all.min(requests)),
            Extent::Time(_) | Extent::All => Extent::Requests(requests),
        };
    }

    /// The policies that are compared.
    pub fn policies(&self) -> &[NamedPolicy] {
        &self.policies
    }

    /// The seeds of the runs of each policy.
    pub fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.seed;
        (0..u64::from(self.seeds)).map(move |run| first.wrapping_add(run))
    }

    /// One line: servers, balancers, arrivals.
    pub fn describe(&self) -> String {
        let slots: u64 = self.groups.iter().map(Group::slots).sum();
        let arrivals = match &self.arrivals {
            Arrivals::Poisson { gap } => format!("{:.0} requests/s", 1e9 / gap),
            Arrivals::Bursty { .. } => {
                format!("{:.0} requests/s in bursts", self.arrivals.rate() * 1e9)
            }
            Arrivals::Recorded(all) => format!("{} recorded requests", all.len()),
        };
        format!(
            "{} servers with {slots} slots, {} balancer{}, {arrivals}, {} seed{}",
            self.servers(),
            self.balancers.count,
            plural(self.balancers.count),
            self.seeds,
            plural(self.seeds),
        )
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.groups.iter().map(|group| group.count as usize).sum()
    }
}

impl Group {
    fn slots(&self) -> u64 {
        u64::from(self.count) * u64::from(self.capacity)
    }
}

impl Arrivals {
    /// Arrivals a nanosecond, in the mean.
    pub(crate) fn rate(&self) -> f64 {
        match self {
            Self::Poisson { gap } => 1.0 / gap,
            Self::Bursty { gaps, times } => {
                (times[0] / gaps[0] + times[1] / gaps[1]) / (times[0] + times[1])
            }
            Self::Recorded(all) => {
                let last = all.last().map_or(0, |recorded| recorded.at);
                all.len() as f64 / (seconds(last) * 1e9).max(1.0)
            }
        }
    }
}

/// How many requests come in that time, in the mean.
fn requests_in(time: Nanos, arrivals: &Arrivals) -> u64 {
    nanos_of(seconds(time) * 1e9 * arrivals.rate())
}

fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests;
