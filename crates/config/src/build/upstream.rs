//! `[upstreams.NAME]`

use super::Builder;
use super::circuit_breaker::when_all_down;
use super::health::Spoken;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{SendProxyProtocol, Server, Upstream};
use crate::read::{Section, Typed};
use sluice_model::Weight;

impl Builder<'_> {
    pub(super) fn upstream(&mut self, section: &Section) -> Option<Upstream> {
        let servers = self.servers(section);
        let balance = self.balance(section);
        let tls = self.upstream_tls(section, servers.as_deref().unwrap_or_default());
        let protocol = self.upstream_protocol(section, servers.as_deref().unwrap_or_default());
        let circuit_breaker = self.circuit_breaker(section, servers.as_deref().unwrap_or_default());
        if let Some(servers) = &servers {
            self.queue_of_nothing(section, servers);
        }
        let send_proxy_protocol = section.value("send-proxy-protocol").map(proxy_header);
        let spoken = Spoken {
            protocol,
            is_ciphered: tls.is_some(),
            send_proxy_protocol,
        };
        let health = self.health(section, servers.as_deref().unwrap_or_default(), spoken);
        let sticky = match section.table("sticky") {
            Some(table) => Some(self.sticky(table, section)?),
            None => None,
        };
        Some(Upstream {
            name: section.name.as_str().into(),
            servers: servers?,
            balance: balance?,
            queue: section.table("queue").and_then(|table| self.queue(table)),
            adaptive_concurrency: section
                .table("adaptive-concurrency")
                .and_then(|table| self.adaptive_concurrency(table)),
            circuit_breaker,
            when_all_down: when_all_down(section)?,
            load_report: section.value("load-report"),
            sticky,
            protocol: protocol?,
            connect_timeout: section.value("connect-timeout")?,
            idle_connections: section.value("idle-connections")?,
            idle_timeout: section.value("idle-timeout")?,
            drain_timeout: section.value("drain-timeout")?,
            send_proxy_protocol: send_proxy_protocol?,
            tls,
            source_addresses: match section.set_at("source-addresses") {
                Some(_) => section
                    .items("source-addresses")?
                    .into_iter()
                    .map(|(address, _)| address)
                    .collect(),
                None => Vec::new(),
            },
            keep_alive: section.value("tcp-keep-alive")?,
            health: health?,
        })
    }

    /// Without limits nobody ever waits.
    fn queue_of_nothing(&mut self, section: &Section, servers: &[Server]) {
        let limited = servers
            .iter()
            .any(|server| server.max_connections.is_some());
        let limited = limited || section.set_at("adaptive-concurrency").is_some();
        if let Some(span) = section.set_at("queue").filter(|_| !limited) {
            self.findings.push(
                Diagnostic::warning(
                    span.clone(),
                    "nothing ever waits here: no server has `max-connections`",
                )
                .help("requests wait while every server is full: `{ address = \"…\", max-connections = 100 }`, or `adaptive-concurrency = {}`"),
            );
        }
    }

    fn servers(&mut self, section: &Section) -> Option<Vec<Server>> {
        let read = section.read("servers")?;
        let Typed::List(items) = &read.typed else {
            return None;
        };
        let mut servers: Vec<(Server, Span)> = Vec::with_capacity(items.len());
        for item in items {
            let server = match &item.typed {
                Typed::Server(address) => Some(Server {
                    address: address.clone(),
                    weight: Weight::ONE,
                    max_connections: None,
                    backup: false,
                    in_own_zone: false,
                }),
                Typed::Table(table) => server(table, self.zone),
                _ => None,
            };
            let Some(server) = server else { continue };
            if let Some((_, first)) = servers
                .iter()
                .find(|(other, _)| other.address == server.address)
            {
                self.findings.push(
                    Diagnostic::warning(item.span.clone(), "this server is listed twice")
                        .related(first.clone(), "first here")
                        .help("for a larger share of the traffic, give it a `weight`"),
                );
            }
            servers.push((server, item.span.clone()));
        }
        if !servers.is_empty() && servers.iter().all(|(server, _)| server.backup) {
            self.findings.push(
                Diagnostic::warning(
                    read.span.clone(),
                    format!("every server of {} is a backup", section.place),
                )
                .help("backups take traffic when no other server can, so here they always do"),
            );
        }
        Some(servers.into_iter().map(|(server, _)| server).collect())
    }
}

pub(super) fn proxy_header(word: &str) -> SendProxyProtocol {
    match word {
        "v1" => SendProxyProtocol::V1,
        "v2" => SendProxyProtocol::V2,
        _ => SendProxyProtocol::Off,
    }
}

fn server(table: &Section, own_zone: Option<&str>) -> Option<Server> {
    let zone: Option<String> = table.value("zone");
    Some(Server {
        address: table.value("address")?,
        weight: table.value("weight")?,
        max_connections: table.value("max-connections"),
        backup: table.value("backup")?,
        in_own_zone: zone.is_some() && zone.as_deref() == own_zone,
    })
}
