//! What it costs to find a route: nanoseconds a request, among few routes and many.
//!
//! On one core, by the time that it works. Requests ask for one route after the other, in an order that jumps about, so that with many routes the
//! caches do not hold all of them: as it is with the traffic of many tenants.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result};
use sluice_route::{Captures, Conditions, Facts, NoFields, Router, Scheme};

use crate::cores::{self, worked};
use crate::report::line;
use crate::statistics::Spread;

/// Prints a table in Markdown.
pub(crate) fn run(rounds: usize) -> Result<()> {
    cores::stay_on(cores::PROXY).context("staying on one core")?;
    let heads = COUNTS.map(|count| count.to_string());
    crate::say(&line("ns a request, among routes", &heads));
    crate::say(&format!("|---|{}", "--:|".repeat(COUNTS.len())));
    for kind in KINDS {
        let mut cells = Vec::new();
        for count in COUNTS {
            let work = Work::new(kind, count)?;
            let median = work.median(rounds).context("no rounds")?;
            cells.push(format!("{median:.0}"));
        }
        crate::say(&line(kind.name(), &cells));
    }
    Ok(())
}

/// By what routes are told from each other.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Hosts,
    Paths,
    HostsAndPaths,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Hosts => "by host",
            Self::Paths => "by path (`/service-N/*`)",
            Self::HostsAndPaths => "by host and path, ten paths a host",
        }
    }

    /// The host and the path of a route.
    fn place(self, number: usize) -> (String, String) {
        match self {
            Self::Hosts => (format!("tenant-{number}.example.com"), String::new()),
            Self::Paths => (String::new(), format!("/service-{number}")),
            Self::HostsAndPaths => (
                format!("tenant-{}.example.com", number / 10),
                format!("/part-{}", number % 10),
            ),
        }
    }

    fn conditions(self, number: usize) -> Result<Conditions> {
        let (host, path) = self.place(number);
        Ok(Conditions {
            hosts: match host.as_str() {
                "" => Vec::new(),
                host => vec![host.parse()?],
            },
            path: match path.as_str() {
                "" => None,
                path => Some(format!("{path}/*").parse()?),
            },
            ..Conditions::default()
        })
    }
}

/// A router, and requests for its routes.
struct Work {
    router: Router,
    /// Hosts and paths, and the route that is meant.
    requests: Vec<(String, String, usize)>,
}

impl Work {
    fn new(kind: Kind, count: usize) -> Result<Self> {
        let rules: Result<Vec<_>> = (0..count).map(|number| kind.conditions(number)).collect();
        let request = |at: usize| {
            let number = at.wrapping_mul(STRIDE) % count;
            let (host, path) = kind.place(number);
            (host, format!("{path}/orders/1234"), number)
        };
        Ok(Self {
            router: Router::new(rules?),
            requests: (0..REQUESTS).map(request).collect(),
        })
    }

    fn median(&self, rounds: usize) -> Option<f64> {
        self.find_all();
        let samples: Vec<f64> = (0..rounds)
            .map(|_| {
                let start = worked();
                black_box(self.find_all());
                worked().saturating_sub(start).as_nanos() as f64 / REQUESTS as f64
            })
            .collect();
        Spread::of(&samples).map(|spread| spread.median)
    }

    /// How many requests found the route that was meant.
    fn find_all(&self) -> usize {
        let mut captures = Captures::new();
        let mut right = 0;
        for (host, path, meant) in &self.requests {
            let facts = Facts {
                host,
                path,
                query: None,
                method: "GET",
                fields: &NoFields,
                client: IpAddr::V4(Ipv4Addr::LOCALHOST),
                scheme: Scheme::Http,
                tls_subject: None,
                countries: None,
                json: None,
                identity: None,
            };
            let found = black_box(&self.router).find(black_box(&facts), &mut captures);
            right += usize::from(found == Some(*meant));
        }
        right
    }
}

const KINDS: [Kind; 3] = [Kind::Hosts, Kind::Paths, Kind::HostsAndPaths];
const COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];
/// In one round.
const REQUESTS: usize = 20_000;
/// Shares no divisor with the counts.
const STRIDE: usize = 7_919;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_finds_its_route() {
        for kind in KINDS {
            for count in [10, 1_000] {
                let work = Work::new(kind, count).unwrap();
                assert_eq!(work.find_all(), REQUESTS, "{kind:?} {count}");
            }
        }
    }
}
