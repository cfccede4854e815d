//! The files a subject is started with: templates from `bench/peers`, filled
//! for one job.
//!
//! `{{name}}` stands for a value. A line that names a server is repeated for
//! each server, and likewise one that names a tenant or a service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Kind, Subject, certificate, templates};
use crate::load::socket;

/// What a subject shall do, the same for all.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) protocol: Protocol,
    /// Where clients come.
    pub(crate) listen: SocketAddr,
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) workers: usize,
    /// The core to stay on.
    pub(crate) core: Option<usize>,
    pub(crate) setup: Setup,
}

/// What the subject is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// To pass on what comes, plainly and fast.
    Plain,
    /// To balance, in its own words for how.
    Balanced(&'static str),
    /// To keep from clients what happens to servers. Checks are made at [`CHECK_PORT`] of each.
    Events,
    /// To make the best of more than servers can do. What asks for `/critical` matters most.
    Storm,
    /// With all on that keeps failures from clients.
    Guarded,
    /// With a thousand routes: a hundred hosts with ten services each.
    Routes,
    /// To change five fields of heads.
    Edits,
    /// To limit the requests of each client, to more than it makes.
    Limit,
    /// To let in those who show a signed token.
    Token,
    /// To keep sessions on their servers by a cookie.
    Sticky,
}

/// Of [`Setup::Routes`].
pub(crate) const TENANTS: usize = 100;
/// Of each of them.
pub(crate) const SERVICES: usize = 10;

/// The token that lets in where one has to be shown (`exp` is in the year 2100), and the key that it was signed with.
pub(crate) const TOKEN: &str = include_str!("../../peers/token.jwt").trim_ascii();
const TOKEN_KEY: &str = include_str!("../../peers/token.pem");

/// Where servers answer checks, beside what they serve.
pub(crate) const CHECK_PORT: u16 = 8081;

/// What the subject shall understand of what passes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 from clients, in the clear and by prior knowledge.
    H2,
    /// HTTP/2 in the clear on both sides.
    Grpc,
    /// HTTP/3 from clients.
    H3,
    Tcp,
    Udp,
}

impl Job {
    /// A job on a port that is free now.
    pub(crate) fn new(
        protocol: Protocol,
        servers: &[SocketAddr],
        workers: usize,
        core: Option<usize>,
    ) -> Result<Self> {
        Ok(Self {
            protocol,
            listen: socket::free_address()?,
            servers: servers.to_vec(),
            workers,
            core,
            setup: Setup::Plain,
        })
    }

    /// The command that starts `subject` its files written below `directory`.
    pub(super) fn command(&self, subject: &Subject, directory: &Path) -> Result<Command> {
        if matches!(self.protocol, Protocol::Tls | Protocol::H3) {
            certificate::write(directory)?;
        }
        if self.setup == Setup::Token {
            std::fs::write(directory.join("public.pem"), TOKEN_KEY)?;
        }
        for (name, template) in templates::beside(subject.kind, self.setup) {
            self.write(subject, directory, name, template)?;
        }
        let mut command = match self.core {
            Some(core) => {
                let mut taskset = Command::new("taskset");
                taskset
                    .arg("-c")
                    .arg(core.to_string())
                    .arg(&subject.program);
                taskset
            }
            None => Command::new(&subject.program),
        };
        let template = templates::of(subject.kind, self.protocol, self.setup);
        let file = |name: &str| self.write(subject, directory, name, template);
        match (subject.kind, self.protocol) {
            (Kind::Sluice | Kind::Bare, _) => {
                command.arg("run").arg("-c").arg(file("sluice.toml")?)
            }
            (Kind::Nginx, _) => command
                .arg("-p")
                .arg(directory)
                .args(["-e", "stderr"])
                .arg("-c")
                .arg(file("nginx.conf")?),
            (Kind::Haproxy, _) => command.arg("-db").arg("-f").arg(file("haproxy.cfg")?),
            (Kind::Envoy, _) => command
                .args([
                    "--disable-hot-restart",
                    "--log-level",
                    "error",
                    "--concurrency",
                ])
                .arg(self.workers.to_string())
                .arg("-c")
                .arg(file("envoy.yaml")?),
            (Kind::Forwarder, _) => {
                command
                    .arg("forwarder")
                    .arg("--workers")
                    .arg(self.workers.to_string())
                    .arg("--listen")
                    .arg(self.listen.to_string());
                command.args(
                    self.servers
                        .iter()
                        .flat_map(|server| ["--to".to_owned(), server.to_string()]),
                )
            }
        };
        Ok(command)
    }

