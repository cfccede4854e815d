//! What holds for any bytes that a TLS session gets from the network. No socket here: the corpus and the fuzz target check it.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::UnbufferedServerConnection;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::records::{Out, Records, Task};

/// Gives `bytes` to a session of either side, in pieces of several sizes.
///
/// # Panics
/// Something does not hold: bytes are used that were not there, a failure tells the other side nothing, or what comes of
/// it depends on how the bytes were cut.
pub fn check(bytes: &[u8]) {
    for begin in [begin_server, begin_client] {
        let whole = feed(begin(), bytes, bytes.len());
        for size in [1, 7, 100] {
            assert_eq!(feed(begin(), bytes, size), whole, "in pieces of {size}");
        }
    }
}

/// What came of it: what was deciphered, and why it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    plain: Vec<u8>,
    error: Option<String>,
    peer_closed: bool,
}

fn feed(mut records: Records, bytes: &[u8], size: usize) -> Outcome {
    let mut outcome = Outcome {
        plain: Vec::new(),
        error: None,
        peer_closed: false,
    };
    let (mut held, mut room) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        held.extend_from_slice(piece);
        let mut out = Out::behind(&mut room, 0);
        let mut fetch = |bytes: &[u8]| outcome.plain.extend_from_slice(bytes);
        match records.drive(&mut held, Task::Receive, &mut fetch, &mut out) {
            Ok(driven) => {
                assert!(driven.used <= held.len(), "bytes that were not there");
                held.drain(..driven.used);
                outcome.peer_closed |= driven.peer_closed;
            }
            Err(error) => {
                assert!(!matches!(error, rustls::Error::General(_)), "{error}");
                outcome.error = Some(error.to_string());
                return outcome;
            }
        }
    }
    outcome
}

fn begin_server() -> Records {
    let connection = UnbufferedServerConnection::new(Arc::clone(&SERVER));
    Records::Server(connection.expect("settings that are right"))
}

fn begin_client() -> Records {
    let name = "a.test".try_into().expect("a name");
    let connection = UnbufferedClientConnection::new(Arc::clone(&CLIENT), name);
    let mut records = Records::Client(connection.expect("settings that are right"));
    // It speaks first.
    let mut room = Vec::new();
    let mut out = Out::behind(&mut room, 0);
    let hello = records.drive(&mut [], Task::Receive, &mut |_| {}, &mut out);
    assert!(hello.is_ok() && out.filled() > 0);
    records
}

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let key = key.to_pkcs8v1().expect("a form");
    let provider = default_provider();
    let key = PrivateKeyDer::Pkcs8(key.as_ref().to_vec().into());
    let key = provider.key_provider.load_private_key(key).expect("a key");
    // Nobody gets as far as looking at it.
    let chain = vec![CertificateDer::from(vec![0x30, 0])];
    let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.max_early_data_size = 1 << 14;
    config.send_half_rtt_data = true;
    Arc::new(config)
});

static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(config)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus() {
        for bytes in testkit::corpus("tls_session") {
            check(&bytes);
        }
    }
}
