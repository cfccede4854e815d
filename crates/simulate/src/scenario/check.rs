//! From what is written to what is meant: defaults are filled in, and what makes no sense is refused with its place.

mod arrivals;
mod bounds;

use std::num::NonZeroU32;
use std::path::Path;

use sluice_model::Weight;
use toml::Spanned;

use arrivals::arrivals;
use bounds::{above, factor, number, share, within};

use super::file::{self, File, PolicyOptions};
use super::mistake::{Fault, ScenarioError};
use super::policies::{NamedPolicy, policy_of};
use super::service::Service;
use super::units::{Nanos, nanos_of};
use super::{Antagonist, Arrivals, Balancers, Extent, FailFast, Group, Keys, Restart, Scenario};

/// A scenario from its text.
pub(super) fn parse(name: &str, text: &str, folder: &Path) -> Result<Scenario, ScenarioError> {
    let found = toml::from_str::<File>(text)
        .map_err(|error| Refused::Here(error.into()))
        .and_then(|file| scenario(file, folder));
    found.map_err(|refused| match refused {
        Refused::Here(fault) => fault.in_file(name, text),
        Refused::Elsewhere(error) => error,
    })
}

/// A policy as the command line names it.
pub(super) fn policy_by_name(name: &str, balancers: u32) -> Result<NamedPolicy, String> {
    let options = PolicyOptions {
        policy: name.to_owned(),
        ..PolicyOptions::default()
    };
    let balancers = NonZeroU32::new(balancers).unwrap_or(NonZeroU32::MIN);
    policy_of(&options, balancers).map_err(|(message, help)| match help {
        Some(help) => format!("{message}: {help}"),
        None => message,
    })
}

/// Servers, balancers and what is known of the one by the other: no more than a machine's memory holds.
const SERVERS_MAX: u64 = 100_000;
const BALANCERS_MAX: u32 = 10_000;
const PAIRS_MAX: u64 = 8_000_000;
const SLOTS_MAX: u32 = 100_000;
const SEEDS_MAX: u32 = 1_000;
const KEYS_MAX: u32 = 10_000_000;
/// Measured requests of a run where the file does not say.
const REQUESTS: u64 = 500_000;
/// Runs of each policy where the file does not say.
const SEEDS: u32 = 5;
/// Requests that wait at a server where the file does not say.
const QUEUE_LIMIT: u32 = 10_000;

/// Why a file is refused: for its own words, or for a file that it names.
enum Refused {
    Here(Fault),
    Elsewhere(ScenarioError),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Here(fault)
    }
}

impl From<ScenarioError> for Refused {
    fn from(error: ScenarioError) -> Self {
        Self::Elsewhere(error)
    }
}

fn scenario(file: File, folder: &Path) -> Result<Scenario, Refused> {
    let groups = groups(&file.servers)?;
    let balancers = balancers(&file.balancers)?;
    let policies = policies(&file.policies, balancers.count)?;
    let servers: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    let span = file.servers.span();
    within(&span, servers, 1, SERVERS_MAX, "servers in all")?;
    let pairs = servers * u64::from(balancers.count);
    within(&span, pairs, 1, PAIRS_MAX, "pairs of server and balancer")?;
    let arrivals = arrivals(&file.arrivals, &groups, folder)?;
    let keys = keys(file.arrivals.get_ref().keys.as_ref())?;
    let recorded = matches!(arrivals, Arrivals::Recorded(_));
    let extent = extent(file.duration.as_ref(), file.requests.as_ref(), recorded)?;
    let seeds = number(file.seeds.as_ref(), SEEDS, 1, SEEDS_MAX, "seeds")?;
    let warm_up = file.warm_up.map_or_else(
        || default_warm_up(extent, &arrivals),
        |length| length.get_ref().0,
    );
    Ok(Scenario {
        policies,
        seed: file.seed.unwrap_or(1),
        seeds,
        warm_up,
        extent,
        arrivals,
        keys,
        groups,
        balancers,
    })
}

