//! `sluice demo`: three small servers, a balancer in front of them, and a guide of what to try.

mod live_line;
mod servers;

use std::process::ExitCode;

use sluice_control::{Source, Stopped};

use crate::command_line::DemoArguments;
use crate::{USAGE, check, run};

pub(crate) fn demo(arguments: &DemoArguments) -> ExitCode {
    let servers = match servers::start() {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("error: the demo's servers cannot start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let source = Source::Text {
        name: "the demo's configuration".to_owned(),
        text: configuration(arguments, &servers),
    };
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            check::tell(&error);
            return ExitCode::from(USAGE);
        }
    };
    let guide = guide(arguments, &servers);
    let stopped = run::serve(source, loaded, |_, registry| {
        print!("{guide}");
        live_line::start(registry);
    });
    live_line::clear();
    match stopped {
        Ok(Stopped::InOrder) => {
            println!("The demo has ended.");
            ExitCode::SUCCESS
        }
        Ok(Stopped::InDisorder) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            eprintln!("help: other addresses can be named, see `sluice demo --help`");
            ExitCode::FAILURE
        }
    }
}

/// The file that the demo would be run with, if it needed one.
fn configuration(arguments: &DemoArguments, servers: &[servers::DemoServer]) -> String {
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| format!("\"{}\"", server.address))
        .collect();
    format!(
        r#"[listeners.web]
address = "{listen}"

[[routes]]
name = "hello"
match.path = "/hello/{{name}}"
respond = {{ status = 200, body = "hello {{name}}, you are {{client-ip}}\n" }}

[[routes]]
name = "old"
match.path = "/old/*"
redirect = {{ to = "/{{rest}}", status = 308 }}

[[routes]]
name = "app"
upstream = "app"

[upstreams.app]
servers = [{servers}]
drain-timeout = "3s"

[admin]
address = "{admin}"

[logs]
level = "warn"
"#,
        listen = arguments.listen,
        admin = arguments.admin,
        servers = addresses.join(", "),
    )
}

fn guide(arguments: &DemoArguments, servers: &[servers::DemoServer]) -> String {
    use std::fmt::Write as _;

    let web = arguments.listen.trim_start_matches('*');
    let admin = &arguments.admin;
    let mut text = String::from("\nsluice demo: a balancer before three servers\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  balancer   http://{web}");
    for server in servers {
        let _ = writeln!(text, "  {:<10} http://{}", server.name, server.address);
    }
    let _ = writeln!(
        text,
        "  admin      http://{admin}/metrics\n\nTry, in another terminal:\n"
    );
    let slow = servers
        .get(1)
        .map_or(String::new(), |server| server.address.to_string());
    for (command, what) in [
        (format!("curl http://{web}/"), "one of the three answers"),
        (format!("curl -i http://{web}/old/page"), "a redirect"),
        (
            format!("curl http://{web}/hello/you"),
            "an answer of sluice's own",
        ),
        (
            format!("curl -d hello http://{web}/echo"),
            "what the server saw",
        ),
        (
            format!("curl -X POST 'http://{slow}/demo/slow?ms=800'"),
            "make one server slow: once that is known it is asked less",
        ),
        (
            format!("for i in $(seq 40); do curl -s http://{web}/; done"),
            "and see who answers",
        ),
        (
            format!("curl -X POST 'http://{slow}/demo/fail?percent=50'"),
            "let it fail",
        ),
        (
            format!("curl -X POST http://{slow}/demo/well"),
            "and make it well again",
        ),
        (
            format!("curl -s http://{admin}/metrics | grep requests_total"),
            "what was counted",
        ),
    ] {
        let _ = writeln!(text, "  {command:<58} # {what}");
    }
    text.push_str("\nCtrl-C ends all of it.\n\n");
    text
}
