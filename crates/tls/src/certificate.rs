//! From PEM texts to a certificate that can be served, and what it says of itself.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::Error;
use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sluice_config::plan::{Certificate, Secret};
use sluice_config::{FileRole, WrongFile};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Checks a chain and its private key, as they were read from these files.
///
/// # Errors
/// What is wrong with which of the two.
pub fn load(
    cert: PathBuf,
    key: PathBuf,
    chain: &str,
    private_key: &str,
) -> Result<Certificate, WrongFile> {
    let certified = parse(chain, private_key)?;
    let said = certified
        .cert
        .first()
        .and_then(|first| Said::by(first))
        .ok_or_else(|| WrongFile::new(FileRole::Certificate, "not an X.509 certificate"))?;
    Ok(Certificate {
        cert,
        key,
        chain: chain.into(),
        private_key: Secret::new(private_key),
        names: said.names,
        not_before: said.not_before,
        not_after: said.not_after,
        ocsp: None,
    })
}

/// A chain with its key, ready to be served.
pub(crate) fn parse(chain: &str, private_key: &str) -> Result<CertifiedKey, WrongFile> {
    let certified = parse_own(chain, private_key)?;
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(WrongFile::new(
            FileRole::Key,
            "this is not the key of that certificate",
        )
        .help("the first certificate in the file of `cert` has to be the one that the key was made for")),
        Err(_) => Err(WrongFile::new(
            FileRole::Certificate,
            "not an X.509 certificate",
        )),
    }
}

/// The same of a pair that we have made ourselves. Whether the two fit is not looked at, so the certificate may have extensions that no
/// ordinary one has.
pub(crate) fn parse_own(chain: &str, private_key: &str) -> Result<CertifiedKey, WrongFile> {
    let certificates = certificates(chain)?;
    let key = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(key(private_key)?)
        .map_err(|_| {
            WrongFile::new(FileRole::Key, "a key of a kind that cannot be used").help(
                "RSA keys of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, and Ed25519 can",
            )
        })?;
    Ok(CertifiedKey::new(certificates, key))
}

fn certificates(chain: &str) -> Result<Vec<CertificateDer<'static>>, WrongFile> {
    let wrong = |reason: String| WrongFile::new(FileRole::Certificate, reason);
    let certificates = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(broken_pem(&error)))?;
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    let wrong = wrong("no certificate is in it".to_owned());
    Err(if chain.contains("PRIVATE KEY-----") {
        wrong.help("it holds a private key: are `cert` and `key` the wrong way round?")
    } else {
        wrong.help("a PEM file begins with `-----BEGIN CERTIFICATE-----`")
    })
}

fn key(text: &str) -> Result<PrivateKeyDer<'static>, WrongFile> {
    let wrong = |reason: String| WrongFile::new(FileRole::Key, reason);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("the key is encrypted".to_owned()).help(
            "decipher it, `openssl pkey -in this -out that`, and let nobody else read that file",
        ));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
        PemError::NoItemsFound => {
            let wrong = wrong("no private key is in it".to_owned());
            if text.contains("BEGIN CERTIFICATE") {
                wrong.help("it holds a certificate: are `cert` and `key` the wrong way round?")
            } else {
                wrong.help("a PEM file of a key begins with `-----BEGIN PRIVATE KEY-----`")
            }
        }
        error => wrong(broken_pem(&error)),
    })
}

fn broken_pem(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "the PEM text is cut off".to_owned(),
        _ => "not a PEM text".to_owned(),
    }
}

/// What a certificate says of itself.
struct Said {
    names: Vec<Box<str>>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Said {
    fn by(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let validity = parsed.validity();
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let names = alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
                GeneralName::IPAddress(bytes) => Some(ip(bytes)?.to_string().into()),
                _ => None,
            })
            .collect();
        Some(Self {
            names,
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
        })
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Seconds since 1970; what lies before does not matter here.
fn time(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A plan's certificate, ready to be served.
pub(crate) fn certified(certificate: &Certificate) -> Result<Arc<CertifiedKey>, WrongFile> {
    parse(&certificate.chain, certificate.private_key.reveal()).map(Arc::new)
}

#[cfg(test)]
mod tests;
