//! The policies by the names and options that the configuration file has for them.

use std::time::Duration;

use sluice_balance::{Kind, Sample, Settings};

use super::file::{PolicyOptions, SampleOption, SampleWord};
use super::mistake::{either_of, suggest};

/// A policy to compare, with what it is called in the results.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    /// What it is called in the results.
    pub name: String,
    /// How it chooses.
    pub settings: Settings,
}

/// Every name that `policies` may hold.
pub fn policy_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// The policy that an entry means; else what is wrong with it, and what was probably meant.
pub(super) fn policy_of(options: &PolicyOptions) -> Result<NamedPolicy, (String, Option<String>)> {
    let kind = kind_of(options)?;
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
    };
    if settings.latency_decay.is_zero() {
        return Err(("`latency-decay` must be longer than nothing".into(), None));
    }
    let name = options.name.clone().unwrap_or_else(|| label(options));
    Ok(NamedPolicy { name, settings })
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
];

fn kind_of(options: &PolicyOptions) -> Result<Kind, (String, Option<String>)> {
    let sample = match &options.sample {
        None | Some(SampleOption::Word(SampleWord::Auto)) => Sample::Auto,
        Some(SampleOption::Word(SampleWord::All)) => Sample::All,
        Some(SampleOption::Of(0)) => return Err(("`sample` must be at least 1".into(), None)),
        Some(SampleOption::Of(count)) => Sample::Of(usize::try_from(*count).unwrap_or(usize::MAX)),
    };
    let name = options.policy.as_str();
    let kind = match name {
        "round-robin" | "weighted-round-robin" => Kind::RoundRobin,
        "random" => Kind::Random,
        "least-connections" | "weighted-least-connections" => Kind::LeastConnections(sample),
        "power-of-two" => Kind::PowerOfTwo,
        "least-response-time" => Kind::LeastResponseTime(sample),
        "peak-ewma" => Kind::PeakEwma(sample),
        "least-bandwidth" => Kind::LeastBandwidth(sample),
        _ => {
            let help = suggest(name, policy_names())
                .unwrap_or_else(|| format!("the policies are {}", either_of(policy_names())));
            return Err((format!("there is no policy `{name}`"), Some(help)));
        }
    };
    let samples = matches!(
        kind,
        Kind::LeastConnections(_)
            | Kind::LeastResponseTime(_)
            | Kind::PeakEwma(_)
            | Kind::LeastBandwidth(_)
    );
    if options.sample.is_some() && !samples {
        return Err((format!("`{name}` does not take `sample`"), None));
    }
    Ok(kind)
}

/// The name with the options that were given, so that two of a kind can be told apart.
fn label(options: &PolicyOptions) -> String {
    let sample = match options.sample {
        Some(SampleOption::Of(count)) => format!(" sample={count}"),
        Some(SampleOption::Word(SampleWord::All)) => " sample=all".to_owned(),
        Some(SampleOption::Word(SampleWord::Auto)) | None => String::new(),
    };
    let lasting = |key: &str, length: Option<super::units::Length>| {
        length.map_or(String::new(), |length| {
            format!(" {key}={:?}", duration(length))
        })
    };
    let decay = lasting("latency-decay", options.latency_decay);
    let slow_start = lasting("slow-start", options.slow_start);
    format!("{}{sample}{decay}{slow_start}", options.policy)
}

fn duration(length: super::units::Length) -> Duration {
    Duration::from_nanos(length.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a share needs no 53 bits")]
fn narrow(share: f64) -> f32 {
    share as f32
}
