//! A plan without a file: `sluice run --listen :8080 --to 127.0.0.1:9001`, or `--listen udp::5353`.
//!
//! The options become the same tree that a file would be parsed into, and go the same way. The tree's places lie in the
//! text of the command line, so that mistakes are shown there.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Findings, Report, Source, Span};
use crate::syntax::{Entry, Table, Text, Value, ValueKind};
use crate::{Loaded, Surroundings, load_table};

/// Loads a plan with a listener for each of `listen`, http where neither `udp:` nor `tcp:` stands before the address, and one upstream with the servers `to`.
pub fn from_addresses<S: AsRef<str>>(listen: &[S], to: &[S]) -> Result<Loaded, Report> {
    let mut line = CommandLine {
        text: "sluice run".to_owned(),
    };
    let listen: Vec<Value> = listen
        .iter()
        .map(|address| line.option("--listen", address.as_ref()))
        .collect();
    let to: Vec<Value> = to
        .iter()
        .map(|address| line.option("--to", address.as_ref()))
        .collect();
    let source = Source {
        name: "command line".to_owned(),
        text: line.text,
    };
    let mut missing = Findings::default();
    for (values, option, example) in [
        (&listen, "--listen", ":8080"),
        (&to, "--to", "127.0.0.1:9001"),
    ] {
        if values.is_empty() {
            missing.push(
                Diagnostic::error_without_place(format!("there is no `{option}`"))
                    .help(format!("for example `{option} {example}`")),
            );
        }
    }
    if missing.has_errors() {
        return Err(Report::new(&source, missing));
    }
    load_table(
        &file(listen, to),
        &source,
        &NothingBeyond,
        Findings::default(),
    )
}

/// The text of the command line as far as it has been put together.
struct CommandLine {
    text: String,
}

impl CommandLine {
    fn option(&mut self, option: &str, value: &str) -> Value {
        self.text.push(' ');
        self.text.push_str(option);
        self.text.push(' ');
        let start = self.text.len();
        self.text.push_str(value);
        Value {
            span: start..self.text.len(),
            kind: ValueKind::Text(Text {
                value: value.to_owned(),
                resolved: false,
            }),
        }
    }
}

fn file(listen: Vec<Value>, to: Vec<Value>) -> Table {
    let listeners = listen
        .into_iter()
        .enumerate()
        .map(|(index, address)| {
            let (protocol, address) = protocol_of(address);
            let name = match index {
                0 => protocol.to_owned(),
                _ => format!("{protocol}-{}", index + 1),
            };
            let span = address.span.clone();
            let protocol = ValueKind::Text(Text {
                value: protocol.to_owned(),
                resolved: false,
            });
            let keys = vec![
                entry("address", &span, address.kind),
                entry("protocol", &(0..0), protocol),
            ];
            entry(&name, &span, table(&span, keys))
        })
        .collect();
    let servers = entry("servers", &(0..0), ValueKind::List(to));
    let upstream = entry("servers", &(0..0), table(&(0..0), vec![servers]));
    Table {
        span: 0..0,
        entries: vec![
            entry("listeners", &(0..0), table(&(0..0), listeners)),
            entry("upstreams", &(0..0), table(&(0..0), vec![upstream])),
        ],
    }
}

/// `udp::5353` listens for datagrams on `:5353`, and `tcp:` for connections that are not looked at.
fn protocol_of(mut address: Value) -> (&'static str, Value) {
    if let ValueKind::Text(text) = &mut address.kind {
        for (prefix, protocol) in [("udp:", "udp"), ("tcp:", "tcp")] {
            if let Some(rest) = text.value.strip_prefix(prefix) {
                text.value = rest.to_owned();
                address.span.start += prefix.len();
                return (protocol, address);
            }
        }
    }
    ("http", address)
}

fn table(span: &Span, entries: Vec<Entry>) -> ValueKind {
    ValueKind::Table(Table {
        span: span.clone(),
        entries,
    })
}

fn entry(key: &str, span: &Span, kind: ValueKind) -> Entry {
    Entry {
        key: key.to_owned(),
        key_span: span.clone(),
        value: Value {
            span: span.clone(),
            kind,
        },
    }
}

/// A command line refers to nothing: the shell has filled in the environment already.
struct NothingBeyond;

impl Surroundings for NothingBeyond {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &Path) -> Result<String, String> {
        Err("a command line has no secrets".to_owned())
    }
}
