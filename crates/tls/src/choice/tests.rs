use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519, RSA_PSS_SHA256};

use super::*;
use crate::certificate::parse;

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> Arc<CertifiedKey> {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    Arc::new(parse(&certificate.pem(), &key.serialize_pem()).expect("a pair"))
}

fn names(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| Box::from(*name)).collect()
}

#[test]
fn the_exact_name_goes_before_a_wildcard_and_that_before_the_first() {
    let (first, exact, wild) = (
        key(&PKCS_ECDSA_P256_SHA256),
        key(&PKCS_ECDSA_P256_SHA256),
        key(&PKCS_ECDSA_P256_SHA256),
    );
    let lists = [
        names(&["first.test"]),
        names(&["a.test", "b.a.test"]),
        names(&["*.a.test"]),
    ];
    let all = [&first, &exact, &wild];
    let choice = Choice::new(
        lists
            .iter()
            .map(Vec::as_slice)
            .zip(all.map(|key| Arc::clone(key).into())),
    );
    for (name, wanted) in [
        (Some("first.test"), &first),
        (Some("a.test"), &exact),
        (Some("A.Test"), &exact),
        (Some("b.a.test"), &exact),
        (Some("c.a.test"), &wild),
        (Some("d.c.a.test"), &first),
        (Some("test"), &first),
        (Some(""), &first),
        (None, &first),
    ] {
        let chosen = choice.choose(name, &[ECDSA_NISTP256_SHA256]).expect("one");
        assert!(Arc::ptr_eq(&chosen, wanted), "{name:?}");
    }
}

#[test]
fn a_client_gets_the_cheapest_key_that_it_can_check() {
    let (rsa, ed, ec) = (
        key(&PKCS_RSA_SHA256),
        key(&PKCS_ED25519),
        key(&PKCS_ECDSA_P256_SHA256),
    );
    let name = names(&["a.test"]);
    let all = [&rsa, &ed, &ec];
    let choice = Choice::new(all.map(|key| (name.as_slice(), Arc::clone(key).into())));
    for (offered, wanted) in [
        (&[RSA_PSS_SHA256, ED25519, ECDSA_NISTP256_SHA256][..], &ec),
        (&[RSA_PSS_SHA256, ED25519], &ed),
        (&[RSA_PSS_SHA256], &rsa),
        (&[], &ec),
    ] {
        for name in [Some("a.test"), None] {
            let chosen = choice.choose(name, offered).expect("one");
            assert!(Arc::ptr_eq(&chosen, wanted), "{name:?} {offered:?}");
        }
    }
}
