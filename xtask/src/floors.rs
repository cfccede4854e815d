//! `cargo xtask floors`: a crate may import only crates on lower floors, and the pure floors touch nothing outside.
//!
//! [`TABLE`] is the drawing of `ARCHITECTURE.md` as data; a test holds the two together.

mod graph;
mod imports;
mod source;

use anyhow::Result;

use graph::Graph;

/// A room and the floor it lies on. A crate's package is called `sluice-ROOM`, the binary's `sluice`.
const TABLE: &[(&str, u8)] = &[
    ("sluice-model", 0),
    ("sluice-wire", 1),
    ("sluice-route", 1),
    ("sluice-auth", 1),
    ("sluice-balance", 1),
    ("sluice-health", 1),
    ("sluice-limit", 1),
    ("sluice-session", 1),
    ("sluice-geo", 2),
    ("sluice-config", 3),
    ("sluice-net", 4),
    ("sluice-telemetry", 4),
    ("sluice-http", 5),
    ("sluice-quic", 5),
    ("sluice-tls", 5),
    ("sluice-fetch", 6),
    ("sluice-store", 6),
    ("sluice-upstream", 6),
    ("sluice-acme", 7),
    ("sluice-probe", 7),
    ("sluice-proxy", 7),
    ("sluice-control", 8),
    ("sluice-admin", 9),
    ("sluice-simulate", 9),
    ("sluice", 10),
];

/// What lies beside the house: may look in everywhere, and no room imports it, except for tests.
const BESIDE: &[&str] = &["conformance", "sluice-bench", "testkit", "xtask"];

/// Imports no room, so that it stays independent of what it tests.
const INDEPENDENT: &[&str] = &["testkit"];

/// Floors up to this one decide and touch nothing: bytes or events and the time in, decisions out.
const HIGHEST_PURE: u8 = 3;

/// What a pure floor must not link, not even through another crate.
const IMPURE_CRATES: &[&str] = &[
    "async-std",
    "getrandom",
    "libc",
    "mio",
    "nix",
    "polling",
    "rand",
    "rand_core",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
];

/// What a pure floor must not name.
const IMPURE_PATHS: &[(&str, &str)] = &[
    ("Instant::now", "the time is handed in"),
    ("SystemTime::now", "the time is handed in"),
    ("RandomState", "randomness is handed in as a seed"),
    ("Rng::new", "chance is handed in as a seed"),
    ("Rng::default", "chance is handed in as a seed"),
    ("fastrand::b*", "its global generator escapes the seed"),
    ("fastrand::c*", "its global generator escapes the seed"),
    ("fastrand::f*", "its global generator escapes the seed"),
    ("fastrand::i*", "its global generator escapes the seed"),
    ("fastrand::s*", "its global generator escapes the seed"),
    ("fastrand::u*", "its global generator escapes the seed"),
    ("std::env", "the environment is handed in"),
    ("std::fs", "files are read by those above"),
    ("std::net::Tcp*", "sockets live in net"),
    ("std::net::Udp*", "sockets live in net"),
    ("std::os", "the kernel is spoken to in net"),
    (
        "std::process",
        "a process is started or ended only at the top",
    ),
    ("std::thread", "threads are started at the top"),
    (
        "std::time::Instant as *",
        "a renamed clock escapes this check",
    ),
    (
        "std::time::SystemTime as *",
        "a renamed clock escapes this check",
    ),
];

/// `false` when something is wrong; what it is has been printed.
pub(crate) fn run() -> Result<bool> {
    let graph = Graph::of_workspace()?;
    let mut faults = imports::check(&graph);
    for package in graph.members() {
        if is_pure(&package.name) {
            faults.extend(source::check_folder(&package.folder.join("src"))?);
        }
    }
    for fault in &faults {
        println!("{fault}");
    }
    if faults.is_empty() {
        println!("{} rooms, each above what it imports", TABLE.len());
    }
    Ok(faults.is_empty())
}

fn floor_of(name: &str) -> Option<u8> {
    TABLE
        .iter()
        .find(|(room, _)| *room == name)
        .map(|(_, floor)| *floor)
}

fn is_pure(name: &str) -> bool {
    floor_of(name).is_some_and(|floor| floor <= HIGHEST_PURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    #[test]
    fn this_house_stands() {
        assert!(run().expect("the workspace can be read"));
    }

    #[test]
    fn the_drawing_shows_the_same_floors() {
        let text =
            std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
        let mut drawn = Vec::new();
        for line in text.lines() {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, floor, room, ..] = cells[..] else {
                continue;
            };
            let Ok(floor) = floor.parse::<u8>() else {
                continue;
            };
            let room = room.trim_matches('`');
            drawn.push((
                if room == "sluice" {
                    room.to_owned()
                } else {
                    format!("sluice-{room}")
                },
                floor,
            ));
        }
        drawn.sort();
        let mut table: Vec<_> = TABLE
            .iter()
            .map(|(room, floor)| ((*room).to_owned(), *floor))
            .collect();
        table.sort();
        assert_eq!(drawn, table);
    }
}
