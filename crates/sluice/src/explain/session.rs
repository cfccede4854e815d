//! Where a connection of a tcp listener goes, or a client's datagrams of a udp listener.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use sluice_config::Plan;
use sluice_config::plan::{Listener, Protocol, SourceAddress, TcpTarget, UdpListener, UpstreamId};

use super::servers::Servers;
use super::{has_port, name_and_port, no_request};
use crate::command_line::ExplainArguments;

/// A session as typed: `tcp://HOST:PORT` or `udp://HOST:PORT`. The host is whatever clients call this machine.
pub(super) struct Session {
    transport: Transport,
    port: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// What takes it.
enum Taken<'p> {
    Tcp(UpstreamId),
    ByName,
    Udp(&'p UdpListener),
}

impl Session {
    /// Of what stands behind `tcp://` or `udp://`.
    pub(super) fn of(transport: Transport, authority: &str) -> anyhow::Result<Self> {
        let (_, port) = name_and_port(authority)?;
        Ok(Self { transport, port })
    }

    pub(super) fn answer(
        &self,
        plan: &Plan,
        arguments: &ExplainArguments,
        servers: &Servers,
    ) -> anyhow::Result<String> {
        let (listener, taken) = self.choose(plan, arguments.listener.as_deref())?;
        let mut text = String::new();
        writeln!(text, "listener  {} ({})", listener.name, listener.address)?;
        let (id, what) = match taken {
            Taken::ByName => bail!(
                "listener `{}` goes by server name: ask for `tls://NAME:PORT`",
                listener.name
            ),
            Taken::Tcp(id) => (id, "connections"),
            Taken::Udp(udp) => {
                writeln!(text, "session   {}", ends_of(listener, udp))?;
                (udp.upstream, "sessions")
            }
        };
        if listener.source_address == SourceAddress::Client {
            writeln!(text, "source    {}: the client's own", arguments.client_ip)?;
        }
        let upstream = plan.upstreams.get(id.0).context("an upstream")?;
        servers.describe(upstream, what, &mut text)?;
        servers.describe_choice(upstream, &no_request(arguments.client_ip), &mut text)?;
        Ok(text)
    }

    fn choose<'p>(
        &self,
        plan: &'p Plan,
        name: Option<&str>,
    ) -> anyhow::Result<(&'p Listener, Taken<'p>)> {
        let taken = |listener: &'p Listener| match (&listener.protocol, self.transport) {
            (Protocol::Tcp(TcpTarget::Upstream(id)), Transport::Tcp) => {
                Some((listener, Taken::Tcp(*id)))
            }
            (Protocol::Tcp(TcpTarget::ByName(_)), Transport::Tcp) => {
                Some((listener, Taken::ByName))
            }
            (Protocol::Udp(udp), Transport::Udp) => Some((listener, Taken::Udp(udp))),
            _ => None,
        };
        let protocol = self.transport.word();
        let mut all: Vec<_> = plan.listeners.iter().filter_map(taken).collect();
        let position = if let Some(name) = name {
            let found = all.iter().position(|(one, _)| &*one.name == name);
            found.with_context(|| format!("there is no {protocol} listener `{name}`"))?
        } else {
            let is_there = |port| all.iter().position(|(one, _)| has_port(one, port));
            self.port.and_then(is_there).unwrap_or_default()
        };
        if all.is_empty() {
            bail!("the file has no {protocol} listener");
        }
        Ok(all.swap_remove(position))
    }
}

impl Transport {
    fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a session of datagrams is, and when it ends.
fn ends_of(listener: &Listener, udp: &UdpListener) -> String {
    let silence = listener.idle_timeout;
    match udp.responses {
        None => {
            format!("one client address and port, until it is silent for {silence:?}")
        }
        Some(responses) => {
            let answers = if responses == 1 { "answer" } else { "answers" };
            format!(
                "one client address and port, until each datagram has its {responses} {answers} or it is silent for {silence:?}"
            )
        }
    }
}
