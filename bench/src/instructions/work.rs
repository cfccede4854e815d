//! The hot path's pure work, on fixed bytes: what happens to every request
//! between two system calls, step by step.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::ValueEnum;
use sluice_http::h1::edits::Edits;
use sluice_http::h1::{request, response};
use sluice_limit::{Limiter, Quota, Rate, Taken, Verdict};
use sluice_model::Moment;
use sluice_route::{
    Captures, Conditions, Facts, FieldNames, HostPattern, NoFields, PathPattern, Router, Scheme,
    normalise_path,
};
use sluice_session::{PIN_LENGTH, Pin, ServerName, Signer};
use sluice_wire::h1::{
    FieldStorage, Limits, RequestHead, ResponseHead, Version, parse_request, parse_response,
};

use crate::picks;

/// A part of the work that is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// From bytes to a checked request head of eight fields.
    ParseRequest,
    /// From the head to one of thirty routes.
    FindRoute,
    /// From an upstream of three to the server whose turn it is, which has a place taken and another given back.
    PickServer,
    /// From the head to the bytes for the server.
    ComposeRequest,
    /// From bytes to a checked response head of six fields.
    ParseResponse,
    /// From the head to the bytes for the client.
    ComposeResponse,
    /// From both heads to the bytes for server and client, with five fields changed.
    ChangeHeads,
    /// From a client's key to whether there is a token in its bucket, of fifty clients who all have been there.
    Limit,
    /// From a cookie to the server that it names, by its signature.
    ReadCookie,
}

/// What the steps work on.
pub(crate) struct Work {
    router: Router,
    limits: Limits,
    out: Vec<u8>,
    picks: picks::Work,
    limiter: Limiter,
    signer: Signer,
    cookie: [u8; PIN_LENGTH],
}

/// What is left out of heads: removed, or replaced.
struct Removed {
    of_request: FieldNames,
    of_response: FieldNames,
}

impl Removed {
    fn new() -> Self {
        Self {
            of_request: FieldNames::new(["x-env", "x-real-ip", "referer"]),
            of_response: FieldNames::new(["x-content-type-options", "cache-control"]),
        }
    }
}

impl Work {
    pub(crate) fn new() -> Result<Self> {
        let signer = Signer::new(b"a secret that nobody else knows.", "app");
        Ok(Self {
            router: router()?,
            limits: Limits::default(),
            out: Vec::with_capacity(4096),
            picks: picks::Work::new(sluice_balance::Kind::RoundRobin, 3),
            limiter: limiter()?,
            cookie: pin().sign(&signer),
            signer,
        })
    }

    /// Does one step so many times.
    pub(crate) fn repeat(&mut self, step: Step, times: u32) -> Result<()> {
        let (mut asked, mut answered) = (FieldStorage::new(), FieldStorage::new());
        let request = self.parse_request(&mut asked)?;
        let response = self.parse_response(&mut answered)?;
        let removed = Removed::new();
        for time in 0..times {
            match step {
                Step::ParseRequest => {
                    black_box(self.parse_request(&mut FieldStorage::new())?);
                }
                Step::FindRoute => {
                    black_box(self.find_route(black_box(&request))?);
                }
                Step::PickServer => self.picks.picks(1),
                Step::ComposeRequest => self.compose_request(black_box(&request), None),
                Step::ParseResponse => {
                    black_box(self.parse_response(&mut FieldStorage::new())?);
                }
                Step::ComposeResponse => self.compose_response(black_box(&response), None),
                Step::ChangeHeads => {
                    self.change_heads(black_box(&request), black_box(&response), &removed);
                }
                Step::Limit => {
                    black_box(self.take_token(time)?);
                }
                Step::ReadCookie => {
                    black_box(self.read_cookie()?);
                }
            }
        }
        Ok(())
    }

