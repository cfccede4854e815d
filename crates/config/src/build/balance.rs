//! `balance` of `[upstreams.NAME]`, and what holds around any policy.

use std::num::NonZeroU32;
use std::time::Duration;

use sluice_balance::{Kind, Probes, Sample, Settings, Subset};

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Balance, HashKey};
use crate::read::{FromTyped, Section, Typed};
use crate::suggest::all_of;

impl Builder<'_> {
    pub(super) fn balance(&mut self, section: &Section) -> Option<Balance> {
        let (name, options) = match section.read("balance").map(|read| &read.typed) {
            Some(Typed::Word(word)) => (*word, None),
            Some(Typed::Table(table)) => (table.value("policy")?, Some(table)),
            None if section.set_at("balance").is_none() => (default_policy(section), None),
            _ => return None,
        };
        if let Some(table) = options {
            self.options_of_others(table, name);
        }
        let (kind, key) = self.policy(name, options)?;
        let subset = self.subset(section);
        Some(Balance {
            name,
            settings: Settings {
                kind,
                slow_start: section
                    .value::<Option<Duration>>("slow-start")?
                    .unwrap_or_default(),
                panic_threshold: section.value("panic-threshold")?,
                zone_spill: section.value("zone-spill")?,
                subset,
                ..Settings::default()
            },
            key,
        })
    }

    fn subset(&mut self, section: &Section) -> Option<Subset> {
        let (size, span) = section.with_span::<u32>("subset")?;
        let Some(balancer) = self.balancer else {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    "which subset it is depends on which balancer this is",
                )
                .help("say it in `[runtime]`: `balancer = { index = 0, count = 3 }`"),
            );
            return None;
        };
        Some(Subset {
            size,
            balancer: balancer.value("index")?,
            balancers: balancer.value("count")?,
        })
    }

    /// The policy of this name. Every word of the schema has its line here.
    fn policy(&self, name: &str, table: Option<&Section>) -> Option<(Kind, Option<HashKey>)> {
        let sample = table.map_or(Sample::Auto, sample);
        let kind = match name {
            "round-robin" | "weighted-round-robin" => Kind::RoundRobin,
            "random" => Kind::Random,
            "least-connections" | "weighted-least-connections" => Kind::LeastConnections(sample),
            "power-of-two" => Kind::PowerOfTwo,
            "least-response-time" => Kind::LeastResponseTime(sample),
            "peak-ewma" => Kind::PeakEwma(sample),
            "least-bandwidth" => Kind::LeastBandwidth(sample),
            "prequal" => Kind::Prequal(Probes::Local),
            "c3" => Kind::C3 {
                sample,
                balancers: self.balancers(table),
            },
            "consistent-hash" => Kind::ConsistentHash {
                virtual_nodes: option(table, "virtual-nodes").unwrap_or(Kind::VIRTUAL_NODES),
                load_bound: load_bound(table),
            },
            "maglev" => Kind::Maglev {
                table_size: option(table, "table-size"),
            },
            "ip-hash" => Kind::IpHash,
            _ => return None,
        };
        let key = kind.signals().key.then(|| {
            // `ip-hash` has no option of this name.
            option(table, "key").unwrap_or(HashKey::ClientIp)
        });
        Some((kind, key))
    }

    fn balancers(&self, table: Option<&Section>) -> NonZeroU32 {
        let said: Option<u32> = option(table, "balancers");
        let count = || option(self.balancer, "count");
        let balancers = said.or_else(count).and_then(NonZeroU32::new);
        balancers.unwrap_or(NonZeroU32::MIN)
    }

    /// Reports options that the policy does not take.
    fn options_of_others(&mut self, table: &Section, policy: &str) {
        let own = options(policy);
        for key in table.shape.built().map(|key| key.name) {
            let Some(span) = table.set_at(key) else {
                continue;
            };
            if key == "policy" || own.contains(&key) {
                continue;
            }
            let takers = NAMES.iter().filter(|name| options(name).contains(&key));
            let help = match own {
                [] => format!("`{key}` is for {}", all_of(takers.copied())),
                own => format!("`{policy}` takes {}", all_of(own.iter().copied())),
            };
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    format!("`{key}` is not an option of `{policy}`"),
                )
                .help(help),
            );
        }
    }
}

/// A session stays where it begins, whoever was the fastest at that moment: so these are spread by what servers have to do.
fn default_policy(upstream: &Section) -> &'static str {
    if upstream.set_at("sticky").is_some() {
        "least-connections"
    } else {
        "c3"
    }
}

/// The options that the policy of this name takes.
fn options(name: &str) -> &'static [&'static str] {
    match name {
        "least-connections"
        | "weighted-least-connections"
        | "least-response-time"
        | "peak-ewma"
        | "least-bandwidth" => &["sample"],
        "consistent-hash" => &["key", "virtual-nodes", "load-bound"],
        "maglev" => &["key", "table-size"],
        "c3" => &["sample", "balancers"],
        _ => &[],
    }
}

/// The policies with options, to name them in help.
const NAMES: &[&str] = &[
    "least-connections",
    "least-response-time",
    "peak-ewma",
    "least-bandwidth",
    "c3",
    "consistent-hash",
    "maglev",
];

fn option<T: FromTyped>(table: Option<&Section>, key: &str) -> Option<T> {
    table?.value(key)
}

fn load_bound(table: Option<&Section>) -> Option<f32> {
    let read = table.and_then(|table| table.read("load-bound"));
    match read.map(|read| &read.typed) {
        Some(Typed::Decimal(bound)) => Some(*bound),
        _ => None,
    }
}

fn sample(table: &Section) -> Sample {
    match table.read("sample").map(|read| &read.typed) {
        Some(Typed::Word("all")) => Sample::All,
        Some(Typed::Number(number)) => usize::try_from(*number).map_or(Sample::Auto, Sample::Of),
        _ => Sample::Auto,
    }
}
