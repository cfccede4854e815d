//! What the runs of a policy come to: means with confidence intervals, as table, CSV, JSON and plot.

mod files;
mod student;
mod svg;
mod table;

use crate::engine::{GroupOutcome, Outcome};
use crate::scenario::Scenario;

/// Policies beside each other.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was simulated, in a line.
    pub description: String,
    /// A row for each policy, in the order of the file.
    pub rows: Vec<Row>,
    /// Requests simulated in all runs.
    pub simulated: u64,
    seeds: Vec<u64>,
    /// The names of the groups of servers.
    groups: Vec<String>,
}

/// A policy's results.
#[derive(Clone, Debug)]
pub struct Row {
    /// The policy.
    pub policy: String,
    runs: Vec<Figures>,
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The true mean lies this near with a probability of 95 %; `None` with one seed only, which does not tell.
    pub within: Option<f64>,
}

/// Something that is measured in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    MeanLatency,
    P50,
    P90,
    P99,
    P999,
    Errors,
    UtilizationMin,
    UtilizationMean,
    UtilizationMax,
    Imbalance,
}

/// The measures of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    measures: [f64; Measure::ALL.len()],
    groups: Vec<GroupOutcome>,
}

impl Measure {
    pub(crate) const ALL: [Self; 10] = [
        Self::MeanLatency,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Errors,
        Self::UtilizationMin,
        Self::UtilizationMean,
        Self::UtilizationMax,
        Self::Imbalance,
    ];
    /// What the table and the plot show of latency.
    pub(crate) const PERCENTILES: [Self; 4] = [Self::P50, Self::P90, Self::P99, Self::P999];

    /// What CSV and JSON call it; latencies are in seconds, shares from 0 to 1.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MeanLatency => "mean_seconds",
            Self::P50 => "p50_seconds",
            Self::P90 => "p90_seconds",
            Self::P99 => "p99_seconds",
            Self::P999 => "p99.9_seconds",
            Self::Errors => "errors",
            Self::UtilizationMin => "utilization_min",
            Self::UtilizationMean => "utilization_mean",
            Self::UtilizationMax => "utilization_max",
            Self::Imbalance => "imbalance",
        }
    }

    /// What a person reads.
    pub(crate) fn title(self) -> &'static str {
        self.name().trim_end_matches("_seconds")
    }

    fn of(self, outcome: &Outcome) -> f64 {
        let percentile = |quantile| outcome.latencies.value_at_quantile(quantile) as f64 / 1e9;
        let used = &outcome.utilizations;
        let mean = used.iter().sum::<f64>() / (used.len() as f64).max(1.0);
        let most = used.iter().copied().fold(0.0, f64::max);
        match self {
            Self::MeanLatency => outcome.mean_latency,
            Self::P50 => percentile(0.5),
            Self::P90 => percentile(0.9),
            Self::P99 => percentile(0.99),
            Self::P999 => percentile(0.999),
            Self::Errors => outcome.errors() as f64 / (outcome.requests as f64).max(1.0),
            Self::UtilizationMin => used.iter().copied().fold(f64::INFINITY, f64::min),
            Self::UtilizationMean => mean,
            Self::UtilizationMax => most,
            Self::Imbalance if mean > 0.0 => most / mean,
            Self::Imbalance => 1.0,
        }
    }
}

impl Figures {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        Self {
            measures: Measure::ALL.map(|measure| measure.of(outcome)),
            groups: outcome.groups.clone(),
        }
    }

    fn get(&self, measure: Measure) -> f64 {
        self.measures[measure as usize]
    }
}

impl Comparison {
    /// `figures` are those of the first policy's runs, then those of the second's, and so on.
    pub(crate) fn new(scenario: &Scenario, figures: &[Figures], simulated: u64) -> Self {
        let seeds: Vec<u64> = scenario.seeds().collect();
        let rows = scenario.policies().iter().zip(figures.chunks(seeds.len()));
        Self {
            description: scenario.describe(),
            rows: rows
                .map(|(policy, runs)| Row {
                    policy: policy.name.clone(),
                    runs: runs.to_vec(),
                })
                .collect(),
            simulated,
            seeds,
            groups: scenario
                .groups
                .iter()
                .map(|group| group.name.clone())
                .collect(),
        }
    }

    /// The row of the policy of that name.
    pub fn row(&self, policy: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.policy == policy)
    }
}

impl Row {
    /// Seconds from arrival to answer, in the mean.
    pub fn mean_latency(&self) -> Estimate {
        self.estimate(Measure::MeanLatency)
    }

    /// Seconds within which half of the requests are answered.
    pub fn p50(&self) -> Estimate {
        self.estimate(Measure::P50)
    }

    /// Seconds within which 90 % of the requests are answered.
    pub fn p90(&self) -> Estimate {
        self.estimate(Measure::P90)
    }

    /// Seconds within which 99 % of the requests are answered.
    pub fn p99(&self) -> Estimate {
        self.estimate(Measure::P99)
    }

    /// Seconds within which 99.9 % of the requests are answered.
    pub fn p999(&self) -> Estimate {
        self.estimate(Measure::P999)
    }

    /// The share of requests that did not get what they asked for, 0 to 1.
    pub fn errors(&self) -> Estimate {
        self.estimate(Measure::Errors)
    }

    /// How much busier than the mean the busiest server is.
    pub fn imbalance(&self) -> Estimate {
        self.estimate(Measure::Imbalance)
    }

    /// The share of servers' slots in use.
    pub fn utilization(&self) -> Estimate {
        self.estimate(Measure::UtilizationMean)
    }

    /// The share of requests that came to the servers of a group, by its place in the scenario.
    pub fn group_share(&self, group: usize) -> Estimate {
        student::estimate(self.runs.iter().map(|run| run.groups[group].share))
    }

    /// The share of slots in use at the servers of a group, by its place in the scenario.
    pub fn group_utilization(&self, group: usize) -> Estimate {
        student::estimate(self.runs.iter().map(|run| run.groups[group].utilization))
    }

    pub(crate) fn estimate(&self, measure: Measure) -> Estimate {
        student::estimate(self.runs.iter().map(|run| run.get(measure)))
    }
}
