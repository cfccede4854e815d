//! What can be typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Print the JSON Schema of the configuration file, for editors
    ///
    /// Editors with TOML support complete and check `sluice.toml` with it:
    /// `sluice schema > sluice.schema.json`, and `#:schema sluice.schema.json` as the file's first line.
    Schema,
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

/// Say which route, upstream and server a request would get, and why
///
/// Asks the file, not a running sluice, and sends nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    sluice explain -c sluice.toml GET http://api.example.com/users/7 -H 'x-tenant-id: premium'")]
pub(crate) struct ExplainArguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "sluice.toml")]
    pub(crate) config: PathBuf,
    /// The request's method
    pub(crate) method: String,
    /// The request's URL
    pub(crate) url: String,
    /// The client's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) client_ip: IpAddr,
    /// A header field, as `name: value`; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The listener it comes in by [default: the one with the URL's port, else the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
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