    fn parse_request<'s>(
        &self,
        storage: &'s mut FieldStorage<'static>,
    ) -> Result<RequestHead<'s, 'static>> {
        parse_request(black_box(REQUEST), storage, &self.limits)?
            .ok_or_else(|| anyhow!("the request is not whole"))
    }

    fn parse_response<'s>(
        &self,
        storage: &'s mut FieldStorage<'static>,
    ) -> Result<ResponseHead<'s, 'static>> {
        parse_response(black_box(RESPONSE), storage, &self.limits, false)?
            .ok_or_else(|| anyhow!("the response is not whole"))
    }

    fn find_route(&self, head: &RequestHead<'_, '_>) -> Result<usize> {
        let mut buffer = String::new();
        let path = normalise_path(head.target.path(), &mut buffer)?;
        let facts = Facts {
            host: head.host,
            path,
            query: head.target.query(),
            method: head.method.as_str(),
            fields: &NoFields,
            client: Ipv4Addr::LOCALHOST.into(),
            scheme: Scheme::Http,
            tls_subject: None,
            countries: None,
            json: None,
            identity: None,
        };
        self.router
            .find(&facts, &mut Captures::new())
            .ok_or_else(|| anyhow!("no route takes the request"))
    }

    fn change_heads(
        &mut self,
        request: &RequestHead<'_, '_>,
        response: &ResponseHead<'_, '_>,
        removed: &Removed,
    ) {
        let lines = b"x-env: prod\r\nx-real-ip: 203.0.113.57\r\n";
        self.compose_request(request, Some(edits(&removed.of_request, lines)));
        let lines = b"x-content-type-options: nosniff\r\n";
        self.compose_response(response, Some(edits(&removed.of_response, lines)));
    }

    fn take_token(&self, time: u32) -> Result<Taken> {
        // Spread over the table as a hash is.
        let key = u64::from(time % 50).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let now = Moment::from_nanos(u64::from(time) * 10_000);
        let taken = self.limiter.take(black_box(key), now, Duration::ZERO);
        ensure!(taken.verdict == Verdict::Now, "there is none");
        Ok(taken)
    }

    fn read_cookie(&self) -> Result<Pin> {
        Pin::read(&self.signer, black_box(&self.cookie)).context("the cookie is none of ours")
    }

    fn compose_request(&mut self, head: &RequestHead<'_, '_>, edits: Option<Edits<'_>>) {
        let forwarding = request::Forwarding {
            believed_of_trusted: None,
            client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 57)),
            trusted: false,
            spoken: None,
            scheme: "http",
            request_id: request::kept_request_id(&head.fields)
                .unwrap_or("0123456789abcdef0123456789abcdef"),
            via: None,
            forwarded: false,
            default_host: "app",
            certificate: request::Certificate::NotAsked,
            early: false,
            max_forwards: None,
            first: None,
            hides_cookie: None,
            vouched: None,
            edits,
            place: None,
        };
        self.out.clear();
        request::compose(head, &forwarding, &mut self.out);
        black_box(&self.out);
    }

    fn compose_response(&mut self, head: &ResponseHead<'_, '_>, edits: Option<Edits<'_>>) {
        let back = response::Return {
            client: Version::Http11,
            keep_alive: true,
            delivery: response::Delivery::of(head.framing, Version::Http11),
            date: b"Sat, 01 Jan 2022 00:00:00 GMT",
            via: None,
            hsts: None,
            alt_svc: None,
            for_us: None,
            edits,
        };
        self.out.clear();
        response::compose(head, &back, &mut self.out);
        black_box(&self.out);
    }
}

fn edits<'a>(removes: &'a FieldNames, lines: &'a [u8]) -> Edits<'a> {
    Edits {
        removes: Some(removes),
        copies: &[],
        lines,
    }
}

/// More than are ever taken.
fn limiter() -> Result<Limiter> {
    let rate = Rate::new(1_000_000, Duration::from_secs(1)).context("no rate")?;
    Ok(Limiter::new(&Quota::token_bucket(rate, 1000)?, 100_000))
}

fn pin() -> Pin {
    Pin {
        server: ServerName(7),
        issued: 1_700_000_000,
    }
}

/// Ten hosts with three paths each, as a mid-sized site has them; the request takes one in the middle.
fn router() -> Result<Router> {
    let mut rules = Vec::new();
    for host in 0..10 {
        for path in ["/api/*", "/assets/{version}/*", "/*"] {
            rules.push(Conditions {
                hosts: vec![HostPattern::parse(&format!("shop{host}.example.com"))?],
                path: Some(PathPattern::parse(path)?),
                ..Conditions::default()
            });
        }
    }
    Ok(Router::new(rules))
}

const REQUEST: &[u8] = b"GET /api/orders/1234?expand=lines HTTP/1.1\r\n\
Host: shop5.example.com\r\n\
Connection: keep-alive\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\n\
Referer: http://shop5.example.com/catalogue?page=2\r\n\
Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=yes\r\n\
\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Server: origin\r\n\
Date: Sat, 01 Jan 2022 00:00:00 GMT\r\n\
Content-Type: text/html; charset=utf-8\r\n\
Cache-Control: max-age=60\r\n\
ETag: \"33a64df551425fcc55e4d42a148795d9\"\r\n\
Content-Length: 128\r\n\
\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_does_its_work() {
        let mut work = Work::new().unwrap();
        for step in Step::value_variants() {
            work.repeat(*step, 2).unwrap();
        }
    }

    #[test]
    fn the_request_takes_the_route_in_the_middle() {
        let mut storage = FieldStorage::new();
        let work = Work::new().unwrap();
        let head = work.parse_request(&mut storage).unwrap();
        assert_eq!(work.find_route(&head).unwrap(), 15);
    }

    #[test]
    fn what_is_composed_is_what_the_peers_are_told_to_compose() {
        let mut work = Work::new().unwrap();
        work.repeat(Step::ComposeRequest, 1).unwrap();
        let text = String::from_utf8(work.out.clone()).unwrap();
        for name in [
            "X-Forwarded-For: 203.0.113.57",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: shop5",
            "X-Request-ID: ",
        ] {
            assert!(text.contains(name), "{name} is missing in {text}");
        }
    }

    #[test]
    fn heads_are_changed() {
        let mut work = Work::new().unwrap();
        work.repeat(Step::ChangeHeads, 1).unwrap();
        let text = String::from_utf8(work.out.clone()).unwrap();
        assert!(!text.contains("Cache-Control"), "{text}");
        assert!(text.contains("nosniff\r\n\r\n"), "{text}");
    }
}
