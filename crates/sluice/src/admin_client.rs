//! Asking a running sluice, by its admin address.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use sluice_control::Source;
use sluice_model::BindAddress;

use crate::check;
use crate::command_line::AdminArguments;

/// Where a running sluice is asked, and as whom.
pub(crate) struct AdminClient {
    address: BindAddress,
    token: Option<String>,
}

impl AdminClient {
    /// As the command line says; what is wrong with it is told.
    pub(crate) fn of(arguments: &AdminArguments) -> Result<Self, ExitCode> {
        match &arguments.admin {
            Some(address) => Ok(Self {
                address: address.clone(),
                token: std::env::var(TOKEN).ok(),
            }),
            None => Self::of_file(&arguments.config),
        }
    }

    /// By the admin address and the token that the file says.
    pub(crate) fn of_file(file: &Path) -> Result<Self, ExitCode> {
        let loaded = Source::File(file.to_owned()).load().map_err(|error| {
            check::tell(&error);
            ExitCode::FAILURE
        })?;
        let Some(admin) = loaded.plan.admin else {
            eprintln!(
                "error: {} has no `[admin]`, so what it runs cannot be asked\nhelp: add `[admin]` with `address = \"127.0.0.1:9900\"`, or name the address by `--admin`",
                file.display()
            );
            return Err(ExitCode::FAILURE);
        };
        let token = admin.token.map(|token| token.reveal().to_owned());
        Ok(Self {
            address: admin.address,
            token,
        })
    }

    /// What `GET` of the path gives; what went wrong is told.
    pub(crate) fn get(&self, path: &str) -> Result<String, ExitCode> {
        Self::told(self.ask("GET", path, ""))
    }

    /// What `PUT` of this JSON gives; what went wrong is told.
    pub(crate) fn put(&self, path: &str, json: &str) -> Result<String, ExitCode> {
        Self::told(self.ask("PUT", path, json))
    }

    /// What `POST` of this JSON gives; what went wrong is told.
    pub(crate) fn post(&self, path: &str, json: &str) -> Result<String, ExitCode> {
        Self::told(self.ask("POST", path, json))
    }

    fn told(answer: anyhow::Result<Answer>) -> Result<String, ExitCode> {
        match answer {
            Ok(Answer { status: 200, body }) => return Ok(body),
            Ok(Answer { status, body }) => {
                let is_empty = body.is_empty();
                let reason = if is_empty { "no reason given\n" } else { &body };
                eprint!("error: {reason}");
                if status == 401 {
                    eprintln!(
                        "help: the token is that of `[admin]` in the file; with `--admin`, it is taken from {TOKEN}"
                    );
                }
            }
            Err(error) => eprintln!("error: {error:#}"),
        }
        Err(ExitCode::FAILURE)
    }

    /// Asks once, on a connection of its own.
    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let authorization = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\nContent-Type: application/json\r\n{authorization}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let address = &self.address;
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
}

struct Answer {
    status: u16,
    body: String,
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

/// What the admin address has said in JSON; what cannot be understood is told.
pub(crate) fn read<'b, T: Deserialize<'b>>(body: &'b str) -> Result<T, ExitCode> {
    serde_json::from_str(body).map_err(|error| {
        eprintln!("error: the admin address said what this sluice does not understand: {error}");
        ExitCode::FAILURE
    })
}

/// A part of a path (RFC 3986, 3.3).
pub(crate) fn encoded(text: &str) -> String {
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
const ANSWER_MAX: u64 = 16 * 1024 * 1024;
