//! `sluice up`, `sluice drain`, `sluice down`, `sluice weight`: what a server takes, told to a running sluice by its admin address.

use std::process::ExitCode;

use crate::USAGE;
use crate::admin_client::{AdminClient, encoded};
use crate::command_line::{ByHandArguments, WeightArguments};

/// Sets what the server takes: `up`, `drain` or `down`.
pub(crate) fn set_state(arguments: &ByHandArguments, state: &str) -> ExitCode {
    set(arguments, &format!("{{\"state\": \"{state}\"}}"))
}

/// Sets how much it takes beside the others.
pub(crate) fn set_weight(arguments: &WeightArguments) -> ExitCode {
    let json = match arguments.weight.parse::<i64>() {
        Ok(number) => format!("{{\"weight\": {number}}}"),
        Err(_) if arguments.weight == "file" => "{\"weight\": \"file\"}".to_owned(),
        Err(_) => {
            eprintln!(
                "error: `{}` is no weight\nhelp: a whole number from 1 to 65535, or `file` for the weight that the file says",
                arguments.weight
            );
            return ExitCode::from(USAGE);
        }
    };
    set(&arguments.server, &json)
}

fn set(arguments: &ByHandArguments, json: &str) -> ExitCode {
    let Some((upstream, server)) = arguments.server.split_once('/') else {
        eprintln!(
            "error: `{}` is not an upstream and a server of it\nhelp: for example `app/127.0.0.1:9001`, as the file has them",
            arguments.server
        );
        return ExitCode::from(USAGE);
    };
    let path = format!(
        "/api/upstreams/{}/servers/{}",
        encoded(upstream),
        encoded(server)
    );
    let answer = AdminClient::of(&arguments.admin).and_then(|admin| admin.put(&path, json));
    match answer {
        Ok(body) => {
            print!("{body}");
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}
