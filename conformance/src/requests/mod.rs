//! What clients send, by topic. RFC 9110 and 9112 say what has to come of it; where they leave a choice, the strict one is
//! taken: what two readers could understand differently is refused.

mod chunked;
mod connection;
mod content_length;
mod expectations;
mod fields;
mod host;
mod limits;
mod line_ends;
mod methods;
mod pipelining;
mod request_line;
mod smuggling;
mod targets;
mod transfer_encoding;
mod unfinished;
mod versions;

pub use unfinished::cases as unfinished;

use crate::case::Case;

/// Every topic, by name. [`unfinished()`] is apart: it needs a subject that waits only for a second.
pub fn topics() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("request line", request_line::cases()),
        ("methods", methods::cases()),
        ("targets", targets::cases()),
        ("versions", versions::cases()),
        ("line ends", line_ends::cases()),
        ("host", host::cases()),
        ("fields", fields::cases()),
        ("content length", content_length::cases()),
        ("transfer encoding", transfer_encoding::cases()),
        ("chunked bodies", chunked::cases()),
        ("limits", limits::cases()),
        ("connection handling", connection::cases()),
        ("expectations", expectations::cases()),
        ("pipelining", pipelining::cases()),
        ("smuggling", smuggling::cases()),
    ]
}

/// One topic.
#[track_caller]
pub fn topic(name: &str) -> Vec<Case> {
    let found = topics().into_iter().find(|(topic, _)| *topic == name);
    found.unwrap_or_else(|| panic!("no topic `{name}`")).1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::case::{Answer, Reaches};

    #[test]
    fn there_are_enough_good_and_bad_ones() {
        let all: Vec<_> = topics()
            .into_iter()
            .flat_map(|(_, cases)| cases)
            .chain(unfinished())
            .collect();
        let served = all
            .iter()
            .filter(|case| case.answers.contains(&Answer::Served))
            .count();
        assert!(all.len() >= 220, "{} cases", all.len());
        assert!(served >= 60, "{served} good ones");
        assert!(all.len() - served >= 140, "{} bad ones", all.len() - served);
    }

    #[test]
    fn descriptions_and_bytes_are_different() {
        for (topic, cases) in topics() {
            let whats: HashSet<_> = cases.iter().map(|case| case.what).collect();
            assert_eq!(whats.len(), cases.len(), "{topic}: a description twice");
        }
        let all = topics().into_iter().flat_map(|(_, cases)| cases);
        let mut sent = HashSet::new();
        for case in all {
            assert!(sent.insert(case.send.clone()), "twice: {}", case.what);
        }
    }

    #[test]
    fn every_case_names_a_request_for_each_answer() {
        for (topic, cases) in topics() {
            for case in cases {
                let served = case
                    .answers
                    .iter()
                    .filter(|answer| **answer == Answer::Served);
                if let Reaches::Exactly(seen) = &case.server {
                    assert_eq!(served.count(), seen.len(), "{topic}: {}", case.what);
                }
            }
        }
    }
}
