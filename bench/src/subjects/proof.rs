//! Whether a subject does what it is set up for, asked before it is measured: what does nothing costs nothing.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::settings::{Job, Setup, TOKEN};
use crate::load::origin::SEEN;
use crate::load::requests::HOST;

/// An error that says what it does not do.
pub(super) fn holds(job: &Job) -> Result<()> {
    match job.setup {
        Setup::Routes => routes(job),
        Setup::Edits => edits(job),
        Setup::Token => token(job),
        Setup::Sticky => sticky(job),
        // A limit that is never reached shows by no answer.
        Setup::Limit
        | Setup::Plain
        | Setup::Balanced(_)
        | Setup::Events
        | Setup::Storm
        | Setup::Guarded => Ok(()),
    }
}

fn routes(job: &Job) -> Result<()> {
    for (host, service, is_there) in [
        ("tenant-57.example.com", "/service-3", true),
        ("tenant-99.example.com", "/service-9", true),
        ("tenant-57.example.com", "/service-10", false),
        ("tenant-100.example.com", "/service-3", false),
    ] {
        let answer = ask(job, host, &format!("{service}{SEEN}"), "")?;
        let is_served = answer.status == 200;
        ensure!(
            is_served == is_there,
            "{host}{service} is answered with {}",
            answer.status
        );
    }
    Ok(())
}

fn edits(job: &Job) -> Result<()> {
    let answer = ask(job, HOST, SEEN, "X-Debug: on\r\n")?;
    let (seen, head) = (&answer.body, &answer.head);
    ensure!(seen.contains("\r\nx-env: prod\r\n"), "X-Env is not set");
    ensure!(
        seen.contains("\r\nx-real-ip: 127.0.0.1\r\n"),
        "X-Real-IP is not set"
    );
    ensure!(!seen.contains("\r\nx-debug:"), "X-Debug is not removed");
    ensure!(
        head.contains("\r\nx-content-type-options: nosniff\r\n"),
        "X-Content-Type-Options is not set"
    );
    ensure!(
        !head.contains("\r\ncache-control:"),
        "Cache-Control is not removed"
    );
    Ok(())
}

fn token(job: &Job) -> Result<()> {
    let (signed, signature) = TOKEN.rsplit_once('.').context("no token")?;
    let others: String = signature.chars().rev().collect();
    for (token, status) in [
        (Some(TOKEN), 200),
        (Some(format!("{signed}.{others}").as_str()), 401),
        (None, 401),
        // Still, after one that was wrong.
        (Some(TOKEN), 200),
    ] {
        let shown = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let answer = ask(job, HOST, SEEN, &shown.unwrap_or_default())?;
        ensure!(
            answer.status == status,
            "with {token:?} it answers {}",
            answer.status
        );
    }
    Ok(())
}

fn sticky(job: &Job) -> Result<()> {
    let mut servers = HashSet::new();
    for _ in 0..REPEATS {
        let first = ask(job, HOST, SEEN, "")?;
        let home = first.server().to_owned();
        let cookie = first.cookie().context("it sets no cookie")?;
        let shown = format!("Cookie: theme=dark; {cookie}\r\n");
        for _ in 0..REPEATS {
            let next = ask(job, HOST, SEEN, &shown)?;
            ensure!(
                next.server() == home,
                "a session moves from {home} to {}",
                next.server()
            );
        }
        servers.insert(home);
    }
    ensure!(servers.len() > 1, "all sessions are on one server");
    Ok(())
}

/// An answer, all in small letters but for its cookie.
struct Answer {
    status: u16,
    head: String,
    /// What the server says that it has seen.
    body: String,
    cookie: Option<String>,
}

impl Answer {
    fn server(&self) -> &str {
        self.body.lines().next().unwrap_or_default()
    }

    fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }
}

/// Asks by a connection of its own.
fn ask(job: &Job, host: &str, path: &str, lines: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&job.listen, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes)).context("it answers with no HTTP")
}

fn parse(text: &str) -> Option<Answer> {
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let pair = value.split(';').next()?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| pair.to_owned())
    });
    Some(Answer {
        status,
        head: format!("{}\r\n", head.to_lowercase()),
        body: body.to_lowercase(),
        cookie,
    })
}

const PATIENCE: Duration = Duration::from_secs(5);
/// More than there are servers.
const REPEATS: usize = 5;