fn policies(
    entries: &Spanned<Vec<Spanned<file::PolicyEntry>>>,
    balancers: u32,
) -> Result<Vec<NamedPolicy>, Fault> {
    let balancers = NonZeroU32::new(balancers).unwrap_or(NonZeroU32::MIN);
    let mut policies: Vec<NamedPolicy> = Vec::new();
    for entry in entries.get_ref() {
        let policy = policy_of(&entry.get_ref().options, balancers)
            .map_err(|(message, help)| Fault::new(entry.span(), message).maybe_help(help))?;
        if policies.iter().any(|other| other.name == policy.name) {
            let message = format!("`{}` is compared with itself", policy.name);
            return Err(Fault::new(entry.span(), message)
                .help("give one of them another `name`, or take it out"));
        }
        policies.push(policy);
    }
    if policies.is_empty() {
        return Err(Fault::new(entries.span(), "there is no policy to simulate")
            .help("name one at least, as \"power-of-two\""));
    }
    Ok(policies)
}

fn extent(
    duration: Option<&Spanned<super::units::Length>>,
    requests: Option<&Spanned<u64>>,
    recorded: bool,
) -> Result<Extent, Fault> {
    match (duration, requests) {
        (Some(_), Some(requests)) => Err(Fault::new(
            requests.span(),
            "both `duration` and `requests` say how much is simulated",
        )
        .help("keep one of them")),
        (Some(duration), None) if duration.get_ref().0 == 0 => Err(Fault::new(
            duration.span(),
            "nothing is simulated in no time",
        )),
        (Some(duration), None) => Ok(Extent::Time(duration.get_ref().0)),
        (None, Some(requests)) if *requests.get_ref() == 0 => Err(Fault::new(
            requests.span(),
            "without a request nothing is measured",
        )),
        (None, Some(requests)) => Ok(Extent::Requests(*requests.get_ref())),
        (None, None) if recorded => Ok(Extent::All),
        (None, None) => Ok(Extent::Requests(REQUESTS)),
    }
}

/// A tenth of what is measured; nothing of a recording, which may be short.
fn default_warm_up(extent: Extent, arrivals: &Arrivals) -> Nanos {
    match (extent, arrivals) {
        (_, Arrivals::Recorded(_)) | (Extent::All, _) => 0,
        (Extent::Time(time), _) => time / 10,
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        (Extent::Requests(requests), _) => nanos_of(requests as f64 / 10.0 / arrivals.rate()),
    }
}

fn keys(given: Option<&Spanned<file::Keys>>) -> Result<Keys, Fault> {
    let Some(keys) = given else {
        return Ok(Keys::Distinct);
    };
    let (span, keys) = (keys.span(), keys.get_ref());
    within(&span, u64::from(keys.count), 1, u64::from(KEYS_MAX), "keys")?;
    if !(0.0..=10.0).contains(&keys.skew) {
        return Err(Fault::new(
            span,
            "`skew` must be between 0 (all as popular) and 10",
        ));
    }
    // Zipf's law: the k-th is asked for in proportion to 1 / k^skew.
    let popularity = (1..=keys.count).map(|rank| f64::from(rank).powf(-keys.skew));
    let total: f64 = popularity.clone().sum();
    let shares = popularity.scan(0.0, |sum, share| {
        *sum += share / total;
        Some(*sum)
    });
    Ok(Keys::Popular(shares.collect::<Vec<_>>().into()))
}

fn groups(written: &Spanned<Vec<Spanned<file::Servers>>>) -> Result<Vec<Group>, Fault> {
    let groups = written.get_ref().iter().zip(1..);
    groups
        .map(|(group, index)| self::group(group.get_ref(), index))
        .collect()
}

