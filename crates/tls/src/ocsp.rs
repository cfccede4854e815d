//! Answers of OCSP (RFC 6960): what one says, and when it is shown to clients.
//!
//! Their signature is not checked: that is for those to do to whom they are shown.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use der::Decode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use sluice_config::plan::{Certificate, Ocsp, OcspFlaw};
use sluice_config::{FileRole, WrongFile};
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::certified;

/// Looks into an answer that was read from `file`, in DER, for a certificate whose chain, in PEM, is `chain`.
///
/// # Errors
/// That it is no answer of OCSP at all.
pub fn ocsp(file: PathBuf, response: &[u8], chain: &str) -> Result<Ocsp, WrongFile> {
    let said = said(response, chain).map_err(|_| {
        WrongFile::new(FileRole::Ocsp, "not an answer of OCSP in DER")
            .help("`openssl ocsp -issuer ca.pem -cert example.com.pem -url http://… -respout example.com.ocsp` writes one")
    })?;
    let (flaw, next_update) = match said {
        Ok(single) => (
            flaw(&single),
            single
                .next_update
                .map(|time| SystemTime::UNIX_EPOCH + time.0.to_unix_duration()),
        ),
        Err(flaw) => (Some(flaw), None),
    };
    Ok(Ocsp {
        file,
        response: response.into(),
        flaw,
        next_update,
    })
}

/// What is said of the certificate, or why nothing is.
fn said(response: &[u8], chain: &str) -> der::Result<Result<SingleResponse, OcspFlaw>> {
    let parsed = OcspResponse::from_der(response)?;
    let (OcspResponseStatus::Successful, Some(bytes)) =
        (parsed.response_status, parsed.response_bytes)
    else {
        return Ok(Err(OcspFlaw::NoAnswer));
    };
    let basic = BasicOcspResponse::from_der(bytes.response.as_bytes())?;
    let serial = serial(chain).unwrap_or_default();
    let mut answers = basic.tbs_response_data.responses.into_iter();
    Ok(answers
        .find(|single| significant(single.cert_id.serial_number.as_bytes()) == serial)
        .ok_or(OcspFlaw::OtherCertificate))
}

fn flaw(single: &SingleResponse) -> Option<OcspFlaw> {
    match single.cert_status {
        CertStatus::Good(_) => None,
        CertStatus::Revoked(_) => Some(OcspFlaw::Revoked),
        CertStatus::Unknown(_) => Some(OcspFlaw::Unknown),
    }
}

/// The serial number of the first certificate of a chain.
fn serial(chain: &str) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
    Some(significant(parsed.raw_serial()).to_vec())
}

/// Without leading zeros, which stand for the sign.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A certificate as it is served: with an answer of OCSP while that is up to date.
#[derive(Debug)]
pub(crate) struct Served {
    bare: Arc<CertifiedKey>,
    stapled: Option<(Ocsp, Arc<CertifiedKey>)>,
}

impl Served {
    /// A plan's certificate.
    pub(crate) fn of(certificate: &Certificate) -> Result<Self, WrongFile> {
        let bare = certified(certificate)?;
        let stapled = certificate.ocsp.clone().map(|ocsp| {
            let mut stapled = CertifiedKey::clone(&bare);
            stapled.ocsp = Some(ocsp.response.to_vec());
            (ocsp, Arc::new(stapled))
        });
        Ok(Self { bare, stapled })
    }

    /// The certificate and its key.
    pub(crate) fn key(&self) -> &CertifiedKey {
        &self.bare
    }

    /// What a client gets at the time of `clock`, which is asked only where it matters.
    pub(crate) fn at(&self, clock: fn() -> SystemTime) -> Arc<CertifiedKey> {
        match &self.stapled {
            Some((ocsp, stapled)) if ocsp.is_stapled(clock()) => Arc::clone(stapled),
            _ => Arc::clone(&self.bare),
        }
    }
}

#[cfg(test)]
impl From<Arc<CertifiedKey>> for Served {
    fn from(bare: Arc<CertifiedKey>) -> Self {
        Self {
            bare,
            stapled: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};
    use sluice_config::plan::Secret;

    use super::*;

    #[test]
    fn an_answer_is_dropped_when_it_is_out_of_date() {
        const NOON: SystemTime = SystemTime::UNIX_EPOCH;
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
        let chain = params.self_signed(&key).expect("a certificate").pem();
        let with = |flaw, next_update| Certificate {
            ocsp: Some(Ocsp {
                file: "a.ocsp".into(),
                response: [1, 2, 3].into(),
                flaw,
                next_update,
            }),
            cert: "a.pem".into(),
            key: "a.key".into(),
            chain: chain.as_str().into(),
            private_key: Secret::new(&key.serialize_pem()),
            names: Vec::new(),
            not_before: NOON,
            not_after: NOON,
        };
        let second = Duration::from_secs(1);
        for (flaw, next_update, shown) in [
            (None, None, true),
            (None, Some(NOON + second), true),
            (None, Some(NOON), false),
            (None, Some(NOON - second), false),
            (Some(OcspFlaw::Revoked), Some(NOON + second), false),
        ] {
            let served = Served::of(&with(flaw, next_update)).expect("a pair");
            let given = served.at(|| NOON).ocsp.clone();
            assert_eq!(
                given,
                shown.then(|| vec![1, 2, 3]),
                "{flaw:?} {next_update:?}"
            );
        }
    }

    #[test]
    fn what_is_no_answer_is_a_mistake() {
        for bytes in [&b""[..], b"x", &[0x30, 0], &[0x30, 3, 0x0a, 1, 9]] {
            let wrong = ocsp("a.ocsp".into(), bytes, "").expect_err("no answer");
            assert_eq!(wrong.role, FileRole::Ocsp);
        }
    }
}
