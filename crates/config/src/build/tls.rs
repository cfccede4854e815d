//! `tls` of `[listeners.NAME]`

use std::path::{Path, PathBuf};

use sluice_model::ServerAddress;

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{
    Authorities, Certificate, ClientAuth, Secret, Server, Tls, TlsVersion, UpstreamTls,
};
use crate::read::{Section, Typed};
use crate::{FileRole, WrongFile};

impl Builder<'_> {
    /// `tls` of the listener.
    pub(super) fn tls(&mut self, listener: &Section, section: &Section) -> Option<Tls> {
        let certificates = self.certificates(section);
        let wants = section.set_at("acme").is_some();
        let acme = section
            .table("acme")
            .and_then(|table| self.acme(listener, table));
        let ticket_keys = self.ticket_keys(section);
        let asks = section.set_at("client-auth").is_some();
        let client_auth = section
            .table("client-auth")
            .and_then(|table| self.client_auth(table));
        if (asks && client_auth.is_none()) || (wants && acme.is_none()) {
            return None;
        }
        Some(Tls {
            early_data: self.early_data(section)?,
            certificates: certificates?,
            acme,
            min_version: match section.value("min-version")? {
                "1.3" => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            handshake_timeout: section.value("handshake-timeout")?,
            client_auth,
            ticket_keys_file: ticket_keys.as_ref()?.0.clone(),
            ticket_keys: ticket_keys?.1,
        })
    }

    fn client_auth(&mut self, table: &Section) -> Option<ClientAuth> {
        let (ca, span) = table.with_span::<String>("ca")?;
        let authorities = self.authorities(Some(&ca), span);
        let revoked = match table.with_span::<String>("crl") {
            None if table.set_at("crl").is_some() => return None,
            None => None,
            Some((crl, span)) => match self.surroundings.revoked(Path::new(&crl)) {
                Ok(revoked) => Some(revoked),
                Err(wrong) => {
                    self.wrong_file(span, wrong);
                    return None;
                }
            },
        };
        let (revoked_file, revoked) = revoked.unzip();
        Some(ClientAuth {
            authorities: authorities?,
            required: table.value::<&str>("mode")? == "require",
            revoked: revoked.map(Into::into),
            revoked_file,
        })
    }

    /// The texts that keys of tickets are made of, and where they were read from.
    fn ticket_keys(&mut self, section: &Section) -> Option<(Option<PathBuf>, Vec<Secret>)> {
        if section.set_at("ticket-keys").is_none() {
            return Some((None, self.secret_key.iter().cloned().collect()));
        }
        let (path, span) = section.with_span::<String>("ticket-keys")?;
        let read = self.surroundings.file(Path::new(&path));
        let keys = read.and_then(|(path, text)| Ok((Some(path), ticket_keys(&text)?)));
        keys.inspect_err(|reason| {
            let message = "this file of ticket keys cannot be used";
            self.findings.push(
                Diagnostic::error(span.clone(), message)
                    .label(reason.as_str())
                    .help("it holds a text of at least 32 characters a line: `openssl rand -base64 48` makes one"),
            );
        })
        .ok()
    }

    fn certificates(&mut self, section: &Section) -> Option<Vec<Certificate>> {
        if section.set_at("certificates").is_none() {
            if section.set_at("acme").is_some() {
                return Some(Vec::new());
            }
            let missing = format!("`certificates` is missing from {}", section.place);
            self.findings.push(
                Diagnostic::error(section.span.clone(), missing).help(
                    "for example `certificates = [{ cert = \"example.com.pem\", key = \"example.com.key\" }]`, or `acme` to have one issued",
                ),
            );
            return None;
        }
        let Typed::List(items) = &section.read("certificates")?.typed else {
            return None;
        };
        let mut certificates = Vec::with_capacity(items.len());
        for item in items {
            if let Typed::Table(table) = &item.typed {
                let certificate = self.certificate(table);
                certificates.push(certificate.and_then(|one| self.stapled(table, one)));
            }
        }
        let certificates: Option<Vec<_>> = certificates.into_iter().collect();
        // An item that was reported is missing from the list.
        certificates.filter(|certificates| !certificates.is_empty())
    }

    fn certificate(&mut self, section: &Section) -> Option<Certificate> {
        let (cert, cert_span) = section.with_span::<String>("cert")?;
        let (key, key_span) = section.with_span::<String>("key")?;
        let read = self
            .surroundings
            .certificate(Path::new(&cert), Path::new(&key));
        match read {
            Ok(certificate) => {
                self.judge(&certificate, cert_span);
                Some(certificate)
            }
            Err(wrong) => {
                let span = match wrong.role {
                    FileRole::Key => key_span,
                    _ => cert_span,
                };
                self.wrong_file(span, wrong);
                None
            }
        }
    }

    /// `tls` of an upstream; `None` where there is none, or a wrong one, which is then reported.
    pub(super) fn upstream_tls(
        &mut self,
        section: &Section,
        servers: &[Server],
    ) -> Option<UpstreamTls> {
        let read = section.read("tls")?;
        let tls = match &read.typed {
            Typed::Flag(true) => UpstreamTls {
                authorities: Some(self.authorities(None, &read.span)?),
                server_name: None,
                certificate: None,
            },
            Typed::Table(table) => self.upstream_tls_table(table)?,
            _ => return None,
        };
        let has_name = |server: &Server| !matches!(server.address, ServerAddress::Unix(_));
        if tls.server_name.is_none() && !servers.iter().all(has_name) {
            self.findings.push(
                Diagnostic::error(
                    read.span.clone(),
                    "a Unix socket has no host name to be verified",
                )
                .help("set `server-name` to the name that its certificate is for"),
            );
        }
        Some(tls)
    }

    fn upstream_tls_table(&mut self, table: &Section) -> Option<UpstreamTls> {
        let (verify, verify_span) = table.with_span::<bool>("verify")?;
        let authorities = if verify {
            match table.with_span::<String>("ca") {
                Some((ca, span)) => Some(self.authorities(Some(&ca), span)),
                None if table.set_at("ca").is_some() => return None,
                None => Some(self.authorities(None, &table.span)),
            }
        } else {
            self.findings.push(
                Diagnostic::warning(verify_span.clone(), "servers are not verified").help(
                    "whoever stands on the way can read and change everything: set `ca` instead",
                ),
            );
            self.out_of_place(table, &["ca"], |key| {
                Diagnostic::error(
                    0..0,
                    format!("`{key}` has no use where servers are not verified"),
                )
            });
            None
        };
        let shows = [table.set_at("cert"), table.set_at("key")];
        let certificate = match shows {
            [Some(_), Some(_)] => Some(self.certificate(table)?),
            [None, None] => None,
            [Some(one), None] | [None, Some(one)] => {
                self.findings.push(
                    Diagnostic::error(one.clone(), "`cert` and `key` are set both or neither")
                        .help("a certificate is of no use without its private key"),
                );
                return None;
            }
        };
        if table.set_at("server-name").is_some() {
            table.read("server-name")?;
        }
        Some(UpstreamTls {
            authorities: match authorities {
                Some(authorities) => Some(authorities?),
                None => None,
            },
            server_name: table.value("server-name"),
            certificate,
        })
    }

    pub(super) fn authorities(&mut self, ca: Option<&str>, span: &Span) -> Option<Authorities> {
        match self.surroundings.authorities(ca.map(Path::new)) {
            Ok(authorities) => Some(authorities),
            Err(wrong) => {
                self.wrong_file(span, wrong);
                None
            }
        }
    }

    pub(super) fn wrong_file(&mut self, span: &Span, wrong: WrongFile) {
        let message = match wrong.role {
            FileRole::Certificate => "this certificate cannot be used",
            FileRole::Key => "this private key cannot be used",
            FileRole::Countries => "this database of countries cannot be used",
            FileRole::Ocsp => "this answer of OCSP cannot be used",
            FileRole::Revoked => "these lists of revoked certificates cannot be used",
            FileRole::Authority => "there are no authorities to verify certificates by",
        };
        self.findings.push(
            Diagnostic::error(span.clone(), message)
                .label(wrong.reason)
                .maybe_help(wrong.help),
        );
    }

    /// A certificate that clients will refuse.
    fn judge(&mut self, certificate: &Certificate, span: &Span) {
        let age = self.surroundings.now().and_then(|now| {
            if certificate.not_after <= now {
                Some("this certificate has expired")
            } else if certificate.not_before > now {
                Some("this certificate is not valid yet")
            } else {
                None
            }
        });
        if let Some(message) = age {
            self.findings.push(
                Diagnostic::warning(span.clone(), message)
                    .help("clients will refuse it: put a new one into the file, which is read again when it changes"),
            );
        }
        if certificate.names.is_empty() {
            self.findings.push(
                Diagnostic::warning(span.clone(), "this certificate is for no host name")
                    .help("clients look for the host in its `subjectAltName`; without one nearly all refuse it"),
            );
        }
    }
}

/// One a line. Nothing of them is ever shown.
fn ticket_keys(text: &str) -> Result<Vec<Secret>, String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if let Some(short) = lines.iter().position(|line| line.len() < MIN_TICKET_KEY) {
        return Err(format!("key {} is too short", short + 1));
    }
    if lines.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(lines.into_iter().map(Secret::new).collect())
}

/// 128 bits and more in any of the usual ways to write them.
const MIN_TICKET_KEY: usize = 32;