fn group(given: &file::Servers, index: u32) -> Result<Group, Fault> {
    let slow_factor = factor(given.slow_factor.as_ref(), 1.0, "slow-factor")?;
    let fail_fast = given.fail_fast.as_ref().map(|fail_fast| FailFast {
        share: fail_fast.share.get_ref().0,
        after: fail_fast.after.0,
    });
    if let Some(given) = &given.fail_fast {
        share(&given.share.span(), given.share.get_ref().0)?;
    }
    let antagonist = given.antagonist.as_ref().map(antagonist).transpose()?;
    let restarts = given.restarts.iter().map(|restart| {
        Ok(Restart {
            at: restart.at.0,
            down: restart.down.0,
            cold: restart.cold.0,
            cold_factor: factor(restart.cold_factor.as_ref(), 3.0, "cold-factor")?,
        })
    });
    let weight = match &given.weight {
        Some(weight) => Weight::try_from(*weight.get_ref())
            .map_err(|error| Fault::new(weight.span(), error.to_string()))?,
        None => Weight::ONE,
    };
    Ok(Group {
        name: given
            .name
            .clone()
            .unwrap_or_else(|| format!("group {index}")),
        count: number(given.count.as_ref(), 1, 1, 100_000, "count")?,
        capacity: number(given.capacity.as_ref(), 1, 1, SLOTS_MAX, "capacity")?,
        service: service(&given.service)?,
        slow_factor,
        weight,
        zone: given.zone.clone(),
        backup: given.backup,
        queue_limit: given.queue_limit.unwrap_or(QUEUE_LIMIT),
        fail_fast,
        antagonist,
        restarts: restarts.collect::<Result<_, Fault>>()?,
        reports_load: given.reports_load,
    })
}

fn antagonist(given: &Spanned<file::Antagonist>) -> Result<Antagonist, Fault> {
    let (span, given) = (given.span(), given.get_ref());
    share(&span, given.share.0)?;
    if given.period.0 == 0 {
        return Err(Fault::new(span, "`period` must be longer than nothing"));
    }
    above(&span, given.slowdown, 0.0, "slowdown")?;
    Ok(Antagonist {
        period: given.period.0,
        share: given.share.0,
        slowdown: given.slowdown,
    })
}

fn service(given: &Spanned<file::Service>) -> Result<Service, Fault> {
    let span = given.span();
    let nanos = |length: super::units::Length| super::seconds(length.0) * 1e9;
    let service = match given.get_ref() {
        file::Service::Constant(length) => Service::Constant(length.0),
        file::Service::Exponential(mean) => Service::Exponential(nanos(*mean)),
        file::Service::LogNormal(given) => {
            if !(0.0..=5.0).contains(&given.sigma) {
                return Err(Fault::new(span, "`sigma` must be between 0 and 5"));
            }
            Service::log_normal(nanos(given.mean), given.sigma)
        }
        file::Service::Pareto(given) => {
            above(&span, given.shape, 1.0, "shape")
                .map_err(|fault| fault.help("with 1 or less there is no mean"))?;
            Service::pareto(nanos(given.mean), given.shape)
        }
        file::Service::TruncatedNormal(given) => Service::TruncatedNormal {
            mean: nanos(given.mean),
            deviation: nanos(given.deviation),
        },
        file::Service::Empirical(samples) => {
            Service::Empirical(samples.iter().map(|length| length.0).collect())
        }
        file::Service::Recorded => return Ok(Service::Recorded),
    };
    match service.mean() {
        Some(mean) if mean > 0.0 => Ok(service),
        _ => Err(Fault::new(span, "a service must take longer than nothing")),
    }
}

fn balancers(given: &file::Balancers) -> Result<Balancers, Fault> {
    Ok(Balancers {
        count: number(given.count.as_ref(), 1, 1, BALANCERS_MAX, "count")?,
        zones: given.zones.clone(),
        one_way: given.round_trip.map_or(0, |length| length.0 / 2),
        timeout: match &given.timeout {
            Some(timeout) if timeout.get_ref().0 == 0 => {
                return Err(Fault::new(timeout.span(), "no request is done in no time"));
            }
            timeout => timeout.as_ref().map(|timeout| timeout.get_ref().0),
        },
        attempts: number(given.attempts.as_ref(), 1, 1, ATTEMPTS_MAX, "attempts")?,
        max_connections: match &given.max_connections {
            Some(_) => Some(number(
                given.max_connections.as_ref(),
                1,
                1,
                u32::MAX,
                "max-connections",
            )?),
            None => None,
        },
        health_delay: given.health_delay.map(|length| length.0),
    })
}

/// Servers tried for a request: as many as a request in flight remembers.
pub(super) const ATTEMPTS_MAX: u8 = 4;
