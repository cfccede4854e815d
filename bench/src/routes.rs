//! What it costs to find a route: nanoseconds a request, among few routes and many.
//!
//! On one core, by the time that it works. Requests ask for one route after the other, in an order that jumps about, so that with many routes the
//! caches do not hold all of them; and then as traffic of many tenants is, where few are asked for often and most seldom.

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
    for order in ORDERS {
        for kind in KINDS {
            let mut cells = Vec::new();
            for count in COUNTS {
                let work = Work::new(kind, order, count)?;
                let median = work.median(rounds).context("no rounds")?;
                cells.push(format!("{median:.0}"));
            }
            crate::say(&line(&format!("{}, {}", kind.name(), order.name()), &cells));
        }
    }
    Ok(())
}

/// Which route is asked for next.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Each as often as every other, and never one twice in a row.
    Another,
    /// By Zipf's law: the second about half as often as the first, the tenth a tenth.
    Zipf,
}

impl Order {
    fn name(self) -> &'static str {
        match self {
            Self::Another => "each another",
            Self::Zipf => "few often",
        }
    }

    /// Which of `count` routes request number `at` is for.
    fn route(self, at: usize, count: usize) -> usize {
        match self {
            Self::Another => at.wrapping_mul(STRIDE) % count,
            // Even over 0 to 1, and never the same twice. Which are asked for often does not go by where they stand.
            Self::Zipf => rank((at as f64 * GOLDEN).fract(), count).wrapping_mul(STRIDE) % count,
        }
    }
}

/// The one of `count` that is asked for by `chance`, from 0 to 1: the first most often.
fn rank(chance: f64, count: usize) -> usize {
    let share = ((count + 1) as f64).powf(chance);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1 to the count and one"
    )]
    let rank = share as usize;
    rank.clamp(1, count) - 1
}

/// By what routes are told from each other.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Hosts,
    Paths,
    HostsAndPaths,
    Domains,
    ExactPaths,
    Captures,
    Parts,
    Globs,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Hosts => "by host",
            Self::Paths => "by path (`/service-N/*`)",
            Self::HostsAndPaths => "by host and path, ten paths a host",
            Self::Domains => "by domain (`*.tenant-N.example.com`)",
            Self::ExactPaths => "by exact path (`/service-N/orders/1234`)",
            Self::Captures => "by path with captures (`/service-N/{kind}/{id}`)",
            Self::Parts => "by path with a part captured (`/service-N-{part}/{kind}/{id}`)",
            Self::Globs => "by glob (`/service-N-*`)",
        }
    }

    /// The host and the beginning of the path that requests for a route have.
    fn place(self, number: usize) -> (String, String) {
        match self {
            Self::Hosts => (format!("tenant-{number}.example.com"), String::new()),
            Self::Domains => (format!("www.tenant-{number}.example.com"), String::new()),
            Self::Paths | Self::ExactPaths | Self::Captures => {
                (String::new(), format!("/service-{number}"))
            }
            Self::Parts | Self::Globs => (String::new(), format!("/service-{number}-a")),
            Self::HostsAndPaths => (
                format!("tenant-{}.example.com", number / 10),
                format!("/part-{}", number % 10),
            ),
        }
    }

    /// How the path of a route goes on.
    fn tail(self) -> &'static str {
        match self {
            Self::Hosts | Self::Paths | Self::HostsAndPaths | Self::Domains => "/*",
            Self::ExactPaths => REST,
            Self::Captures | Self::Parts => "/{kind}/{id}",
            Self::Globs => "",
        }
    }

    /// What stands in a pattern for the beginning of a path.
    fn pattern(self, place: &str) -> String {
        match (self, place.strip_suffix('a')) {
            (Self::Parts, Some(before)) => format!("{before}{{part}}"),
            (Self::Globs, Some(before)) => format!("{before}*"),
            _ => place.to_owned(),
        }
    }

    fn conditions(self, number: usize) -> Result<Conditions> {
        let (host, path) = self.place(number);
        Ok(Conditions {
            hosts: match host.as_str() {
                "" => Vec::new(),
                host => vec![host.replace("www.", "*.").parse()?],
            },
            path: match path.as_str() {
                "" => None,
                path => Some(format!("{}{}", self.pattern(path), self.tail()).parse()?),
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
    fn new(kind: Kind, order: Order, count: usize) -> Result<Self> {
        let rules: Result<Vec<_>> = (0..count).map(|number| kind.conditions(number)).collect();
        let request = |at: usize| {
            let number = order.route(at, count);
            let (host, path) = kind.place(number);
            (host, format!("{path}{REST}"), number)
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

const KINDS: [Kind; 8] = [
    Kind::Hosts,
    Kind::Paths,
    Kind::HostsAndPaths,
    Kind::Domains,
    Kind::ExactPaths,
    Kind::Captures,
    Kind::Parts,
    Kind::Globs,
];
/// How all paths that are asked for end.
const REST: &str = "/orders/1234";
const ORDERS: [Order; 2] = [Order::Another, Order::Zipf];
const COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];
/// In one round.
const REQUESTS: usize = 20_000;
/// Shares no divisor with the counts.
const STRIDE: usize = 7_919;
/// The golden ratio's fraction, whose multiples spread evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_finds_its_route() {
        for kind in KINDS {
            for (order, count) in [(Order::Another, 10), (Order::Zipf, 1_000)] {
                let work = Work::new(kind, order, count).unwrap();
                assert_eq!(work.find_all(), REQUESTS, "{kind:?} {order:?} {count}");
            }
        }
    }

    #[test]
    fn few_are_asked_for_often_and_all_sometimes() {
        let mut times = [0_usize; 10];
        for at in 0..REQUESTS {
            times[Order::Zipf.route(at, times.len())] += 1;
        }
        times.sort_unstable_by(|one, other| other.cmp(one));
        let (first, second, last) = (times[0], times[1], times[9]);
        assert!(first > second * 3 / 2 && second > last * 3, "{times:?}");
        assert!(last > 0, "{times:?}");
    }
}
