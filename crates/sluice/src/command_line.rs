//! What can be typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sluice_model::BindAddress;

/// A load balancer in one binary and one readable file.
///
/// Try `sluice demo` first: it needs no file and no other program.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArguments),
    Check(CheckArguments),
    Explain(ExplainArguments),
    HashKey(HashKeyArguments),
    /// Print the JSON Schema of the configuration file, for editors
    ///
    /// Editors with TOML support complete and check `sluice.toml` with it:
    /// `sluice schema > sluice.schema.json`, and `#:schema sluice.schema.json` as the file's first line.
    Schema,
    /// Give a server of a running sluice no new requests; those it has come to their end
    ///
    /// What runs there is finished. It stays so over reloads, until `sluice up`, or until the server has left the file.
    #[command(after_help = BY_HAND_HELP)]
    Drain(ByHandArguments),
    /// Give a server of a running sluice no requests at all
    ///
    /// What runs there is finished. It stays so over reloads, until `sluice up`, or until the server has left the file.
    #[command(after_help = BY_HAND_HELP)]
    Down(ByHandArguments),
    /// Let a server take requests again after `sluice drain` or `sluice down`
    #[command(after_help = BY_HAND_HELP)]
    Up(ByHandArguments),
    Weight(WeightArguments),
    Shift(ShiftArguments),
    Status(StatusArguments),
    Simulate(SimulateArguments),
    Demo(DemoArguments),
}

/// Balance traffic as a file says, or as two options say
///
/// SIGHUP, or a change of the file, reloads it: a wrong file is reported and the old one stays; connections and
/// upstreams that did not change are not touched. SIGTERM or Ctrl-C stops accepting, lets requests end (for at most the
/// longest `drain-timeout`), and ends with exit code 0; a second one ends at once.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sluice run\n  sluice run -c /etc/sluice/sluice.toml\n  \
    sluice run --listen :8080 --to 127.0.0.1:9001 --to 127.0.0.1:9002"
)]
pub(crate) struct RunArguments {
    /// The configuration file [default: sluice.toml]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["listen", "to"])]
    pub(crate) config: Option<PathBuf>,
    /// Listen for HTTP here, without a file; may be given more than once
    #[arg(long, value_name = "ADDRESS", requires = "to")]
    pub(crate) listen: Vec<String>,
    /// A server to balance over, without a file; may be given more than once
    #[arg(long, value_name = "ADDRESS", requires = "listen")]
    pub(crate) to: Vec<String>,
}

/// Say everything that is wrong with a file
///
/// Nothing is bound or connected. Exit code 0 where the file can be used, warnings or not; 1 where it cannot.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The configuration file
    pub(crate) file: PathBuf,
}

/// Say which route, upstream and server a request, a connection or a datagram would get, and why
///
/// Asks the file and sends nothing; with `--live`, it asks the running sluice too how its servers are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice explain -c sluice.toml GET http://api.example.com/users/7 -H 'x-tenant-id: premium'\n  \
    sluice explain -c sluice.toml udp://:5353 --client-ip 192.0.2.7")]
pub(crate) struct ExplainArguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "sluice.toml")]
    pub(crate) config: PathBuf,
    /// The request's method; or, with no URL, a TLS connection that is passed on by name: `tls://NAME:PORT`; any other
    /// connection that is passed on: `tcp://HOST:PORT`; a datagram: `udp://HOST:PORT`
    pub(crate) method: String,
    /// The request's URL
    pub(crate) url: Option<String>,
    /// Take servers as they are now: the sluice that runs from the file is asked by its admin address
    #[arg(long)]
    pub(crate) live: bool,
    /// A protocol that a TLS client offers (ALPN); may be given more than once, the dearest to it first
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) alpn: Vec<String>,
    /// The client's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) client_ip: IpAddr,
    /// The subject of the client's certificate, as `CN=alice, O=Example`
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) tls_subject: Option<String>,
    /// The body, as JSON
    #[arg(long, value_name = "TEXT")]
    pub(crate) json: Option<String>,
    /// A claim of the client's token, as `name=value`; given more than once with the same name, it is a list. The token is taken to
    /// be right
    #[arg(long = "claim", value_name = "CLAIM")]
    pub(crate) claims: Vec<String>,
    /// A header field, as `name: value`; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The listener it comes in by [default: the one with the URL's port, else the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
}

/// Write the line that lets a key in, for the file that `keys` of an `api-key` names
///
/// Reads the key from standard input, up to the end of its line, and prints its name and hash. With `--generate` it makes a
/// key, which it tells on standard error: it is nowhere else.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice hash-key shop --generate >> keys.txt\n  \
    sluice hash-key shop < shop.key >> keys.txt")]
pub(crate) struct HashKeyArguments {
    /// The name under which it lets in: letters, digits and `-_.@`
    pub(crate) name: String,
    /// Make a key at random
    #[arg(long)]
    pub(crate) generate: bool,
}

