//! What a listener offers its clients, in the terms of `rustls`.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use sluice_config::WrongFile;
use sluice_config::plan::{Tls, TlsVersion};

use crate::certificate::certified;
use crate::choice::Choice;
use crate::tickets::Tickets;

/// The configuration of a listener's sessions. `protocols` are offered by ALPN, the best first.
///
/// # Errors
/// A certificate that does not fit its key; in a plan there is none.
pub fn server_config(
    tls: &Tls,
    protocols: &[&[u8]],
    tickets: Arc<Tickets>,
) -> Result<Arc<ServerConfig>, WrongFile> {
    let certificates = tls
        .certificates
        .iter()
        .map(|one| Ok((&*one.names, certified(one)?)))
        .collect::<Result<Vec<_>, WrongFile>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions(tls.min_version))
        // Not reached: the provider has ciphers for both versions.
        .map_err(|error| WrongFile::new(sluice_config::FileRole::Certificate, error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Choice::new(certificates)));
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    // Tickets carry what a session needs; a store of ours would be a lock between workers.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    Ok(Arc::new(config))
}

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match oldest {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &BOTH[..1],
    }
}
