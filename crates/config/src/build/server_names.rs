//! `sni` of `[listeners.NAME]`

use sluice_route::{HostMap, HostPattern};

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{ServerName, ServerNames, TcpTarget, UpstreamId};
use crate::read::{FromTyped as _, Read, Section, Typed};

impl Builder<'_> {
    /// A tcp listener that goes by the server's name.
    pub(super) fn by_name(&mut self, section: &Section) -> Option<TcpTarget> {
        self.out_of_place(section, &["upstream"], |key| {
            Diagnostic::error(
                0..0,
                format!("`{key}` and `sni` both say where connections go"),
            )
            .help("put `\"*\"` into `sni` for every other connection")
        });
        self.out_of_place(section, &["tls"], |key| {
            Diagnostic::error(
                0..0,
                format!("`{key}` and `sni` exclude each other on a listener"),
            )
            .help("`sni` passes connections on as they are, `tls` deciphers them")
        });
        let Some(Typed::Map(named)) = section.read("sni").map(|read| &read.typed) else {
            self.unresolved = true;
            return None;
        };
        let patterns: Vec<_> = named
            .iter()
            .filter_map(|(name, _)| HostPattern::from_typed(&name.typed))
            .collect();
        // All before the first `?`, so that each reports what is wrong with it.
        let entries: Vec<_> = named
            .iter()
            .map(|(name, read)| self.server_name(name, read))
            .collect();
        let names = HostMap::new(patterns);
        if let Some((again, first)) = names.repeated()
            && let (Some((again, _)), Some((first, _))) = (named.get(again), named.get(first))
        {
            self.findings.push(
                Diagnostic::error(again.span.clone(), "this name stands twice in `sni`")
                    .related(first.span.clone(), "first here")
                    .help("names are compared without their case"),
            );
        }
        Some(TcpTarget::ByName(ServerNames {
            names,
            entries: super::all(entries)?,
            hello_timeout: section.value("hello-timeout")?,
        }))
    }

    fn server_name(&mut self, name: &Read, read: &Read) -> Option<ServerName> {
        let pattern = HostPattern::from_typed(&name.typed)?;
        let (upstream, protocols) = match &read.typed {
            Typed::Text(upstream) => (
                Some(self.upstream_called(upstream, &read.span)?),
                Vec::new(),
            ),
            Typed::Table(table) => self.by_protocol(table)?,
            _ => return None,
        };
        Some(ServerName {
            name: pattern.as_str().into(),
            upstream,
            protocols,
        })
    }

    fn by_protocol(&mut self, table: &Section) -> Option<ByProtocol> {
        if table.set_at("upstream").is_none() && table.set_at("alpn").is_none() {
            self.unresolved = true;
            self.findings.push(
                Diagnostic::error(table.span.clone(), "this name leads nowhere")
                    .help("set `upstream`, `alpn` or both"),
            );
            return None;
        }
        let upstream = match table.set_at("upstream") {
            Some(_) => Some(self.named_upstream(table, "upstream")?),
            None => None,
        };
        let mut protocols = Vec::new();
        if table.set_at("alpn").is_some() {
            let Some(Typed::Map(named)) = table.read("alpn").map(|read| &read.typed) else {
                self.unresolved = true;
                return None;
            };
            for (name, read) in named {
                let (Typed::Text(name), Typed::Text(upstream)) = (&name.typed, &read.typed) else {
                    continue;
                };
                let upstream = self.upstream_called(upstream, &read.span)?;
                protocols.push((name.as_str().into(), upstream));
            }
        }
        Some((upstream, protocols))
    }
}

/// `upstream` and `alpn`.
type ByProtocol = (Option<UpstreamId>, Vec<(std::sync::Arc<str>, UpstreamId)>);
