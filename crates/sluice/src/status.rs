//! `sluice status`: how the servers of a running sluice are.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::admin_client::AdminClient;
use crate::command_line::StatusArguments;
use crate::live_servers::LiveServer;

pub(crate) fn status(arguments: &StatusArguments) -> ExitCode {
    match AdminClient::of(&arguments.admin).and_then(|admin| shown(&admin, arguments.json)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn shown(admin: &AdminClient, json: bool) -> Result<String, ExitCode> {
    if json {
        return admin.get(crate::live_servers::PATH);
    }
    Ok(table(&LiveServer::all(admin)?))
}

/// A line for each server, the columns as wide as what stands in them.
fn table(servers: &[LiveServer]) -> String {
    let heads = [
        "UPSTREAM",
        "SERVER",
        "STATE",
        "TAKES",
        "WEIGHT",
        "IN FLIGHT",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(servers.iter().map(row));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(server: &LiveServer) -> [String; 6] {
    let weight = match server.weight_by_hand {
        Some(weight) => format!("{weight} by hand"),
        None => server.weight.to_string(),
    };
    [
        server.upstream.clone(),
        server.address.clone(),
        server.state.clone(),
        server.takes.clone(),
        weight,
        server.in_flight.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let server = |upstream: &str, address: &str, weight_by_hand| LiveServer {
            upstream: upstream.to_owned(),
            address: address.to_owned(),
            state: "half-open".to_owned(),
            takes: "trials".to_owned(),
            weight: 1,
            weight_by_hand,
            in_flight: 1_000,
        };
        let servers = [
            server("app", "127.0.0.1:9001", None),
            server("a-longer-name", "unix:/run/app.sock", Some(12)),
        ];
        let expected = "\
UPSTREAM       SERVER              STATE      TAKES   WEIGHT      IN FLIGHT
app            127.0.0.1:9001      half-open  trials  1           1000
a-longer-name  unix:/run/app.sock  half-open  trials  12 by hand  1000
";
        assert_eq!(table(&servers), expected);
    }
}
