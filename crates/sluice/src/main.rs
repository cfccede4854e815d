//! The binary: command line, start, stop.
//!
//! Exit codes: 0 good, 1 the file is wrong or cannot be run, 2 the command line is wrong.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a person asked for goes to the terminal"
)]

mod admin;
mod admin_client;
mod by_hand;
mod check;
mod command_line;
mod demo;
mod explain;
mod hash_key;
mod live_key_sets;
mod live_servers;
mod live_session;
mod run;
mod shift;
mod simulate;
mod status;

use std::process::ExitCode;

use clap::Parser;

use crate::command_line::{Command, CommandLine};

/// The command line is wrong.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::HashKey(arguments) => hash_key::hash_key(&arguments),
        Command::Schema => {
            println!("{}", sluice_config::schema_json());
            ExitCode::SUCCESS
        }
        Command::Drain(arguments) => by_hand::set_state(&arguments, "drain"),
        Command::Down(arguments) => by_hand::set_state(&arguments, "down"),
        Command::Up(arguments) => by_hand::set_state(&arguments, "up"),
        Command::Weight(arguments) => by_hand::set_weight(&arguments),
        Command::Shift(arguments) => shift::shift(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Simulate(arguments) => simulate::simulate(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
    }
}
