//! Puts response cases to a subject.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{RawClient, ReadError, Response, Script, ScriptedServer};

use super::{Asked, Case, Then, Told};
use crate::report::{Failure, HUNG_ENOUGH, judge};

/// A case with a server that carries it out once and then serves well.
#[derive(Debug)]
pub struct Exhibit {
    case: Case,
    how: &'static str,
    path: String,
    server: ScriptedServer,
}

impl Exhibit {
    /// Starts the servers of a case: one that sends its bytes in one go, one that sends them piece by piece. `number` must
    /// be another for each case.
    pub fn start(case: &Case, number: usize) -> Vec<Self> {
        // Long ones in larger pieces, or their sending would be all the test does.
        let piece = (case.send.len() / 2000).max(1);
        let ways = [
            ("sent whole", case.send.len().max(1), "whole"),
            ("sent in pieces", piece, "pieces"),
        ];
        let exhibit = |(how, piece, word)| Self {
            case: case.clone(),
            how,
            path: format!("/{number}-{word}"),
            server: ScriptedServer::start([script(case, piece), Script::answer(FINE)]),
        };
        ways.map(exhibit).into()
    }

    /// The path under which the subject has to reach the server, and only under which.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn show(&self, subject: SocketAddr) -> Option<Failure> {
        let mut heard = Vec::new();
        let wrong = self.compare(subject, &mut heard).err()?;
        Some(Failure {
            what: self.case.what.to_owned(),
            how: self.how.to_owned(),
            sent: self.case.send.clone(),
            hung: heard.iter().any(|heard| heard.contains("in time")),
            wrong,
            seen: format!(
                "client: {}; server: {} connections, {:?}",
                heard.join(", "),
                self.server.connections().accepted(),
                self.server.received_in_all().escape_ascii().to_string()
            ),
        })
    }

    fn compare(&self, subject: SocketAddr, heard: &mut Vec<String>) -> Result<(), String> {
        let asked = self.case.asked;
        let mut client = RawClient::connect(subject);
        client.send(asked.request(&self.path));
        let first = client.try_response(asked.method());
        heard.push(shown(&first));
        let reused = self.check_first(&first)?;
        let keeps = match &first {
            Ok(response) => response.field("connection") != Some("close") && asked != Asked::Get10,
            Err(_) => false,
        };
        if !keeps {
            let end = client.read_to_end();
            let is_closed = match &end {
                Ok(rest) => rest.is_empty() || first.is_err(),
                Err(error) => first.is_err() && matches!(error, ReadError::Reset),
            };
            if !is_closed {
                return Err(format!("after the answer: {end:?}"));
            }
            client = RawClient::connect(subject);
        }
        client.send(Asked::Get.request(&self.path));
        let second = client.try_response("GET");
        heard.push(shown(&second));
        match second {
            Ok(response) if response.status == 200 && response.body == b"fine" => {}
            _ => return Err("the next request must be served".to_owned()),
        }
        let expected = if reused { 1 } else { 2 };
        let connections = self.server.connections().accepted();
        if connections != expected {
            return Err(format!(
                "{connections} connections to the server for {expected}"
            ));
        }
        Ok(())
    }

    /// Whether the connection to the server is to be used again.
    fn check_first(&self, first: &Result<Response, ReadError>) -> Result<bool, String> {
        match (&self.case.client, first) {
            (Told::BadGateway, Ok(response)) if is_bad_gateway(response) => Ok(false),
            (Told::BadGateway, _) => Err("502 was due".to_owned()),
            (Told::Cut, Ok(response)) if is_bad_gateway(response) => Ok(false),
            (Told::Cut, Err(ReadError::Truncated(_) | ReadError::Reset)) => Ok(false),
            (Told::Cut, _) => Err("an answer visibly cut off, or 502, was due".to_owned()),
            (
                Told::Whole {
                    status,
                    body,
                    interim,
                    reused,
                },
                Ok(response),
            ) => {
                let same = response.status == *status
                    && response.body == *body
                    && response.interim.len() == *interim;
                same.then_some(*reused)
                    .ok_or_else(|| format!("{status} with {interim} interim was due"))
            }
            (Told::Whole { status, .. }, Err(_)) => Err(format!("{status} was due")),
        }
    }
}

/// Asks for every exhibit. Panics with all that failed.
#[track_caller]
pub fn run(subject: SocketAddr, exhibits: &[Exhibit]) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let hung = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                while hung.load(Ordering::SeqCst) < HUNG_ENOUGH
                    && let Some(exhibit) = exhibits.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    if let Some(failure) = exhibit.show(subject) {
                        hung.fetch_add(usize::from(failure.hung), Ordering::SeqCst);
                        let mut failures = failures.lock().expect("no panic while it is locked");
                        failures.push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic while it is locked");
    judge(exhibits.len(), &failures);
}

impl Asked {
    fn method(self) -> &'static str {
        match self {
            Self::Get | Self::Get10 | Self::Upgrade => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }

    fn request(self, path: &str) -> String {
        let method = self.method();
        match self {
            Self::Get | Self::Head => format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
            Self::Get10 => format!("{method} {path} HTTP/1.0\r\nHost: a\r\n\r\n"),
            Self::Post => {
                format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            }
            Self::Upgrade => format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n"
            ),
        }
    }
}

fn script(case: &Case, piece: usize) -> Script {
    let sent = Script::new().read_request().write_pieces(&case.send, piece);
    match case.then {
        Then::Serve => sent.read_request().write(FINE).stay_open(),
        Then::Close => sent,
        Then::Reset => sent.reset(),
    }
}

fn is_bad_gateway(response: &Response) -> bool {
    response.status == 502 && response.field("content-length").is_some()
}

fn shown(result: &Result<Response, ReadError>) -> String {
    match result {
        Ok(response) => format!(
            "{} with {} interim and {:?}",
            response.status,
            response.interim.len(),
            response.body.escape_ascii().to_string()
        ),
        Err(error) => error.to_string(),
    }
}

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
const VISITORS: usize = 4;
