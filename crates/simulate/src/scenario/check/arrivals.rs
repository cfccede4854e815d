//! The arrivals of a scenario: exactly one of the ways to say how many requests come, and only the keys that belong to it.

use std::path::Path;

use toml::Spanned;

use super::bounds::above;
use super::{Arrivals, Fault, Group, Refused, Service, file};
use crate::scenario::recorded::{access_log, times};
use crate::scenario::units;

/// How many requests come and when; reads the file that has them recorded.
pub(super) fn arrivals(
    written: &Spanned<file::Arrivals>,
    groups: &[Group],
    folder: &Path,
) -> Result<Arrivals, Refused> {
    let given = written.get_ref();
    let speed = given.speed.as_ref().map_or(1.0, |speed| *speed.get_ref());
    if let Some(span) = given.speed.as_ref().map(Spanned::span) {
        above(&span, speed, 0.0, "speed")?;
    }
    let chosen = [
        given.rate.as_ref().map(Spanned::span),
        given.utilization.as_ref().map(Spanned::span),
        given.recorded.as_ref().map(Spanned::span),
        given.access_log.as_ref().map(Spanned::span),
    ];
    let ways = "`rate`, `utilization`, `recorded` or `access-log`";
    let mut chosen = chosen.into_iter().flatten();
    match (chosen.next(), chosen.next()) {
        (None, _) => {
            let fault = Fault::new(written.span(), "it is not said how many requests come");
            return Err(fault.help(format!("add one of {ways}")).into());
        }
        (_, Some(second)) => {
            let fault = Fault::new(second, "it is said twice how many requests come");
            return Err(fault.help(format!("keep one of {ways}")).into());
        }
        _ => {}
    }
    let has_log = given.access_log.is_some();
    let has_file = has_log || given.recorded.is_some();
    let belongs = [
        (
            given.burst.as_ref().map(Spanned::span),
            !has_file,
            "burst",
            "`rate` or `utilization`",
        ),
        (
            given.upstream.as_ref().map(Spanned::span),
            has_log,
            "upstream",
            "`access-log`",
        ),
        (
            given.speed.as_ref().map(Spanned::span),
            has_file,
            "speed",
            "`recorded` or `access-log`",
        ),
    ];
    for (span, fits, key, with) in belongs {
        if let (Some(span), false) = (span, fits) {
            let message = format!("`{key}` means something only with {with}");
            return Err(Fault::new(span, message).into());
        }
    }
    if !has_log
        && groups
            .iter()
            .any(|group| group.service == Service::Recorded)
    {
        let message = "a server's `service` is \"recorded\", but there is no access log";
        return Err(Fault::new(written.span(), message)
            .help("add `access-log = \"FILE\"`, or give the servers another `service`")
            .into());
    }
    if let Some(path) = &given.recorded {
        return Ok(Arrivals::Recorded(
            times(&folder.join(path.get_ref()), speed)?.into(),
        ));
    }
    if let Some(path) = &given.access_log {
        let upstream = given.upstream.as_ref().map(|name| name.get_ref().as_str());
        let path = folder.join(path.get_ref());
        return Ok(Arrivals::Recorded(
            access_log(&path, upstream, speed)?.into(),
        ));
    }
    let gap = gap(given, groups)?;
    match &given.burst {
        Some(burst) => Ok(bursty(gap, burst)?),
        None => Ok(Arrivals::Poisson { gap }),
    }
}

/// Nanoseconds between arrivals, in the mean.
fn gap(given: &file::Arrivals, groups: &[Group]) -> Result<f64, Fault> {
    if let Some(rate) = &given.rate {
        above(&rate.span(), rate.get_ref().0, 0.0, "rate")?;
        return Ok(1e9 / rate.get_ref().0);
    }
    let Some(share) = &given.utilization else {
        return Ok(f64::INFINITY);
    };
    above(&share.span(), share.get_ref().0, 0.0, "utilization")?;
    // What the servers could serve in a nanosecond, were they left alone.
    let bearable: f64 = groups
        .iter()
        .filter(|group| !group.backup)
        .map(|group| {
            let mean = group.service.mean().unwrap_or(f64::INFINITY);
            group.slots() as f64 / (mean * group.slow_factor)
        })
        .sum();
    if bearable <= 0.0 {
        return Err(Fault::new(
            share.span(),
            "there is no server whose capacity is known, of which this would be a share",
        ));
    }
    Ok(1.0 / (bearable * share.get_ref().0))
}

fn bursty(gap: f64, burst: &Spanned<file::Burst>) -> Result<Arrivals, Fault> {
    let given = burst.get_ref();
    let [on, off] = [given.on.0, given.off.0].map(|nanos| units::seconds(nanos) * 1e9);
    if on <= 0.0 || off <= 0.0 {
        return Err(Fault::new(
            burst.span(),
            "`on` and `off` must be longer than nothing",
        ));
    }
    let share = on / (on + off);
    // In the quiet times comes what bursts leave of the mean.
    let quiet = (1.0 - share * given.peak) / (1.0 - share);
    if given.peak < 1.0 || quiet < -1e-9 {
        let message = format!(
            "`peak` must be between 1 and {:.3}: bursts of more would be more than all requests",
            1.0 / share
        );
        return Err(Fault::new(burst.span(), message));
    }
    Ok(Arrivals::Bursty {
        gaps: [gap / given.peak, gap / quiet.max(0.0)],
        times: [on, off],
    })
}
