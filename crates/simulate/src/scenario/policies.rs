//! The policies by the names and options that the configuration file has for them.

use std::num::NonZeroU32;
use std::time::Duration;

use sluice_balance::{Kind, Probes, Sample, Settings};

use super::file::{LoadBoundOption, PolicyOptions, ProbesOption, SampleOption, SampleWord};
use super::mistake::{either_of, suggest};
use super::units::Length;

/// A policy to compare, with what it is called in the results.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    /// What it is called in the results.
    pub name: String,
    /// How it chooses. Each balancer has its own [`Settings::subset`], by `subset`.
    pub settings: Settings,
    /// Servers that each balancer keeps to; `None`: all.
    pub subset: Option<NonZeroU32>,
}

/// Every name that `policies` may hold.
pub fn policy_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// What is wrong with an entry, and what was probably meant.
pub(super) type Wrong = (String, Option<String>);

/// The policy that an entry means, where there are so many balancers.
pub(super) fn policy_of(
    options: &PolicyOptions,
    balancers: NonZeroU32,
) -> Result<NamedPolicy, Wrong> {
    let kind = kind_of(options, balancers)?;
    let defaults = Settings::default();
    let settings = Settings {
        kind,
        slow_start: options.slow_start.map_or(defaults.slow_start, duration),
        panic_threshold: options
            .panic_threshold
            .map_or(defaults.panic_threshold, |share| narrow(share.0)),
        zone_spill: options.zone_spill.unwrap_or(defaults.zone_spill),
        latency_decay: options
            .latency_decay
            .map_or(defaults.latency_decay, duration),
        subset: None,
    };
    if settings.latency_decay.is_zero() {
        return wrong("`latency-decay` must be longer than nothing");
    }
    if settings.zone_spill.is_nan() || settings.zone_spill < 1.0 {
        return wrong("`zone-spill` must be 1.0 at least");
    }
    Ok(NamedPolicy {
        name: options.name.clone().unwrap_or_else(|| label(options)),
        settings,
        subset: options.subset,
    })
}

const NAMES: &[&str] = &[
    "round-robin",
    "weighted-round-robin",
    "random",
    "least-connections",
    "weighted-least-connections",
    "power-of-two",
    "least-response-time",
    "peak-ewma",
    "least-bandwidth",
    "prequal",
    "c3",
    "consistent-hash",
    "maglev",
    "ip-hash",
];

fn kind_of(options: &PolicyOptions, balancers: NonZeroU32) -> Result<Kind, Wrong> {
    let sample = sample_of(options.sample.as_ref())?;
    let name = options.policy.as_str();
    let kind = match name {
        "round-robin" | "weighted-round-robin" => Kind::RoundRobin,
        "random" => Kind::Random,
        "least-connections" | "weighted-least-connections" => Kind::LeastConnections(sample),
        "power-of-two" => Kind::PowerOfTwo,
        "least-response-time" => Kind::LeastResponseTime(sample),
        "peak-ewma" => Kind::PeakEwma(sample),
        "least-bandwidth" => Kind::LeastBandwidth(sample),
        "prequal" => Kind::Prequal(match options.probes {
            None | Some(ProbesOption::Local) => Probes::Local,
            Some(ProbesOption::Asked) => Probes::Asked,
        }),
        "c3" => Kind::C3 {
            sample,
            balancers: options.balancers.unwrap_or(balancers),
        },
        "consistent-hash" => Kind::ConsistentHash {
            virtual_nodes: options
                .virtual_nodes
                .map_or(Kind::VIRTUAL_NODES, std::num::NonZero::get),
            load_bound: load_bound_of(options.load_bound)?,
        },
        "maglev" => Kind::Maglev {
            table_size: options.table_size.map(NonZeroU32::get),
        },
        "ip-hash" => Kind::IpHash,
        _ => {
            let help = suggest(name, policy_names())
                .unwrap_or_else(|| format!("the policies are {}", either_of(policy_names())));
            return Err((format!("there is no policy `{name}`"), Some(help)));
        }
    };
    refuse_what_it_does_not_take(options, kind)?;
    Ok(kind)
}

