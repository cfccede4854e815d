//! A scenario's file as it is written: keys and types, no meaning yet.

use std::num::{NonZeroU16, NonZeroU32};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

use super::units::{Length, Rate, Share};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) policies: Spanned<Vec<Spanned<PolicyEntry>>>,
    pub(super) seed: Option<u64>,
    pub(super) seeds: Option<Spanned<u32>>,
    pub(super) duration: Option<Spanned<Length>>,
    pub(super) requests: Option<Spanned<u64>>,
    pub(super) warm_up: Option<Spanned<Length>>,
    pub(super) arrivals: Spanned<Arrivals>,
    pub(super) servers: Spanned<Vec<Spanned<Servers>>>,
    #[serde(default)]
    pub(super) balancers: Balancers,
}

/// An entry of `policies`: a name, or a table with options.
#[derive(Debug)]
pub(super) struct PolicyEntry {
    pub(super) options: PolicyOptions,
}

/// A policy with its options. Which of them it takes is checked later.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PolicyOptions {
    pub(super) policy: String,
    pub(super) name: Option<String>,
    pub(super) sample: Option<SampleOption>,
    pub(super) probes: Option<ProbesOption>,
    pub(super) balancers: Option<NonZeroU32>,
    pub(super) virtual_nodes: Option<NonZeroU16>,
    pub(super) load_bound: Option<LoadBoundOption>,
    pub(super) table_size: Option<NonZeroU32>,
    pub(super) subset: Option<NonZeroU32>,
    pub(super) latency_decay: Option<Length>,
    pub(super) panic_threshold: Option<Share>,
    pub(super) zone_spill: Option<f32>,
    pub(super) slow_start: Option<Length>,
}

/// `sample = 3` or `sample = "all"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`sample` is a number of servers, \"auto\" or \"all\""
)]
pub(super) enum SampleOption {
    Of(u32),
    Word(SampleWord),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SampleWord {
    Auto,
    All,
}

/// `probes`, of Prequal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProbesOption {
    Local,
    Asked,
}

/// `load-bound = 1.25` or `load-bound = "off"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`load-bound` is a number from 1.0 on, or \"off\""
)]
pub(super) enum LoadBoundOption {
    Of(f32),
    Word(NoBound),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NoBound {
    Off,
}

/// `[arrivals]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Arrivals {
    pub(super) rate: Option<Spanned<Rate>>,
    pub(super) utilization: Option<Spanned<Share>>,
    pub(super) burst: Option<Spanned<Burst>>,
    pub(super) recorded: Option<Spanned<String>>,
    pub(super) access_log: Option<Spanned<String>>,
    pub(super) upstream: Option<Spanned<String>>,
    pub(super) speed: Option<Spanned<f64>>,
    pub(super) keys: Option<Spanned<Keys>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Burst {
    pub(super) peak: f64,
    pub(super) on: Length,
    pub(super) off: Length,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Keys {
    pub(super) count: u32,
    #[serde(default)]
    pub(super) skew: f64,
}

/// `[[servers]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Servers {
    pub(super) name: Option<String>,
    pub(super) count: Option<Spanned<u32>>,
    pub(super) capacity: Option<Spanned<u32>>,
    pub(super) service: Spanned<Service>,
    pub(super) slow_factor: Option<Spanned<f64>>,
    pub(super) weight: Option<Spanned<i64>>,
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) backup: bool,
    pub(super) queue_limit: Option<u32>,
    pub(super) fail_fast: Option<FailFast>,
    pub(super) antagonist: Option<Spanned<Antagonist>>,
    #[serde(default)]
    pub(super) restarts: Vec<Restart>,
    #[serde(default)]
    pub(super) reports_load: bool,
}

/// `service`: how long a request takes on an idle server.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Service {
    Constant(Length),
    Exponential(Length),
    LogNormal(LogNormal),
    Pareto(Pareto),
    TruncatedNormal(TruncatedNormal),
    Empirical(Vec<Length>),
    /// As long as the access log says.
    Recorded,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LogNormal {
    pub(super) mean: Length,
    pub(super) sigma: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Pareto {
    pub(super) mean: Length,
    pub(super) shape: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TruncatedNormal {
    pub(super) mean: Length,
    pub(super) deviation: Length,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FailFast {
    pub(super) share: Spanned<Share>,
    pub(super) after: Length,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Antagonist {
    pub(super) period: Length,
    pub(super) share: Share,
    pub(super) slowdown: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Restart {
    pub(super) at: Length,
    pub(super) down: Length,
    #[serde(default)]
    pub(super) cold: Length,
    pub(super) cold_factor: Option<Spanned<f64>>,
}

/// `[balancers]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Balancers {
    pub(super) count: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) zones: Vec<String>,
    pub(super) round_trip: Option<Length>,
    pub(super) timeout: Option<Spanned<Length>>,
    pub(super) attempts: Option<Spanned<u8>>,
    pub(super) max_connections: Option<Spanned<u32>>,
    pub(super) health_delay: Option<Length>,
}

impl<'de> Deserialize<'de> for PolicyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = PolicyEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a policy, or a table with `policy` and its options")
            }

            fn visit_str<E>(self, name: &str) -> Result<PolicyEntry, E> {
                let options = PolicyOptions {
                    policy: name.to_owned(),
                    ..PolicyOptions::default()
                };
                Ok(PolicyEntry { options })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyEntry, A::Error> {
                let options = PolicyOptions::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PolicyEntry { options })
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}
