//! `tls` of `[listeners.NAME]`

use std::path::Path;

use super::Builder;
use crate::FileRole;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Certificate, Tls, TlsVersion};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn tls(&mut self, section: &Section) -> Option<Tls> {
        let certificates = self.certificates(section);
        Some(Tls {
            certificates: certificates?,
            min_version: match section.value("min-version")? {
                "1.3" => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            handshake_timeout: section.value("handshake-timeout")?,
        })
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