/// Which server of which running sluice.
#[derive(Debug, Args)]
pub(crate) struct ByHandArguments {
    /// The server, as the file has it: `app/127.0.0.1:9001`
    #[arg(value_name = "UPSTREAM/SERVER")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}

/// Say how much a server of a running sluice takes beside the others
///
/// It stays so over reloads, until it is set to something else, or until the server has left the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice weight app/127.0.0.1:9001 3\n  \
    sluice weight app/127.0.0.1:9001 file")]
pub(crate) struct WeightArguments {
    #[command(flatten)]
    pub(crate) server: ByHandArguments,
    /// The weight, 1 to 65535; or `file`: the one that the file says
    #[arg(value_name = "WEIGHT")]
    pub(crate) weight: String,
}

/// Shift the requests of a split to one of its sides: all at once, or step by step
///
/// With `--step`, the side gets more and more of the requests. With `--abort-if`, what comes of them is watched, and where a condition holds, the
/// weights go back to what they were before. A step that is watched is over when `--every` has passed and the side has had `--min-requests`.
/// What was shifted stays over reloads, for as long as the file says the same of the split.
///
/// Without `--to`, `--stop` and `--back` it says how things are: of one route, or of all with a split.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice shift checkout --to checkout-v2\n  \
    sluice shift checkout --to checkout-v2 --step 10% --every 1m --abort-if 'error-rate > 1%'\n  \
    sluice shift checkout --to checkout-v2 --step 5% --every 10m --abort-if 'error-rate > baseline + 0.5%' --abort-if 'p99 > baseline * 1.5'\n  \
    sluice shift checkout --status\n  \
    sluice shift checkout --back")]
pub(crate) struct ShiftArguments {
    /// The route, as the file names it
    #[arg(value_name = "ROUTE")]
    pub(crate) route: Option<String>,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The upstream whose side gets all requests in the end
    #[arg(long, value_name = "UPSTREAM")]
    pub(crate) to: Option<String>,
    /// How much more with each step, such as `10%`
    #[arg(long, value_name = "SHARE", requires_all = ["to", "every"])]
    pub(crate) step: Option<String>,
    /// How long a step takes, such as `1m`
    #[arg(long, value_name = "DURATION", requires_all = ["to", "step"])]
    pub(crate) every: Option<String>,
    /// Go back if this holds: `error-rate` or a percentile such as `p99`, `>`, and a bound: `1%`, `300ms`, `baseline + 1%` or
    /// `baseline * 2`, where the baseline is the other sides in the same time; may be given more than once
    #[arg(long, value_name = "CONDITION", requires = "step")]
    pub(crate) abort_if: Vec<String>,
    /// How many requests the side must have had in a step before it is judged [default: 50]
    #[arg(long, value_name = "COUNT", requires = "step")]
    pub(crate) min_requests: Option<u64>,
    /// End the shift that is under way and leave the weights as they are
    #[arg(long, conflicts_with_all = ["to", "back"])]
    pub(crate) stop: bool,
    /// Give the sides the weights again that they had before the last shift, and end it if it is under way
    #[arg(long, conflicts_with = "to")]
    pub(crate) back: bool,
    /// Say how things are, which is what it does unless it is told otherwise
    #[arg(long, conflicts_with_all = ["to", "stop", "back"])]
    pub(crate) status: bool,
}

/// Say how the servers of a running sluice are, its stores, keys that it fetches, and shifts
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sluice status\n  sluice status --admin 127.0.0.1:9900 --json")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// All of it as one object of JSON, each part as the admin address says it
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a running sluice is asked.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// The configuration file, for the admin address and its token
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "sluice.toml",
        conflicts_with = "admin"
    )]
    pub(crate) config: PathBuf,
    /// The admin address, instead of a file; the token is taken from the environment variable `SLUICE_ADMIN_TOKEN`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<BindAddress>,
}

/// Compare policies on a described cluster, in virtual time
///
/// A scenario is a small TOML file: servers and how long requests take there, when requests come, how many balancers there
/// are, and the policies to compare. They are the very code that `sluice run` balances with. Nothing is bound or
/// connected, no time passes, and the same file and seed give the same figures.
///
/// Prints, for each policy, percentiles of latency, the share of errors, how busy the least, mean and most busy server are
/// and how much busier than the mean the busiest one is, each with its confidence interval over seeds. How fast it
/// simulated goes to standard error. Exit code 0; 1 where the file is wrong, 2 where the command line is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice simulate examples/simulate/one-slow-server.toml\n  \
    sluice simulate cluster.toml --policy power-of-two --policy least-connections --seeds 10\n  \
    sluice simulate cluster.toml --threads 4 --svg latency.svg --csv latency.csv\n\n\
    The smallest scenario:\n  \
    policies = [\"round-robin\", \"power-of-two\"]\n  \
    arrivals.utilization = \"70%\"\n  \
    servers = [{ count = 10, service.exponential = \"10ms\" }]")]
pub(crate) struct SimulateArguments {
    /// The scenario
    pub(crate) file: PathBuf,
    /// A policy to compare, instead of all of the file: one of these as the results call it, or any other by its name;
    /// may be given more than once
    #[arg(long = "policy", value_name = "NAME")]
    pub(crate) policies: Vec<String>,
    /// Runs of each policy, instead of the file's `seeds`
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: Option<u32>,
    /// The seed of the first run, instead of the file's
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Measure at most so many requests in each run
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: Option<u64>,
    /// Threads that share the runs; the figures do not depend on it
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Write the figures here as CSV: latencies in seconds, shares from 0 to 1
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the figures here as JSON, those of each run too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the percentiles of latency here
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Start three small servers and a balancer in front of them, and say what to try
///
/// Needs no file and no other program. Ctrl-C ends all of it.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Where the balancer listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Where the admin listener listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
    pub(crate) admin: String,
}

const BY_HAND_HELP: &str = "Examples:\n  \
    sluice drain app/127.0.0.1:9001\n  \
    sluice down app/127.0.0.1:9001 -c /etc/sluice/sluice.toml\n  \
    sluice up app/127.0.0.1:9001 --admin 127.0.0.1:9900";
