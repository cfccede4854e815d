//! An answer of OCSP (RFC 6960) that is shown to clients beside a certificate: stapled.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// `ocsp` of a certificate: what its file held when the plan was loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Ocsp {
    /// Where it was read from.
    pub file: PathBuf,
    /// The answer in DER.
    pub response: Arc<[u8]>,
    /// Why it is of no use, whatever the time.
    pub flaw: Option<OcspFlaw>,
    /// From when on it is out of date; never, where it does not say.
    pub next_update: Option<SystemTime>,
}

/// Why an answer is not shown to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspFlaw {
    /// The responder had no answer.
    NoAnswer,
    /// It is for another certificate.
    OtherCertificate,
    /// The certificate is revoked.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
}

impl Ocsp {
    /// Whether it is shown to clients at this time.
    pub fn is_stapled(&self, now: SystemTime) -> bool {
        self.flaw.is_none() && !self.has_expired(now)
    }

    /// Whether it is out of date.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.next_update.is_some_and(|next| next <= now)
    }
}

/// Without the answer's bytes.
impl std::fmt::Debug for Ocsp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ocsp")
            .field("file", &self.file)
            .field("flaw", &self.flaw)
            .field("next_update", &self.next_update)
            .finish_non_exhaustive()
    }
}
