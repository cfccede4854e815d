//! `[upstreams.NAME]`

use super::{Builder, word};
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Balance, SendProxyProtocol, Server, Upstream};
use crate::read::{Section, Typed};
use sluice_model::Weight;

impl Builder<'_> {
    pub(super) fn upstream(&mut self, section: &Section) -> Option<Upstream> {
        let servers = self.servers(section);
        Some(Upstream {
            name: section.name.as_str().into(),
            servers: servers?,
            balance: match word(section.read("balance")?, "policy")? {
                "round-robin" | "weighted-round-robin" => Balance::RoundRobin,
                _ => return None,
            },
            connect_timeout: section.value("connect-timeout")?,
            idle_connections: section.value("idle-connections")?,
            idle_timeout: section.value("idle-timeout")?,
            drain_timeout: section.value("drain-timeout")?,
            send_proxy_protocol: match section.value("send-proxy-protocol")? {
                "v1" => SendProxyProtocol::V1,
                "v2" => SendProxyProtocol::V2,
                _ => SendProxyProtocol::Off,
            },
            source_addresses: match section.set_at("source-addresses") {
                Some(_) => section
                    .items("source-addresses")?
                    .into_iter()
                    .map(|(address, _)| address)
                    .collect(),
                None => Vec::new(),
            },
            keep_alive: section.value("tcp-keep-alive")?,
        })
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
                }),
                Typed::Table(table) => server(table),
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

fn server(table: &Section) -> Option<Server> {
    Some(Server {
        address: table.value("address")?,
        weight: table.value("weight")?,
        max_connections: table.value("max-connections"),
        backup: table.value("backup")?,
    })
}
