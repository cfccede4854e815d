//! `acme` of `tls` of `[listeners.NAME]`

use std::path::Path;

use sluice_model::BindAddress;

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Acme, Challenge};
use crate::read::Section;

impl Builder<'_> {
    /// `None` where any of it is wrong, which is then reported.
    pub(super) fn acme(&mut self, listener: &Section, table: &Section) -> Option<Acme> {
        let domains = self.domains(table);
        let storage = self.storage(table);
        let challenge = self.challenge(listener, table);
        let authorities = match table.with_span::<String>("ca") {
            Some((ca, span)) => Some(self.authorities(Some(&ca), span)?),
            None if table.set_at("ca").is_some() => return None,
            None => None,
        };
        if table.set_at("contact").is_some() {
            table.read("contact")?;
        }
        Some(Acme {
            domains: domains?,
            contact: table.value::<String>("contact").map(Into::into),
            directory: table.value::<String>("directory")?.into(),
            authorities,
            storage: storage?,
            challenge: challenge?,
        })
    }

    fn domains(&mut self, table: &Section) -> Option<Vec<Box<str>>> {
        let mut domains: Vec<Box<str>> = Vec::new();
        for (domain, span) in table.items::<String>("domains")? {
            if domains.iter().any(|known| **known == *domain) {
                self.findings.push(
                    Diagnostic::warning(span, format!("`{domain}` is named twice"))
                        .help("once is enough"),
                );
            } else {
                domains.push(domain.into());
            }
        }
        Some(domains)
    }

    fn storage(&mut self, table: &Section) -> Option<std::path::PathBuf> {
        let (storage, span) = table.with_span::<String>("storage")?;
        let folder = self.surroundings.folder(Path::new(&storage));
        let span = match table.set_at("storage") {
            Some(_) => span,
            None => &table.span,
        };
        folder
            .inspect_err(|reason| {
                let message = format!("certificates cannot be kept in `{storage}`");
                self.findings.push(
                    Diagnostic::error(span.clone(), message)
                        .label(reason.as_str())
                        .help(
                            "set `storage` to a folder that this process may write to, or may make",
                        ),
                );
            })
            .ok()
    }

    /// The authority comes to port 443 for one and to port 80 for the other, whatever port that is led to here.
    fn challenge(&mut self, listener: &Section, table: &Section) -> Option<Challenge> {
        let has_plain = self.listeners.iter().any(|section| {
            section.value::<&str>("protocol") == Some("http") && section.set_at("tls").is_none()
        });
        let address = listener.value::<BindAddress>("address");
        let is_on_443 = address.and_then(|address| address.port()) == Some(443);
        if table.set_at("challenge").is_none() {
            return Some(if is_on_443 || !has_plain {
                Challenge::TlsAlpn01
            } else {
                Challenge::Http01
            });
        }
        let (word, span) = table.with_span::<&str>("challenge")?;
        if word != "http-01" {
            return Some(Challenge::TlsAlpn01);
        }
        if !has_plain {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    "the authority will ask at port 80, and no listener speaks http without `tls`",
                )
                .help(
                    "add `[listeners.http]` with `address = \":80\"` and `redirect-to-https = true`, or set `challenge = \"tls-alpn-01\"`",
                ),
            );
            return None;
        }
        Some(Challenge::Http01)
    }
}
