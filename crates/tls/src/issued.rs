//! A certificate that is issued while we run: put in its place by the control plane, served by all workers from then on.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::sign::CertifiedKey;
use sluice_config::WrongFile;
use sluice_config::plan::Certificate;

use crate::certificate::certified;

/// The place of one certificate, which is empty until there is one. Handshakes read it without a lock.
#[derive(Debug, Default)]
pub struct Issued {
    held: ArcSwapOption<Held>,
}

#[derive(Debug)]
struct Held {
    certificate: Certificate,
    key: Arc<CertifiedKey>,
}

impl Issued {
    /// Every handshake from now on gets this certificate.
    ///
    /// # Errors
    /// One that does not fit its key. Then the one before stays.
    pub fn put(&self, certificate: Certificate) -> Result<(), WrongFile> {
        let key = certified(&certificate)?;
        self.held.store(Some(Arc::new(Held { certificate, key })));
        Ok(())
    }

    /// What is served.
    pub fn certificate(&self) -> Option<Certificate> {
        let held = self.held.load();
        held.as_ref().map(|held| held.certificate.clone())
    }

    pub(crate) fn key(&self) -> Option<Arc<CertifiedKey>> {
        let held = self.held.load();
        held.as_ref().map(|held| Arc::clone(&held.key))
    }
}
