//! `sluice status`: how the servers of a running sluice are, the stores that it shares with others, the keys that it fetches, and how splits are shifted.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::admin_client::{AdminClient, read};
use crate::command_line::StatusArguments;
use crate::live_key_sets::{self, LiveKeySet};
use crate::live_servers::{self, LiveServer, LiveStore};
use crate::shift::{self, Split};

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
        return as_json(admin);
    }
    let servers = servers(&LiveServer::all(admin)?);
    let stores = stores(&LiveStore::all(admin)?);
    let key_sets = key_sets(&LiveKeySet::all(admin)?);
    let shifts = shifts(&Split::all(admin)?);
    let mut parts = vec![servers, stores, key_sets, shifts];
    parts.retain(|part| !part.is_empty());
    Ok(parts.join("\n"))
}

/// All of it in one object, as the admin address tells of each.
fn as_json(admin: &AdminClient) -> Result<String, ExitCode> {
    let mut all = Map::new();
    for (name, path, told_as) in [
        ("upstreams", live_servers::PATH, "upstreams"),
        ("stores", live_servers::STORES, "stores"),
        ("key-sets", live_key_sets::PATH, "key-sets"),
        ("shifts", shift::PATH, "routes"),
    ] {
        let mut told: Map<String, Value> = read(&admin.get(path)?)?;
        let part = told.remove(told_as).unwrap_or_default();
        all.insert(name.to_owned(), part);
    }
    Ok(format!("{}\n", Value::Object(all)))
}

/// A line for each server.
fn servers(servers: &[LiveServer]) -> String {
    let mut heads = vec![
        "UPSTREAM",
        "SERVER",
        "STATE",
        "TAKES",
        "WEIGHT",
        "IN FLIGHT",
    ];
    let remembers = servers.iter().any(|server| server.sessions.is_some());
    if remembers {
        heads.push("SESSIONS");
    }
    let row = |server| {
        let mut row = row(server);
        row.truncate(heads.len());
        row
    };
    table(&heads, servers.iter().map(row))
}

/// A line for each store; nothing where there is none.
fn stores(stores: &[LiveStore]) -> String {
    if stores.is_empty() {
        return String::new();
    }
    let row = |store: &LiveStore| vec![store.name.clone(), store.state.clone()];
    table(&["STORE", "STATE"], stores.iter().map(row))
}

/// A line for each set of keys; nothing where there is none.
fn key_sets(sets: &[LiveKeySet]) -> String {
    if sets.is_empty() {
        return String::new();
    }
    let row = |set: &LiveKeySet| {
        let fetched = match set.age {
            Some(seconds) => format!("{seconds}s ago"),
            None => "never".to_owned(),
        };
        vec![
            set.auth.clone(),
            set.keys.to_string(),
            fetched,
            set.url.clone(),
            set.failure.clone().unwrap_or_default(),
        ]
    };
    let heads = ["AUTH", "KEYS", "FETCHED", "FROM", "LAST FAILURE"];
    table(&heads, sets.iter().map(row))
}

/// A line for each split that is shifted, or was; nothing where there is none.
fn shifts(splits: &[Split]) -> String {
    let row = |split: &Split| {
        let shift = split.shift.as_ref()?;
        Some(vec![
            split.route.clone(),
            shift.to.clone(),
            shift.state.clone(),
            shift.says.clone(),
        ])
    };
    let rows: Vec<_> = splits.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["ROUTE", "SHIFT TO", "STATE", "SAYS"], rows.into_iter())
}

/// The columns as wide as what stands in them.
fn table(heads: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let heads: Vec<_> = heads.iter().map(|head| (*head).to_owned()).collect();
    let columns = heads.len();
    let rows: Vec<_> = std::iter::once(heads).chain(lines).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
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

fn row(server: &LiveServer) -> Vec<String> {
    let weight = match server.weight_by_hand {
        Some(weight) => format!("{weight} by hand"),
        None => server.weight.to_string(),
    };
    let sessions = server.sessions;
    vec![
        server.upstream.clone(),
        server.address.clone(),
        server.state.clone(),
        server.takes.clone(),
        weight,
        server.in_flight.to_string(),
        sessions.map_or_else(|| "-".to_owned(), |count| count.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let server = |upstream: &str, address: &str, weight_by_hand, sessions| LiveServer {
            upstream: upstream.to_owned(),
            address: address.to_owned(),
            state: "half-open".to_owned(),
            takes: "trials".to_owned(),
            weight: 1,
            weight_by_hand,
            in_flight: 1_000,
            sessions,
        };
        let servers = [
            server("app", "127.0.0.1:9001", None, None),
            server("a-longer-name", "unix:/run/app.sock", Some(12), None),
        ];
        let expected = "\
UPSTREAM       SERVER              STATE      TAKES   WEIGHT      IN FLIGHT
app            127.0.0.1:9001      half-open  trials  1           1000
a-longer-name  unix:/run/app.sock  half-open  trials  12 by hand  1000
";
        assert_eq!(super::servers(&servers), expected);
        let sticky = [
            server("app", "127.0.0.1:9001", None, None),
            server("old", "127.0.0.1:9002", None, Some(7)),
        ];
        let expected = "\
UPSTREAM  SERVER          STATE      TAKES   WEIGHT  IN FLIGHT  SESSIONS
app       127.0.0.1:9001  half-open  trials  1       1000       -
old       127.0.0.1:9002  half-open  trials  1       1000       7
";
        assert_eq!(super::servers(&sticky), expected);
    }

    #[test]
    fn keys_of_tokens_have_an_age() {
        let set = |auth: &str, age: Option<u64>, failure: Option<&str>| LiveKeySet {
            auth: auth.to_owned(),
            url: "https://idp/keys".to_owned(),
            keys: usize::from(age.is_some()),
            age,
            failure: failure.map(str::to_owned),
        };
        let sets = [set("tokens", Some(90), None), set("b", None, Some("away"))];
        let expected = "\
AUTH    KEYS  FETCHED  FROM              LAST FAILURE
tokens  1     90s ago  https://idp/keys
b       0     never    https://idp/keys  away
";
        assert_eq!(key_sets(&sets), expected);
    }
}
