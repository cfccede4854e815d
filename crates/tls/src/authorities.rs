//! Whom certificates are verified by: authorities from a PEM text, or those that this machine trusts.
//!
//! The machine's own, and not a list that comes with the program: servers behind a balancer mostly have certificates of an
//! authority of the house, which its machines know, and a machine's list is kept up to date with it.

use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use sluice_config::plan::Authorities;
use sluice_config::{FileRole, WrongFile};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// The authorities in the text of a file.
///
/// # Errors
/// That there is none in it, or one that cannot be used.
pub fn authorities(file: PathBuf, text: &str) -> Result<Authorities, WrongFile> {
    let wrong = |reason: &str| WrongFile::new(FileRole::Authority, reason);
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| wrong("not a PEM text"))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate is in it")
            .help("a PEM file of authorities holds `-----BEGIN CERTIFICATE-----` once for each"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots
            .add(certificate.clone())
            .map_err(|_| wrong("it holds something that is no certificate of an authority"))?;
    }
    Ok(Authorities {
        file: Some(file),
        certificates: boxed(&certificates),
    })
}

/// Checks lists of revoked certificates.
///
/// # Errors
/// That there is none in it, or one that cannot be used.
pub fn check_revoked(text: &str) -> Result<(), WrongFile> {
    let wrong = |reason: &str| WrongFile::new(FileRole::Revoked, reason);
    let lists = revoked(text).ok_or_else(|| wrong("not a PEM text"))?;
    if lists.is_empty() {
        return Err(wrong("no list is in it").help("a list begins with `-----BEGIN X509 CRL-----`"));
    }
    for list in lists {
        CertificateRevocationList::from_der(&list)
            .map_err(|_| wrong("it holds something that is no list of revoked certificates"))?;
    }
    Ok(())
}

/// The lists in a text.
pub(crate) fn revoked(text: &str) -> Option<Vec<CertificateRevocationListDer<'static>>> {
    CertificateRevocationListDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .ok()
}

/// Whom certificates are verified by.
pub(crate) fn roots(authorities: &Authorities) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let certificates = authorities.certificates.iter();
    roots.add_parsable_certificates(
        certificates.map(|certificate| CertificateDer::from(certificate.to_vec())),
    );
    roots
}

/// The authorities that this machine trusts.
///
/// # Errors
/// That there are none: a container without its list.
pub fn system_authorities() -> Result<Authorities, WrongFile> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(
            WrongFile::new(FileRole::Authority, "this machine trusts none")
                .help("install its list, the package `ca-certificates` mostly, or set `ca`"),
        );
    }
    Ok(Authorities {
        file: None,
        certificates: boxed(&found.certs),
    })
}

fn boxed(certificates: &[CertificateDer<'_>]) -> std::sync::Arc<[Box<[u8]>]> {
    certificates
        .iter()
        .map(|certificate| Box::from(certificate.as_ref()))
        .collect()
}
