//! `ocsp` of a certificate: an answer that clients are shown beside it.

use std::path::Path;

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Certificate, Ocsp, OcspFlaw};
use crate::read::Section;

impl Builder<'_> {
    /// The certificate with its answer; `None` where that is wrong, which is then reported.
    pub(super) fn stapled(
        &mut self,
        section: &Section,
        mut certificate: Certificate,
    ) -> Option<Certificate> {
        if section.set_at("ocsp").is_none() {
            return Some(certificate);
        }
        let (file, span) = section.with_span::<String>("ocsp")?;
        match self.surroundings.ocsp(Path::new(&file), &certificate) {
            Ok(ocsp) => {
                self.judge_ocsp(&ocsp, span);
                certificate.ocsp = Some(ocsp);
                Some(certificate)
            }
            Err(wrong) => {
                self.wrong_file(span, wrong);
                None
            }
        }
    }

    /// An answer that is not shown. That is no mistake: answers come by themselves, often after the certificate, and clients
    /// do without.
    fn judge_ocsp(&mut self, ocsp: &Ocsp, span: &Span) {
        let has_expired = || {
            self.surroundings
                .now()
                .is_some_and(|now| ocsp.has_expired(now))
        };
        let reason = match ocsp.flaw {
            Some(OcspFlaw::NoAnswer) => "the responder had no answer",
            Some(OcspFlaw::OtherCertificate) => "it is for another certificate",
            Some(OcspFlaw::Revoked) => "the certificate is revoked, it says",
            Some(OcspFlaw::Unknown) => "the responder does not know the certificate, it says",
            None if has_expired() => "it is out of date",
            None => return,
        };
        self.findings.push(
            Diagnostic::warning(span.clone(), "this answer of OCSP is not shown to clients")
                .label(reason)
                .help("put a new one into the file, which is read again when it changes"),
        );
    }
}
