//! The client's side of TLS: a session over a socket that does not block, and what clients offer.
//!
//! Clients decide what is negotiated, so that all subjects do the same work: TLS 1.3, X25519, AES-128-GCM. They do not
//! look at the certificate, which would only make the load dearer.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme, version};

use super::socket::{self, Moved};
use crate::window;

/// A session of TLS over a socket.
pub(crate) struct Ciphered {
    socket: OwnedFd,
    session: ClientConnection,
}

impl Ciphered {
    /// A session whose handshake has not begun.
    pub(crate) fn new(socket: OwnedFd, config: Arc<ClientConfig>) -> io::Result<Self> {
        let session = ClientConnection::new(config, server_name()).map_err(io::Error::other)?;
        Ok(Self { socket, session })
    }

    /// Goes on with the handshake as far as it gets; true when it is done.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        while self.session.is_handshaking() {
            if !self.flush()? || !self.fill()? {
                return Ok(false);
            }
        }
        self.flush()
    }

    /// The whole handshake.
    pub(crate) fn shake_hands(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while !self.advance()? {
            if began.elapsed() > HANDSHAKE_PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            window::pause(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// Whether an earlier session was gone on with; none while that is open.
    pub(crate) fn resumed(&self) -> Option<bool> {
        let kind = self.session.handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    /// Reads once into `space`.
    pub(crate) fn receive(&mut self, space: &mut [u8]) -> Moved {
        loop {
            match self.session.reader().read(space) {
                Ok(length) => return Moved::Bytes(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Moved::Broken,
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Moved::WouldBlock,
                Err(_) => return Moved::Broken,
            }
        }
    }

    /// Writes all of `bytes`, which are far less than a socket holds.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Moved {
        match self
            .session
            .writer()
            .write(bytes)
            .and_then(|length| Ok((length, self.flush()?)))
        {
            Ok((length, true)) => Moved::Bytes(length),
            Ok((_, false)) | Err(_) => Moved::Broken,
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.session.send_close_notify();
        // Where it does not leave any more, the other side has gone first.
        let _ = self.flush();
    }

    /// Receives once; false when there is nothing yet.
    fn fill(&mut self) -> io::Result<bool> {
        match self.session.read_tls(&mut Raw(&self.socket)) {
            Ok(0) if self.session.is_handshaking() => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        let processed = self.session.process_new_packets();
        processed.map_err(io::Error::other)?;
        Ok(true)
    }

    /// Sends what is ciphered; false when the socket does not take it all.
    fn flush(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Raw(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl AsFd for Ciphered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What clients offer, with `protocols` for ALPN. Each session is a new one: none is gone on with.
pub(crate) fn offer(protocols: &[&str]) -> Result<ClientConfig, Error> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![kx_group::X25519];
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(schemes)))
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name that clients ask for, and that the certificate is made for.
pub(crate) const HOST: &str = "shop.example.com";

fn server_name() -> ServerName<'static> {
    ServerName::DnsName(
        rustls::pki_types::DnsName::try_from(HOST).expect("a constant that is a name"),
    )
}

/// Takes any certificate.
#[derive(Debug)]
struct Unverified(Vec<SignatureScheme>);

impl ServerCertVerifier for Unverified {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// The socket as the session reads and writes it.
struct Raw<'a>(&'a OwnedFd);

impl Read for Raw<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        said(socket::receive(self.0, space))
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        said(socket::send(self.0, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn said(moved: Moved) -> io::Result<usize> {
    match moved {
        Moved::Bytes(length) => Ok(length),
        Moved::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
        Moved::Broken => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

const HANDSHAKE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_micros(50);