    fn write(
        &self,
        subject: &Subject,
        directory: &Path,
        name: &str,
        template: &str,
    ) -> Result<PathBuf> {
        let admin = socket::free_address_beside(self.listen)?;
        let text = fill(template, &self.servers, |value| {
            Some(match value {
                "listen" => self.listen.to_string(),
                "listen-host" => self.listen.ip().to_string(),
                "listen-port" => self.listen.port().to_string(),
                "admin" => admin.to_string(),
                "workers" => self.workers.to_string(),
                "directory" => directory.display().to_string(),
                "modules" => subject.modules.clone(),
                "balance" => match self.setup {
                    Setup::Balanced(words) => words.to_owned(),
                    _ => return None,
                },
                "check-port" => CHECK_PORT.to_string(),
                "rate" => RATE.to_string(),
                "burst" => BURST.to_string(),
                _ => return None,
            })
        })?;
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

fn fill(
    template: &str,
    servers: &[SocketAddr],
    value: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    let mut text = String::new();
    for line in template.lines() {
        for tenant in times(line, "{{tenant", TENANTS) {
            for service in times(line, "{{service", SERVICES) {
                for index in times(line, "{{server", servers.len()) {
                    fill_line(&mut text, line, |name| {
                        Some(match name {
                            "tenant" => tenant.to_string(),
                            "service" => service.to_string(),
                            "pool" => (service % 2).to_string(),
                            "server" => servers[index].to_string(),
                            "server-host" => servers[index].ip().to_string(),
                            "server-port" => servers[index].port().to_string(),
                            "number" => (index + 1).to_string(),
                            _ => return value(name),
                        })
                    })?;
                }
            }
        }
    }
    Ok(text)
}

/// How often a line is to be there: as often as there is of what it names.
fn times(line: &str, named: &str, count: usize) -> std::ops::Range<usize> {
    0..if line.contains(named) { count } else { 1 }
}

fn fill_line(text: &mut String, line: &str, value: impl Fn(&str) -> Option<String>) -> Result<()> {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .with_context(|| format!("no end of the value in: {line}"))?;
        text.push_str(before);
        text.push_str(&value(name).with_context(|| format!("unknown value {name} in: {line}"))?);
        rest = after;
    }
    text.push_str(rest);
    text.push('\n');
    Ok(())
}

/// Requests a second that are allowed where they are limited: more than come.
const RATE: u32 = 1_000_000;
/// And how many at once.
const BURST: u32 = 1000;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use sluice_config::WrongFile;
    use sluice_config::plan::{Certificate, Secret};

    use super::*;

    #[test]
    fn lines_with_servers_are_repeated() {
        let servers = [
            "127.0.0.1:1".parse().unwrap(),
            "127.0.0.1:2".parse().unwrap(),
        ];
        let text = fill(
            "on {{listen}}\ns{{number}} {{server}};\n",
            &servers,
            |name| (name == "listen").then(|| "here".into()),
        );
        assert_eq!(text.unwrap(), "on here\ns1 127.0.0.1:1;\ns2 127.0.0.1:2;\n");
    }

    #[test]
    fn lines_with_tenants_and_services_are_repeated() {
        let text = fill("{{tenant}}/{{service}} {{pool}}", &[], |_| None).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), TENANTS * SERVICES);
        assert_eq!((lines[0], lines[999]), ("0/0 0", "99/9 1"));
    }

    #[test]
    fn an_unknown_value_is_an_error() {
        assert!(fill("{{nothing}}", &[], |_| None).is_err());
        assert!(fill("{{open", &[], |_| Some(String::new())).is_err());
    }

    /// An environment without variables and secrets, in which every file is the key of the token, or a certificate that holds.
    struct OneKey;

    impl sluice_config::Surroundings for OneKey {
        fn env(&self, _: &str) -> Option<String> {
            None
        }
        fn secret(&self, _: &Path) -> Result<String, String> {
            Err("there are none".to_owned())
        }
        fn file(&self, path: &Path) -> Result<(PathBuf, String), String> {
            Ok((path.to_owned(), TOKEN_KEY.to_owned()))
        }
        fn certificate(&self, cert: &Path, key: &Path) -> Result<Certificate, WrongFile> {
            Ok(Certificate {
                cert: cert.to_owned(),
                key: key.to_owned(),
                chain: "".into(),
                private_key: Secret::new(""),
                names: vec![crate::load::ciphered::HOST.into()],
                not_before: UNIX_EPOCH,
                not_after: UNIX_EPOCH + Duration::from_hours(24 * 365 * 200),
                ocsp: None,
            })
        }
    }

    #[test]
    fn what_sluice_is_given_is_a_configuration_without_warnings() {
        let directory =
            std::env::temp_dir().join(format!("sluice-bench-test-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let subject = Subject::new(Kind::Sluice, PathBuf::new()).unwrap();
        for (protocol, setup) in [
            (Protocol::Http, Setup::Plain),
            (Protocol::Tls, Setup::Plain),
            (Protocol::H2, Setup::Plain),
            (Protocol::Grpc, Setup::Plain),
            (Protocol::H3, Setup::Plain),
            (Protocol::Tcp, Setup::Plain),
            (Protocol::Udp, Setup::Plain),
            (Protocol::Http, Setup::Balanced("\"c3\"")),
            (Protocol::Http, Setup::Events),
            (Protocol::Http, Setup::Storm),
            (Protocol::Http, Setup::Guarded),
            (Protocol::Http, Setup::Routes),
            (Protocol::Http, Setup::Edits),
            (Protocol::Http, Setup::Limit),
            (Protocol::Http, Setup::Token),
            (Protocol::Http, Setup::Sticky),
        ] {
            let servers = [
                "127.0.0.1:1".parse().unwrap(),
                "127.0.0.1:2".parse().unwrap(),
            ];
            let mut job = Job::new(protocol, &servers, 1, None).unwrap();
            job.setup = setup;
            let template = templates::of(Kind::Sluice, protocol, setup);
            let file = job
                .write(&subject, &directory, "sluice.toml", template)
                .unwrap();
            let text = std::fs::read_to_string(file).unwrap();
            let source = sluice_config::Source {
                name: "sluice.toml".to_owned(),
                text,
            };
            let loaded = sluice_config::load(&source, &OneKey).unwrap();
            assert!(
                loaded.warnings.is_empty(),
                "{}",
                loaded.warnings.render(false)
            );
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
