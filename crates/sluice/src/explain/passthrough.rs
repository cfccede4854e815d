//! Where a TLS connection goes that is passed on by its server name.

use std::fmt::Write as _;

use anyhow::Context as _;
use sluice_config::Plan;
use sluice_config::plan::{Listener, Protocol, Refused, ServerNames, TcpTarget};

use super::servers::Servers;
use super::{has_port, name_and_port, no_request};
use crate::command_line::ExplainArguments;

/// A connection as typed: `tls://NAME:PORT`.
pub(super) struct Connection {
    /// `None` for a client that names no server.
    name: Option<String>,
    port: Option<u16>,
}

impl Connection {
    /// Of what stands behind `tls://`.
    pub(super) fn of(authority: &str) -> anyhow::Result<Self> {
        let (name, port) = name_and_port(authority)?;
        Ok(Self {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            port,
        })
    }

    pub(super) fn answer(
        &self,
        plan: &Plan,
        arguments: &ExplainArguments,
        servers: &Servers,
    ) -> anyhow::Result<String> {
        let (listener, names) = self.choose(plan, arguments.listener.as_deref())?;
        let mut text = String::new();
        writeln!(text, "listener  {} ({})", listener.name, listener.address)?;
        let offered = arguments.alpn.iter().map(String::as_bytes);
        let asked = self.name.as_deref().unwrap_or("none");
        match names.choose(self.name.as_deref(), offered) {
            Ok((entry, id)) => {
                let entry = names.entries.get(entry).context("an entry")?;
                writeln!(text, "name      {asked}: taken by `{}`", entry.name)?;
                let decides = |offered: &&String| {
                    let mut known = entry.protocols.iter();
                    known.any(|(name, _)| **name == ***offered)
                };
                if let Some(protocol) = arguments.alpn.iter().find(decides) {
                    writeln!(text, "protocol  {protocol}: decides")?;
                } else if !entry.protocols.is_empty() {
                    writeln!(text, "protocol  none of those in `alpn`")?;
                }
                let upstream = plan.upstreams.get(id.0).context("an upstream")?;
                servers.describe(upstream, "connections", &mut text)?;
                servers.describe_choice(upstream, &no_request(arguments.client_ip), &mut text)?;
            }
            Err(refused) => {
                let (alert, why) = match refused {
                    Refused::NoName => (
                        "missing_extension",
                        "it names no server, and there is no `\"*\"`",
                    ),
                    Refused::UnknownName => ("unrecognized_name", "nothing in `sni` is for it"),
                    Refused::NoProtocol => (
                        "no_application_protocol",
                        "it offers nothing of `alpn`, and the name has no `upstream`",
                    ),
                };
                writeln!(text, "name      {asked}")?;
                writeln!(text, "refused   by the alert {alert}: {why}")?;
            }
        }
        Ok(text)
    }

    fn choose<'p>(
        &self,
        plan: &'p Plan,
        name: Option<&str>,
    ) -> anyhow::Result<(&'p Listener, &'p ServerNames)> {
        let by_name: Vec<_> = plan
            .listeners
            .iter()
            .filter_map(|listener| match &listener.protocol {
                Protocol::Tcp(TcpTarget::ByName(names)) => Some((listener, names)),
                _ => None,
            })
            .collect();
        if let Some(name) = name {
            return by_name
                .into_iter()
                .find(|(listener, _)| &*listener.name == name)
                .with_context(|| format!("there is no listener `{name}` with `sni`"));
        }
        by_name
            .iter()
            .find(|(listener, _)| self.port.is_some_and(|port| has_port(listener, port)))
            .or(by_name.first())
            .copied()
            .context("the file has no listener with `sni`")
    }
}
