//! The subjects: sluice, its peers, and the forwarder that is the floor.
//!
//! `install` finds or fetches their binaries, `settings` fills the files in
//! `bench/peers` that `templates` names, `certificate` makes what they show clients of TLS, `running`
//! starts and ends them, `probe` asks whether they answer, and `proof` whether
//! they do what they are set up for.

mod certificate;
pub(crate) mod install;
mod probe;
mod proof;
mod running;
mod settings;
mod templates;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

pub(crate) use running::Running;
pub(crate) use settings::{CHECK_PORT, Job, Protocol, SERVICES, Setup, TENANTS, TOKEN};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// What all is compared with.
    Sluice,
    /// nginx, from the distribution or a binary of your own.
    Nginx,
    /// `HAProxy`, likewise.
    Haproxy,
    /// Envoy, likewise.
    Envoy,
    /// Sluice with nothing switched on, where that is what it is compared with.
    #[value(skip)]
    Bare,
    /// Bytes copied without a look at them: the kernel's own cost.
    Forwarder,
}

impl Kind {
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Nginx | Self::Haproxy | Self::Envoy)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sluice => "sluice",
            Self::Bare => "sluice with nothing on",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Forwarder => "forwarder",
        }
    }
}

/// One program to be measured.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    /// What the tables call it: name and version.
    pub(crate) label: String,
    pub(crate) program: PathBuf,
    /// Whether it was built with QUIC, which not all are.
    quic: bool,
    /// Whether it keeps sessions on their servers by cookies, which not all nginx do.
    sticky: bool,
    /// Directives that load what the binary has as modules.
    modules: String,
}

impl Subject {
    /// Asks `program` for its version, which also shows that it runs.
    pub(crate) fn new(kind: Kind, program: PathBuf) -> Result<Self> {
        let label = match kind {
            Kind::Forwarder | Kind::Sluice | Kind::Bare => kind.name().to_owned(),
            Kind::Nginx | Kind::Haproxy | Kind::Envoy => {
                let text = said(
                    &program,
                    &[if kind == Kind::Envoy {
                        "--version"
                    } else {
                        "-v"
                    }],
                )?;
                let version = version(&text)
                    .with_context(|| format!("no version in what {} says", program.display()))?;
                let cryptography = if kind == Kind::Haproxy {
                    other_than_openssl(&said(&program, &["-vv"])?)
                } else {
                    ""
                };
                format!("{} {version}{cryptography}", kind.name())
            }
        };
        let quic = match kind {
            Kind::Sluice | Kind::Bare | Kind::Envoy => true,
            Kind::Nginx => said(&program, &["-V"])?.contains("--with-http_v3_module"),
            Kind::Haproxy => said(&program, &["-vv"])?.contains("+QUIC "),
            Kind::Forwarder => false,
        };
        let sticky = kind != Kind::Nginx || holds(&program, b"ngx_http_upstream_sticky_module")?;
        let modules = if kind == Kind::Nginx {
            stream_module(&program)?
        } else {
            String::new()
        };
        Ok(Self {
            kind,
            label,
            program,
            quic,
            sticky,
            modules,
        })
    }

    /// Those of `subjects` that speak `protocol` and are measured in it.
    pub(crate) fn able(subjects: &[Self], protocol: Protocol) -> Vec<Self> {
        subjects
            .iter()
            .filter(|subject| match (subject.kind, protocol) {
                (_, Protocol::H3) => subject.quic,
                (_, Protocol::Http | Protocol::Tcp) | (Kind::Sluice | Kind::Nginx, _) => true,
                // The forwarder knows bytes: in the clear they cost the kernel what HTTP/1.1 costs it.
                (Kind::Bare | Kind::Forwarder, _) => false,
                // Of UDP, HAProxy passes on syslog alone, and Envoy is not measured here.
                (Kind::Haproxy | Kind::Envoy, _) => protocol != Protocol::Udp,
            })
            .cloned()
            .collect()
    }

    /// Those of `subjects` that can be set up so, and are measured in it.
    pub(crate) fn able_to(subjects: &[Self], setup: Setup) -> Vec<Self> {
        subjects
            .iter()
            .filter(|subject| match (subject.kind, setup) {
                // nginx knows no tokens.
                (Kind::Envoy | Kind::Bare | Kind::Forwarder, _) | (Kind::Nginx, Setup::Token) => {
                    false
                }
                (_, Setup::Sticky) => subject.sticky,
                _ => true,
            })
            .cloned()
            .collect()
    }

    /// Starts it for `job` and returns once it answers, and does what it is set up for.
    pub(crate) fn start(&self, job: &Job) -> Result<Running> {
        let mut running = self.launch(job)?;
        running
            .await_answer(job)
            .with_context(|| format!("starting {}", self.label))?;
        proof::holds(job)
            .with_context(|| format!("{} does not do what it is set up for", self.label))?;
        Ok(running)
    }

    /// Starts it without waiting for it.
    pub(crate) fn launch(&self, job: &Job) -> Result<Running> {
        Running::launch(self, job).with_context(|| format!("starting {}", self.label))
    }
}

/// What to add to a label: `HAProxy` can be built on several libraries, which may make more of a difference than its version.
fn other_than_openssl(said: &str) -> &'static str {
    if said.contains("SSL library version : AWS-LC") {
        " on AWS-LC"
    } else {
        ""
    }
}

/// Debian builds the stream module apart, to be loaded by its path.
fn stream_module(nginx: &PathBuf) -> Result<String> {
    if !said(nginx, &["-V"])?.contains("--with-stream=dynamic") {
        return Ok(String::new());
    }
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !std::path::Path::new(module).exists() {
        bail!("{module} is missing: install libnginx-mod-stream");
    }
    Ok(format!("load_module {module};"))
}

/// Whether `name` is in the program: nginx does not list the modules that it was built with unless they are asked for.
fn holds(program: &PathBuf, name: &[u8]) -> Result<bool> {
    let bytes = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    Ok(memchr::memmem::find(&bytes, name).is_some())
}

fn said(program: &PathBuf, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("running {}", program.display()))?;
    Ok(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The first thing in `text` that looks like 1.2.3.
fn version(text: &str) -> Option<&str> {
    text.split(|character: char| !(character.is_ascii_digit() || character == '.'))
        .map(|word| word.trim_matches('.'))
        .find(|word| word.matches('.').count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_peers_say() {
        assert_eq!(version("nginx version: nginx/1.22.1\n"), Some("1.22.1"));
        assert_eq!(
            version("HAProxy version 2.6.12-1+deb12u4 2025/10/01 - https://haproxy.org/"),
            Some("2.6.12")
        );
        assert_eq!(
            version("envoy  version: 0a1b2c/1.40.0/Clean/RELEASE/BoringSSL"),
            Some("1.40.0")
        );
        assert_eq!(version("no version"), None);
    }
}
