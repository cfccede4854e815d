//! `tls` of `[listeners.NAME]`

use std::path::{Path, PathBuf};

use super::Builder;
use crate::FileRole;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Certificate, Secret, Tls, TlsVersion};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn tls(&mut self, section: &Section) -> Option<Tls> {
        let certificates = self.certificates(section);
        let ticket_keys = self.ticket_keys(section);
        Some(Tls {
            certificates: certificates?,
            min_version: match section.value("min-version")? {
                "1.3" => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            handshake_timeout: section.value("handshake-timeout")?,
            ticket_keys_file: ticket_keys.as_ref()?.0.clone(),
            ticket_keys: ticket_keys?.1,
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
        let Typed::List(items) = &section.read("certificates")?.typed else {
            return None;
        };
        let mut certificates = Vec::with_capacity(items.len());
        for item in items {
            if let Typed::Table(table) = &item.typed {
                certificates.push(self.certificate(table));
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
                let (span, message) = match wrong.role {
                    FileRole::Certificate => (cert_span, "this certificate cannot be used"),
                    FileRole::Key => (key_span, "this private key cannot be used"),
                };
                self.findings.push(
                    Diagnostic::error(span.clone(), message)
                        .label(wrong.reason)
                        .maybe_help(wrong.help),
                );
                None
            }
        }
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
