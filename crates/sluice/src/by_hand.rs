//! `sluice up`, `sluice drain`, `sluice down`: what a server takes, told to a running sluice by its admin address.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sluice_control::Source;
use sluice_model::BindAddress;

use crate::command_line::ByHandArguments;
use crate::{USAGE, check};

pub(crate) fn set(arguments: ByHandArguments, state: &str) -> ExitCode {
    let Some((upstream, server)) = arguments.server.split_once('/') else {
        eprintln!(
            "error: `{}` is not an upstream and a server of it\nhelp: for example `app/127.0.0.1:9001`, as the file has them",
            arguments.server
        );
        return ExitCode::from(USAGE);
    };
    let (address, token) = match arguments.admin {
        Some(address) => (address, std::env::var(TOKEN).ok()),
        None => match admin_of(&arguments.config) {
            Ok(admin) => admin,
            Err(code) => return code,
        },
    };
    let path = format!(
        "/api/upstreams/{}/servers/{}",
        encoded(upstream),
        encoded(server)
    );
    let body = format!("{{\"state\": \"{state}\"}}");
    match ask(&address, "PUT", &path, token.as_deref(), &body) {
        Ok(Answer { status: 200, body }) => {
            print!("{body}");
            ExitCode::SUCCESS
        }
        Ok(Answer { status, body }) => {
            eprint!(
                "error: {}",
                if body.is_empty() {
                    "no reason given\n"
                } else {
                    &body
                }
            );
            if status == 401 {
                eprintln!(
                    "help: the token is that of `[admin]` in the file; with `--admin`, it is taken from {TOKEN}"
                );
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The admin address that the file says, and its token.
fn admin_of(file: &std::path::Path) -> Result<(BindAddress, Option<String>), ExitCode> {
    let loaded = Source::File(file.to_owned()).load().map_err(|error| {
        check::tell(&error);
        ExitCode::FAILURE
    })?;
    let Some(admin) = loaded.plan.admin else {
        eprintln!(
            "error: {} has no `[admin]`, so nothing can be told to what it runs\nhelp: add `[admin]` with `address = \"127.0.0.1:9900\"`, or name the address by `--admin`",
            file.display()
        );
        return Err(ExitCode::FAILURE);
    };
    let token = admin.token.map(|token| token.reveal().to_owned());
    Ok((admin.address, token))
}

struct Answer {
    status: u16,
    body: String,
}

/// Asks once, on a connection of its own.
fn ask(
    address: &BindAddress,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> anyhow::Result<Answer> {
    let authorization = match token {
        Some(token) => format!("Authorization: Bearer {token}\r\n"),
        None => String::new(),
    };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\nContent-Type: application/json\r\n{authorization}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let received = exchange(address, request.as_bytes())
        .with_context(|| format!("nobody answers at the admin address {address}"))?;
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head
        .parse(&received)
        .context("what answers at the admin address does not speak HTTP")?
    else {
        bail!("the admin address closed before it had answered");
    };
    let body = received.get(length..).unwrap_or_default();
    Ok(Answer {
        status: head.code.unwrap_or_default(),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

fn exchange(address: &BindAddress, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let connect = |address: SocketAddr| -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    match address {
        BindAddress::Ip(address) => talk(connect(*address)?, request),
        BindAddress::AllInterfaces { port } => {
            talk(connect((Ipv4Addr::LOCALHOST, *port).into())?, request)
        }
        BindAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            talk(stream, request)
        }
    }
}

fn talk(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut received = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut received)?;
    Ok(received)
}

/// A part of a path (RFC 3986, 3.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Where the token is looked for when no file is read.
const TOKEN: &str = "SLUICE_ADMIN_TOKEN";
const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MAX: u64 = 64 * 1024;
