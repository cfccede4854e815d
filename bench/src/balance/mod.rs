//! Which policy keeps requests quick among unequal servers: `bench balance`.
//!
//! The servers are a `load::cluster`, the clients a `load::crowd`, a `load::field` has both on one thread; `contenders` is who
//! is compared, `count` what is kept, `figures` what is said of it.

mod contenders;
mod count;
mod figures;

use anyhow::{Context as _, Result, ensure};

use crate::conditions::Conditions;
use crate::cores;
use crate::load::cluster::{Character, Cluster};
use crate::load::crowd::Crowd;
use crate::load::field::Field;
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement};
use crate::options::Balance;
use crate::subjects::{Job, Kind, Protocol, Setup, install};
use crate::window::{Timing, Window};
use contenders::Contender;
use count::Count;
use figures::{Contest, Sample};

/// Compares policies over the rounds and says how they did.
pub(crate) fn run(options: &Balance) -> Result<()> {
    ensure!(
        cores::available() >= 2,
        "the proxy and its load need a core each"
    );
    let kinds = if options.only.is_empty() {
        vec![Kind::Sluice, Kind::Nginx, Kind::Haproxy, Kind::Envoy]
    } else {
        options.only.clone()
    };
    let subjects = install::subjects(&kinds, &options.binaries.named())?;
    let contenders = contenders::of(&subjects, &options.policy);
    let timing = options.timing();
    crate::say(&Conditions::of(timing).line());
    let mut contests = Vec::new();
    for &utilization in UTILIZATIONS {
        let contest = contest(&contenders, utilization, options.spread, timing)?;
        crate::say(&contest.markdown());
        contests.push(contest);
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&contests)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &options.svg {
        let text = figures::svg(&contests);
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn contest(
    contenders: &[Contender<'_>],
    utilization: f64,
    spread: f64,
    timing: Timing,
) -> Result<Contest> {
    let servers = Servers {
        characters: characters(),
        spread,
    };
    let rate = Cluster::capacity(&servers.characters) * utilization;
    let mut contest = Contest::new(utilization, rate, Cluster::floor(spread), contenders);
    for round in 1..=timing.rounds {
        for (row, contender) in contenders.iter().enumerate() {
            let sample = measure(contender, &servers, rate, timing, round as u64)
                .with_context(|| contender.label())?;
            crate::progress(&format!(
                "{:.0} % {round}/{} {}: {}",
                utilization * 100.0,
                timing.rounds,
                contender.label(),
                sample.line()
            ));
            contest.add(row, sample);
        }
    }
    Ok(contest)
}

struct Servers {
    characters: Vec<Character>,
    spread: f64,
}

/// One round of one contender. Rounds differ in their seed, contenders do not.
fn measure(
    contender: &Contender<'_>,
    servers: &Servers,
    rate: f64,
    timing: Timing,
    seed: u64,
) -> Result<Sample> {
    let addresses = origin::addresses(servers.characters.len())?;
    let mut job = Job::new(Protocol::Http, &addresses, 1, Some(cores::PROXY))?;
    job.setup = Setup::Balanced(contender.policy);
    let field = Field::new(
        Cluster::new(&addresses, &servers.characters, servers.spread, seed)?,
        Crowd::new(job.listen, rate, seed),
        Count::new(),
    );
    let placement = Placement {
        core: Some(cores::LOAD),
        spin: true,
    };
    let load = Load::start(vec![field], Service::Http, &[], placement)?;
    let running = contender.subject.start(&job)?;
    let window = Window::measure(&running, &load, timing)?;
    let field = load.stop()?.pop().context("no clients came back")?;
    Ok(Sample::new(&field.ledger(), &window, &servers.characters))
}

/// Twenty servers: one ten times slower, one failing at once, one whose machine is not its own, and seventeen as they should be.
fn characters() -> Vec<Character> {
    let mut characters = vec![Character::Steady; 20];
    characters[4] = Character::Slow;
    characters[9] = Character::Failing;
    characters[14] = Character::Antagonised;
    characters
}

/// The part of the servers' capacity that is asked of them.
const UTILIZATIONS: &[f64] = &[0.7, 0.9];
