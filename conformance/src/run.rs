//! Puts request cases to a subject.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{RawClient, ReadError, Response};

use crate::case::{Answer, Case, Then};
use crate::delivery::Delivery;
use crate::origin::Origin;
use crate::report::{Failure, HUNG_ENOUGH, judge};
use crate::seen::Seen;

/// One way through the subject, with nobody else on it: a listener, and the server behind it.
#[derive(Debug)]
pub struct Lane {
    /// Where the subject listens.
    pub subject: SocketAddr,
    /// Where it sends what comes in there.
    pub origin: Origin,
}

/// Puts every case to the subject in every way, on all lanes at once. Panics with all that failed.
#[track_caller]
pub fn run(cases: &[Case], lanes: &[Lane]) {
    let work = pieces_of_work(cases, lanes.len());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    let hung = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| {
                while hung.load(Ordering::SeqCst) < HUNG_ENOUGH
                    && let Some((case, deliveries)) = work.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    if let Some(failure) = lane.run(&cases[*case], deliveries) {
                        hung.fetch_add(usize::from(failure.hung), Ordering::SeqCst);
                        let mut failures = failures.lock().expect("no panic while it is locked");
                        // One failure says enough of a case.
                        failures.entry(*case).or_insert(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic while it is locked");
    judge(cases.len(), &failures.into_values().collect::<Vec<_>>());
}

/// The cases by number and ways to send them, in pieces small enough to keep every lane busy to the end.
fn pieces_of_work(cases: &[Case], lanes: usize) -> Vec<(usize, Vec<Delivery>)> {
    let all: Vec<_> = cases.iter().map(Delivery::all).collect();
    let total: usize = all.iter().map(Vec::len).sum();
    let size = (total / (lanes * 4)).clamp(1, 64);
    let pieces = all.iter().enumerate().flat_map(|(case, deliveries)| {
        deliveries
            .chunks(size)
            .map(move |piece| (case, piece.to_vec()))
    });
    pieces.collect()
}

impl Lane {
    /// Stops at the first failure.
    fn run(&self, case: &Case, deliveries: &[Delivery]) -> Option<Failure> {
        let failed = deliveries.iter().find_map(|delivery| {
            let wrong = self.put(case, *delivery).err()?;
            Some((delivery.to_string(), wrong))
        });
        // Whatever still comes of it is there when the answer to this is, and then nothing is left over.
        let settled = self.settle(case);
        let (how, wrong) =
            failed.or_else(|| settled.err().map(|wrong| ("afterwards".into(), wrong)))?;
        Some(Failure {
            what: case.what.to_owned(),
            how,
            sent: case.send.clone(),
            hung: wrong.what.contains(HUNG),
            wrong: wrong.what,
            seen: wrong.seen,
        })
    }

    /// Sends the case once and compares.
    fn put(&self, case: &Case, delivery: Delivery) -> Result<(), Wrong> {
        self.origin.forget();
        let mut talk = Talk::new(self.subject);
        delivery.send(case, &mut talk.client);
        let (mut expected, pieces) = delivery.seen(case);
        let outcome = talk
            .read_answers(&delivery.answers(case), &expected, case)
            .and_then(|()| match case.then {
                Then::Closed => talk.expect_closed(),
                Then::Kept => {
                    expected.push(probe());
                    talk.expect_kept()
                }
                Then::Either => Ok(()),
            });
        let record = self.origin.record();
        let seen = format!("client: {}; server: {record:?}", talk.heard.join(", "));
        talk.client.reset();
        outcome.map_err(|what| Wrong {
            what,
            seen: seen.clone(),
        })?;
        let bytes_left = !record.broken.is_empty() || !record.pending.is_empty();
        if record.requests != expected || (bytes_left && !pieces) {
            let what = format!("the server must see {expected:?}");
            return Err(Wrong { what, seen });
        }
        Ok(())
    }

    fn settle(&self, case: &Case) -> Result<(), Wrong> {
        self.origin.forget();
        let mut talk = Talk::new(self.subject);
        let served = talk.expect_kept();
        let mut record = self.origin.record();
        let seen = format!("client: {}; server: {record:?}", talk.heard.join(", "));
        talk.client.reset();
        served.map_err(|what| Wrong {
            what,
            seen: seen.clone(),
        })?;
        if !matches!(case.server, crate::Reaches::Exactly(_)) {
            record.broken.clear();
        }
        let is_last = record.requests.pop() == Some(probe());
        self.origin.forget();
        if !is_last || !record.is_empty() {
            let what = "the server must see the probe and nothing else".to_owned();
            return Err(Wrong { what, seen });
        }
        Ok(())
    }
}

/// What is not as it must be, and all that was seen.
struct Wrong {
    what: String,
    seen: String,
}

/// A client's side of one try.
struct Talk {
    client: RawClient,
    heard: Vec<String>,
}

impl Talk {
    fn new(subject: SocketAddr) -> Self {
        Self {
            client: RawClient::connect(subject),
            heard: Vec::new(),
        }
    }

    fn read_answers(
        &mut self,
        answers: &[Answer],
        seen: &[Seen],
        case: &Case,
    ) -> Result<(), String> {
        let mut served = seen.iter();
        for (index, answer) in answers.iter().enumerate() {
            match answer {
                Answer::Served => {
                    let seen = served.next().ok_or("the case names too few requests")?;
                    self.expect_served(seen)?;
                }
                Answer::Own(status) => {
                    let is_head = case.send.trim_ascii_start().starts_with(b"HEAD ");
                    let response = self.response(if is_head { "HEAD" } else { "GET" })?;
                    let is_last = index + 1 == answers.len();
                    check_own(&response, *status, is_last.then_some(case.then))?;
                }
            }
        }
        Ok(())
    }

    fn expect_served(&mut self, seen: &Seen) -> Result<(), String> {
        let response = self.response(seen.method())?;
        if response.status != 200 {
            return Err(format!("{} for 200", response.status));
        }
        let is_head = seen.method() == "HEAD";
        if (is_head && !response.body.is_empty()) || (!is_head && response.body != seen.echo()) {
            let body = response.body.escape_ascii();
            return Err(format!("the answer to another request: {body}"));
        }
        Ok(())
    }

    fn expect_kept(&mut self) -> Result<(), String> {
        self.client
            .try_send(PROBE)
            .map_err(|error| format!("the connection must be kept: {error}"))?;
        self.expect_served(&probe())
            .map_err(|wrong| format!("the connection must be kept: {wrong}"))
    }

    fn expect_closed(&mut self) -> Result<(), String> {
        match self.client.read_to_end() {
            Ok(rest) if rest.is_empty() => Ok(()),
            Ok(rest) => Err(format!("more than was due: {}", rest.escape_ascii())),
            Err(error) => Err(shown(&error)),
        }
    }

    fn response(&mut self, method: &str) -> Result<Response, String> {
        let result = self.client.try_response(method);
        self.heard.push(match &result {
            Ok(response) => response.status.to_string(),
            Err(error) => shown(error),
        });
        result.map_err(|error| format!("no answer: {}", shown(&error)))
    }
}

/// What an answer of the subject's own has to be like; `then` is what follows it.
fn check_own(response: &Response, status: u16, then: Option<Then>) -> Result<(), String> {
    if response.status != status {
        return Err(format!("{} for {status}", response.status));
    }
    if response.field("content-length").is_none() {
        return Err(format!("{status} without Content-Length"));
    }
    if response.field("date").is_none() {
        return Err(format!("{status} without Date"));
    }
    if status == 405 && response.field("allow").is_none() {
        return Err("405 without Allow".to_owned());
    }
    let says_close = response.field("connection") == Some("close");
    match then {
        Some(Then::Closed) if !says_close => Err(format!("{status} without Connection: close")),
        Some(Then::Kept) | None if says_close => Err(format!("{status} with Connection: close")),
        _ => Ok(()),
    }
}

fn shown(error: &ReadError) -> String {
    match error {
        ReadError::Deadline(rest) => format!("{HUNG}, after {rest:?}"),
        error => error.to_string(),
    }
}

fn probe() -> Seen {
    Seen::new("GET /probe HTTP/1.1\nHost: probe", b"")
}

/// What is said of a wait that came to its deadline.
const HUNG: &str = "neither bytes nor an end in time";

const PROBE: &[u8] = b"GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n";
