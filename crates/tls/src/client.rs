//! What is asked of servers, in the terms of `rustls`, and sessions with them.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sluice_config::plan::UpstreamTls;
use sluice_config::{FileRole, WrongFile};
use sluice_net::Socket;

use crate::authorities::roots;
use crate::certificate::certified;
use crate::failure::HandshakeError;
use crate::records::Records;
use crate::session::Session;
use crate::workspace::Workspace;

/// The configuration of the sessions with an upstream's servers.
///
/// # Errors
/// A certificate that does not fit its key, or authorities that are none; in a plan there are none such.
pub fn client_config(tls: &UpstreamTls) -> Result<Arc<ClientConfig>, WrongFile> {
    let wrong = |error: Error| WrongFile::new(FileRole::Authority, error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let builder = if let Some(authorities) = &tls.authorities {
        builder.with_root_certificates(roots(authorities))
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    };
    let config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let resolver = rustls::sign::SingleCertAndKey::from(certified(certificate)?);
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
    };
    Ok(Arc::new(config))
}

/// Begins a session with the server at the other end of `socket`, of which a certificate for `host` is expected.
/// `protocols` are offered by ALPN.
///
/// # Errors
/// A host that no certificate can be for.
pub fn begin_session(
    socket: Socket,
    config: &Arc<ClientConfig>,
    host: String,
    protocols: &[&[u8]],
    workspace: Rc<Workspace>,
) -> Result<Box<Session>, HandshakeError> {
    let name = ServerName::try_from(host)
        .map_err(|_| HandshakeError::Certificate("not a host name".to_owned()))?;
    let protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let connection =
        UnbufferedClientConnection::new_with_alpn(Arc::clone(config), name, protocols)?;
    let mut session = Box::new(Session::new(Records::Client(connection), socket, workspace));
    session.begin(Vec::new())?;
    Ok(session)
}

impl Session {
    /// The protocol that was agreed upon (ALPN).
    pub fn protocol(&self) -> Option<&[u8]> {
        self.records.common().alpn_protocol()
    }

    /// Goes on with the handshake with a server until it is done. Our last message goes out with the first bytes that are
    /// written.
    pub fn poll_shake_hands(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        let outcome = ready!(self.poll_handshake(cx));
        if outcome.is_err() {
            // What is wrong is told the server.
            self.flush_once();
        }
        Poll::Ready(outcome.map_err(HandshakeError::from))
    }
}

/// `verify = false`: whoever holds the key of the certificate that it shows.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
