//! `http`: a request is answered as it should be.

use std::cell::Cell;
use std::fmt::Write as _;

use sluice_config::plan::HttpCheck;
use sluice_telemetry::metrics::CheckOutcome;

use super::json;
use crate::exchange::{Answer, exchange};
use crate::failure::{Failure, Step};
use crate::way::Way;

pub(super) async fn check(way: &Way, http: &HttpCheck, step: &Cell<Step>) -> Result<(), Failure> {
    let mut connection = way.open(step).await?;
    step.set(Step::Answer);
    let request = request(http, way.label());
    let is_head = &*http.method == "HEAD";
    let answer = exchange(&mut connection.stream, request.as_bytes(), is_head).await?;
    judge(http, &answer)
}

fn request(http: &HttpCheck, server: &str) -> String {
    let (method, target) = (&http.method, &http.target);
    // A socket has no host.
    let server = if server.starts_with("unix:") {
        "localhost"
    } else {
        server
    };
    let host = http.host.as_deref().unwrap_or(server);
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
    let says_who = http.headers.iter().any(|(name, _)| &**name == "user-agent");
    if !says_who {
        request.push_str("user-agent: sluice-health\r\n");
    }
    if !matches!(method.as_ref(), "GET" | "HEAD" | "OPTIONS") {
        request.push_str("content-length: 0\r\n");
    }
    for (name, value) in &http.headers {
        // Writing to a string does not fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("connection: close\r\n\r\n");
    request
}

fn judge(http: &HttpCheck, answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    let is_expected = |(first, last): &(u16, u16)| (*first..=*last).contains(&status);
    if !http.statuses.iter().any(is_expected) {
        let reason = format!("status {status}, expected {}", listed(&http.statuses));
        return Err(Failure::new(CheckOutcome::Status, reason));
    }
    if http.body.is_none() && http.json.is_empty() {
        return Ok(());
    }
    if answer.is_cut {
        let reason = "a body longer than 64 KiB".to_owned();
        return Err(Failure::new(CheckOutcome::Body, reason));
    }
    if let Some(pattern) = &http.body
        && !pattern.matches(&answer.body)
    {
        let reason = format!("body {}, expected `{pattern}`", excerpt(&answer.body));
        return Err(Failure::new(CheckOutcome::Body, reason));
    }
    json::check(&http.json, &answer.body).map_err(|reason| Failure::new(CheckOutcome::Json, reason))
}

/// The ranges as a file would have them.
fn listed(statuses: &[(u16, u16)]) -> String {
    let ranges: Vec<String> = statuses
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    ranges.join(", ")
}

/// The beginning of what a server said, for a line of the log.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text.chars().take(EXCERPT_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

const EXCERPT_CHARS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn http() -> HttpCheck {
        HttpCheck {
            target: "/health".into(),
            method: "GET".into(),
            host: None,
            headers: Vec::new(),
            statuses: vec![(200, 299), (404, 404)],
            body: None,
            json: Vec::new(),
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.into(),
            ..Answer::default()
        }
    }

    #[test]
    fn a_request_names_the_server_unless_told_otherwise() {
        let usual = "GET /health HTTP/1.1\r\nhost: 127.0.0.1:80\r\nuser-agent: sluice-health\r\nconnection: close\r\n\r\n";
        assert_eq!(request(&http(), "127.0.0.1:80"), usual);
        assert!(request(&http(), "unix:/run/a").contains("\r\nhost: localhost\r\n"));
        let other = HttpCheck {
            method: "POST".into(),
            host: Some("app".into()),
            headers: vec![("user-agent".into(), "me".into())],
            ..http()
        };
        let expected = "POST /health HTTP/1.1\r\nhost: app\r\ncontent-length: 0\r\nuser-agent: me\r\nconnection: close\r\n\r\n";
        assert_eq!(request(&other, "127.0.0.1:80"), expected);
    }

    #[test]
    fn status_and_body_decide() {
        let judged =
            |http: &HttpCheck, answer| judge(http, &answer).map_err(|failure| failure.reason);
        assert_eq!(judged(&http(), answer(204, "")), Ok(()));
        assert_eq!(judged(&http(), answer(404, "")), Ok(()));
        let wrong = judged(&http(), answer(503, ""));
        assert_eq!(wrong, Err("status 503, expected 200-299, 404".to_owned()));
        let said = HttpCheck {
            body: sluice_route::Pattern::parse("*ok*").ok(),
            ..http()
        };
        assert_eq!(judged(&said, answer(200, "all ok\n")), Ok(()));
        let wrong = judged(&said, answer(200, "bad\n"));
        assert_eq!(wrong, Err("body \"bad\\n\", expected `*ok*`".to_owned()));
        let cut = Answer {
            is_cut: true,
            ..answer(200, "ok")
        };
        assert!(judged(&said, cut).is_err());
        assert_eq!(excerpt("a".repeat(100).as_bytes()).chars().count(), 83);
    }
}
