//! Arrivals that were recorded: a file of times, or an access log.

use std::path::Path;

use serde::Deserialize;
use sluice_balance::key_hash;

use super::mistake::{Fault, ScenarioError};
use super::units::{Nanos, nanos_of};

/// A request that came once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// When, since the first one.
    pub(crate) at: Nanos,
    /// How long its server took; 0 where that is not known.
    pub(crate) service: Nanos,
    /// The hash of its client's address; `None` where that is not known.
    pub(crate) key: Option<u64>,
    /// Bytes both ways; `None` where that is not known.
    pub(crate) bytes: Option<u64>,
}

/// Reads a file of times: a number of seconds a line, empty lines and lines that begin with `#` left out.
pub(super) fn times(path: &Path, speed: f64) -> Result<Box<[Recorded]>, ScenarioError> {
    let text = read(path)?;
    let mut arrivals = Vec::new();
    for (start, line) in lines(&text) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let seconds: f64 = line
            .parse()
            .ok()
            .filter(|s: &f64| s.is_finite())
            .ok_or_else(|| {
                Fault::new(start..start + line.len(), "this is not a time")
                    .help("each line holds the time of one request in seconds, as `12.345`")
                    .in_file(&path.display().to_string(), &text)
            })?;
        arrivals.push((seconds * 1e9, 0, None, None));
    }
    finish(arrivals, path, &text, speed)
}

/// Reads an access log in the JSON format: the requests and sessions that went to a server (of `upstream`, where one is
/// named).
pub(super) fn access_log(
    path: &Path,
    upstream: Option<&str>,
    speed: f64,
) -> Result<Box<[Recorded]>, ScenarioError> {
    let text = read(path)?;
    let mut arrivals = Vec::new();
    for (start, line) in lines(&text) {
        if line.is_empty() {
            continue;
        }
        let wrong = |message: String| {
            Fault::new(start..start + line.len(), message)
                .help("each line is a JSON object, as `access = { format = \"json\" }` of `[logs]` writes it")
                .in_file(&path.display().to_string(), &text)
        };
        let entry: Line<'_> = serde_json::from_str(line)
            .map_err(|error| wrong(format!("this is not a line of an access log: {error}")))?;
        if entry.attempts == 0
            || entry.upstream.is_none()
            || upstream.is_some_and(|wanted| entry.upstream.as_deref() != Some(wanted))
        {
            continue;
        }
        let at: jiff::Timestamp = entry
            .time
            .parse()
            .map_err(|error| wrong(format!("`time` is not a time: {error}")))?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "the log has milliseconds, and 53 bits hold microseconds of this age"
        )]
        let at = at.as_microsecond() as f64 * 1e3;
        let service = nanos_of(entry.upstream_ms.unwrap_or(entry.duration_ms) * 1e6);
        let key = entry.client_ip.map(|ip| key_hash(ip.as_bytes()));
        let bytes = [
            entry.request_bytes,
            entry.response_bytes,
            entry.received_bytes,
            entry.sent_bytes,
        ];
        let bytes = bytes.into_iter().flatten().fold(0, u64::saturating_add);
        arrivals.push((at, service, key, Some(bytes)));
    }
    finish(arrivals, path, &text, speed)
}

/// The members of an access log's line that matter here.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    time: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    upstream: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    client_ip: Option<std::borrow::Cow<'a, str>>,
    attempts: u32,
    duration_ms: f64,
    upstream_ms: Option<f64>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    received_bytes: Option<u64>,
    sent_bytes: Option<u64>,
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path).map_err(|error| ScenarioError::Unreadable {
        path: path.to_owned(),
        error,
    })
}

/// The lines without blanks around them, each with where it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |position, line| {
        let start = *position + (line.len() - line.trim_start().len());
        *position += line.len();
        Some((start.min(*position), line.trim()))
    })
}

type Arrival = (f64, Nanos, Option<u64>, Option<u64>);

/// In the order of time (a log is written in the order in which requests end), beginning at zero, `speed` times as fast.
fn finish(
    mut arrivals: Vec<Arrival>,
    path: &Path,
    text: &str,
    speed: f64,
) -> Result<Box<[Recorded]>, ScenarioError> {
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(&(first, ..)) = arrivals.first() else {
        let message = "there is no request in this file that went to a server";
        let fault = Fault {
            span: None,
            message: message.into(),
            help: None,
        };
        return Err(fault.in_file(&path.display().to_string(), text));
    };
    Ok(arrivals
        .into_iter()
        .map(|(at, service, key, bytes)| Recorded {
            at: nanos_of((at - first) / speed),
            service,
            key,
            bytes,
        })
        .collect())
}
