use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};

use FileRole::{Certificate as Cert, Key};

use super::*;

/// A chain and its key.
fn pair(algorithm: &'static rcgen::SignatureAlgorithm, names: &[&str]) -> (String, String) {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 2);
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn loaded(chain: &str, key: &str) -> Result<Certificate, WrongFile> {
    load("a.pem".into(), "a.key".into(), chain, key)
}

#[test]
fn every_kind_of_key_is_taken_with_what_the_certificate_says() {
    for algorithm in [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        let (chain, key) = pair(algorithm, &["A.Test", "*.b.test", "192.0.2.1"]);
        let certificate = loaded(&chain, &key).expect("a pair");
        let names: Vec<&str> = certificate.names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["a.test", "*.b.test", "192.0.2.1"]);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(certificate.not_before, at(1_577_836_800));
        assert_eq!(certificate.not_after, at(1_893_542_400));
    }
}

#[test]
fn what_is_wrong_is_said_of_the_right_file() {
    let (chain, key) = pair(&PKCS_ECDSA_P256_SHA256, &["a.test"]);
    let (_, other) = pair(&PKCS_ECDSA_P256_SHA256, &["a.test"]);
    let cut = &chain[..chain.len() - 30];
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (chain, key, role, reason) in [
        (&*key, &*chain, Cert, "no certificate is in it"),
        ("", &*key, Cert, "no certificate is in it"),
        (cut, &*key, Cert, "the PEM text is cut off"),
        (no_certificate, &*key, Cert, "not an X.509 certificate"),
        (&*chain, &*chain, Key, "no private key is in it"),
        (&*chain, "", Key, "no private key is in it"),
        (&*chain, encrypted, Key, "the key is encrypted"),
        (&*chain, old, Key, "the key is encrypted"),
        (
            &*chain,
            nonsense,
            Key,
            "a key of a kind that cannot be used",
        ),
        (
            &*chain,
            &*other,
            Key,
            "this is not the key of that certificate",
        ),
    ] {
        let wrong = loaded(chain, key).expect_err(reason);
        assert_eq!((wrong.role, wrong.reason.as_str()), (role, reason));
    }
}
