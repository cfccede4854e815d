//! The chores of the workspace: `cargo xtask test`, `cargo xtask floors`, `cargo xtask bench`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program"
)]

mod bench;
mod floors;
#[cfg(test)]
mod pages;
mod test;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Test { no_install } => test::run(!no_install),
        Chore::Floors => floors::run(),
        Chore::Bench { arguments } => bench::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The chores of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Runs every check and test, and ends with the counts.
    ///
    /// Installs what the tests need and this machine lacks: cargo-nextest and cargo-deny with cargo, system programs
    /// with apt-get where it runs as root. A test that lacks something fails; none is skipped.
    Test {
        /// Fail instead of installing what is missing.
        #[arg(long)]
        no_install: bool,
    },
    /// Checks that every crate imports only lower floors and that the pure floors are pure.
    Floors,
    /// Builds sluice for release and runs the benchmark harness; `cargo xtask bench --help` shows its options.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed to the harness as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_harness_gets_its_arguments_as_they_are() {
        let words = ["xtask", "bench", "--help", "http", "--rounds=3"];
        let Chore::Bench { arguments } = Arguments::parse_from(words).chore else {
            panic!("not the bench");
        };
        assert_eq!(arguments, words[2..]);
    }
}
