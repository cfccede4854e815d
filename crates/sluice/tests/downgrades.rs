//! Requests of HTTP/2 and HTTP/3 as a server of HTTP/1.1 gets them, or does not: one table, put over both.

mod aioquic;
#[path = "downgrades/table.rs"]
mod table;
#[expect(dead_code, reason = "openssl speaks neither HTTP/2 nor QUIC by itself")]
mod tls_kit;

use std::net::SocketAddr;

use serde_json::{Value, json};
use table::{Case, Outcome, cases};
use testkit::{Balancer, EchoServer, Frame, Http2Client, flag, kind};
use tls_kit::{Authority, certificates};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A balancer that speaks HTTP/2 at `plain` and HTTP/3 at `web`, in front of `server`.
fn start(authority: &Authority, server: SocketAddr) -> Balancer {
    let files = authority.issue("web", &["www.example.com"]);
    let configuration = format!(
        "[listeners.plain]\naddress = \"127.0.0.1:<port:plain>\"\nprotocols = [\"h1\", \"h2\"]\n\
         [listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h1\", \"h2\", \"h3\"]\n{}\n\
         [upstreams.app]\nservers = [\"{server}\"]\n",
        certificates(&[&files])
    );
    Balancer::start(SLUICE, &configuration)
}

/// What came of a request: what the server saw, or why nothing.
type Answer = Result<Value, String>;

#[test]
fn what_http2_says_is_what_the_server_sees() {
    let server = EchoServer::start("one");
    let balancer = start(&Authority::new("a"), server.address());
    let at = balancer.address("plain");
    let answers: Vec<_> = cases().iter().map(|case| over_http2(at, case)).collect();
    judge(&answers, &server);
}

#[test]
fn what_http3_says_is_what_the_server_sees() {
    let server = EchoServer::start("one");
    let authority = Authority::new("a");
    let balancer = start(&authority, server.address());
    let table: Vec<Value> = cases()
        .iter()
        .map(|case| json!({ "fields": case.fields, "body": case.body, "trailers": case.trailers }))
        .collect();
    let file = authority.path("downgrades.json");
    std::fs::write(file, Value::from(table).to_string()).expect("written");
    let said = aioquic::aioquic(balancer.address("web"), &authority.ca(), "downgrades");
    let read = |line: &str| -> Answer {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        match answer.get("seen") {
            Some(seen) => Ok(seen.clone()),
            None => Err(line.to_owned()),
        }
    };
    let lines = said.lines().filter(|line| *line != "ok");
    judge(&lines.map(read).collect::<Vec<_>>(), &server);
}

fn over_http2(at: SocketAddr, case: &Case) -> Answer {
    let has_more = !case.body.is_empty() || !case.trailers.is_empty();
    let ends = |is_last: bool| if is_last { flag::END_STREAM } else { 0 };
    let mut frames = vec![Frame::headers(1, ends(!has_more), &case.fields)];
    for (number, part) in case.body.iter().enumerate() {
        let is_last = number + 1 == case.body.len() && case.trailers.is_empty();
        frames.push(Frame::data(1, ends(is_last), part));
    }
    if !case.trailers.is_empty() {
        frames.push(Frame::headers(1, flag::END_STREAM, case.trailers));
    }
    let mut client = Http2Client::connect(at);
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    client.send_bytes(&bytes);
    while let Some(frame) = client.receive() {
        match frame.kind {
            kind::HEADERS if frame.status() == 200 => {
                let (body, _) = client.body(1);
                return Ok(serde_json::from_slice(&body).expect("an echo"));
            }
            kind::HEADERS if frame.status() >= 400 => return Err(frame.status().to_string()),
            kind::RST_STREAM | kind::GOAWAY => return Err(format!("{frame:?}")),
            _ => {}
        }
    }
    Err("closed".to_owned())
}

/// Compares what came of each case with what the table says. Panics with all that differ.
#[track_caller]
fn judge(answers: &[Answer], server: &EchoServer) {
    let cases = cases();
    assert_eq!(answers.len(), cases.len());
    let mut wrong = Vec::new();
    for (case, answer) in cases.iter().zip(answers) {
        if let Err(why) = compare(case, answer) {
            wrong.push(format!("{}: {why}", case.what));
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} are wrong\n{}", wrong.join("\n"));
    // Nothing hid in what was seen or refused.
    let is_seen = |case: &&Case| case.outcome != Outcome::Refused;
    assert_eq!(server.requests(), cases.iter().filter(is_seen).count());
}

fn compare(case: &Case, answer: &Answer) -> Result<(), String> {
    let (seen, expected) = match (answer, case.outcome) {
        (Err(_), Outcome::Refused) => return Ok(()),
        (Ok(seen), Outcome::Refused) => return Err(format!("not refused: {seen}")),
        (Err(why), Outcome::Seen { .. }) => return Err(format!("refused: {why}")),
        (Ok(seen), expected @ Outcome::Seen { .. }) => (seen, expected),
    };
    let Outcome::Seen {
        method,
        target,
        fields,
        body,
    } = expected
    else {
        return Ok(());
    };
    let mut is_right =
        seen["method"] == method && seen["target"] == target && seen["body_length"] == body;
    let pairs = seen["fields"].as_array().expect("pairs");
    for (name, values) in fields {
        let named = |pair: &&Value| {
            let field = pair[0].as_str().expect("a name");
            field.eq_ignore_ascii_case(name)
        };
        let found: Vec<_> = pairs.iter().filter(named).map(|pair| &pair[1]).collect();
        is_right &= found == *values;
    }
    if is_right {
        Ok(())
    } else {
        Err(format!("{expected:?} was expected, but it is {seen}"))
    }
}