fn sample_of(option: Option<&SampleOption>) -> Result<Sample, Wrong> {
    match option {
        None | Some(SampleOption::Word(SampleWord::Auto)) => Ok(Sample::Auto),
        Some(SampleOption::Word(SampleWord::All)) => Ok(Sample::All),
        Some(SampleOption::Of(0 | 1)) => wrong("`sample` must be 2 at least"),
        Some(SampleOption::Of(count)) => {
            Ok(Sample::Of(usize::try_from(*count).unwrap_or(usize::MAX)))
        }
    }
}

fn load_bound_of(option: Option<LoadBoundOption>) -> Result<Option<f32>, Wrong> {
    match option {
        None | Some(LoadBoundOption::Word(_)) => Ok(None),
        Some(LoadBoundOption::Of(bound)) if bound >= 1.0 && bound.is_finite() => Ok(Some(bound)),
        Some(LoadBoundOption::Of(_)) => wrong("`load-bound` must be 1.0 at least"),
    }
}

fn refuse_what_it_does_not_take(options: &PolicyOptions, kind: Kind) -> Result<(), Wrong> {
    let samples = matches!(
        kind,
        Kind::LeastConnections(_)
            | Kind::LeastResponseTime(_)
            | Kind::PeakEwma(_)
            | Kind::LeastBandwidth(_)
            | Kind::C3 { .. }
    );
    let rings = matches!(kind, Kind::ConsistentHash { .. });
    let given = [
        ("sample", options.sample.is_some(), samples),
        (
            "probes",
            options.probes.is_some(),
            matches!(kind, Kind::Prequal(_)),
        ),
        (
            "balancers",
            options.balancers.is_some(),
            matches!(kind, Kind::C3 { .. }),
        ),
        ("virtual-nodes", options.virtual_nodes.is_some(), rings),
        ("load-bound", options.load_bound.is_some(), rings),
        (
            "table-size",
            options.table_size.is_some(),
            matches!(kind, Kind::Maglev { .. }),
        ),
    ];
    match given.iter().find(|(_, given, taken)| *given && !taken) {
        Some((key, ..)) => wrong(format!("`{}` does not take `{key}`", options.policy)),
        None => Ok(()),
    }
}

/// The name with the options that were given, so that two of a kind can be told apart.
fn label(options: &PolicyOptions) -> String {
    let text = |value: &dyn std::fmt::Display| Some(value.to_string());
    let lasting = |length: Option<Length>| length.map(|length| format!("{:?}", duration(length)));
    let given = [
        (
            "sample",
            match options.sample {
                Some(SampleOption::Of(count)) => text(&count),
                Some(SampleOption::Word(SampleWord::All)) => text(&"all"),
                Some(SampleOption::Word(SampleWord::Auto)) | None => None,
            },
        ),
        (
            "probes",
            match options.probes {
                Some(ProbesOption::Asked) => text(&"asked"),
                Some(ProbesOption::Local) | None => None,
            },
        ),
        (
            "load-bound",
            match options.load_bound {
                Some(LoadBoundOption::Of(bound)) => text(&bound),
                Some(LoadBoundOption::Word(_)) => text(&"off"),
                None => None,
            },
        ),
        (
            "balancers",
            options.balancers.map(|value| value.to_string()),
        ),
        (
            "virtual-nodes",
            options.virtual_nodes.map(|value| value.to_string()),
        ),
        (
            "table-size",
            options.table_size.map(|value| value.to_string()),
        ),
        ("subset", options.subset.map(|value| value.to_string())),
        ("latency-decay", lasting(options.latency_decay)),
        ("slow-start", lasting(options.slow_start)),
        (
            "zone-spill",
            options.zone_spill.map(|value| value.to_string()),
        ),
        (
            "panic-threshold",
            options
                .panic_threshold
                .map(|share| format!("{}%", share.0 * 100.0)),
        ),
    ];
    let given = given
        .into_iter()
        .filter_map(|(key, value)| Some(format!(" {key}={}", value?)));
    std::iter::once(options.policy.clone())
        .chain(given)
        .collect()
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), None))
}

fn duration(length: Length) -> Duration {
    Duration::from_nanos(length.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a share needs no 53 bits")]
fn narrow(share: f64) -> f32 {
    share as f32
}
