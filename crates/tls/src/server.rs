//! What a listener offers its clients, in the terms of `rustls`.

use std::sync::Arc;

use ::aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use sluice_config::plan::{ClientAuth, Tls, TlsVersion};
use sluice_config::{FileRole, WrongFile};

use crate::authorities::{revoked, roots};
use crate::choice::Choice;
use crate::issued::Issued;
use crate::ocsp::Served;
use crate::resumption::Resumption;

/// The configuration of a listener's sessions. `protocols` are offered by ALPN, the best first; `issued` is the place of the certificate
/// for the domains of `acme`.
///
/// # Errors
/// A certificate that does not fit its key; in a plan there is none.
pub fn server_config(
    tls: &Tls,
    protocols: &[&[u8]],
    resumption: &Resumption,
    issued: Option<Arc<Issued>>,
) -> Result<Arc<ServerConfig>, WrongFile> {
    let certificates = tls
        .certificates
        .iter()
        .map(|one| Ok((&*one.names, Served::of(one)?)))
        .collect::<Result<Vec<_>, WrongFile>>()?;
    let wrong = |reason: String| WrongFile::new(FileRole::Authority, reason);
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(tls.min_version))
        // Not reached: the provider has ciphers for both versions.
        .map_err(|error| wrong(error.to_string()))?;
    let builder = match &tls.client_auth {
        None => builder.with_no_client_auth(),
        Some(auth) => {
            let verifier = verifier(auth, provider).map_err(|error| wrong(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let choice = match (&tls.acme, issued) {
        (Some(acme), Some(issued)) => Choice::new(certificates).awaiting(&acme.domains, issued),
        _ => Choice::new(certificates),
    };
    let mut config = builder.with_cert_resolver(Arc::new(choice));
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    resumption.apply(&mut config);
    if let Some(size) = tls.early_data {
        config.max_early_data_size = size;
        // Else the answer would wait for the handshake, and nothing be gained.
        config.send_half_rtt_data = true;
    }
    Ok(Arc::new(config))
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Who clients must be. A certificate of which no list says whether it is revoked is refused, where there are lists.
fn verifier(
    auth: &ClientAuth,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let lists = auth
        .revoked
        .as_deref()
        .and_then(revoked)
        .unwrap_or_default();
    let roots = Arc::new(roots(&auth.authorities));
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider)
        .with_crls(lists)
        .only_check_end_entity_revocation();
    if !auth.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build()
}

/// What sessions of a listener may not be carried over from and to: its name, and whom it lets in.
pub(crate) fn purpose(listener: &str, auth: Option<&ClientAuth>) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    digest.update(listener.as_bytes());
    if let Some(auth) = auth {
        digest.update(&[0, u8::from(auth.required)]);
        for certificate in &*auth.authorities.certificates {
            digest.update(certificate);
        }
        digest.update(auth.revoked.as_deref().unwrap_or_default().as_bytes());
    }
    digest.finish().as_ref().to_vec()
}

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match oldest {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &BOTH[..1],
    }
}
