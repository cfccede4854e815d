//! What authorities ask to see before they certify that names are ours: by HTTP (RFC 8555, 8.3) or by TLS (RFC 8737).
//!
//! The control plane shows and takes away, workers look. Nearly always there is nothing, which one atomic read tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig};
use sluice_config::WrongFile;

use crate::certificate::parse_own;
use crate::server::provider;

/// What is offered by ALPN in a handshake that asks for a proof and for nothing else.
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// The proofs that are shown at present, by all listeners.
#[derive(Debug, Default)]
pub struct Proofs {
    shown: ArcSwapOption<Shown>,
    next: AtomicU64,
}

/// A proof that is shown until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Proof {
    proofs: Arc<Proofs>,
    number: u64,
}

#[derive(Clone, Debug, Default)]
struct Shown {
    /// By token. The number tells which [`Proof`] it is: two may be of one name.
    answers: HashMap<Box<str>, (u64, Arc<str>)>,
    /// By host, in lower case.
    certificates: HashMap<Box<str>, (u64, Arc<CertifiedKey>)>,
    /// Serves the certificates, where there are any.
    config: Option<Arc<ServerConfig>>,
}

impl Proofs {
    /// Answers `/.well-known/acme-challenge/TOKEN` with `answer`.
    pub fn show_answer(self: &Arc<Self>, token: &str, answer: &str) -> Proof {
        let proof = self.proof();
        self.change(|shown| {
            let answer = (proof.number, Arc::from(answer));
            shown.answers.insert(token.into(), answer);
        });
        proof
    }

    /// Serves this certificate for `host` in handshakes that offer `acme-tls/1` alone.
    ///
    /// # Errors
    /// What is no certificate, or no key.
    pub fn show_certificate(
        self: &Arc<Self>,
        host: &str,
        chain: &str,
        private_key: &str,
    ) -> Result<Proof, WrongFile> {
        let key = Arc::new(parse_own(chain, private_key)?);
        let proof = self.proof();
        self.change(|shown| {
            let key = (proof.number, Arc::clone(&key));
            shown
                .certificates
                .insert(host.to_ascii_lowercase().into(), key);
        });
        Ok(proof)
    }

    /// The answer to be given for a token.
    pub fn answer(&self, token: &str) -> Option<Arc<str>> {
        let shown = self.shown.load();
        let (_, answer) = shown.as_ref()?.answers.get(token)?;
        Some(Arc::clone(answer))
    }

    /// What handshakes are answered by that offer `acme-tls/1` alone; `None` where no certificate is shown.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        self.shown.load().as_ref()?.config.clone()
    }

    fn proof(self: &Arc<Self>) -> Proof {
        Proof {
            proofs: Arc::clone(self),
            number: self.next.fetch_add(1, Relaxed),
        }
    }

    fn change(&self, change: impl Fn(&mut Shown)) {
        self.shown.rcu(|shown| {
            let mut next = shown.as_deref().cloned().unwrap_or_default();
            change(&mut next);
            if next.answers.is_empty() && next.certificates.is_empty() {
                return None;
            }
            next.config = next.config();
            Some(Arc::new(next))
        });
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.proofs.change(|shown| {
            shown
                .answers
                .retain(|_, (number, _)| *number != self.number);
            shown
                .certificates
                .retain(|_, (number, _)| *number != self.number);
        });
    }
}

impl Shown {
    fn config(&self) -> Option<Arc<ServerConfig>> {
        if self.certificates.is_empty() {
            return None;
        }
        let keys = self
            .certificates
            .iter()
            .map(|(host, (_, key))| (host.clone(), Arc::clone(key)))
            .collect();
        // Not reached: the provider has ciphers for the versions of TLS that there are.
        server_config(keys).ok()
    }
}

/// Nothing is spoken after such a handshake, so there is nothing to be resumed.
fn server_config(keys: HashMap<Box<str>, Arc<CertifiedKey>>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByHost(keys)));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Whoever names another host, or none, is refused.
#[derive(Debug)]
struct ByHost(HashMap<Box<str>, Arc<CertifiedKey>>);

impl ResolvesServerCert for ByHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        self.0.get(&*host).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_shown_as_long_as_it_lives() {
        let proofs = Arc::new(Proofs::default());
        assert_eq!(proofs.answer("a"), None);
        let first = proofs.show_answer("a", "a.1");
        let other = proofs.show_answer("b", "b.1");
        assert_eq!(proofs.answer("a").as_deref(), Some("a.1"));
        assert_eq!(proofs.answer("b").as_deref(), Some("b.1"));
        let again = proofs.show_answer("a", "a.2");
        drop(first);
        assert_eq!(
            proofs.answer("a").as_deref(),
            Some("a.2"),
            "it took its place"
        );
        drop((again, other));
        assert_eq!(proofs.answer("a"), None);
        assert!(proofs.shown.load().is_none(), "nothing is left");
    }

    #[test]
    fn certificates_are_offered_while_there_are_any() {
        let proofs = Arc::new(Proofs::default());
        let answer = proofs.show_answer("a", "a.1");
        assert!(proofs.config().is_none(), "an answer is no certificate");
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec!["Example.com".into()]).expect("a name");
        // Critical, and known to nobody else (RFC 8737, 3).
        let digest = rcgen::CustomExtension::new_acme_identifier(&[7; 32]);
        params.custom_extensions = vec![digest];
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let proof = proofs
            .show_certificate("Example.com", &pem, &key.serialize_pem())
            .expect("they fit");
        let config = proofs.config().expect("a certificate");
        assert_eq!(config.alpn_protocols, [ACME_TLS]);
        drop(proof);
        assert!(proofs.config().is_none());
        drop(answer);
    }
}
